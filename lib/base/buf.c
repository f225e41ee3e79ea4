#include "base/buf.h"

#include "base/mem.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Makes room for `want` more bytes and the NUL, if the limit allows it. */
static int make_room(struct buf *b, size_t want)
{
    if (want > b->max - b->n)
        return EMSGSIZE;
    size_t need = b->n + want + 1;
    if (need <= b->room)
        return 0;
    size_t room = b->room ? b->room : 256;
    while (room < need)
        room *= 2;
    b->p = mem_grow(b->p, room, 1);
    b->room = room;
    return 0;
}

int buf_add(struct buf *b, const void *bytes, size_t n)
{
    int err = make_room(b, n);
    if (err)
        return err;
    if (n)
        memcpy(b->p + b->n, bytes, n);
    buf_wrote(b, n);
    return 0;
}

int buf_add_slice(struct buf *b, struct slice s)
{
    return buf_add(b, s.p, s.n);
}

int buf_add_text(struct buf *b, const char *text)
{
    return buf_add(b, text, strlen(text));
}

int buf_format(struct buf *b, const char *format, ...)
{
    va_list ap;
    va_start(ap, format);
    char *text;
    int n = vasprintf(&text, format, ap);
    va_end(ap);
    if (n < 0)
        return ENOMEM;
    int err = buf_add(b, text, (size_t)n);
    free(text);
    return err;
}

char *buf_room(struct buf *b, size_t want, size_t *room)
{
    if (want > b->max - b->n)
        want = b->max - b->n;
    *room = want;
    if (make_room(b, want) != 0) /* cannot be: `want` was cut to the limit */
        *room = 0;
    return b->p + b->n;
}

void buf_wrote(struct buf *b, size_t n)
{
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_drop(struct buf *b, size_t n)
{
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = '\0';
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

void buf_free(struct buf *b)
{
    free(b->p);
    *b = BUF_UP_TO(b->max);
}

struct slice buf_slice(const struct buf *b)
{
    return (struct slice){b->p, b->n};
}
