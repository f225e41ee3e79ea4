#include "base/loop.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCH         64
#define CHILD_LOOK_MS 100

struct loop {
    int epoll;
    bool stopped;
    struct epoll_event batch[BATCH]; /* being handled: an entry goes to NULL when it is unwatched */
    int left;                        /* entries of the batch not handled yet, at its end */
    int count;
    struct loop_timer **heap; /* 1-based, the nearest deadline first */
    size_t timers, room;
    struct loop_fd signals;
    void (*signal_handler)(void *arg, int signal);
    void *signal_arg;
    bool signal_sent;
};

struct loop *loop_new(void)
{
    struct loop *l = mem_new(sizeof *l);
    l->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (l->epoll < 0)
        err_die(EX_OSERR, "epoll", strerror(errno), NULL);
    return l;
}

void loop_free(struct loop *l)
{
    if (!l)
        return;
    if (l->signals.on) {
        loop_unwatch(l, &l->signals);
        (void)close(l->signals.fd);
    }
    (void)close(l->epoll);
    free(l->heap);
    free(l);
}

int loop_watch(struct loop *l, struct loop_fd *w, int fd, uint32_t events,
               void (*handler)(void *arg, uint32_t events), void *arg)
{
    struct epoll_event e = {.events = events, .data.ptr = w};
    w->handler = handler;
    w->arg = arg;
    if (w->on && w->fd == fd && w->events == events)
        return 0;
    if (w->on && w->fd != fd)
        loop_unwatch(l, w);
    if (epoll_ctl(l->epoll, w->on ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &e) < 0)
        return errno;
    w->fd = fd;
    w->events = events;
    w->on = true;
    return 0;
}

void loop_unwatch(struct loop *l, struct loop_fd *w)
{
    if (!w->on)
        return;
    w->on = false;
    (void)epoll_ctl(l->epoll, EPOLL_CTL_DEL, w->fd, NULL); /* fails only for what is not there */
    for (int i = l->count - l->left; i < l->count; i++) {
        if (l->batch[i].data.ptr == w)
            l->batch[i].data.ptr = NULL;
    }
}

/* --- Timers: a binary heap in which each timer knows its place. */

static void put(struct loop *l, size_t place, struct loop_timer *t)
{
    l->heap[place] = t;
    t->place = place;
}

static void sift_up(struct loop *l, struct loop_timer *t, size_t place)
{
    while (place > 1 && l->heap[place / 2]->due > t->due) {
        put(l, place, l->heap[place / 2]);
        place /= 2;
    }
    put(l, place, t);
}

static void sift_down(struct loop *l, struct loop_timer *t, size_t place)
{
    for (;;) {
        size_t child = place * 2;
        if (child > l->timers)
            break;
        if (child < l->timers && l->heap[child + 1]->due < l->heap[child]->due)
            child++;
        if (l->heap[child]->due >= t->due)
            break;
        put(l, place, l->heap[child]);
        place = child;
    }
    put(l, place, t);
}

static void settle(struct loop *l, struct loop_timer *t, size_t place)
{
    if (place > 1 && l->heap[place / 2]->due > t->due)
        sift_up(l, t, place);
    else
        sift_down(l, t, place);
}

void loop_at(struct loop *l, struct loop_timer *t, int64_t due, void (*handler)(void *arg),
             void *arg)
{
    t->due = due;
    t->handler = handler;
    t->arg = arg;
    if (t->place) {
        settle(l, t, t->place);
        return;
    }
    if (l->timers + 1 >= l->room) {
        l->room = l->room ? l->room * 2 : 16;
        l->heap = mem_grow(l->heap, l->room, sizeof *l->heap);
    }
    sift_up(l, t, ++l->timers);
}

void loop_cancel(struct loop *l, struct loop_timer *t)
{
    size_t place = t->place;
    if (!place)
        return;
    t->place = 0;
    struct loop_timer *last = l->heap[l->timers--];
    if (last != t)
        settle(l, last, place);
}

static int wait_ms(const struct loop *l)
{
    if (l->timers == 0)
        return -1;
    int64_t left = l->heap[1]->due - clock_ms();
    return left <= 0 ? 0 : left > 3600000 ? 3600000 : (int)left;
}

/* A timer that a handler sets to now waits for the next round, so descriptors get their turn. */
static void run_timers(struct loop *l)
{
    int64_t now = clock_ms();
    for (size_t most = l->timers; most > 0 && l->timers > 0 && !l->stopped; most--) {
        struct loop_timer *t = l->heap[1];
        if (t->due > now)
            return;
        loop_cancel(l, t);
        t->handler(t->arg);
    }
}

/* --- Signals and children. */

static void on_signal(void *arg, uint32_t events)
{
    struct loop *l = arg;
    struct signalfd_siginfo info;
    (void)events;
    while (read(l->signals.fd, &info, sizeof info) == (ssize_t)sizeof info) {
        l->signal_sent = info.ssi_code <= 0; /* SI_USER and the like; the kernel's are positive */
        l->signal_handler(l->signal_arg, (int)info.ssi_signo);
    }
}

bool loop_signal_waits(const struct loop *l)
{
    struct pollfd p = {.fd = l->signals.fd, .events = POLLIN};
    return l->signals.on && poll(&p, 1, 0) == 1;
}

bool loop_signal_was_sent(const struct loop *l)
{
    return l->signal_sent;
}

int loop_signals(struct loop *l, const int *signals, void (*handler)(void *arg, int signal),
                 void *arg)
{
    sigset_t set;
    (void)sigemptyset(&set);
    for (; *signals; signals++)
        (void)sigaddset(&set, *signals);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return errno;
    int fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (fd < 0)
        return errno;
    l->signal_handler = handler;
    l->signal_arg = arg;
    return loop_watch(l, &l->signals, fd, EPOLLIN, on_signal, l);
}

static bool reap(struct loop_child *c)
{
    int status;
    if (waitpid(c->pid, &status, WNOHANG) != c->pid)
        return false;
    loop_forget_child(c);
    c->handler(c->arg, status);
    return true;
}

static void on_child(void *arg, uint32_t events)
{
    (void)events;
    (void)reap(arg); /* not yet: it is told again */
}

static void look_at_child(void *arg)
{
    struct loop_child *c = arg;
    if (!reap(c))
        loop_at(c->loop, &c->look, clock_ms() + CHILD_LOOK_MS, look_at_child, c);
}

void loop_child(struct loop *l, struct loop_child *c, pid_t pid,
                void (*handler)(void *arg, int wait_status), void *arg)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0u); /* close-on-exec by itself */
    c->loop = l;
    c->pid = pid;
    c->handler = handler;
    c->arg = arg;
    if (fd >= 0 && loop_watch(l, &c->pidfd, fd, EPOLLIN, on_child, c) == 0)
        return;
    if (fd >= 0)
        (void)close(fd);
    loop_at(l, &c->look, clock_ms() + CHILD_LOOK_MS, look_at_child, c);
}

void loop_forget_child(struct loop_child *c)
{
    if (c->pidfd.on) {
        loop_unwatch(c->loop, &c->pidfd);
        (void)close(c->pidfd.fd);
    }
    loop_cancel(c->loop, &c->look);
}

void loop_run(struct loop *l)
{
    l->stopped = false;
    while (!l->stopped) {
        l->count = epoll_wait(l->epoll, l->batch, BATCH, wait_ms(l));
        if (l->count < 0 && errno != EINTR)
            err_die(EX_OSERR, "epoll", strerror(errno), NULL);
        if (l->count < 0)
            l->count = 0;
        for (int i = 0; i < l->count && !l->stopped; i++) {
            struct loop_fd *w = l->batch[i].data.ptr;
            l->left = l->count - i - 1;
            if (w)
                w->handler(w->arg, l->batch[i].events);
        }
        l->count = l->left = 0;
        run_timers(l);
    }
}

void loop_stop(struct loop *l)
{
    l->stopped = true;
}
