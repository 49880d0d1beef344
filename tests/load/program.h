/*
 * The program that every load client is: it takes a command a line from stdin, looks at clocks,
 * keeps latencies, and ends with a sentence on stderr where anything is not as it must be.
 *
 * It is a header, with functions that are static, so that each client is compiled with one call of
 * the compiler and nothing is linked. It goes before all others: it asks for what is GNU's.
 */

#ifndef PROGRAM_H
#define PROGRAM_H

#define _GNU_SOURCE
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

/* Nothing has come for so long: something is lost. */
static const double STALL_SECONDS = 20;

__attribute__((noreturn, format(printf, 1, 2))) static inline void die(const char *words, ...)
{
    va_list rest;
    va_start(rest, words);
    fputs("load client: ", stderr);
    vfprintf(stderr, words, rest);
    fputc('\n', stderr);
    exit(1);
}

static inline void *must(void *memory)
{
    if (memory == NULL)
        die("no memory");
    return memory;
}

/* -- clocks -- */

static inline double seconds_of(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        die("the server's process has ended");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static inline double now(void) { return seconds_of(CLOCK_MONOTONIC); }

/* The CPU time of a process. */
static inline clockid_t clock_of(const char *pid)
{
    clockid_t clock;
    if (clock_getcpuclockid(atoi(pid), &clock) != 0)
        die("there is no process %s", pid);
    return clock;
}

/* A wait ends up to a millisecond late, so the last one is spent looking. */
static inline int milliseconds_of(double left) { return left < 0.002 ? 0 : (int)(left * 1000) - 1; }

/* -- commands -- */

/* What was read of a line from stdin. */
static char command[512];
static size_t command_size;

/* Have epoll tell of stdin, as of what has no pointer. */
static inline void listen_to_commands(int epoll_fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        die("stdin must be a pipe");
}

/* Take what has come of a command, or end with whoever gives them. */
static inline void read_command(void)
{
    ssize_t size = read(STDIN_FILENO, command + command_size, sizeof command - 1 - command_size);
    if (size <= 0)
        exit(0);
    command_size += (size_t)size;
    command[command_size] = 0;
}

/* Whether all of a command has come, whose place the next one takes. */
static inline int take_command(void)
{
    if (memchr(command, '\n', command_size) == NULL)
        return 0;
    command_size = 0;
    return 1;
}

/* -- latencies -- */

/* In microseconds. */
static uint32_t *latencies;
static size_t latency_count, latency_room;

static inline void time_one(double latency)
{
    if (latency_count == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 1 << 16;
        latencies = must(realloc(latencies, latency_room * sizeof *latencies));
    }
    latencies[latency_count++] = latency > 0 ? (uint32_t)(latency * 1e6) : 0;
}

static inline int ascending(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static inline void sort_latencies(void)
{
    if (latency_count > 0)
        qsort(latencies, latency_count, sizeof *latencies, ascending);
}

/* In milliseconds, of those that are sorted. */
static inline double latency_at(double share)
{
    if (latency_count == 0)
        return 0;
    size_t at = (size_t)(share * (double)latency_count);
    return latencies[at < latency_count ? at : latency_count - 1] / 1e3;
}

#endif
