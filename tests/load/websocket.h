/*
 * The WebSocket of a load client: a connection to a server on 127.0.0.1, its handshake, its frames.
 *
 * A header for the reason that program.h is one.
 */

#ifndef WEBSOCKET_H
#define WEBSOCKET_H

#include "program.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

/* -- connections -- */

static inline int new_socket(int flags)
{
    int yes = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | flags, 0);
    if (fd < 0)
        die("no socket: %s", strerror(errno));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    return fd;
}

/* As connect does, -1 where there is none yet. */
static inline int connect_to(int fd, int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return connect(fd, (struct sockaddr *)&address, sizeof address);
}

/* False where the peer is gone. */
static inline int write_all(int fd, const char *data, size_t size)
{
    while (size > 0) {
        ssize_t written = send(fd, data, size, MSG_NOSIGNAL);
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

/* -- handshakes -- */

/* The answer to this key is known (RFC 6455, section 1.3). */
#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="

/* For printf, with the path and the port. The origin must follow, and an empty line. */
#define HANDSHAKE                                                                                  \
    "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"       \
    "Sec-WebSocket-Key: " KEY "\r\nSec-WebSocket-Version: 13\r\n"

/* Return how much the answer takes up, and make it end with a zero; 0 while it is not complete. */
static inline size_t answer_size(char *data, size_t size)
{
    char *end = memmem(data, size, "\r\n\r\n", 4);
    if (end == NULL)
        return 0;
    *end = 0;
    return (size_t)(end - data) + 4;
}

static inline int is_accepted(const char *answer)
{
    return strncmp(answer, "HTTP/1.1 101", 12) == 0 && strstr(answer, ACCEPT) != NULL;
}

/* Cookie headers, of browsers that are signed in. */
enum { COOKIE_BYTES = 256 };
static char (*cookies)[COOKIE_BYTES];
static size_t cookie_count;

/* From a file, which has one a line. */
static inline void load_cookies(const char *path)
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

/* -- frames -- */

/* A masked frame whose mask is zero, which leaves the payload as it is; shorter than 64 KiB. */
static inline size_t put_frame(char *to, int opcode, const char *payload, size_t size)
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

struct frame {
    int opcode;
    const char *payload;
    size_t length;
};

/* Return how much the first frame of what was read takes up; 0 while it is not complete. */
static inline size_t take_frame(struct frame *frame, const char *data, size_t size)
{
    const unsigned char *head = (const unsigned char *)data;
    if (size < 2)
        return 0;
    if (head[1] & 0x80 || !(head[0] & 0x80) || head[0] & 0x70)
        die("no such frame was to come: %02x %02x", head[0], head[1]);
    size_t length = head[1] & 0x7f, head_size = length < 126 ? 2 : length == 126 ? 4 : 10;
    if (size < head_size)
        return 0;
    if (length == 126)
        length = (size_t)head[2] << 8 | head[3];
    else if (length == 127)
        for (size_t i = length = 0; i < 8; i++)
            length = length << 8 | head[2 + i];
    if (length > size - head_size)
        return 0;
    *frame = (struct frame){head[0] & 0x0f, data + head_size, length};
    return head_size + length;
}

/* A number of 16 digits, as a payload has them. */
static inline uint64_t hexadecimal(const char *digits)
{
    uint64_t value = 0;
    for (int i = 0; i < 16; i++)
        value = value << 4 | (uint64_t)(digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10);
    return value;
}

#endif
