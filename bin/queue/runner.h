/* The runner of `cpm-queue run`: what is due, by recipient in turn, a few deliveries at once. */
#ifndef BIN_QUEUE_RUNNER_H
#define BIN_QUEUE_RUNNER_H

#include "base/argv.h"
#include "base/spawn.h"
#include "queue.h"

/* Names that are due, of one recipient. */
struct recipient {
    char hash[QUEUE_RECIPIENT_SIZE];
    struct queue_name *due;
    size_t next, count, room;
    int64_t active;
    int64_t not_before;      /* epoch seconds: the last failure delays the others too */
    bool ready;              /* stands in line */
    struct recipient *after; /* in that line */
};

struct counts {
    unsigned long delivered, deferred, refused, expired, held, removed, busy;
};

struct runner {
    const struct config *config;
    struct queue *queue;
    struct loop *loop;
    enum queue_when when;                 /* WHEN_ANY with --to */
    char (*hashes)[QUEUE_RECIPIENT_SIZE]; /* of --to */
    struct recipient **table;             /* by hash, open addressing */
    size_t table_size, recipient_count;
    struct recipient *first, *last; /* the line */
    int64_t active;
    int64_t next_due; /* epoch seconds, of what is not due yet; INT64_MAX: nothing */
    int64_t purge_at; /* clock_ms */
    struct counts counts;
    int ours; /* the status of a failure that is our own fault: no further deliveries */
    struct recipient *challenger; /* who wanted credentials that we do not have, in this pass */
    bool let_in;                  /* a session was set up, in this pass */
    bool broken;                  /* the folder itself cannot be read: there is no pass to come */
    bool resting;                 /* with --watch: after such a failure, until the next pass */
    int signal;
    bool asked_twice;
    struct loop_timer fill, look;
    struct delivery *deliveries;
};

/* --- The line (line.c). */

void line_add(struct runner *r, const struct queue_name *n);
/* The next entry of whoever's turn it is, and has not too many under way. NULL: none. */
struct recipient *line_next(struct runner *r, struct queue_name *n);
void line_back(struct runner *r, struct recipient *to); /* one of his deliveries is over */
size_t line_left(const struct runner *r);               /* entries that nobody took on */
void line_clear(struct runner *r);
void line_free(struct runner *r);

/* --- A delivery (delivery.c). */

struct delivery {
    struct runner *runner;
    struct recipient *to;
    struct queue_entry *entry;
    struct loop_child child;
    struct loop_timer limit;
    struct argv argv;
    pid_t pid;       /* 0: none */
    int exit_status; /* of cpm-deliver */
    bool tried;      /* an attempt was begun */
    bool waiting;    /* for the end of its stages, whose claim is in our way */
    bool watching;   /* the journal */
    struct delivery *before, *after;
};

/* Takes an entry on. False: it was over at once. */
bool delivery_start(struct runner *r, struct recipient *to, const struct queue_name *n);
void delivery_step(struct delivery *d, enum queue_when when);
void delivery_end(struct delivery *d);
void delivery_stop_all(struct runner *r, int signal);
int delivery_spawn(struct delivery *d, const struct spawn_fd *fds, size_t n, bool group,
                   void (*handler)(void *arg, int wait_status));
int delivery_status(int wait_status);

/* --- Telling somebody (notify.c). */

bool notify_wanted(const struct delivery *d);
int notify_start(struct delivery *d);

/* A place became free (run.c). */
void runner_over(struct runner *r, struct recipient *to);

#endif
