/* Reading the names. */
#include "queue/queue_int.h"

#include "base/mem.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const folders[] = {"wait", "held", "done", "failed"};

struct walk {
    enum queue_state state;
    const char *day;
    queue_name_h *handler;
    queue_stray_h *stray;
    void *arg;
};

bool queue_parse(enum queue_state state, const char *day, const char *text, struct queue_name *n)
{
    if (state == QUEUE_WAIT)
        return queue_parse_waiting(text, n);
    if (!queue_is_id(text))
        return false;
    *n = (struct queue_name){.state = state};
    memcpy(n->id, text, QUEUE_ID_SIZE);
    if (day)
        memcpy(n->day, day, QUEUE_DAY_SIZE);
    return true;
}

char *queue_state_folder(const struct queue *q, enum queue_state state)
{
    return queue_sub(q, folders[state]);
}

static void tell_stray(const struct walk *w, const char *folder, const char *name)
{
    if (!w->stray)
        return;
    char *path = mem_format("%s/%s", folder, name);
    w->stray(w->arg, path);
    free(path);
}

static bool is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

/* *stop: the handler has had enough. */
static int walk_folder(const struct walk *w, const char *folder, bool *stop)
{
    struct queue_name n;
    DIR *d = opendir(folder);
    if (!d)
        return errno;
    for (;;) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e || *stop)
            break;
        if (is_dot(e->d_name))
            continue;
        if (queue_parse(w->state, w->day, e->d_name, &n))
            *stop = !w->handler(w->arg, &n);
        else
            tell_stray(w, folder, e->d_name);
        errno = 0;
    }
    int err = errno;
    (void)closedir(d);
    return err;
}

static int each_day(const char *folder, queue_day_h *handler, const struct walk *strays, void *arg,
                    bool *stop)
{
    DIR *d = opendir(folder);
    int err = 0;
    if (!d)
        return errno;
    while (!err && !*stop) {
        errno = 0;
        const struct dirent *e = readdir(d);
        if (!e) {
            err = errno;
            break;
        }
        if (is_dot(e->d_name))
            continue;
        if (!queue_is_day(e->d_name)) {
            tell_stray(strays, folder, e->d_name);
            continue;
        }
        char *path = mem_format("%s/%s", folder, e->d_name);
        err = handler(arg, e->d_name, path, stop);
        err = err == ENOENT ? 0 : err; /* somebody has purged it */
        free(path);
    }
    (void)closedir(d);
    return err;
}

static int walk_day(void *arg, const char *day, const char *path, bool *stop)
{
    struct walk *w = arg;
    w->day = day;
    return walk_folder(w, path, stop);
}

int queue_walk(const struct queue *q, enum queue_state state, queue_name_h *handler,
               queue_stray_h *stray, void *arg)
{
    struct walk w = {state, NULL, handler, stray, arg};
    char *folder = queue_state_folder(q, state);
    bool stop = false;
    int err = state == QUEUE_DONE ? each_day(folder, walk_day, &w, &w, &stop)
                                  : walk_folder(&w, folder, &stop);
    free(folder);
    return err;
}

/* --- Finding one. */

struct find {
    const char *id;
    struct queue_name *found;
    bool any;
};

static bool is_it(void *arg, const struct queue_name *n)
{
    struct find *f = arg;
    if (strcmp(n->id, f->id) != 0)
        return true;
    *f->found = *n;
    f->any = true;
    return false;
}

static int look_in_day(void *arg, const char *day, const char *path, bool *stop)
{
    struct find *f = arg;
    char *name = mem_format("%s/%s", path, f->id);
    if (access(name, F_OK) == 0) {
        *f->found = (struct queue_name){.state = QUEUE_DONE};
        memcpy(f->found->day, day, QUEUE_DAY_SIZE);
        memcpy(f->found->id, f->id, QUEUE_ID_SIZE);
        f->any = *stop = true;
    }
    free(name);
    return 0;
}

static int find_done(const struct queue *q, struct find *f)
{
    static const struct walk no_strays = {0};
    bool stop = false;
    char *folder = queue_state_folder(q, QUEUE_DONE);
    int err = each_day(folder, look_in_day, &no_strays, f, &stop);
    free(folder);
    return err;
}

int queue_find_done(const struct queue *q, const char *id, struct queue_name *n)
{
    struct find f = {id, n, false};
    int err = find_done(q, &f);
    return err ? err : f.any ? 0 : ENOENT;
}

int queue_each_day(const struct queue *q, queue_day_h *handler, void *arg)
{
    static const struct walk no_strays = {0};
    bool stop = false;
    char *folder = queue_state_folder(q, QUEUE_DONE);
    int err = each_day(folder, handler, &no_strays, arg, &stop);
    free(folder);
    return err;
}

static bool is_there(const struct queue *q, const struct queue_name *n)
{
    char *path = queue_path(q, n);
    bool there = access(path, F_OK) == 0;
    free(path);
    return there;
}

static int look_everywhere(const struct queue *q, struct find *f)
{
    static const enum queue_state by_id[] = {QUEUE_HELD, QUEUE_FAILED};
    for (size_t i = 0; i < 2; i++) {
        *f->found = (struct queue_name){.state = by_id[i]};
        memcpy(f->found->id, f->id, QUEUE_ID_SIZE);
        if (is_there(q, f->found))
            return 0;
    }
    int err = queue_walk(q, QUEUE_WAIT, is_it, NULL, f);
    if (!err && !f->any)
        err = find_done(q, f);
    return err ? err : f->any ? 0 : ENOENT;
}

int queue_find(const struct queue *q, const char *id, struct queue_name *n)
{
    struct find f = {id, n, false};
    if (!queue_is_id(id))
        return ENOENT;
    int err = look_everywhere(q, &f);
    if (err == ENOENT) /* it may have been moved to where we had looked before */
        err = look_everywhere(q, &f);
    return err;
}
