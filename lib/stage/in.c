/* stdin, where it is the stage before: a pipe or a socket. Others are not even looked at. */
#include "stage/stage_int.h"

#include "base/err.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static void end(struct in *in)
{
    loop_unwatch(in->loop, &in->watch);
    in->open = false;
    in->ops->ended(in->arg);
}

static void take_bytes(struct in *in, struct slice bytes)
{
    while (bytes.n > 0) {
        const char *newline = memchr(bytes.p, '\n', bytes.n);
        size_t n = newline ? (size_t)(newline - bytes.p) : bytes.n;
        if (!in->overlong && buf_add(&in->line, bytes.p, n) != 0)
            in->overlong = true;
        if (!newline)
            return;
        if (in->overlong)
            err_warn("standard input: a line of more than %d octets was dropped", LINE_MAX_SIZE);
        else if (in->line.n > 0)
            in->ops->take(in->arg, buf_slice(&in->line));
        in->any = true;
        in->overlong = false;
        buf_clear(&in->line);
        bytes = (struct slice){newline + 1, bytes.n - n - 1};
    }
}

static void on_input(void *arg, uint32_t events)
{
    struct in *in = arg;
    char bytes[LINE_MAX_SIZE];
    (void)events;
    ssize_t n = in->socket ? recv(in->fd, bytes, sizeof bytes, MSG_DONTWAIT)
                           : read(in->fd, bytes, sizeof bytes);
    if (n > 0) {
        take_bytes(in, (struct slice){bytes, (size_t)n});
        in->ops->taken(in->arg);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        end(in);
    }
}

void in_open(struct in *in, struct loop *loop, const struct in_ops *ops, void *arg)
{
    struct stat st;
    *in = (struct in){.loop = loop, .fd = STDIN_FILENO, .ops = ops, .arg = arg};
    in->line = BUF_UP_TO(LINE_MAX_SIZE - 1);
    if (fstat(STDIN_FILENO, &st) < 0 || !(S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode)))
        return;
    in->socket = S_ISSOCK(st.st_mode);
    /* As with stdout: not blocking, without changing what others share. */
    int fd = in->socket ? -1 : open("/proc/self/fd/0", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd >= 0) {
        in->fd = fd;
        in->own = true;
    }
    in->given = in->open = loop_watch(loop, &in->watch, in->fd, EPOLLIN, on_input, in) == 0;
}

void in_pause(struct in *in, bool pause)
{
    if (in->open && in->watch.on == pause) {
        if (pause)
            loop_unwatch(in->loop, &in->watch);
        else if (loop_watch(in->loop, &in->watch, in->fd, EPOLLIN, on_input, in) != 0)
            end(in);
    }
}

void in_close(struct in *in)
{
    loop_unwatch(in->loop, &in->watch);
    if (in->own)
        (void)close(in->fd);
    buf_free(&in->line);
}
