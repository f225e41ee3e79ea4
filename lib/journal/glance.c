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

static int64_t in_ns(struct statx_timestamp t)
{
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int look_at_file(int fd, struct glance *g)
{
    struct statx st;
    if (statx(fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS | STATX_BTIME, &st) < 0)
        return errno;
    int64_t born_ns = st.stx_mask & STATX_BTIME ? in_ns(st.stx_btime) : 0;
    bool another = g->inode != 0 && (g->inode != st.stx_ino || g->born_ns != born_ns);
    if (another || (int64_t)st.stx_size < g->at) {
        *g = (struct glance){0};
        return ESTALE;
    }
    g->inode = st.stx_ino;
    g->born_ns = born_ns;
    g->size = (int64_t)st.stx_size;
    g->ctime_ns = in_ns(st.stx_ctime);
    return 0;
}

static int look(int fd, struct glance *g, journal_line_h *handler, void *arg)
{
    /* The claim is looked at first: if it was free, all lines of its holder are there to be read.
     */
    int err = lock_held(fd, BYTE_CLAIM, &g->claimed);
    if (!err)
        err = look_at_file(fd, g);
    if (err)
        return err;
    if (g->at == 0 && !journal_is_one(fd))
        return JOURNAL_OPEN_FOREIGN;
    return g->size == g->at ? 0 : read_lines(fd, g, handler, arg);
}

int journal_glance(const char *path, struct glance *g, journal_line_h *handler, void *arg)
{
    int fd;
    g->claimed = false;
    int err = file_open_private(path, O_RDONLY, FILE_IS_THERE, &fd);
    if (err)
        return err;
    err = look(fd, g, handler, arg);
    (void)close(fd);
    return err;
}
