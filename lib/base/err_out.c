/* stderr, without ever waiting for its reader. O_NONBLOCK belongs to the open file, which others
 * share (a shell's terminal), so it is never set on descriptor 2: a pipe or a terminal is opened
 * once more through /proc, a socket is written with MSG_DONTWAIT. Where that is not possible, a
 * line goes out when poll says that there is room for it. */
#include "base/err_int.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define HELD_MAX    ((size_t)16 * 1024)
#define AT_END_MS   2000
#define DROPPED_MAX 128 /* the text that tells of dropped lines */

static struct {
    bool ready;
    enum { AS_FILE, AS_STREAM, AS_SOCKET } kind;
    int fd;
    bool polled; /* it could not be opened once more: asked before each line */
    size_t n;    /* octets that wait */
    unsigned long dropped;
    char held[HELD_MAX];
} out = {.fd = STDERR_FILENO};

static void finish(void)
{
    err_out_finish();
}

static void get_ready(void)
{
    struct stat st;
    out.ready = true;
    if (atexit(finish) != 0 || fstat(STDERR_FILENO, &st) < 0)
        return;
    if (S_ISSOCK(st.st_mode)) {
        out.kind = AS_SOCKET;
    } else if (S_ISFIFO(st.st_mode) || isatty(STDERR_FILENO)) {
        out.kind = AS_STREAM;
        int fd = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        out.polled = fd < 0;
        out.fd = fd < 0 ? STDERR_FILENO : fd;
    }
}

/* Also for a reader that is gone: the write tells. */
static bool has_room(int ms)
{
    struct pollfd p = {.fd = out.fd, .events = POLLOUT};
    return poll(&p, 1, ms) == 1 && (p.revents & (POLLOUT | POLLERR | POLLHUP | POLLNVAL));
}

/* What went out, or 0: not now. A reader that is gone takes everything. */
static size_t write_now(const char *p, size_t n)
{
    if (out.polled && !has_room(0))
        return 0;
    ssize_t done = out.kind == AS_SOCKET ? send(out.fd, p, n, MSG_DONTWAIT | MSG_NOSIGNAL)
                                         : write(out.fd, p, n);
    if (done >= 0)
        return (size_t)done;
    return errno == EAGAIN || errno == EINTR ? 0 : n;
}

static void hold(const char *p, size_t n)
{
    memcpy(out.held + out.n, p, n);
    out.n += n;
}

static void tell_dropped(void)
{
    char text[DROPPED_MAX];
    int n = snprintf(text, sizeof text,
                     "%s: the reader of standard error is slow: %lu lines were dropped\n",
                     err_name(), out.dropped);
    out.dropped = 0;
    hold(text, n > 0 && (size_t)n < sizeof text ? (size_t)n : 0);
}

/* Of what waits, line by line: a pipe takes a short line as a whole or not at all. */
static void write_held(void)
{
    while (out.n > 0) {
        const char *newline = memchr(out.held, '\n', out.n);
        size_t done = write_now(out.held, newline ? (size_t)(newline - out.held) + 1 : out.n);
        if (done == 0)
            return;
        out.n -= done;
        memmove(out.held, out.held + done, out.n);
    }
    if (out.dropped > 0)
        tell_dropped();
}

static unsigned long lines_in(const char *p, size_t n)
{
    unsigned long lines = 0;
    for (size_t i = 0; i < n; i++)
        lines += p[i] == '\n';
    return lines;
}

void err_out(const char *p, size_t n)
{
    int saved = errno;
    if (!out.ready)
        get_ready();
    write_held();
    size_t done = out.n == 0 ? write_now(p, n) : 0;
    if (done < n && n - done <= HELD_MAX - DROPPED_MAX - out.n)
        hold(p + done, n - done);
    else if (done < n)
        out.dropped += lines_in(p, n);
    errno = saved;
}

/* The descriptor is the parent's too. */
void err_forget(void)
{
    if (out.ready && out.fd != STDERR_FILENO)
        (void)close(out.fd);
    out.fd = STDERR_FILENO;
    out.polled = out.kind == AS_STREAM;
    out.n = 0;
    out.dropped = 0;
}

void err_out_finish(void)
{
    int64_t deadline = clock_ms() + AT_END_MS;
    for (int64_t left = AT_END_MS; out.n > 0 && left > 0; left = deadline - clock_ms()) {
        if (has_room((int)left))
            write_held();
    }
}
