/* One event loop a process: descriptors, deadlines, signals, children. Nothing here blocks but
 * loop_run, and nothing polls (but see loop_child). Handlers may add and remove anything, also
 * themselves, and may free the structs after taking them off. */
#ifndef BASE_LOOP_H
#define BASE_LOOP_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

struct loop;

/* These live in the caller's structs, zeroed before the first use; the loop only links them. */
struct loop_fd {
    int fd;
    bool on;
    uint32_t events;
    void (*handler)(void *arg, uint32_t events); /* EPOLLIN, EPOLLOUT, EPOLLERR, EPOLLHUP ... */
    void *arg;
};

struct loop_timer {
    size_t place; /* in the heap, 1-based; 0: off */
    int64_t due;  /* clock_ms */
    void (*handler)(void *arg);
    void *arg;
};

struct loop_child {
    struct loop_fd pidfd;
    struct loop_timer look; /* where there is no descriptor for it */
    struct loop *loop;
    pid_t pid;
    void (*handler)(void *arg, int wait_status); /* called once, the child is reaped */
    void *arg;
};

struct loop *loop_new(void);
void loop_free(struct loop *l);

/* Watches fd for `events` (level-triggered), or changes what is watched. 0 or an errno value:
 * EPERM for a regular file, which is always ready. */
int loop_watch(struct loop *l, struct loop_fd *w, int fd, uint32_t events,
               void (*handler)(void *arg, uint32_t events), void *arg);
void loop_unwatch(struct loop *l,
                  struct loop_fd *w); /* harmless when off; before the fd is closed */

void loop_at(struct loop *l, struct loop_timer *t, int64_t due, void (*handler)(void *arg),
             void *arg);                                /* sets or moves */
void loop_cancel(struct loop *l, struct loop_timer *t); /* harmless when off */

/* Blocks these signals (terminated by 0) and hands them to the handler from the loop. Children
 * started by spawn.h get them unblocked again. Once a process. */
int loop_signals(struct loop *l, const int *signals, void (*handler)(void *arg, int signal),
                 void *arg);

/* Whether a signal has come that the handler has not been told of yet. */
bool loop_signal_waits(const struct loop *l);

/* Inside a signal handler: did a process send it (kill), and not a terminal to its whole group? */
bool loop_signal_was_sent(const struct loop *l);

/* Whoever has started a child learns of its end, whatever is short: without a descriptor to watch
 * it by (EMFILE), it is looked at ten times a second. */
void loop_child(struct loop *l, struct loop_child *c, pid_t pid,
                void (*handler)(void *arg, int wait_status), void *arg);
void loop_forget_child(struct loop_child *c); /* before its end; nobody reaps it then */

void loop_run(struct loop *l); /* until loop_stop */
void loop_stop(struct loop *l);

#endif
