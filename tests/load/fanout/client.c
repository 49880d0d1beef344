/*
 * The load client: many subscribers and one publisher, on one core, in one thread.
 *
 *     client PORT PID
 *
 * PORT is the server's on 127.0.0.1, PID the process whose CPU time is taken. A command a line on
 * stdin, an answer a line on stdout, in JSON; it ends with stdin:
 *
 *     open N                  open subscribers (/sub) until there are N
 *     close N                 end the youngest, each with a close frame, until there are N
 *     size BYTES              have the frames after that be so long
 *     window W SECONDS        publish the next broadcast whenever fewer than W are outstanding; one
 *                             is outstanding until every subscriber has got it
 *     rate PER_SECOND SECONDS publish on a schedule, and measure how long each frame takes from the
 *                             moment on the schedule, late or not, to its subscriber
 *
 * Every broadcast has a number and the time it was due. A subscriber must get all numbers, each
 * once, in order; what is not so is counted. It answers pings, as a gateway cuts who does not.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
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
    PART_BYTES = 32 * 1024,
    /* Of JSON, with a number and a time in it. */
    LEAST_BYTES = 100,
    MOST_BYTES = 16 * 1024,
    /* Handshakes under way at once. */
    OPENING = 64,
    /* Broadcasts outstanding, at most; a power of 2. */
    RING = 1 << 16,
};

/* Nothing has come for so long: something is lost. */
static const double STALL_SECONDS = 20;

/* The answer to this key is known (RFC 6455, section 1.3). */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

struct connection {
    int fd;
    int is_open;
    /* The number that must come next. */
    uint64_t next;
    /* What was read of a frame whose rest has not come yet. */
    char *part;
    size_t part_size;
};

static int port;
static size_t payload_bytes = 200;
static clockid_t server_clock;
static int epoll_fd;
static struct connection publisher;
static struct connection **subscribers;
static size_t subscriber_count, open_count;
static char buffer[PART_BYTES + READ_BYTES];
/* What was read of a line from stdin. */
static char command[256];
static size_t command_size;

/* Since the start. */
static uint64_t published, completed;
/* How many subscribers have got each of the outstanding broadcasts. */
static uint32_t got[RING];
/* Since the command. */
static uint64_t deliveries, missing, disordered, lost;
static int is_timing;
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
        die("the server's process has ended");
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

static void write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = send(fd, data, size, MSG_NOSIGNAL);
        if (written < 0 && errno == EAGAIN) {
            struct pollfd one = {.fd = fd, .events = POLLOUT};
            poll(&one, 1, 1000);
        } else if (written < 0 && errno != EINTR) {
            die("the server does not take frames: %s", strerror(errno));
        } else if (written > 0) {
            data += written;
            size -= (size_t)written;
        }
    }
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

/*
 * The number and the time stand at the same places in each payload, in 16 hexadecimal digits. It is
 * JSON as Python writes it, so that a server may read it and write it again.
 */
static const int NUMBER_AT = 7, DUE_AT = 33;

static size_t put_broadcast(char *to, uint64_t number, double due)
{
    char payload[MOST_BYTES + 1];
    int size = snprintf(payload, sizeof payload, "{\"n\": \"%016llx\", \"at\": \"%016llx\", \"text\": \"",
                        (unsigned long long)number, (unsigned long long)(due * 1e9));
    memset(payload + size, 'x', payload_bytes - (size_t)size);
    memcpy(payload + payload_bytes - 2, "\"}", 2);
    return put_frame(to, 1, payload, payload_bytes);
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

static void take_broadcast(struct connection *from, const char *payload, size_t size, double read_at)
{
    if (size != payload_bytes)
        die("a frame of %zu bytes is none of ours", size);
    uint64_t number = hexadecimal(payload + NUMBER_AT);
    deliveries++;
    if (is_timing)
        time_one(read_at - (double)hexadecimal(payload + DUE_AT) / 1e9);
    if (number < from->next || number >= published) {
        disordered++;
        return;
    }
    missing += number - from->next;
    from->next = number + 1;
    if (++got[number % RING] == subscriber_count && number == completed)
        while (completed < published && got[completed % RING] == subscriber_count)
            got[completed++ % RING] = 0;
}

static void lose(struct connection *one)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, one->fd, NULL);
    close(one->fd);
    one->fd = -1;
    lost++;
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
        if (length > PART_BYTES - 8)
            die("a frame of %zu bytes is none of ours", length);
        if (size - at < head_size + length)
            break;
        const char *payload = data + at + head_size;
        at += head_size + length;
        int opcode = head[0] & 0x0f;
        char answer[256];
        if (opcode == 9 && length < 126)
            write_all(from->fd, answer, put_frame(answer, 10, payload, length));
        else if (opcode == 8)
            return SIZE_MAX;
        else if ((opcode == 1 || opcode == 2) && from != &publisher)
            take_broadcast(from, payload, length, read_at);
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
        die("the server turned a handshake down: %.40s", data);
    from->is_open = 1;
    open_count++;
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
    if (!from->is_open)
        at = take_answer(from, data, total);
    if (from->is_open) {
        size_t taken = take_frames(from, data + at, total - at, is_timing ? now() : 0);
        if (taken == SIZE_MAX) {
            lose(from);
            return;
        }
        at += taken;
    }
    from->part_size = total - at;
    if (from->part_size > PART_BYTES)
        die("%zu bytes make no frame of ours", from->part_size);
    if (from->part_size > 0) {
        from->part = must(realloc(from->part, from->part_size));
        memcpy(from->part, data + at, from->part_size);
    }
}

/* -- connections -- */

static void start_opening(struct connection *one, const char *path)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int yes = 1;
    one->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (one->fd < 0)
        die("no socket: %s", strerror(errno));
    setsockopt(one->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    if (connect(one->fd, (struct sockaddr *)&address, sizeof address) != 0)
        die("no connection: %s", strerror(errno));
    char request[512];
    int size = snprintf(request, sizeof request,
                        "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\n"
                        "Connection: Upgrade\r\nSec-WebSocket-Key: " KEY "\r\n"
                        "Sec-WebSocket-Version: 13\r\nOrigin: http://127.0.0.1:%d\r\n\r\n",
                        path, port, port);
    write_all(one->fd, request, (size_t)size);
    one->next = published;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, one->fd, &event) != 0)
        die("epoll: %s", strerror(errno));
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
        if (one == NULL)
            read_command();
        else if (one->fd >= 0)
            read_from(one);
    }
    return count > 0;
}

static void open_publisher(void)
{
    start_opening(&publisher, "/pub");
    for (double began = now(); open_count == 0;)
        if (!turn(1000) && now() - began > STALL_SECONDS)
            die("the publisher's handshake was not answered");
}

static void open_subscribers(size_t wanted)
{
    if (wanted < subscriber_count)
        die("there are %zu subscribers already", subscriber_count);
    subscribers = must(realloc(subscribers, (wanted + 1) * sizeof *subscribers));
    lost = 0;
    size_t before = subscriber_count;
    double began = now(), cpu = seconds_of(server_clock), last = began;
    /* The publisher is open, too. */
    while (open_count < wanted + 1) {
        while (subscriber_count < wanted && subscriber_count + 1 - open_count < OPENING) {
            struct connection *one = must(calloc(1, sizeof *one));
            subscribers[subscriber_count++] = one;
            start_opening(one, "/sub");
        }
        if (turn(1000))
            last = now();
        else if (now() - last > STALL_SECONDS)
            die("only %zu handshakes were answered", open_count);
    }
    double seconds = now() - began;
    printf("{\"connections\": %zu, \"opened\": %zu, \"seconds\": %.6f, \"cpu_seconds\": %.6f, "
           "\"lost\": %llu}\n",
           subscriber_count, wanted - before, seconds, seconds_of(server_clock) - cpu,
           (unsigned long long)lost);
}

/* The others' frames come meanwhile, and the answers to the close frames, which end connections. */
static void close_subscribers(size_t wanted)
{
    if (wanted > subscriber_count)
        die("there are only %zu subscribers", subscriber_count);
    size_t before = subscriber_count;
    double began = now(), cpu = seconds_of(server_clock), last = began;
    while (subscriber_count > wanted) {
        size_t left = subscriber_count - wanted;
        size_t first = subscriber_count - (left < OPENING ? left : OPENING);
        for (size_t i = first; i < subscriber_count; i++) {
            char frame[16];
            if (subscribers[i]->fd >= 0)
                write_all(subscribers[i]->fd, frame, put_frame(frame, 8, "\x03\xe8", 2));
        }
        for (size_t i = first; i < subscriber_count; i++) {
            while (subscribers[i]->fd >= 0) {
                if (turn(1000))
                    last = now();
                else if (now() - last > STALL_SECONDS)
                    die("a close frame was not answered");
            }
        }
        /* Not before: what was read along with it may still point to one of them. */
        for (size_t i = first; i < subscriber_count; i++) {
            free(subscribers[i]->part);
            free(subscribers[i]);
        }
        open_count -= subscriber_count - first;
        subscriber_count = first;
    }
    double seconds = now() - began;
    printf("{\"connections\": %zu, \"closed\": %zu, \"seconds\": %.6f, \"cpu_seconds\": %.6f}\n",
           subscriber_count, before - wanted, seconds, seconds_of(server_clock) - cpu);
}

/* -- measuring -- */

static void publish(size_t count, double due)
{
    static char *frames;
    static size_t room;
    if (room < count * (payload_bytes + 8))
        frames = must(realloc(frames, room = count * (payload_bytes + 8)));
    size_t size = 0;
    for (size_t i = 0; i < count; i++)
        size += put_broadcast(frames + size, published++, due);
    write_all(publisher.fd, frames, size);
}

static void set_size(size_t bytes)
{
    if (bytes < LEAST_BYTES || bytes > MOST_BYTES)
        die("a payload is %d to %d bytes", LEAST_BYTES, MOST_BYTES);
    payload_bytes = bytes;
    printf("{\"bytes\": %zu}\n", bytes);
}

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

static void report(uint64_t first, double began, double cpu)
{
    double used = seconds_of(server_clock) - cpu, seconds = now() - began;
    /* What has not come until now does not come; the next command shall not wait for it. */
    for (size_t i = 0; i < subscriber_count; i++) {
        missing += published - subscribers[i]->next;
        subscribers[i]->next = published;
    }
    while (completed < published)
        got[completed++ % RING] = 0;
    if (latency_count > 0)
        qsort(latencies, latency_count, sizeof *latencies, ascending);
    printf("{\"connections\": %zu, \"broadcasts\": %llu, \"deliveries\": %llu, \"seconds\": %.6f, "
           "\"cpu_seconds\": %.6f, \"missing\": %llu, \"disordered\": %llu, \"lost\": %llu, "
           "\"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f}\n",
           subscriber_count, (unsigned long long)(published - first),
           (unsigned long long)deliveries, seconds, used, (unsigned long long)missing,
           (unsigned long long)disordered, (unsigned long long)lost, latency_at(0.5),
           latency_at(0.99), latency_at(1));
}

static void start_measuring(int with_latency)
{
    if (subscriber_count == 0)
        die("open subscribers first");
    deliveries = missing = disordered = lost = 0;
    latency_count = 0;
    is_timing = with_latency;
}

static void keep_outstanding(size_t window, double for_seconds)
{
    if (window < 1 || window > 1024)
        die("a window is 1 to 1024");
    start_measuring(0);
    uint64_t first = published;
    double began = now(), cpu = seconds_of(server_clock), last = began, moment = began;
    for (;;) {
        size_t room = window - (size_t)(published - completed);
        if (room > 0 && (moment < began + for_seconds || published == first))
            publish(room, moment);
        if (completed == published || moment - last > STALL_SECONDS)
            break;
        int any = turn(1000);
        moment = now();
        if (any)
            last = moment;
    }
    report(first, began, cpu);
}

static void keep_rate(double per_second, double for_seconds)
{
    if (per_second <= 0)
        die("a rate is more than nothing");
    start_measuring(1);
    uint64_t first = published, wanted = (uint64_t)(per_second * for_seconds);
    double began = now(), cpu = seconds_of(server_clock), last = began, moment = began;
    for (uint64_t done = 0;;) {
        double due = began + (double)done / per_second;
        if (done < wanted && moment >= due && published - completed < RING) {
            publish(1, due);
            done++;
            last = moment;
        }
        if ((done == wanted && completed == published) || moment - last > STALL_SECONDS)
            break;
        /* A wait ends up to a millisecond late, so the last one is spent looking. */
        double left = done < wanted ? due - moment : 1;
        int any = turn(left < 0.002 ? 0 : (int)(left * 1000) - 1);
        moment = now();
        if (any)
            last = moment;
    }
    report(first, began, cpu);
}

int main(int count, char **words)
{
    if (count != 3)
        die("usage: client PORT PID");
    port = atoi(words[1]);
    if (clock_getcpuclockid(atoi(words[2]), &server_clock) != 0)
        die("there is no process %s", words[2]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    open_publisher();
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0)
        die("stdin must be a pipe");
    for (;;) {
        size_t number;
        double rate, seconds;
        /* Pings come between the commands, too. */
        while (memchr(command, '\n', command_size) == NULL)
            turn(-1);
        command_size = 0;
        if (sscanf(command, "open %zu", &number) == 1)
            open_subscribers(number);
        else if (sscanf(command, "close %zu", &number) == 1)
            close_subscribers(number);
        else if (sscanf(command, "size %zu", &number) == 1)
            set_size(number);
        else if (sscanf(command, "window %zu %lf", &number, &seconds) == 2)
            keep_outstanding(number, seconds);
        else if (sscanf(command, "rate %lf %lf", &rate, &seconds) == 2)
            keep_rate(rate, seconds);
        else
            die("no such command: %s", command);
        fflush(stdout);
    }
}
