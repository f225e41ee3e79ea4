#include "msrp/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

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
    *f = (struct msrp_file){.fd = -1};
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
    return (struct msrp_octets){unchanged, f};
}
