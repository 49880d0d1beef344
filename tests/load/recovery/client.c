/*
 * The load client of returning clients: they speak the Centrifuge protocol, on one core, in one
 * thread.
 *
 *     client PORT ORIGIN COOKIES
 *
 * PORT is the gateway's on 127.0.0.1, COOKIES a file with a Cookie header a line: connection I uses
 * line I. A command a line on stdin, an answer a line on stdout, in JSON; it ends with stdin.
 *
 *     connect COUNT           have so many connections, each greeted
 *     send FILE RATE          send the commands of a file, a line each: INDEX ID JSON, so many a
 *                             second, or as fast as they are answered where RATE is 0
 *     dead SECONDS            wait until the gateway has closed all of them
 *     storm FILE SECONDS      all come back at once, and each sends its line of the file when it is
 *                             greeted; until all were answered, or so long
 *     dump FILE               write what was received since the last time: INDEX, tab, message
 *
 * Every message but pings is kept until the next dump. In a storm they are as patient as libraries
 * of the protocol: who is refused or cut tries again after half a second, then later and later, and
 * so does who waits for five seconds for an answer.
 */

#include "../program.h"
#include "../websocket.h"

enum {
    EVENTS = 1024,
    READ_BYTES = 1024 * 1024,
    /* A catch-up has half a megabyte at most. */
    FRAME_BYTES = 2 * 1024 * 1024,
    OPENING = 64,
    /* Commands under way at once where they are sent as fast as they are answered. */
    WINDOW = 64,
};

static const double HANDSHAKE_SECONDS = 20, ANSWER_SECONDS = 5;
static const double RETRY_SECONDS = 0.5, MAX_RETRY_SECONDS = 20;

enum state { GONE, CONNECTING, SHAKING, GREETING, OPEN };

struct connection {
    int fd;
    size_t index;
    enum state state;
    /* The command under way, 0 for none, and when it was due. */
    uint32_t asked;
    double due;
    /* In a storm: what is sent when it is greeted; whether that was answered; when to give up
       waiting, or when to try again. */
    const char *line;
    int is_back, attempts;
    double deadline, retry_at;
    /* What was read of a frame whose rest has not come yet. */
    char *part;
    size_t part_size;
    /* The messages since the last dump, a line each. */
    char *kept;
    size_t kept_size, kept_room;
};

static int port, epoll_fd, is_storm;
static const char *origin;
static struct connection *connections;
static size_t count, greeted, under_way, back, alive;
static char buffer[FRAME_BYTES + READ_BYTES];
static double storm_began;
static size_t cuts, refusals, timeouts, errors, cut_again;

/* -- sending -- */

static void send_frame(struct connection *to, int opcode, const char *payload, size_t size)
{
    static char frame[4096];
    if (size + 8 > sizeof frame)
        die("a command is shorter");
    /* Where it is gone, that is read. */
    write_all(to->fd, frame, put_frame(frame, opcode, payload, size));
}

/* -- connections -- */

static void lose(struct connection *one)
{
    if (one->state == GONE)
        return;
    if (!is_storm && one->state != OPEN)
        die("connection %zu was closed before its greeting", one->index);
    if (one->state == OPEN)
        greeted--;
    if (one->asked) {
        under_way--;
        one->asked = 0;
    }
    one->state = GONE;
    alive--;
    close(one->fd);
    free(one->part);
    one->part = NULL;
    one->part_size = 0;
    if (!is_storm)
        return;
    if (one->is_back) {
        cut_again++;
        return;
    }
    double wait = RETRY_SECONDS * (double)(1 << (one->attempts < 6 ? one->attempts : 6));
    if (wait > MAX_RETRY_SECONDS)
        wait = MAX_RETRY_SECONDS;
    one->attempts++;
    one->retry_at = now() + wait * (0.5 + 0.5 * drand48());
}

static void open_one(struct connection *one)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT, .data.ptr = one};
    one->fd = new_socket(SOCK_NONBLOCK);
    one->state = CONNECTING;
    alive++;
    one->deadline = now() + HANDSHAKE_SECONDS;
    one->retry_at = 0;
    if (connect_to(one->fd, port) != 0 && errno != EINPROGRESS) {
        refusals++;
        lose(one);
        return;
    }
    if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, one->fd, &event) != 0)
        die("epoll: %s", strerror(errno));
}

static void shake(struct connection *one)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(one->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    char request[1024];
    int size = snprintf(request, sizeof request,
                        HANDSHAKE "Origin: %s\r\nCookie: %s\r\n\r\n", "/connection/websocket",
                        port, origin, cookies[one->index % cookie_count]);
    if (error != 0 || !write_all(one->fd, request, (size_t)size)) {
        refusals++;
        lose(one);
        return;
    }
    one->state = SHAKING;
    epoll_ctl(epoll_fd, EPOLL_CTL_MOD, one->fd, &event);
}

/* A line of a file of commands is INDEX ID JSON. */
static void send_line(struct connection *to, const char *line, double due)
{
    char *rest;
    strtoul(line, &rest, 10);
    to->asked = (uint32_t)strtoul(rest, &rest, 10);
    to->due = due;
    under_way++;
    rest += strspn(rest, " ");
    send_frame(to, 1, rest, strlen(rest));
}

/* -- what comes -- */

static void keep(struct connection *of, const char *text, size_t size)
{
    if (of->kept_size + size + 1 > of->kept_room) {
        of->kept_room = 2 * of->kept_room + size + 1;
        of->kept = must(realloc(of->kept, of->kept_room));
    }
    memcpy(of->kept + of->kept_size, text, size);
    of->kept[of->kept_size + size] = '\n';
    of->kept_size += size + 1;
}

static int starts(const char *text, size_t size, const char *with)
{
    return size >= strlen(with) && memcmp(text, with, strlen(with)) == 0;
}

static void take_answer(struct connection *from, const char *text, size_t size, double read_at)
{
    char error[64], *rest;
    uint32_t number = (uint32_t)strtoul(text + strlen("{\"id\":"), &rest, 10);
    snprintf(error, sizeof error, "{\"id\":%u,\"error\":", number);
    int is_error = starts(text, size, error);
    if (number == 1 && from->state == GREETING) {
        if (is_error) {
            if (!is_storm)
                die("a client was turned away: %.*s", (int)size, text);
            errors++;
            lose(from);
            return;
        }
        from->state = OPEN;
        greeted++;
        from->deadline = 0;
        if (is_storm) {
            send_line(from, from->line, storm_began);
            from->deadline = read_at + ANSWER_SECONDS;
        }
        return;
    }
    if (number != from->asked)
        return;
    from->asked = 0;
    under_way--;
    if (is_error) {
        errors++;
        if (is_storm) {
            /* As libraries do on a temporary error; on others, too, which are counted as well. */
            from->deadline = 0;
            from->retry_at = read_at + RETRY_SECONDS * (1 + drand48());
        }
        return;
    }
    time_one(read_at - from->due);
    if (is_storm && !from->is_back) {
        from->is_back = 1;
        from->deadline = 0;
        back++;
    }
}

static void take_message(struct connection *from, const char *text, size_t size, double read_at)
{
    if (size == 2) {
        /* A ping. */
        send_frame(from, 1, "{}", 2);
        return;
    }
    keep(from, text, size);
    if (starts(text, size, "{\"id\":"))
        take_answer(from, text, size, read_at);
}

/* Handle what is complete, and return how much that was. */
static size_t take_frames(struct connection *from, const char *data, size_t size, double read_at)
{
    struct frame frame;
    size_t at = 0, taken;
    while (from->state != GONE && (taken = take_frame(&frame, data + at, size - at)) > 0) {
        at += taken;
        if (frame.opcode == 8 && from->state == GREETING && !is_storm)
            die("a client was closed before its greeting: %.*s", (int)frame.length, frame.payload);
        if (frame.opcode == 9) {
            send_frame(from, 10, frame.payload, frame.length);
        } else if (frame.opcode == 8) {
            send_frame(from, 8, frame.payload, frame.length < 2 ? 0 : 2);
        } else {
            const char *payload = frame.payload, *end = payload + frame.length;
            while (payload < end && from->state != GONE) {
                const char *stop = memchr(payload, '\n', (size_t)(end - payload));
                if (stop == NULL)
                    stop = end;
                take_message(from, payload, (size_t)(stop - payload), read_at);
                payload = stop + 1;
            }
        }
    }
    return at;
}

/* Return how much the answer to a handshake takes up; 0 while it is not complete. */
static size_t take_handshake(struct connection *from, char *data, size_t size)
{
    static const char connect_command[] = "{\"id\":1,\"connect\":{}}";
    size_t taken = answer_size(data, size);
    if (taken == 0)
        return 0;
    if (!is_accepted(data)) {
        if (!is_storm)
            die("the gateway turned a handshake down: %.60s", data);
        refusals++;
        lose(from);
        return 0;
    }
    from->state = GREETING;
    from->deadline = now() + ANSWER_SECONDS;
    send_frame(from, 1, connect_command, sizeof connect_command - 1);
    return taken;
}

static void read_from(struct connection *from)
{
    size_t before = from->part_size;
    ssize_t size = recv(from->fd, buffer + FRAME_BYTES, READ_BYTES, MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (size <= 0) {
        cuts++;
        lose(from);
        return;
    }
    /* The part of last time goes before what was read now. */
    char *data = buffer + FRAME_BYTES - before;
    if (before > 0)
        memcpy(data, from->part, before);
    size_t total = before + (size_t)size, at = 0;
    if (from->state == SHAKING)
        at = take_handshake(from, data, total);
    if (from->state == GREETING || from->state == OPEN)
        at += take_frames(from, data + at, total - at, now());
    if (from->state == GONE)
        return;
    from->part_size = total - at;
    if (from->part_size > FRAME_BYTES)
        die("%zu bytes make no frame of ours", from->part_size);
    if (from->part_size > 0) {
        from->part = must(realloc(from->part, from->part_size));
        memcpy(from->part, data + at, from->part_size);
    } else {
        free(from->part);
        from->part = NULL;
    }
}

/* Read what has come, and wait for it so long at most; return whether anything had. */
static int turn(int milliseconds)
{
    struct epoll_event events[EVENTS];
    int found = epoll_wait(epoll_fd, events, EVENTS, milliseconds);
    for (int i = 0; i < found; i++) {
        struct connection *one = events[i].data.ptr;
        if (one == NULL)
            read_command();
        else if (one->state == CONNECTING)
            shake(one);
        else if (one->state != GONE)
            read_from(one);
    }
    return found > 0;
}

/* -- commands -- */

static void answer_latencies(double seconds)
{
    sort_latencies();
    printf("{\"answered\": %zu, \"errors\": %zu, \"seconds\": %.6f, \"p50_ms\": %.3f, "
           "\"p99_ms\": %.3f, \"max_ms\": %.3f, \"cuts\": %zu, \"refusals\": %zu, "
           "\"timeouts\": %zu, \"cut_again\": %zu}\n",
           latency_count, errors, seconds, latency_at(0.5), latency_at(0.99), latency_at(1), cuts,
           refusals, timeouts, cut_again);
}

static void start_over(void)
{
    latency_count = 0;
    cuts = refusals = timeouts = errors = cut_again = 0;
}

static void connect_all(size_t wanted)
{
    if (count > 0)
        die("all connections are made at once");
    connections = must(calloc(wanted, sizeof *connections));
    size_t asked = 0;
    double began = now(), last = began;
    count = wanted;
    while (greeted < wanted) {
        for (; asked < wanted && asked - greeted < OPENING; asked++) {
            connections[asked].index = asked;
            open_one(&connections[asked]);
        }
        if (turn(1000))
            last = now();
        else if (now() - last > STALL_SECONDS)
            die("%zu connections were not greeted", wanted - greeted);
    }
    printf("{\"open\": %zu, \"seconds\": %.6f}\n", greeted, now() - began);
}

/* The lines of a file, of which each ends with a zero; one after the last is empty. */
static char *lines_of(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL)
        die("no %s", path);
    fseek(file, 0, SEEK_END);
    size_t size = (size_t)ftell(file);
    rewind(file);
    char *text = must(malloc(size + 1));
    if (fread(text, 1, size, file) != size)
        die("%s cannot be read", path);
    text[size] = 0;
    for (char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        *at = 0;
    fclose(file);
    return text;
}

static void send_file(const char *path, double per_second)
{
    char *text = lines_of(path), *line = text;
    size_t sent = 0;
    start_over();
    double began = now(), last = began;
    while (*line || under_way > 0) {
        double due = per_second > 0 ? began + (double)sent / per_second : now();
        double left = *line ? due - now() : 1;
        if (*line && left <= 0 && (per_second > 0 || under_way < WINDOW)) {
            size_t index = strtoul(line, NULL, 10);
            if (index >= count || connections[index].state != OPEN || connections[index].asked)
                die("connection %zu takes no command", index);
            send_line(&connections[index], line, due);
            line += strlen(line) + 1;
            sent++;
            last = now();
            continue;
        }
        if (turn(left <= 0 || left > 1 ? 1000 : milliseconds_of(left)))
            last = now();
        else if (now() - last > STALL_SECONDS)
            die("%zu commands were not answered", under_way);
    }
    free(text);
    answer_latencies(now() - began);
}

static void wait_until_dead(double seconds)
{
    double began = now();
    while (alive > 0 && now() - began < seconds)
        turn(100);
    printf("{\"open\": %zu}\n", alive);
}

static void look_at_clocks(void)
{
    double time = now();
    for (size_t i = 0; i < count; i++) {
        struct connection *one = &connections[i];
        if (one->is_back)
            continue;
        if (one->state == GONE) {
            if (one->retry_at > 0 && one->retry_at <= time)
                open_one(one);
        } else if (one->state == OPEN && one->retry_at > 0 && one->retry_at <= time) {
            one->retry_at = 0;
            send_line(one, one->line, storm_began);
            one->deadline = time + ANSWER_SECONDS;
        } else if (one->deadline > 0 && one->deadline <= time) {
            timeouts++;
            lose(one);
        }
    }
}

static void storm(const char *path, double seconds)
{
    char *text = lines_of(path);
    start_over();
    if (alive > 0)
        die("%zu connections are still there", alive);
    for (char *line = text; *line; line += strlen(line) + 1) {
        size_t index = strtoul(line, NULL, 10);
        if (index >= count)
            die("there is no connection %zu", index);
        connections[index].line = line;
    }
    is_storm = 1;
    back = 0;
    storm_began = now();
    for (size_t i = 0; i < count; i++) {
        connections[i].is_back = connections[i].attempts = 0;
        open_one(&connections[i]);
        /* Those which are through already are not kept waiting for the rest. */
        if (i % 64 == 63)
            turn(0);
    }
    double looked = 0;
    while (back < count && now() - storm_began < seconds) {
        turn(20);
        if (now() - looked > 0.02) {
            look_at_clocks();
            looked = now();
        }
    }
    answer_latencies(now() - storm_began);
    is_storm = 0;
    for (size_t i = 0; i < count; i++)
        if (connections[i].state != OPEN && connections[i].state != GONE) {
            /* Still on the way when time was up. */
            is_storm = 1;
            lose(&connections[i]);
            is_storm = 0;
        }
    free(text);
}

static void dump(const char *path)
{
    FILE *file = fopen(path, "w");
    size_t messages = 0;
    if (file == NULL)
        die("%s cannot be written", path);
    for (size_t i = 0; i < count; i++) {
        struct connection *one = &connections[i];
        for (size_t at = 0; at < one->kept_size; messages++) {
            char *end = memchr(one->kept + at, '\n', one->kept_size - at);
            size_t size = (size_t)(end - (one->kept + at)) + 1;
            fprintf(file, "%zu\t", i);
            fwrite(one->kept + at, 1, size, file);
            at += size;
        }
        free(one->kept);
        one->kept = NULL;
        one->kept_size = one->kept_room = 0;
    }
    if (fclose(file) != 0)
        die("%s cannot be written", path);
    printf("{\"messages\": %zu}\n", messages);
}

int main(int words_count, char **words)
{
    if (words_count != 4)
        die("usage: client PORT ORIGIN COOKIES");
    port = atoi(words[1]);
    origin = words[2];
    load_cookies(words[3]);
    srand48(getpid());
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    listen_to_commands(epoll_fd);
    for (;;) {
        size_t number;
        double seconds;
        char path[256];
        /* Messages and pings come between the commands, too. */
        while (!take_command())
            turn(-1);
        if (sscanf(command, "connect %zu", &number) == 1)
            connect_all(number);
        else if (sscanf(command, "send %255s %lf", path, &seconds) == 2)
            send_file(path, seconds);
        else if (sscanf(command, "dead %lf", &seconds) == 1)
            wait_until_dead(seconds);
        else if (sscanf(command, "storm %255s %lf", path, &seconds) == 2)
            storm(path, seconds);
        else if (sscanf(command, "dump %255s", path) == 1)
            dump(path);
        else
            die("no such command: %s", command);
        fflush(stdout);
    }
}
