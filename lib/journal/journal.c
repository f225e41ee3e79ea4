/* Opening, reading and appending. */
#include "journal/journal_int.h"

#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

const char *journal_role_program(enum journal_role r)
{
    switch (r) {
    case ROLE_INVITE:
        return "cpm-invite";
    case ROLE_SERVE:
        return "cpm-msrp-serve";
    case ROLE_BYE:
        return "cpm-bye";
    }
    return "";
}

/* Does it begin with a date, as every line does? Or with the NULs that a power loss may leave. */
bool journal_is_one(int fd)
{
    static const char form[] = "0000-00-00T";
    char first[sizeof form - 1];
    ssize_t n = pread(fd, first, sizeof first, 0);
    bool good = n >= 0;
    for (ssize_t i = 0; i < n && good; i++) {
        bool digit = first[i] >= '0' && first[i] <= '9';
        good = first[i] == '\0' || (form[i] == '0' ? digit : first[i] == form[i]);
    }
    return good;
}

int journal_open(struct journal **out, const char *path, enum journal_mode mode)
{
    int fd;
    int flags = mode == JOURNAL_READ ? O_RDONLY : O_RDWR | O_APPEND;
    enum file_create create = mode == JOURNAL_WRITE     ? FILE_CREATE
                              : mode == JOURNAL_SCRATCH ? FILE_CREATE_SCRATCH
                                                        : FILE_IS_THERE;
    char *folder = file_folder_of(path);
    int err = file_check_folder(folder);
    free(folder);
    if (err)
        return err == EPERM ? JOURNAL_OPEN_FOLDER : err;
    err = file_open_private(path, flags, create, &fd);
    if (err)
        return err;
    if (!journal_is_one(fd)) {
        (void)close(fd);
        return JOURNAL_OPEN_FOREIGN;
    }
    struct journal *j = mem_new(sizeof *j);
    j->path = mem_dup(path);
    j->fd = fd;
    j->inotify = -1;
    j->tail = BUF_UP_TO(LINE_MAX_SIZE);
    *out = j;
    return 0;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    if (j->loop) {
        loop_unwatch(j->loop, &j->wake);
        loop_cancel(j->loop, &j->look);
    }
    if (j->inotify >= 0)
        (void)close(j->inotify);
    (void)close(j->fd);
    fold_free(&j->fold);
    buf_free(&j->tail);
    free(j->path);
    free(j);
}

const char *journal_open_error(int error, const char **what_to_do, int *status)
{
    *status = EX_NOPERM;
    switch (error) {
    case JOURNAL_OPEN_FOLDER:
        *what_to_do = "chmod go-w its folder, or use another one";
        return "lies in a folder to which others may write";
    case JOURNAL_OPEN_FOREIGN:
        *status = EX_USAGE;
        *what_to_do = "name a session file, or one that is not there yet";
        return "is another kind of file";
    case ELOOP:
        *what_to_do = "name the file itself";
        return "is a symbolic link";
    case EINVAL:
        *what_to_do = "name a file";
        return "is not a regular file";
    case EPERM:
        *what_to_do = "run as its owner, or use another session file";
        return "belongs to another user";
    case EACCES:
        *what_to_do = "it holds secrets: chmod 600";
        return "is open to others, or closed to you";
    case EREMOTE:
        *what_to_do = "use a local file system";
        return "lies on a remote file system, where locks cannot be relied on";
    case ENOENT:
    case ENOTDIR:
        *status = EX_USAGE;
        *what_to_do = "check the path";
        return "no such file or folder";
    default:
        *status = EX_OSERR;
        *what_to_do = NULL;
        return strerror(error);
    }
}

const char *journal_path(const struct journal *j)
{
    return j->path;
}

int journal_same(const struct journal *j, bool *same)
{
    return file_same(j->fd, j->path, same);
}

void journal_on_line(struct journal *j, journal_line_h *handler, void *arg)
{
    j->on_line = handler;
    j->on_line_arg = arg;
}

/* --- Reading. */

static void take_line(struct journal *j, struct slice text)
{
    if (line_parse(text, &j->line) != 0 || j->line.wall_ms == 0)
        return;
    bool starts = slice_is(j->line.event, "attempt.start");
    fold_line(&j->fold, &j->line);
    if (starts)
        memset(j->seen, 0, sizeof j->seen);
    if (j->on_line)
        j->on_line(j->on_line_arg, &j->line, text);
}

/* Cuts what was read into lines; the piece of a line at the end waits in the tail. */
static void take_bytes(struct journal *j, struct slice bytes)
{
    while (bytes.n > 0) {
        const char *newline = memchr(bytes.p, '\n', bytes.n);
        size_t n = newline ? (size_t)(newline - bytes.p) : bytes.n;
        if (!j->overlong && buf_add(&j->tail, bytes.p, n) != 0)
            j->overlong = true;
        if (!newline)
            return;
        if (!j->overlong)
            take_line(j, buf_slice(&j->tail));
        buf_clear(&j->tail);
        j->overlong = false;
        bytes = (struct slice){newline + 1, bytes.n - n - 1};
    }
}

/* What was read has to be there still: nobody but us writes here, and we only append. Else what is
 * there now instead is read the next time, so that those who have to end in order still see each
 * other. */
static int size_of(struct journal *j, off_t *size)
{
    struct stat st;
    if (fstat(j->fd, &st) < 0)
        return errno;
    *size = st.st_size;
    if (st.st_size >= j->at)
        return 0;
    j->at = 0;
    buf_clear(&j->tail);
    return ESTALE;
}

int journal_read(struct journal *j, bool *grew)
{
    char bytes[LINE_MAX_SIZE];
    off_t size = 0;
    *grew = false;
    int err = size_of(j, &size);
    while (!err && j->at < size) {
        ssize_t n = pread(j->fd, bytes, sizeof bytes, j->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) /* 0: made shorter just now, which the next call tells */
            return n < 0 ? errno : 0;
        *grew = true;
        j->at += n;
        take_bytes(j, (struct slice){bytes, (size_t)n});
    }
    return err;
}

const char *journal_get(const struct journal *j, const char *key)
{
    return fold_get(&j->fold, key);
}

int64_t journal_number(const struct journal *j, const char *key, int64_t otherwise)
{
    uint64_t v;
    if (!slice_number(slice_of(journal_get(j, key)), INT64_MAX, &v))
        return otherwise;
    return (int64_t)v;
}

bool journal_has(const struct journal *j, const char *event)
{
    return fold_has(&j->fold, event);
}

void journal_each(const struct journal *j, journal_pair_h *handler, void *arg)
{
    for (size_t i = 0; i < j->fold.count; i++)
        handler(arg, j->fold.pairs[i].key, j->fold.pairs[i].value);
}

const char *journal_sid(const struct journal *j)
{
    return j->fold.sid;
}

bool journal_has_lines_of(const struct journal *j, enum journal_role r)
{
    return j->fold.spoke[r];
}

/* --- Writing. */

/* Was all before `end` read, to the end of a line? */
static bool read_up_to(const struct journal *j, off_t end)
{
    return j->at == end && j->tail.n == 0 && !j->overlong;
}

/* Closes a tail without newline, so that the next line stands alone. *end is where that begins. */
static int close_torn_tail(struct journal *j, off_t *end)
{
    struct stat st;
    char last;
    if (fstat(j->fd, &st) < 0)
        return errno;
    *end = st.st_size;
    if (read_up_to(j, *end))
        return 0;
    ssize_t n = pread(j->fd, &last, 1, *end - 1);
    if (n < 0)
        return errno;
    if (n == 1 && last == '\n')
        return 0;
    *end += 3;
    return file_write_all(j->fd, " !\n", 3);
}

/* Who knows what stands before his line need not read it again. */
static int append_locked(struct journal *j, struct line_out *o, bool durable, struct slice *text)
{
    off_t end = 0;
    int err = line_end(o);
    if (!err)
        err = close_torn_tail(j, &end);
    if (!err)
        err = file_write_all(j->fd, o->text, o->n);
    if (!err && durable)
        err = file_sync_data(j->fd);
    if (err)
        return err;
    if (read_up_to(j, end)) {
        j->at = end + (off_t)o->n;
        take_line(j, (struct slice){o->text, o->n - 1});
    }
    if (text)
        *text = (struct slice){o->text, o->n};
    return 0;
}

/* The event of a line that line_end completed. */
static struct slice event_of(const struct line_out *o)
{
    struct slice rest = {o->text, o->n};
    (void)slice_cut(&rest, ' '); /* the time */
    (void)slice_cut(&rest, ' '); /* the program */
    return slice_cut(&rest, ' ');
}

/* See wait.c. A touch that fails is made up for by the look that comes anyway. */
static void call(struct journal *j, const struct line_out *o)
{
    static const char *const upstream[] = {"msrp.listening", "msrp.failed", "bye.request",
                                           "outcome"};
    struct slice event = event_of(o);
    for (size_t i = 0; i < sizeof upstream / sizeof *upstream; i++) {
        if (slice_is(event, upstream[i]))
            (void)futimens(j->fd, NULL);
    }
}

int journal_append(struct journal *j, struct line_out *o, bool durable, struct slice *text)
{
    int err = lock_wait(j->fd, BYTE_APPEND, LOCK_EXCLUSIVE);
    if (err)
        return err;
    err = append_locked(j, o, durable, text);
    int unlocked = lock_drop(j->fd, BYTE_APPEND);
    if (!err)
        call(j, o);
    return err ? err : unlocked;
}

/* "Once" is decided by what the file says under the lock, so two that think they are the one write
 * one line. The event's name is what the line begins with. */
int journal_append_once(struct journal *j, struct line_out *o, bool durable, struct slice *text)
{
    char event[LINE_NAME_MAX + 1];
    size_t n = 0;
    bool grew;
    for (; n < o->n && n < LINE_NAME_MAX && o->text[n] != ' '; n++)
        event[n] = o->text[n];
    event[n] = '\0';
    int err = lock_wait(j->fd, BYTE_APPEND, LOCK_EXCLUSIVE);
    if (err)
        return err;
    err = journal_read(j, &grew);
    if (!err && journal_has(j, event))
        err = EEXIST;
    if (!err)
        err = append_locked(j, o, durable, text);
    int unlocked = lock_drop(j->fd, BYTE_APPEND);
    if (!err)
        call(j, o);
    return err ? err : unlocked;
}
