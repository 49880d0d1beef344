/*
 * The load client of live connections: browsers that are signed in, on one core, in one thread.
 *
 *     client PORT PID ORIGIN COOKIES
 *
 * PORT is the gateway's on 127.0.0.1, PID the process whose CPU time is taken, COOKIES a file with a
 * Cookie header a line, of which each connection takes the next. A command a line on stdin, an answer
 * a line on stdout, in JSON; it ends with stdin. Connections are in groups, 0 to 15:
 *
 *     open G COUNT PATH BYTES open so many more, until each has been greeted; BYTES is the kernel's
 *                             buffer for what they have not read, 0 for its own choice
 *     close G                 close all of a group in order, until the gateway has closed them, too
 *     start G                 measure what this group gets from now on
 *     report                  what it has got since
 *     talk G COUNT RATE BYTES send messages over the first of the group, so many a second
 *     stall G                 read nothing anymore
 *     flood G                 send as fast as the gateway takes it
 *
 * A message that is measured has "load-", its number and the time it was due, in 16 hexadecimal
 * digits each. A connection must get all numbers, each once, in order. All answer pings but those
 * that are stalled.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    EVENTS = 1024,
    READ_BYTES = 256 * 1024,
    /* Frames and answers to handshakes are shorter. */
    PART_BYTES = 64 * 1024,
    /* Handshakes under way at once. */
    OPENING = 64,
    GROUPS = 16,
    COOKIE_BYTES = 256,
    TALK_BYTES = 8000,
};

/* Nothing has come for so long: something is lost. */
static const double STALL_SECONDS = 20;

/* The answer to this key is known (RFC 6455, section 1.3). */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define MARK "load-"

enum state { CONNECTING, GREETING, OPEN, CLOSING, GONE };

struct connection {
    int fd, group;
    enum state state;
    int is_stalled, is_flooding;
    /* Where in the flood it is. */
    size_t flooded;
    /* The number that must come next; 0 before the first. */
    uint64_t next;
    /* What was read of a frame whose rest has not come yet. */
    char *part;
    size_t part_size;
};

static int port, epoll_fd;
static const char *origin;
static clockid_t server_clock;
static char (*cookies)[COOKIE_BYTES];
static size_t cookie_count, cookie_next;
static struct connection **connections;
static size_t connection_count, connection_room;
/* In each group: those of which the gateway has not heard enough, and those that are open. */
static size_t opening[GROUPS], open_count[GROUPS];
static char buffer[PART_BYTES + READ_BYTES], flood[4096];
static size_t flood_size;
/* What was read of a line from stdin. */
static char command[512];
static size_t command_size;
static uint64_t said;

/* Since `start`. */
static int measured = -1;
static uint64_t frames, missing, disordered;
static uint32_t *latencies;
static size_t latency_count, latency_room;

static void die(const char *words, ...)
{
    va_list rest;
    va_start(rest, words);
    fputs("load client: ", stderr);
    vfprintf(stderr, words, rest);
    fputc('\n', stderr);
    exit(1);
}

static double seconds_of(clockid_t clock)
{
    struct timespec now;
    if (clock_gettime(clock, &now) != 0)
        die("the gateway's process has ended");
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static double now(void) { return seconds_of(CLOCK_MONOTONIC); }

static void *must(void *memory)
{
    if (memory == NULL)
        die("no memory");
    return memory;
}

/* -- frames -- */

/* False where the peer is gone. */
static int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = send(fd, data, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd one = {.fd = fd, .events = POLLOUT};
            poll(&one, 1, 1000);
        } else if (written < 0 && errno != EINTR) {
            return 0;
        } else if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
    return 1;
}

/* A masked frame whose mask is zero, which leaves the payload as it is; shorter than 64 KiB. */
static size_t put_frame(char *to, int opcode, const char *payload, size_t size)
{
    size_t at = 0;
    to[at++] = (char)(0x80 | opcode);
    if (size < 126) {
        to[at++] = (char)(0x80 | size);
    } else {
        to[at++] = (char)(0x80 | 126);
        to[at++] = (char)(size >> 8);
        to[at++] = (char)size;
    }
    memset(to + at, 0, 4);
    at += 4;
    memcpy(to + at, payload, size);
    return at + size;
}

static uint64_t hexadecimal(const char *digits)
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++)
        value = value << 4 | (uint64_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
    return value;
}

static void time_one(double latency)
{
    if (latency_count == latency_room) {
        latency_room = latency_room ? latency_room * 2 : 1 << 16;
        latencies = must(realloc(latencies, latency_room * sizeof *latencies));
    }
    latencies[latency_count++] = latency > 0 ? (uint32_t)(latency * 1e6) : 0;
}

static void take_message(struct connection *from, const char *payload, size_t size, double read_at)
{
    const char *mark = memmem(payload, size < 256 ? size : 256, MARK, strlen(MARK));
    if (mark == NULL || mark + strlen(MARK) + 32 > payload + size)
        return;
    uint64_t number = hexadecimal(mark + strlen(MARK));
    frames++;
    time_one(read_at - (double)hexadecimal(mark + strlen(MARK) + 16) / 1e9);
    if (from->next != 0 && number < from->next) {
        disordered++;
        return;
    }
    if (from->next != 0)
        missing += number - from->next;
    from->next = number + 1;
}

static void lose(struct connection *one)
{
    if (one->state == GREETING || one->state == CONNECTING)
        die("a connection was closed before its greeting");
    if (one->state == OPEN)
        open_count[one->group]--;
    one->state = GONE;
    close(one->fd);
    free(one->part);
    one->part = NULL;
}

/* Handle what is complete, and return how much that was. */
static size_t take_frames(struct connection *from, const char *data, size_t size, double read_at)
{
    size_t at = 0;
    while (size - at >= 2) {
        const unsigned char *head = (const unsigned char *)data + at;
        size_t length = head[1] & 0x7f, head_size = 2;
        if (length == 126) {
            if (size - at < 4)
                break;
            length = (size_t)head[2] << 8 | head[3];
            head_size = 4;
        }
        if (length == 127 || head[1] & 0x80 || !(head[0] & 0x80) || head[0] & 0x70)
            die("no such frame was to come: %02x %02x", head[0], head[1]);
        if (size - at < head_size + length)
            break;
        const char *payload = data + at + head_size;
        at += head_size + length;
        int opcode = head[0] & 0x0f;
        char answer[256];
        if (from->is_flooding && opcode >= 8) {
            /* In the middle of a frame, and not read by the gateway: an answer would wait for ever. */
            continue;
        } else if (opcode == 9 && length < 126) {
            write_all(from->fd, answer, put_frame(answer, 10, payload, length));
        } else if (opcode == 8 && from->state == OPEN) {
            write_all(from->fd, answer, put_frame(answer, 8, payload, length < 2 ? 0 : 2));
        } else if (opcode == 1 && from->state == GREETING) {
            if (memmem(payload, length, "\"connection_established\"", 24) == NULL)
                die("the first frame is no greeting: %.*s", (int)length, payload);
            from->state = OPEN;
            opening[from->group]--;
            open_count[from->group]++;
        } else if (opcode == 1 && from->group == measured) {
            take_message(from, payload, length, read_at);
        }
    }
    return at;
}

/* Return how much an answer to a handshake takes up; 0 while it is not complete. */
static size_t take_answer(struct connection *from, char *data, size_t size)
{
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    *end = 0;
    if (strncmp(data, "HTTP/1.1 101", 12) != 0 || strstr(data, ACCEPT) == NULL)
        die("the gateway turned a handshake down: %.60s", data);
    from->state = GREETING;
    return (size_t)(end - data) + 4;
}

static void read_from(struct connection *from)
{
    size_t before = from->part_size;
    ssize_t size = recv(from->fd, buffer + PART_BYTES, READ_BYTES, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        lose(from);
        return;
    }
    /* The part of last time goes before what was read now. */
    char *data = buffer + PART_BYTES - before;
    if (before > 0)
        memcpy(data, from->part, before);
    size_t total = before + (size_t)size, at = 0;
    if (from->state == CONNECTING)
        at = take_answer(from, data, total);
    if (from->state != CONNECTING)
        at += take_frames(from, data + at, total - at, now());
    from->part_size = total - at;
    if (from->part_size > PART_BYTES)
        die("%zu bytes make no frame of ours", from->part_size);
    if (from->part_size > 0) {
        from->part = must(realloc(from->part, from->part_size));
        memcpy(from->part, data + at, from->part_size);
    } else {
        free(from->part);
        from->part = NULL;
    }
}

/* Sends what the kernel takes now, and goes on from there, also from within a frame. */
static void flood_on(struct connection *one)
{
    for (;;) {
        ssize_t written = send(one->fd, flood + one->flooded, flood_size - one->flooded,
                               MSG_NOSIGNAL | MSG_DONTWAIT);
        if (written <= 0)
            return;
        one->flooded = (one->flooded + (size_t)written) % flood_size;
    }
}

/* -- connections -- */

static void listen_to(struct connection *one, uint32_t events, int operation)
{
    struct epoll_event event = {.events = events, .data.ptr = one};
    if (epoll_ctl(epoll_fd, operation, one->fd, &event) != 0)
        die("epoll: %s", strerror(errno));
}

static void start_opening(int group, const char *path, int bytes)
{
    if (connection_count == connection_room) {
        connection_room = connection_room ? connection_room * 2 : 1024;
        connections = must(realloc(connections, connection_room * sizeof *connections));
    }
    struct connection *one = connections[connection_count++] = must(calloc(1, sizeof *one));
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1, ethernet = 1460;
    one->group = group;
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one->fd < 0)
        die("no socket: %s", strerror(errno));
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    /*
     * Before the connection, whose window follows from it. The other end's buffer follows from the
     * size of segments: with loopback's of 64 KiB it takes megabytes before anybody has to wait.
     */
    if (bytes > 0) {
        setsockopt(one->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        setsockopt(one->fd, IPPROTO_TCP, TCP_MAXSEG, &ethernet, sizeof ethernet);
    }
    if (connect(one->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("no connection: %s", strerror(errno));
    char request[1024];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
                        "Sec-WebSocket-Version: 13\r\nOrigin: %s\r\nCookie: %s\r\n\r\n",
                        path, port, origin, cookies[cookie_next++ % cookie_count]);
    if (!write_all(one->fd, request, (size_t)size))
        die("the gateway takes no request: %s", strerror(errno));
    opening[group]++;
    listen_to(one, EPOLLIN, EPOLL_CTL_ADD);
}

/* Take what has come of a command, or end with whoever gives them. */
static void read_command(void)
{
    ssize_t size = read(STDIN_FILENO, command + command_size, sizeof command - 1 - command_size);
    if (size <= 0)
        exit(0);
    command_size += (size_t)size;
    command[command_size] = 0;
}

/* Read what has come, and wait for it so long at most; return whether anything had. */
static int turn(int milliseconds)
{
    struct epoll_event events[EVENTS];
    int count = epoll_wait(epoll_fd, events, EVENTS, milliseconds);
    for (int i = 0; i < count; i++) {
        struct connection *one = events[i].data.ptr;
        if (one == NULL) {
            read_command();
            continue;
        }
        if (one->state != GONE && events[i].events & ~(uint32_t)EPOLLOUT)
            read_from(one);
        if (one->state != GONE && one->is_flooding && events[i].events & EPOLLOUT)
            flood_on(one);
    }
    return count > 0;
}

static void open_some(int group, size_t wanted, const char *path, int bytes)
{
    size_t asked = 0;
    double began = now(), cpu = seconds_of(server_clock), last = began;
    while (asked < wanted || opening[group] > 0) {
        for (; asked < wanted && opening[group] < OPENING; asked++)
            start_opening(group, path, bytes);
        if (turn(1000))
            last = now();
        else if (now() - last > STALL_SECONDS)
            die("%zu connections were not greeted", opening[group]);
    }
    printf("{\"open\": %zu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n", open_count[group],
           now() - began, seconds_of(server_clock) - cpu);
}

static void close_all(int group)
{
    char goodbye[16];
    size_t size = put_frame(goodbye, 8, "\x03\xe8", 2), kept = 0, left = 0;
    double began = now();
    for (size_t i = 0; i < connection_count; i++) {
        struct connection *one = connections[i];
        if (one->group != group || one->state != OPEN)
            continue;
        /* Those who misbehave are in the middle of a frame, or would never see the answer. */
        if (one->is_stalled || one->is_flooding || !write_all(one->fd, goodbye, size)) {
            lose(one);
            continue;
        }
        open_count[group]--;
        one->state = CLOSING;
        left++;
    }
    size_t closed = left;
    while (left > 0 && now() - began < STALL_SECONDS) {
        turn(100);
        left = 0;
        for (size_t i = 0; i < connection_count; i++)
            left += connections[i]->group == group && connections[i]->state == CLOSING;
    }
    for (size_t i = 0; i < connection_count; i++) {
        if (connections[i]->state != GONE)
            connections[kept++] = connections[i];
        else
            free(connections[i]);
    }
    connection_count = kept;
    printf("{\"closed\": %zu, \"seconds\": %.6f}\n", closed - left, now() - began);
}

/* -- measuring -- */

static int ascending(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

static double latency_at(double share)
{
    if (latency_count == 0)
        return 0;
    size_t at = (size_t)(share * (double)latency_count);
    return latencies[at < latency_count ? at : latency_count - 1] / 1e3;
}

static void start(int group)
{
    measured = group;
    frames = missing = disordered = 0;
    latency_count = 0;
    for (size_t i = 0; i < connection_count; i++)
        connections[i]->next = 0;
    puts("{}");
}

static void report(void)
{
    if (latency_count > 0)
        qsort(latencies, latency_count, sizeof *latencies, ascending);
    printf("{\"open\": %zu, \"frames\": %llu, \"missing\": %llu, \"disordered\": %llu, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           measured < 0 ? 0 : open_count[measured], (unsigned long long)frames,
           (unsigned long long)missing, (unsigned long long)disordered, latency_at(0.5),
           latency_at(0.99), latency_at(1));
}

static struct connection *first_of(int group)
{
    for (size_t i = 0; i < connection_count; i++)
        if (connections[i]->group == group && connections[i]->state == OPEN)
            return connections[i];
    die("nobody is left in group %d", group);
    return NULL;
}

static void talk(int group, size_t count, double per_second, size_t bytes)
{
    static char message[TALK_BYTES + 64], frame[TALK_BYTES + 128];
    struct connection *speaker = first_of(group);
    if (bytes > TALK_BYTES || per_second <= 0)
        die("a message has %d bytes at most, a rate is more than nothing", TALK_BYTES);
    double began = now();
    for (size_t done = 0; done < count;) {
        double due = began + (double)done / per_second, left = due - now();
        if (left > 0) {
            /* A wait ends up to a millisecond late, so the last one is spent looking. */
            turn(left < 0.002 ? 0 : (int)(left * 1000) - 1);
            continue;
        }
        int size = snprintf(message, sizeof message, "{\"message\":\"" MARK "%016llx%016llx",
                            (unsigned long long)++said, (unsigned long long)(due * 1e9));
        for (; (size_t)size < bytes; size++)
            message[size] = 'x';
        memcpy(message + size, "\"}", 2);
        if (speaker->state != OPEN ||
            !write_all(speaker->fd, frame, put_frame(frame, 1, message, (size_t)size + 2)))
            die("the speaker was closed");
        done++;
    }
    printf("{\"messages\": %zu}\n", count);
}

static void misbehave(int group, int is_flooding)
{
    for (size_t i = 0; i < connection_count; i++) {
        struct connection *one = connections[i];
        if (one->group != group || one->state != OPEN)
            continue;
        one->is_flooding = is_flooding;
        one->is_stalled = !is_flooding;
        listen_to(one, EPOLLIN | EPOLLOUT, is_flooding ? EPOLL_CTL_MOD : EPOLL_CTL_DEL);
    }
    puts("{}");
}

static void load_cookies(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t room = 0;
    if (file == NULL)
        die("no %s", path);
    for (;;) {
        if (cookie_count == room) {
            room = room ? room * 2 : 1024;
            cookies = must(realloc(cookies, room * sizeof *cookies));
        }
        if (fgets(cookies[cookie_count], COOKIE_BYTES, file) == NULL)
            break;
        cookies[cookie_count][strcspn(cookies[cookie_count], "\n")] = 0;
        cookie_count++;
    }
    fclose(file);
    if (cookie_count == 0)
        die("no cookies");
}

static void make_flood(void)
{
    static const char words[] = "{\"message\":\"flood\"}";
    while (flood_size + sizeof words + 16 < sizeof flood)
        flood_size += put_frame(flood + flood_size, 1, words, sizeof words - 1);
}

int main(int count, char **words)
{
    if (count != 5)
        die("usage: client PORT PID ORIGIN COOKIES");
    port = atoi(words[1]);
    if (clock_getcpuclockid(atoi(words[2]), &server_clock) != 0)
        die("there is no process %s", words[2]);
    origin = words[3];
    load_cookies(words[4]);
    make_flood();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        die("stdin must be a pipe");
    for (;;) {
        int group = 0;
        size_t number, bytes;
        double rate;
        char path[256];
        /* Messages and pings come between the commands, too. */
        while (memchr(command, '\n', command_size) == NULL)
            turn(-1);
        command_size = 0;
        if (strncmp(command, "report", 6) != 0 &&
            (sscanf(command, "%*s %d", &group) != 1 || group < 0 || group >= GROUPS))
            die("no such group: %s", command);
        if (sscanf(command, "open %*d %zu %255s %zu", &number, path, &bytes) == 3)
            open_some(group, number, path, (int)bytes);
        else if (sscanf(command, "talk %*d %zu %lf %zu", &number, &rate, &bytes) == 3)
            talk(group, number, rate, bytes);
        else if (strncmp(command, "close ", 6) == 0)
            close_all(group);
        else if (strncmp(command, "start ", 6) == 0)
            start(group);
        else if (strncmp(command, "report", 6) == 0)
            report();
        else if (strncmp(command, "stall ", 6) == 0)
            misbehave(group, 0);
        else if (strncmp(command, "flood ", 6) == 0)
            misbehave(group, 1);
        else
            die("no such command: %s", command);
        fflush(stdout);
    }
}
