/* What the files of this room share. */
#ifndef QUEUE_QUEUE_INT_H
#define QUEUE_QUEUE_INT_H

#include "queue/queue.h"

enum { BYTE_MAKER = 5 }; /* of a file in tmp: held by the process that makes it */

struct queue {
    char *folder, *tmp, *msg, *wait;
    int lock;                 /* FOLDER/lock */
    char day[QUEUE_DAY_SIZE]; /* of done/: is there, durably */
    /* watching */
    int inotify;
    struct loop_fd wake;
    struct loop_timer look;
    struct loop *loop;
    queue_arrival_h *arrival;
    void *arrival_arg;
};

/* A step: links, moves and removals belong between these two. */
int queue_step(struct queue *q, bool alone);
void queue_step_end(struct queue *q);

bool queue_is_part(const char *name);                     /* of the queue's own folder */
char *queue_sub(const struct queue *q, const char *name); /* FOLDER/NAME; the caller frees it */

/* The ID of an entry; another `round` gives another one. */
void queue_make_id(char id[QUEUE_ID_SIZE], const char *to, const char *message, unsigned round);
uint64_t queue_hash(uint64_t seed, const char *text);
void queue_day(char day[QUEUE_DAY_SIZE], int64_t wall_ms);

/* The names in a folder, all but "." and "..", until the handler gives false. */
typedef bool queue_file_h(void *arg, const char *name);
int queue_read(const char *folder, queue_file_h *handler, void *arg);

int queue_make_day(struct queue *q, const char *day);

int queue_find_done(const struct queue *q, const char *id, struct queue_name *n);

/* The folders of done/. ENOENT from the handler means that one went meanwhile. */
typedef int queue_day_h(void *arg, const char *day, const char *path, bool *stop);
int queue_each_day(const struct queue *q, queue_day_h *handler, void *arg);

#endif
