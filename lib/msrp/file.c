#include "msrp/file.h"

#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The sender looks at 256 KiB at a time, and at the end of what was before. Reading into one block
 * keeps the memory constant; mapped pages would count as ours, and a file cut short under a
 * mapping kills its reader. */
#define BLOCK_SIZE ((size_t)256 * 1024 + 128)

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

static int holds(void *arg, uint64_t offset, size_t n, struct slice text, bool *found)
{
    struct msrp_file *f = arg;
    if (n > BLOCK_SIZE)
        return EFBIG;
    if (!f->block)
        f->block = mem_new(BLOCK_SIZE);
    int err = read_block(f, offset, n);
    *found = !err && memmem(f->block, n, text.p, text.n) != NULL;
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
