/*
 * The limit: as little as a server must do to give every subscriber every message of a publisher.
 *
 *     reference
 *
 * It takes a free port on 127.0.0.1, writes it to stdout, and ends with stdin. Whoever asks for
 * /pub publishes; everybody else subscribes. What is read of the publisher at once is framed once,
 * and written to each subscriber with one write.
 */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { EVENTS = 1024, READ_BYTES = 64 * 1024, DESCRIPTORS = 1 << 16 };

/* What a socket did not take yet. */
struct rest {
    char *data;
    size_t size;
};

struct list {
    int count;
    int fds[DESCRIPTORS];
};

static int epoll_fd, listener, publisher = -1;
/* A subscriber is idle, or busy with a rest; its place is that in its list. */
static struct list idle, busy;
static int place[DESCRIPTORS];
static struct rest rests[DESCRIPTORS];
static char is_open[DESCRIPTORS];
static unsigned char input[READ_BYTES];
static size_t input_size;
static char blob[READ_BYTES];

static void die(const char *words)
{
    perror(words);
    exit(1);
}

static void watch(int fd, int operation, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(epoll_fd, operation, fd, &event) != 0)
        die("epoll");
}

static void add(struct list *list, int fd)
{
    place[fd] = list->count;
    list->fds[list->count++] = fd;
}

static void take(struct list *list, int fd)
{
    int last = list->fds[--list->count];
    list->fds[place[fd]] = last;
    place[last] = place[fd];
}

/* -- handshakes -- */

static uint32_t rotated(uint32_t word, int by) { return word << by | word >> (32 - by); }

/* SHA-1 of fewer than 120 bytes (RFC 3174). */
static void sha1(const char *text, size_t size, unsigned char digest[20])
{
    uint32_t h[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}, w[80];
    unsigned char block[128] = {0};
    size_t blocks = size < 56 ? 64 : 128;
    memcpy(block, text, size);
    block[size] = 0x80;
    block[blocks - 2] = (unsigned char)(size * 8 >> 8);
    block[blocks - 1] = (unsigned char)(size * 8);
    for (size_t at = 0; at < blocks; at += 64) {
        for (int i = 0; i < 16; i++) {
            const unsigned char *four = block + at + i * 4;
            w[i] = (uint32_t)four[0] << 24 | (uint32_t)four[1] << 16 | (uint32_t)four[2] << 8 |
                   four[3];
        }
        for (int i = 16; i < 80; i++)
            w[i] = rotated(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
        uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4];
        for (int i = 0; i < 80; i++) {
            uint32_t f = i < 20   ? ((b & c) | (~b & d)) + 0x5a827999
                         : i < 40 ? (b ^ c ^ d) + 0x6ed9eba1
                         : i < 60 ? ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc
                                  : (b ^ c ^ d) + 0xca62c1d6;
            uint32_t next = rotated(a, 5) + f + e + w[i];
            e = d, d = c, c = rotated(b, 30), b = a, a = next;
        }
        h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e;
    }
    for (int i = 0; i < 20; i++)
        digest[i] = (unsigned char)(h[i / 4] >> (24 - i % 4 * 8));
}

static void base64(const unsigned char digest[20], char text[29])
{
    const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (int i = 0; i < 7; i++) {
        uint32_t three = (uint32_t)digest[i * 3] << 16 | (uint32_t)digest[i * 3 + 1] << 8 |
                         (i < 6 ? digest[i * 3 + 2] : 0);
        for (int j = 0; j < 4; j++)
            text[i * 4 + j] = letters[three >> (18 - j * 6) & 63];
    }
    text[27] = '=';
    text[28] = 0;
}

/* A request that comes in more than one piece is refused: the load client writes it at once. */
static int shake_hands(int fd)
{
    char request[4096], joined[100], answer[200], accept[29];
    unsigned char digest[20];
    ssize_t size = recv(fd, request, sizeof request - 1, MSG_DONTWAIT);
    if (size <= 0)
        return 0;
    request[size] = 0;
    char *key = strcasestr(request, "\r\nSec-WebSocket-Key: ");
    if (key == NULL || strstr(request, "\r\n\r\n") == NULL)
        return 0;
    key += strlen("\r\nSec-WebSocket-Key: ");
    int length = snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    sha1(joined, (size_t)length, digest);
    base64(digest, accept);
    length = snprintf(answer, sizeof answer,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                      "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
                      accept);
    if (write(fd, answer, (size_t)length) != length)
        return 0;
    is_open[fd] = 1;
    if (strncmp(request, "GET /pub ", 9) == 0)
        publisher = fd;
    else
        add(&idle, fd);
    return 1;
}

/* -- fan-out -- */

static void keep(int fd, const char *data, size_t size)
{
    struct rest *rest = &rests[fd];
    rest->data = realloc(rest->data, rest->size + size);
    if (rest->data == NULL)
        die("memory");
    memcpy(rest->data + rest->size, data, size);
    rest->size += size;
}

static void give_everybody(const char *data, size_t size)
{
    for (int i = 0; i < busy.count; i++)
        keep(busy.fds[i], data, size);
    /* From the end: who leaves is replaced by one who has it. */
    for (int i = idle.count - 1; i >= 0; i--) {
        int fd = idle.fds[i];
        ssize_t written = write(fd, data, size);
        /* The loop hears of a connection that is lost. */
        if (written == (ssize_t)size || (written < 0 && errno != EAGAIN))
            continue;
        size_t taken = written > 0 ? (size_t)written : 0;
        keep(fd, data + taken, size - taken);
        take(&idle, fd);
        add(&busy, fd);
        watch(fd, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
    }
}

static void drain(int fd)
{
    struct rest *rest = &rests[fd];
    ssize_t written = write(fd, rest->data, rest->size);
    if (written < 0)
        return;
    rest->size -= (size_t)written;
    memmove(rest->data, rest->data + written, rest->size);
    if (rest->size == 0) {
        take(&busy, fd);
        add(&idle, fd);
        watch(fd, EPOLL_CTL_MOD, EPOLLIN);
    }
}

/* Frame all messages that are complete, for one write to each subscriber. */
static void publish(void)
{
    size_t at = 0, blob_size = 0;
    while (input_size - at >= 6) {
        const unsigned char *head = input + at;
        size_t length = head[1] & 0x7f, head_size = 6;
        if (length == 126) {
            length = (size_t)head[2] << 8 | head[3];
            head_size = 8;
        }
        if (length > READ_BYTES / 4) {
            fputs("reference: no message of the load client's\n", stderr);
            exit(1);
        }
        if (input_size - at < head_size + length)
            break;
        const unsigned char *mask = head + head_size - 4;
        if ((head[0] & 0x0f) == 1) {
            blob[blob_size++] = (char)head[0];
            blob[blob_size++] = (char)(head[1] & 0x7f);
            if (head_size == 8) {
                blob[blob_size++] = (char)head[2];
                blob[blob_size++] = (char)head[3];
            }
            for (size_t i = 0; i < length; i++)
                blob[blob_size++] = (char)(head[head_size + i] ^ mask[i % 4]);
        }
        at += head_size + length;
    }
    input_size -= at;
    memmove(input, input + at, input_size);
    if (blob_size > 0)
        give_everybody(blob, blob_size);
}

/* -- the loop -- */

static void end(int fd)
{
    if (fd == publisher)
        publisher = -1;
    else if (is_open[fd])
        take(rests[fd].size > 0 ? &busy : &idle, fd);
    rests[fd].size = 0;
    is_open[fd] = 0;
    close(fd);
}

static void accept_all(void)
{
    int fd, yes = 1;
    while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if (fd >= DESCRIPTORS) {
            close(fd);
            continue;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
        watch(fd, EPOLL_CTL_ADD, EPOLLIN);
    }
}

static void read_from(int fd)
{
    unsigned char unused[4096];
    ssize_t size;
    if (!is_open[fd]) {
        if (!shake_hands(fd))
            end(fd);
        return;
    }
    if (fd == publisher)
        size = recv(fd, input + input_size, READ_BYTES - input_size, MSG_DONTWAIT);
    else
        size = recv(fd, unused, sizeof unused, MSG_DONTWAIT);
    if (size == 0 || (size < 0 && errno != EAGAIN)) {
        end(fd);
    } else if (size > 0 && fd == publisher) {
        input_size += (size_t)size;
        publish();
    }
}

int main(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t size = sizeof address;
    struct epoll_event events[EVENTS];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    signal(SIGPIPE, SIG_IGN);
    listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (bind(listener, (struct sockaddr *)&address, size) != 0 || listen(listener, 4096) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0)
        die("listening");
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    watch(listener, EPOLL_CTL_ADD, EPOLLIN);
    watch(STDIN_FILENO, EPOLL_CTL_ADD, EPOLLIN);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    for (;;) {
        int count = epoll_wait(epoll_fd, events, EVENTS, -1);
        for (int i = 0; i < count; i++) {
            int fd = events[i].data.fd;
            if (fd == STDIN_FILENO)
                return 0;
            if (fd == listener) {
                accept_all();
                continue;
            }
            if (events[i].events & EPOLLOUT)
                drain(fd);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                read_from(fd);
        }
    }
}
