/* Writing HTML5 and SVG. Markup stands in the formats, which are literals: one that is not does not
 * compile
 * (-Wformat=2), so a value cannot become markup. Pure.
 *
 * %s escapes for text and for attributes, which stand in double quotes. What is no UTF-8 becomes
 * U+FFFD; what cannot be seen or turns the writing direction is shown as \x0a or \u202e. %.40s
 * gives at most 40 characters (not octets), with an ellipsis for the rest. NULL is nothing. Besides
 * there are %d %u %ld %lu %lld %llu %zu and %%. */
#ifndef BASE_HTML_H
#define BASE_HTML_H

#include "base/buf.h"

struct html {
    struct buf *out; /* the caller's */
    int error;       /* the first one sticks: EMSGSIZE (out is full), EINVAL (the format) */
};

void html_add(struct html *h, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* A value in the query of a link: percent-encoded. */
void html_query(struct html *h, const char *value);

#endif
