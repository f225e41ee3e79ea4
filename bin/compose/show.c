#include "bin/compose/show.h"

#include "base/err.h"
#include "base/num.h"
#include "cpim/cpim.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct shown {
    char *head;
    struct cpim cpim;
    enum cpim_error verdict;
    uint64_t octets;
};

/* --- Reading. */

static int read_some(int fd, char *p, size_t want, size_t *got)
{
    ssize_t n;
    do {
        n = read(fd, p, want);
    } while (n < 0 && errno == EINTR);
    *got = n > 0 ? (size_t)n : 0;
    return n < 0 ? errno : 0;
}

static int count_rest(int fd, uint64_t *octets)
{
    char block[16 * 1024];
    size_t n;
    int err;
    while ((err = read_some(fd, block, sizeof block, &n)) == 0 && n > 0)
        *octets += n;
    return err;
}

static int read_stream(int fd, struct shown *s)
{
    struct buf b = BUF_UP_TO(CPIM_HEAD_MAX);
    size_t room, n = 1;
    int err = 0;
    s->verdict = CPIM_MORE;
    while (s->verdict == CPIM_MORE && !err) {
        char *p = buf_room(&b, CPIM_HEAD_MAX, &room);
        err = read_some(fd, p, room, &n);
        buf_wrote(&b, n);
        if (!err)
            s->verdict = cpim_parse(buf_slice(&b), n == 0, &s->cpim);
    }
    s->head = b.p;
    s->octets = b.n;
    return err || s->verdict ? err : count_rest(fd, &s->octets);
}

static int read_message(int fd, struct shown *s)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return errno;
    if (S_ISREG(st.st_mode))
        return cpim_read_head(fd, &s->head, &s->cpim, &s->octets, &s->verdict);
    return read_stream(fd, s);
}

/* --- Printing. */

/* A terminal must not obey a message: controls, also those of U+0080 to U+009F, are shown as
 * numbers. */
static void print_value(struct slice v)
{
    for (size_t i = 0; i < v.n; i++) {
        unsigned char c = (unsigned char)v.p[i];
        bool high_control = c == 0xc2 && i + 1 < v.n && (unsigned char)v.p[i + 1] < 0xa0;
        if (c < 0x20 || c == 0x7f || high_control)
            (void)printf("\\x%02x", c);
        else
            (void)putchar(c);
    }
    (void)putchar('\n');
}

static size_t widest(struct slice headers, size_t width)
{
    struct cpim_header h;
    while (cpim_next(&headers, &h)) {
        size_t n = h.name.n + h.parameters.n;
        if (n > width && n <= 40)
            width = n;
    }
    return width;
}

static void print_headers(struct slice headers, size_t width)
{
    struct cpim_header h;
    while (cpim_next(&headers, &h)) {
        size_t n = h.name.n + h.parameters.n;
        (void)printf("%.*s%.*s%*s", (int)h.name.n, h.name.p, (int)h.parameters.n, h.parameters.p,
                     n < width ? (int)(width - n) + 2 : 2, "");
        print_value(h.value);
    }
}

static void print_message(const struct shown *s)
{
    char text[16];
    size_t width = widest(s->cpim.content_headers, widest(s->cpim.headers, sizeof "content" - 1));
    uint64_t content = s->octets - s->cpim.content_at;
    print_headers(s->cpim.headers, width);
    print_headers(s->cpim.content_headers, width);
    num_size_text(text, content);
    (void)printf("%-*s  %llu octets (%s) after a head of %zu\n", (int)width, "content",
                 (unsigned long long)content, text, s->cpim.content_at);
}

int show(int fd, const char *name)
{
    struct shown s = {0};
    int status = EX_OK;
    int err = read_message(fd, &s);
    if (err) {
        err_line(name, strerror(err), NULL);
        status = EX_NOINPUT;
    } else if (s.verdict) {
        err_line(name, cpim_error_text(s.verdict), NULL);
        status = EX_DATAERR;
    } else {
        print_message(&s);
        status = err_output();
    }
    free(s.head);
    return status;
}
