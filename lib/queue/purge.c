/* What is done or failed stays for a while. */
#include "queue/queue_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define DAY ((int64_t)24 * 3600 * 1000)

struct purge {
    struct queue *q;
    int64_t before_ms; /* what ended before this goes */
    int error;
};

static bool remove_done(void *arg, const struct queue_name *n)
{
    struct purge *p = arg;
    char *path = queue_path(p->q, n);
    int err = queue_step(p->q, false);
    if (!err) {
        err = file_remove(path);
        queue_step_end(p->q);
    }
    free(path);
    if (err && err != ENOENT)
        p->error = err;
    return p->error == 0;
}

static bool is_old_day(const struct purge *p, const char *day)
{
    char text[CLOCK_TEXT_SIZE];
    int64_t begins;
    (void)snprintf(text, sizeof text, "%sT00:00:00.000Z", day);
    return clock_parse(text, sizeof text - 1, &begins) == 0 && begins + DAY <= p->before_ms;
}

static bool remove_old_done(void *arg, const struct queue_name *n)
{
    const struct purge *p = arg;
    return is_old_day(p, n->day) ? remove_done(arg, n) : true;
}

static int remove_day(void *arg, const char *day, const char *path, bool *stop)
{
    const struct purge *p = arg;
    (void)stop;
    int err = is_old_day(p, day) ? file_remove_folder(path) : 0;
    return err == ENOTEMPTY ? 0 : err;
}

/* The body goes with the entry that we removed ourselves: one that was moved away keeps it. */
static bool remove_old_failed(void *arg, const struct queue_name *n)
{
    struct purge *p = arg;
    struct stat st;
    char *path = queue_path(p->q, n);
    char *body = queue_body_path(p->q, n->id);
    int err = queue_step(p->q, false);
    if (!err) {
        bool old = lstat(path, &st) == 0 && (int64_t)st.st_mtim.tv_sec * 1000 < p->before_ms;
        err = old ? file_remove(path) : ENOENT;
        if (!err)
            err = file_remove(body);
        queue_step_end(p->q);
    }
    free(path);
    free(body);
    if (err && err != ENOENT)
        p->error = err;
    return p->error == 0;
}

int queue_purge(struct queue *q, int64_t keep_ms, int64_t keep_failed_ms, int64_t now_ms)
{
    struct purge p = {q, now_ms - keep_ms, 0};
    int err = queue_walk(q, QUEUE_DONE, remove_old_done, NULL, &p);
    if (!err)
        err = queue_each_day(q, remove_day, &p);
    p.before_ms = now_ms - keep_failed_ms;
    if (!err)
        err = queue_walk(q, QUEUE_FAILED, remove_old_failed, NULL, &p);
    return err ? err : p.error;
}
