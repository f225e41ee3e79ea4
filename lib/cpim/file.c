/* Messages in files. */
#include "cpim/cpim.h"

#include "base/mark.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_LOOK ((size_t)4 * 1024) /* most heads are a few hundred octets */
#define IN_KERNEL  ((size_t)1 << 30)
#define BLOCK      ((size_t)128 * 1024)
#define MARKED     ((size_t)256 * 1024)

/* --- The head. */

static int fill(int fd, uint64_t at, char *p, size_t *have, size_t want)
{
    while (*have < want) {
        ssize_t n = pread(fd, p + *have, want - *have, (off_t)(at + *have));
        if (n == 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0)
            *have += (size_t)n;
    }
    return 0;
}

int cpim_read_head(int fd, char **head, struct cpim *c, uint64_t *octets, enum cpim_error *verdict)
{
    struct stat st;
    size_t have = 0;
    *head = NULL;
    *c = (struct cpim){0};
    *verdict = CPIM_MORE;
    if (fstat(fd, &st) != 0)
        return errno;
    *octets = (uint64_t)st.st_size;
    for (size_t want = FIRST_LOOK; want <= CPIM_HEAD_MAX; want *= 4) {
        *head = mem_grow(*head, want, 1);
        int err = fill(fd, 0, *head, &have, want);
        if (err)
            return err;
        *verdict = cpim_parse((struct slice){*head, have}, have < want, c);
        if (*verdict != CPIM_MORE)
            return 0;
    }
    return 0;
}

/* --- What it is known by. */

static int mark_from(int fd, uint64_t at, char hex[MARK_HEX_SIZE])
{
    struct mark m;
    char *block = mem_new(MARKED);
    size_t have;
    int err;
    mark_begin(&m);
    do {
        have = 0;
        err = fill(fd, at, block, &have, MARKED);
        at += have;
        mark_add(&m, (struct slice){block, have});
    } while (!err && have == MARKED);
    mark_end(&m, hex);
    free(block);
    return err;
}

int cpim_identity(int fd, const struct cpim *c, char **id)
{
    char hex[MARK_HEX_SIZE];
    int err = c->message_id.p ? 0 : mark_from(fd, 0, hex);
    *id = c->message_id.p ? slice_dup(c->message_id) : err ? NULL : mem_dup(hex);
    return err;
}

int cpim_content_mark(int fd, const struct cpim *c, char hex[MARK_HEX_SIZE])
{
    return mark_from(fd, c->content_at, hex);
}

/* --- The content. */

enum way { BY_COPY_RANGE, BY_SENDFILE, BY_SPLICE, BY_HAND };

struct copy {
    int from;
    int to;
    char *block;
    bool *reading;
};

/* A descriptor that came from elsewhere may be non-blocking. 0: try again. */
static int wait_after(int error, int fd, short events)
{
    struct pollfd p = {.fd = fd, .events = events};
    if (error == EINTR)
        return 0;
    if (error != EAGAIN)
        return error;
    return poll(&p, 1, -1) < 0 && errno != EINTR ? errno : 0;
}

static int write_all(int fd, const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(fd, p, n);
        int err = done < 0 ? wait_after(errno, fd, POLLOUT) : 0;
        if (err)
            return err;
        if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

static ssize_t step_by_hand(struct copy *k, size_t most)
{
    if (!k->block)
        k->block = mem_new(BLOCK);
    *k->reading = true;
    ssize_t n = read(k->from, k->block, most < BLOCK ? most : BLOCK);
    if (n <= 0)
        return n;
    *k->reading = false;
    errno = write_all(k->to, k->block, (size_t)n);
    return errno ? -1 : n;
}

static ssize_t step(struct copy *k, enum way way, size_t most)
{
    switch (way) {
    case BY_COPY_RANGE:
        return copy_file_range(k->from, NULL, k->to, NULL, most, 0);
    case BY_SENDFILE:
        return sendfile(k->to, k->from, NULL, most);
    case BY_SPLICE:
        return splice(k->from, NULL, k->to, NULL, most, SPLICE_F_MORE);
    case BY_HAND:
        break;
    }
    return step_by_hand(k, most);
}

/* These belong to the side that is written to; whatever else a way in the kernel stumbles over is
 * tried again by hand, which also tells the side. */
static bool is_write_error(int error)
{
    return error == ENOSPC || error == EDQUOT || error == EFBIG || error == EPIPE;
}

int cpim_copy(int from, int to, uint64_t most, uint64_t *copied, bool *reading)
{
    struct copy k = {.from = from, .to = to, .reading = reading};
    enum way way = BY_COPY_RANGE;
    int err = 0;
    *copied = 0;
    while (*copied < most && !err) {
        uint64_t left = most - *copied;
        ssize_t n = step(&k, way, left < IN_KERNEL ? (size_t)left : IN_KERNEL);
        if (n > 0) {
            *copied += (uint64_t)n;
        } else if (n < 0 && errno == EINTR) {
            continue;
        } else if (n < 0 && way != BY_HAND && is_write_error(errno)) {
            *reading = false;
            err = errno;
        } else if (way != BY_HAND) {
            way++; /* also after a 0: some file systems (procfs) give that to copy_file_range */
        } else if (n < 0) {
            err = *reading ? wait_after(errno, from, POLLIN) : errno;
        } else {
            break;
        }
    }
    free(k.block);
    return err;
}
