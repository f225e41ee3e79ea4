/* The folder, its lock, and who may take a step in it. */
#include "queue/queue_int.h"

#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const parts[] = {"tmp", "msg", "wait", "held", "done", "failed"};
enum { PARTS = sizeof parts / sizeof *parts };

bool queue_is_part(const char *name)
{
    bool is = strcmp(name, "lock") == 0;
    for (size_t i = 0; i < PARTS; i++)
        is = is || strcmp(name, parts[i]) == 0;
    return is;
}

/* Makes all folders and syncs them. FOLDER/lock comes last: where it is, all else is durable, so a
 * maker that died half way is finished by the next one. */
static int make(struct queue *q)
{
    int err = file_make_folder(q->folder);
    if (!err)
        err = file_check_folder(q->folder);
    for (size_t i = 0; i < PARTS && !err; i++) {
        char *path = queue_sub(q, parts[i]);
        err = file_make_folder(path);
        free(path);
    }
    if (!err)
        err = file_sync_folder(q->folder);
    return err ? err : file_sync_folder_of(q->folder);
}

/* The name itself need not last: who finds a queue without it makes all anew, and syncs it. */
static int make_lock(const char *path)
{
    int fd;
    int err = file_create(path, &fd);
    if (!err)
        (void)close(fd);
    return err == EEXIST ? 0 : err;
}

static int open_lock(struct queue *q, bool may_make)
{
    char *path = queue_sub(q, "lock");
    int err = file_open_private(path, O_RDWR, FILE_IS_THERE, &q->lock);
    if (err == ENOENT && (may_make || access(q->wait, F_OK) == 0)) {
        err = make(q);
        if (!err)
            err = make_lock(path);
        if (!err)
            err = file_open_private(path, O_RDWR, FILE_IS_THERE, &q->lock);
    }
    free(path);
    return err;
}

static struct queue *new_queue(const char *folder)
{
    struct queue *q = mem_new(sizeof *q);
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/') /* so that its own folder can be told */
        n--;
    q->folder = slice_dup((struct slice){folder, n});
    q->lock = q->inotify = -1;
    q->tmp = queue_sub(q, "tmp");
    q->msg = queue_sub(q, "msg");
    q->wait = queue_sub(q, "wait");
    return q;
}

int queue_open(struct queue **out, const char *folder, bool may_make)
{
    struct queue *q = new_queue(folder);
    int err = file_check_folder(q->folder);
    if (err == 0 || (err == ENOENT && may_make))
        err = open_lock(q, may_make);
    if (err)
        queue_close(q);
    else
        *out = q;
    return err;
}

static int check_local(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOTDIR ? ENOENT : errno;
    int err = file_check_local(fd);
    (void)close(fd);
    return err;
}

int queue_look(struct queue **out, const char *folder)
{
    struct queue *q = new_queue(folder);
    int err = file_check_folder(q->folder);
    if (!err)
        err = check_local(q->wait);
    if (err)
        queue_close(q);
    else
        *out = q;
    return err;
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    if (q->loop) {
        loop_unwatch(q->loop, &q->wake);
        loop_cancel(q->loop, &q->look);
    }
    if (q->inotify >= 0)
        (void)close(q->inotify);
    if (q->lock >= 0)
        (void)close(q->lock);
    free(q->folder);
    free(q->tmp);
    free(q->msg);
    free(q->wait);
    free(q);
}

const char *queue_folder(const struct queue *q)
{
    return q->folder;
}

const char *queue_wait_folder(const struct queue *q)
{
    return q->wait;
}

int queue_step(struct queue *q, bool alone)
{
    return lock_file(q->lock, alone ? LOCK_EXCLUSIVE : LOCK_SHARED);
}

void queue_step_end(struct queue *q)
{
    (void)lock_file_drop(q->lock); /* gone with the process at the latest */
}
