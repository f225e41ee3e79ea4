/* A byte buffer that grows up to a limit that its owner sets. p[n] is always a NUL that does not
 * count, once something was added. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/slice.h"

struct buf {
    char *p;
    size_t n;
    size_t room; /* allocated */
    size_t max;  /* the most that n may become */
};

#define BUF_UP_TO(limit) ((struct buf){.max = (limit)})

/* All of these: 0, or EMSGSIZE when the limit would be passed (the buffer is then unchanged). */
int buf_add(struct buf *b, const void *bytes, size_t n);
int buf_add_slice(struct buf *b, struct slice s);
int buf_add_text(struct buf *b, const char *text);
int buf_format(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Room for up to `want` more bytes (less near the limit): *room tells how many may be written at
 * the pointer that is returned. buf_wrote makes them count. */
char *buf_room(struct buf *b, size_t want, size_t *room);
void buf_wrote(struct buf *b, size_t n);

void buf_drop(struct buf *b, size_t n); /* forgets the first n bytes */
void buf_clear(struct buf *b);          /* n = 0, keeps the memory */
void buf_free(struct buf *b);
struct slice buf_slice(const struct buf *b);

#endif
