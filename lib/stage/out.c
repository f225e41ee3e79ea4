/* stdout. O_NONBLOCK belongs to the open file, which others share (a shell's terminal), so it is
 * never set on descriptor 1: a pipe or a terminal is opened once more through /proc, a socket is
 * written with MSG_DONTWAIT. Where neither is possible, one line of at most PIPE_BUF goes out each
 * time poll says that there is room. */
#include "stage/stage_int.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define SOON_MS       50
#define LINES_AT_ONCE 16

struct out_line {
    struct out_line *next;
    bool progress;
    size_t n, done;
    char text[];
};

enum out_when {
    OUT_NOW,
    OUT_SOON, /* with the next one that goes now, or a moment later: each write wakes a process */
    OUT_PROGRESS, /* the same, and the first to be dropped */
};

static void on_ready(void *arg, uint32_t events);

void out_open(struct out *o, struct loop *loop, void (*changed)(void *arg), void *arg)
{
    struct stat st;
    *o = (struct out){.loop = loop, .fd = STDOUT_FILENO, .changed = changed, .arg = arg};
    o->tail = &o->head;
    if (fstat(STDOUT_FILENO, &st) < 0)
        return;
    o->pipe = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode);
    if (S_ISSOCK(st.st_mode)) {
        o->kind = OUT_SOCKET;
    } else if (S_ISFIFO(st.st_mode) || isatty(STDOUT_FILENO)) {
        o->kind = OUT_STREAM;
        int fd = open("/proc/self/fd/1", O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
        if (fd >= 0) {
            o->fd = fd;
            o->own = true;
        }
    }
    /* With no event asked for, the error of a pipe without a reader is still told. */
    if (o->kind != OUT_FILE && loop_watch(loop, &o->watch, o->fd, 0, on_ready, o) != 0)
        o->kind = OUT_FILE;
}

static void drop_first(struct out *o)
{
    struct out_line *l = o->head;
    o->head = l->next;
    if (!o->head)
        o->tail = &o->head;
    o->held -= l->n - l->done;
    free(l);
}

static void reader_gone(struct out *o)
{
    o->gone = true;
    loop_cancel(o->loop, &o->soon);
    loop_unwatch(o->loop, &o->watch);
    while (o->head)
        drop_first(o);
}

/* A reader may go away when it has seen enough, or may never have been wanted (>&-); anything else,
 * a full disk under `> log` say, is told: but the session file has it all, so the delivery goes on.
 */
static void give_up(struct out *o, int err)
{
    if (err != EPIPE && err != ECONNRESET && err != EBADF)
        err_warn("%s: %s: lines were dropped (the session file has them)", ERR_OUTPUT,
                 strerror(err));
    reader_gone(o);
}

static void wrote(struct out *o, size_t n)
{
    while (n > 0) {
        struct out_line *l = o->head;
        size_t of_this = n < l->n - l->done ? n : l->n - l->done;
        l->done += of_this;
        o->held -= of_this;
        n -= of_this;
        if (l->done == l->n)
            drop_first(o);
    }
}

/* Writes what goes without waiting, at most `most` lines. EAGAIN: the rest later. */
static int write_some(struct out *o, size_t most)
{
    struct iovec v[LINES_AT_ONCE];
    struct msghdr m = {.msg_iov = v};
    for (struct out_line *l = o->head; l && m.msg_iovlen < most; l = l->next)
        v[m.msg_iovlen++] = (struct iovec){l->text + l->done, l->n - l->done};
    ssize_t n = o->kind == OUT_SOCKET ? sendmsg(o->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL)
                                      : writev(o->fd, v, (int)m.msg_iovlen);
    if (n < 0)
        return errno == EINTR ? 0 : errno;
    wrote(o, (size_t)n);
    return 0;
}

/* `once`: without a descriptor of our own, after poll said that there is room for a line. */
static void flush(struct out *o, bool once)
{
    int err = 0;
    loop_cancel(o->loop, &o->soon);
    while (o->head && !err) {
        err = write_some(o, once ? 1 : LINES_AT_ONCE);
        if (once)
            break;
    }
    if (err && err != EAGAIN) {
        give_up(o, err);
        return;
    }
    if (loop_watch(o->loop, &o->watch, o->fd, o->head ? EPOLLOUT : 0, on_ready, o) != 0)
        reader_gone(o);
}

static void on_ready(void *arg, uint32_t events)
{
    struct out *o = arg;
    if (events & (EPOLLERR | EPOLLHUP))
        reader_gone(o);
    else
        flush(o, !o->own && o->kind == OUT_STREAM);
    o->changed(o->arg);
}

/* Progress lines are the first to go. */
static void drop_progress(struct out *o)
{
    struct out_line **at = &o->head;
    while (*at) {
        struct out_line *l = *at;
        if (!l->progress || l->done > 0) {
            at = &l->next;
            continue;
        }
        *at = l->next;
        o->held -= l->n;
        free(l);
    }
    o->tail = at;
}

static void hold(struct out *o, struct slice line, bool progress)
{
    struct out_line *l = mem_new(sizeof *l + line.n);
    l->progress = progress;
    l->n = line.n;
    memcpy(l->text, line.p, line.n);
    *o->tail = l;
    o->tail = &l->next;
    o->held += line.n;
}

void out_flush(struct out *o)
{
    if (out_empty(o))
        return;
    if (o->own || o->kind == OUT_SOCKET)
        flush(o, false);
    else if (loop_watch(o->loop, &o->watch, o->fd, EPOLLOUT, on_ready, o) != 0)
        reader_gone(o);
}

static void on_soon(void *arg)
{
    out_flush(arg);
}

/* No stage behind acts on such a line. */
static bool may_wait(struct slice event)
{
    static const char *const names[] = {
        "entry",          "learnt",        "invite.route",     "invite.sent",
        "dialog.route",   "dialog.cseq",   "dialog.confirmed", "invite.progress",
        "bye.sent",       "imdn.received", "dialog.refreshed", "msrp.listening",
        "msrp.connected", "bye.waiting",
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (slice_is(event, names[i]))
            return true;
    }
    return false;
}

static enum out_when when_of(struct slice line)
{
    struct slice rest = line;
    (void)slice_cut(&rest, ' '); /* the time */
    (void)slice_cut(&rest, ' '); /* the program */
    struct slice event = slice_cut(&rest, ' ');
    if (slice_is(event, "msrp.progress"))
        return OUT_PROGRESS;
    return may_wait(event) ? OUT_SOON : OUT_NOW;
}

void out_put(struct out *o, struct slice line)
{
    enum out_when when = when_of(line);
    bool progress = when == OUT_PROGRESS;
    if (o->gone)
        return;
    if (o->kind == OUT_FILE) {
        int err = file_write_all(o->fd, line.p, line.n);
        if (err)
            give_up(o, err);
        return;
    }
    if (o->held + line.n > OUT_HELD_MAX)
        drop_progress(o);
    if (o->held + line.n > 2 * OUT_HELD_MAX || (progress && out_full(o))) {
        o->lost = o->lost || !progress;
        return;
    }
    hold(o, line, progress);
    if (when == OUT_NOW || !o->pipe)
        out_flush(o);
    else if (o->soon.place == 0)
        loop_at(o->loop, &o->soon, clock_ms() + SOON_MS, on_soon, o);
}

bool out_full(const struct out *o)
{
    return o->held >= OUT_HELD_MAX;
}

bool out_empty(const struct out *o)
{
    return o->gone || !o->head;
}

void out_close(struct out *o)
{
    out_flush(o);
    if (!out_empty(o) || o->lost)
        err_warn(ERR_OUTPUT
                 ": the reader is too slow: lines were dropped (the session file has them)");
    if (!o->gone)
        reader_gone(o);
    if (o->own)
        (void)close(o->fd);
}
