#include "journal/glance.h"

#include "base/file.h"
#include "base/lock.h"
#include "journal/journal_int.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIECE (4 * LINE_MAX_SIZE)

/* The whole lines of what was read; gives how many octets they have. */
static size_t take_lines(struct glance *g, struct slice bytes, journal_line_h *handler, void *arg)
{
    struct line line;
    struct slice rest = bytes;
    for (;;) {
        struct slice before = rest;
        struct slice text = slice_cut(&rest, '\n');
        if (!rest.p)
            return bytes.n - before.n;
        if (!g->overlong && line_parse(text, &line) == 0 && line.wall_ms != 0)
            handler(arg, &line, text);
        g->overlong = false;
    }
}

/* What is left of a piece without a newline is read again with the next one, unless it is too long
 * to be a line. */
static int read_lines(int fd, struct glance *g, journal_line_h *handler, void *arg)
{
    char bytes[PIECE];
    for (;;) {
        ssize_t n = pread(fd, bytes, sizeof bytes, g->at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n < 0 ? errno : 0;
        g->octets += (uint64_t)n;
        size_t whole = take_lines(g, (struct slice){bytes, (size_t)n}, handler, arg);
        if (whole == 0 && n >= LINE_MAX_SIZE) {
            g->overlong = true;
            whole = (size_t)n;
        }
        g->at += (int64_t)whole;
        if (whole == 0 || (size_t)n < sizeof bytes)
            return 0;
    }
}

static int look(int fd, struct glance *g, journal_line_h *handler, void *arg)
{
    struct stat st;
    /* The claim is looked at first: if it was free, all lines of its holder are there to be read.
     */
    int err = lock_held(fd, BYTE_CLAIM, &g->claimed);
    if (err)
        return err;
    if (fstat(fd, &st) < 0)
        return errno;
    if ((g->inode != 0 && g->inode != st.st_ino) || st.st_size < g->at) {
        *g = (struct glance){0};
        return ESTALE;
    }
    if (g->at == 0 && !journal_is_one(fd))
        return JOURNAL_OPEN_FOREIGN;
    g->inode = st.st_ino;
    g->size = st.st_size;
    g->mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec;
    return st.st_size == g->at ? 0 : read_lines(fd, g, handler, arg);
}

int journal_glance(const char *path, struct glance *g, journal_line_h *handler, void *arg)
{
    int fd;
    g->claimed = false;
    g->octets = 0;
    int err = file_open_private(path, O_RDONLY, false, &fd);
    if (err)
        return err;
    err = look(fd, g, handler, arg);
    (void)close(fd);
    return err;
}
