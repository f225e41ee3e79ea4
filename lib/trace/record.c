/* A file that several processes append to. A record is written under byte 0's lock, which is held
 * for a moment only; where another has it, the record waits here for the next one. So a process
 * that is stopped while it holds the lock stops nobody. */
#include "base/err.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"
#include "trace/trace_int.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define WAITING_MAX ((size_t)1024 * 1024)
#define LAST_TRIES  25
#define LAST_TRY_MS 10

struct record_file {
    int fd; /* -1: it takes no more */
    const char *option;
    char *path;
    const struct record_kind *kind;
    off_t end; /* of the last record that is known to be whole */
    struct buf waiting;
    unsigned long dropped;
};

/* Once. The fd goes first: the warning itself may be for this file. */
static void give_up(struct record_file *f, const char *why)
{
    (void)close(f->fd);
    f->fd = -1;
    buf_free(&f->waiting);
    err_warn("%s: %s: %s (it ends here, the delivery goes on)", f->option, f->path, why);
}

/* All or nothing: what a full disk took is taken back. */
static int write_whole(struct record_file *f, struct slice s)
{
    ssize_t n = write(f->fd, s.p, s.n);
    if (n == (ssize_t)s.n) {
        f->end += n;
        return 0;
    }
    int err = n < 0 ? errno : ENOSPC;
    if (n > 0 && ftruncate(f->fd, f->end) != 0)
        err = errno;
    return err;
}

/* The caller has the lock. Sees to it that the file ends with a whole record. */
static int find_end(struct record_file *f)
{
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return errno;
    if (st.st_size == f->end && st.st_size > 0)
        return 0;
    off_t known = f->end <= st.st_size ? f->end : 0;
    off_t end = f->kind->mend(f->fd, known, st.st_size);
    if (end < 0)
        return errno;
    f->end = end;
    return end == 0 && f->kind->head.n > 0 ? write_whole(f, f->kind->head) : 0;
}

/* What waits, then this. 0, EAGAIN, or what the file says. */
static int write_all(struct record_file *f, struct slice record)
{
    int err = lock_try(f->fd, 0, LOCK_EXCLUSIVE);
    if (err)
        return err;
    err = find_end(f);
    if (!err && f->waiting.n > 0)
        err = write_whole(f, buf_slice(&f->waiting));
    if (!err)
        buf_clear(&f->waiting);
    if (!err && record.n > 0)
        err = write_whole(f, record);
    int unlocked = lock_drop(f->fd, 0);
    return err == EAGAIN ? EIO : err ? err : unlocked;
}

static const char *why(int err)
{
    return err == EBADMSG ? "is no such file of ours" : strerrordesc_np(err);
}

bool record_takes(const struct record_file *f)
{
    return f && f->fd >= 0;
}

void record_append(struct record_file *f, struct slice record)
{
    if (!record_takes(f))
        return;
    int err = write_all(f, record);
    if (err == EAGAIN && buf_add_slice(&f->waiting, record) != 0)
        f->dropped++;
    else if (err && err != EAGAIN)
        give_up(f, why(err));
}

struct record_file *record_open(const char *option, const char *path,
                                const struct record_kind *kind)
{
    int fd;
    int err = file_open_private(path, O_RDWR | O_APPEND, FILE_CREATE, &fd);
    if (err) {
        err_warn("%s: %s: %s (nothing is written there, the delivery goes on)", option, path,
                 err == EACCES ? "is open to others, or may not be written" : strerrordesc_np(err));
        return NULL;
    }
    struct record_file *f = mem_new(sizeof *f);
    f->fd = fd;
    f->option = option;
    f->path = mem_dup(path);
    f->kind = kind;
    f->waiting = BUF_UP_TO(WAITING_MAX);
    record_append(f, (struct slice){0});
    if (record_takes(f))
        return f;
    record_close(f);
    return NULL;
}

void record_close(struct record_file *f)
{
    int err = EAGAIN;
    if (!f)
        return;
    for (int i = 0; i < LAST_TRIES && f->fd >= 0 && f->waiting.n > 0 && err == EAGAIN; i++) {
        if (i > 0)
            (void)poll(NULL, 0, LAST_TRY_MS);
        err = write_all(f, (struct slice){0});
    }
    unsigned long lost = f->dropped + (f->fd >= 0 && f->waiting.n > 0);
    if (f->fd >= 0)
        (void)close(f->fd);
    f->fd = -1;
    if (lost > 0)
        err_warn("%s: %s: another process holds its lock (records were dropped)", f->option,
                 f->path);
    buf_free(&f->waiting);
    free(f->path);
    free(f);
}
