/* Moving and removing an entry whose claim is ours. The journal says it first, so a move that is
 * lost is made again by whoever meets the entry next. */
#include "queue/queue_int.h"

#include "base/file.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* An entry must not be moved into a folder whose name is not on the disk. Who made it may have died
 * before that, so each process sees to it, once. */
int queue_make_day(struct queue *q, const char *day)
{
    if (strcmp(q->day, day) == 0)
        return 0;
    char *path = mem_format("%s/done/%s", q->folder, day);
    int err = file_make_folder(path);
    if (!err)
        err = file_sync_folder_of(path);
    free(path);
    if (!err)
        memcpy(q->day, day, sizeof q->day);
    return err;
}

static bool one_file(const char *a, const char *b)
{
    struct stat x, y;
    return lstat(a, &x) == 0 && lstat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
}

/* Where a file system forgot to take the old name away, both are there. */
static int move(const char *from, const char *to)
{
    if (strcmp(from, to) == 0)
        return 0;
    int err = file_move(from, to);
    return err == EEXIST && one_file(from, to) ? file_remove(from) : err;
}

static int remove_body(struct queue *q, const char *id)
{
    char *path = queue_body_path(q, id);
    int err = file_remove(path);
    free(path);
    return err == ENOENT ? 0 : err;
}

int queue_move(struct queue_entry *e, const struct queue_name *to)
{
    struct queue *q = e->q;
    char *path = queue_path(q, to);
    int err = queue_step(q, false);
    if (!err) {
        if (to->state == QUEUE_DONE)
            err = queue_make_day(q, to->day);
        if (!err)
            err = move(e->path, path);
        if (err == ENOENT)
            q->day[0] = '\0'; /* somebody may have removed it */
        if (!err && to->state == QUEUE_DONE)
            err = remove_body(q, to->id);
        queue_step_end(q);
    }
    if (err) {
        free(path);
        return err;
    }
    free(e->path);
    e->path = path;
    e->name = *to;
    return 0;
}

/* The entry goes first: a body without an entry is only to be swept. */
int queue_remove(struct queue_entry *e)
{
    int err = queue_step(e->q, false);
    if (err)
        return err;
    err = file_remove(e->path);
    if (!err)
        err = remove_body(e->q, e->name.id);
    queue_step_end(e->q);
    return err;
}
