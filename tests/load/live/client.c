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

#include "../program.h"
#include "../websocket.h"

enum {
    EVENTS = 1024,
    READ_BYTES = 256 * 1024,
    /* Frames and answers to handshakes are shorter. */
    PART_BYTES = 64 * 1024,
    /* Handshakes under way at once. */
    OPENING = 64,
    GROUPS = 16,
    TALK_BYTES = 8000,
};

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
static size_t cookie_next;
static struct connection **connections;
static size_t connection_count, connection_room;
/* In each group: those of which the gateway has not heard enough, and those that are open. */
static size_t opening[GROUPS], open_count[GROUPS];
static char buffer[PART_BYTES + READ_BYTES], flood[4096];
static size_t flood_size;
static uint64_t said;

/* Since `start`. */
static int measured = -1;
static uint64_t frames, missing, disordered;

/* -- frames -- */

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
    struct frame frame;
    size_t at = 0;
    for (size_t taken; (taken = take_frame(&frame, data + at, size - at)) > 0; at += taken) {
        char answer[256];
        if (from->is_flooding && frame.opcode >= 8) {
            /* In the middle of a frame, and not read by the gateway: an answer would wait for ever. */
            continue;
        } else if (frame.opcode == 9 && frame.length < 126) {
            write_all(from->fd, answer, put_frame(answer, 10, frame.payload, frame.length));
        } else if (frame.opcode == 8 && from->state == OPEN) {
            size_t code = frame.length < 2 ? 0 : 2;
            write_all(from->fd, answer, put_frame(answer, 8, frame.payload, code));
        } else if (frame.opcode == 1 && from->state == GREETING) {
            if (memmem(frame.payload, frame.length, "\"connection_established\"", 24) == NULL)
                die("the first frame is no greeting: %.*s", (int)frame.length, frame.payload);
            from->state = OPEN;
            opening[from->group]--;
            open_count[from->group]++;
        } else if (frame.opcode == 1 && from->group == measured) {
            take_message(from, frame.payload, frame.length, read_at);
        }
    }
    return at;
}

/* Return how much an answer to a handshake takes up; 0 while it is not complete. */
static size_t take_answer(struct connection *from, char *data, size_t size)
{
    size_t taken = answer_size(data, size);
    if (taken == 0)
        return 0;
    if (!is_accepted(data))
        die("the gateway turned a handshake down: %.60s", data);
    from->state = GREETING;
    return taken;
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
    int ethernet = 1460;
    one->group = group;
    one->fd = new_socket(0);
    /*
     * Before the connection, whose window follows from it. The other end's buffer follows from the
     * size of segments: with loopback's of 64 KiB it takes megabytes before anybody has to wait.
     */
    if (bytes > 0) {
        setsockopt(one->fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
        setsockopt(one->fd, IPPROTO_TCP, TCP_MAXSEG, &ethernet, sizeof ethernet);
    }
    if (connect_to(one->fd, port) != 0)
        die("no connection: %s", strerror(errno));
    char request[1024];
    int size = snprintf(request, sizeof request,
                        HANDSHAKE "Origin: %s\r\nCookie: %s\r\n\r\n", path, port, origin,
                        cookies[cookie_next++ % cookie_count]);
    if (!write_all(one->fd, request, (size_t)size))
        die("the gateway takes no request: %s", strerror(errno));
    opening[group]++;
    listen_to(one, EPOLLIN, EPOLL_CTL_ADD);
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
    sort_latencies();
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
            turn(milliseconds_of(left));
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
    server_clock = clock_of(words[2]);
    origin = words[3];
    load_cookies(words[4]);
    make_flood();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listen_to_commands(epoll_fd);
    for (;;) {
        int group = 0;
        size_t number, bytes;
        double rate;
        char path[256];
        /* Messages and pings come between the commands, too. */
        while (!take_command())
            turn(-1);
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
