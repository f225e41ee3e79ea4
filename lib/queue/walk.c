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

int queue_read(const char *folder, queue_file_h *handler, void *arg)
{
    DIR *d = opendir(folder);
    if (!d)
        return errno;
    const struct dirent *e;
    do {
        errno = 0;
        e = readdir(d);
    } while (e && (is_dot(e->d_name) || handler(arg, e->d_name)));
    int err = e ? 0 : errno;
    (void)closedir(d);
    return err;
}

struct folder {
    const struct walk *walk;
    const char *path;
    bool *stop; /* the handler has had enough */
};

static bool on_name(void *arg, const char *name)
{
    const struct folder *f = arg;
    const struct walk *w = f->walk;
    struct queue_name n;
    if (queue_parse(w->state, w->day, name, &n))
        *f->stop = !w->handler(w->arg, &n);
    else
        tell_stray(w, f->path, name);
    return !*f->stop;
}

static int walk_folder(const struct walk *w, const char *path, bool *stop)
{
    struct folder f = {w, path, stop};
    return queue_read(path, on_name, &f);
}

struct days {
    const char *folder;
    queue_day_h *handler;
    const struct walk *strays;
    void *arg;
    bool *stop;
    int error;
};

static bool on_day(void *arg, const char *name)
{
    struct days *d = arg;
    if (!queue_is_day(name)) {
        tell_stray(d->strays, d->folder, name);
        return true;
    }
    char *path = mem_format("%s/%s", d->folder, name);
    d->error = d->handler(d->arg, name, path, d->stop);
    if (d->error == ENOENT)
        d->error = 0; /* somebody has purged it */
    free(path);
    return !d->error && !*d->stop;
}

static int each_day(const char *folder, queue_day_h *handler, const struct walk *strays, void *arg,
                    bool *stop)
{
    struct days d = {folder, handler, strays, arg, stop, 0};
    int err = queue_read(folder, on_day, &d);
    return d.error ? d.error : err;
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
