#include "msrp/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Reading into one block keeps the memory constant, and the octets in the processor's cache. Mapped
 * pages would count as ours, and a file cut short under a mapping kills its reader. */
#define BLOCK_SIZE ((size_t)64 * 1024)

static bool same_time(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

int msrp_file_open(struct msrp_file *f, const char *path)
{
    struct stat st;
    *f = (struct msrp_file){.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
    if (f->fd < 0)
        return errno;
    int err = fstat(f->fd, &st) != 0     ? errno
              : S_ISDIR(st.st_mode)      ? EISDIR
              : S_ISREG(st.st_mode) == 0 ? ESPIPE
                                         : 0;
    if (err) {
        msrp_file_close(f);
        return err;
    }
    f->size = (uint64_t)st.st_size;
    f->changed = st.st_mtim;
    return 0;
}

void msrp_file_close(struct msrp_file *f)
{
    if (f->fd >= 0)
        (void)close(f->fd);
    free(f->block);
    *f = (struct msrp_file){.fd = -1};
}

static int read_block(const struct msrp_file *f, uint64_t offset, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t got = pread(f->fd, f->block + done, n - done, (off_t)(offset + done));
        if (got == 0)
            return ENODATA;
        if (got < 0 && errno != EINTR)
            return errno;
        if (got > 0)
            done += (size_t)got;
    }
    return 0;
}

/* Block by block; each begins with the last octets of the one before, so that what lies across is
 * found too. */
static int holds(void *arg, uint64_t offset, size_t n, struct slice text, bool *found)
{
    struct msrp_file *f = arg;
    int err = 0;
    if (!f->block)
        f->block = mem_new(BLOCK_SIZE);
    *found = false;
    while (!err && !*found && n >= text.n) {
        size_t here = n < BLOCK_SIZE ? n : BLOCK_SIZE;
        err = read_block(f, offset, here);
        *found = !err && memmem(f->block, here, text.p, text.n) != NULL;
        offset += here - text.n + 1;
        n -= here - text.n + 1;
    }
    return err;
}

static int unchanged(void *arg)
{
    const struct msrp_file *f = arg;
    struct stat st;
    if (fstat(f->fd, &st) != 0)
        return errno;
    return (uint64_t)st.st_size == f->size && same_time(st.st_mtim, f->changed) ? 0 : ESTALE;
}

struct msrp_octets msrp_file_octets(struct msrp_file *f)
{
    return (struct msrp_octets){holds, unchanged, f};
}
