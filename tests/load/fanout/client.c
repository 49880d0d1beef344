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

#include "../program.h"
#include "../websocket.h"

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

/* Since the start. */
static uint64_t published, completed;
/* How many subscribers have got each of the outstanding broadcasts. */
static uint32_t got[RING];
/* Since the command. */
static uint64_t deliveries, missing, disordered, lost;
static int is_timing;

/* -- frames -- */

static void must_write(int fd, const char *data, size_t size)
{
    if (!write_all(fd, data, size))
        die("the server does not take frames: %s", strerror(errno));
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
    struct frame frame;
    size_t at = 0;
    for (size_t taken; (taken = take_frame(&frame, data + at, size - at)) > 0; at += taken) {
        char answer[256];
        if (frame.opcode == 9 && frame.length < 126)
            must_write(from->fd, answer, put_frame(answer, 10, frame.payload, frame.length));
        else if (frame.opcode == 8)
            return SIZE_MAX;
        else if ((frame.opcode == 1 || frame.opcode == 2) && from != &publisher)
            take_broadcast(from, frame.payload, frame.length, read_at);
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
        die("the server turned a handshake down: %.40s", data);
    from->is_open = 1;
    open_count++;
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
    one->fd = new_socket(0);
    if (connect_to(one->fd, port) != 0)
        die("no connection: %s", strerror(errno));
    char request[512];
    int size = snprintf(request, sizeof request,
                        HANDSHAKE "Origin: http://127.0.0.1:%d\r\n\r\n", path, port, port);
    must_write(one->fd, request, (size_t)size);
    one->next = published;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, one->fd, &event) != 0)
        die("epoll: %s", strerror(errno));
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
                must_write(subscribers[i]->fd, frame, put_frame(frame, 8, "\x03\xe8", 2));
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
    must_write(publisher.fd, frames, size);
}

static void set_size(size_t bytes)
{
    if (bytes < LEAST_BYTES || bytes > MOST_BYTES)
        die("a payload is %d to %d bytes", LEAST_BYTES, MOST_BYTES);
    payload_bytes = bytes;
    printf("{\"bytes\": %zu}\n", bytes);
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
    sort_latencies();
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
        int any = turn(milliseconds_of(done < wanted ? due - moment : 1));
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
    server_clock = clock_of(words[2]);
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    open_publisher();
    listen_to_commands(epoll_fd);
    for (;;) {
        size_t number;
        double rate, seconds;
        /* Pings come between the commands, too. */
        while (!take_command())
            turn(-1);
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
