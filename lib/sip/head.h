/* The head of a SIP message as lines: start line and headers, unfolded, with long names. Pure. */
#ifndef SIP_HEAD_H
#define SIP_HEAD_H

#include "base/slice.h"
#include "sip/stack.h"

struct head {
    char *copy; /* what the slices point into */
    struct slice start;
    size_t n;
    const char *fault; /* what is wrong with its form, NULL: nothing */
    struct {
        struct slice name, value;
    } f[SIP_HEADERS_MAX]; /* the first n; the rest is never cleared */
};

/* The octets of the head with its empty line; 0: not complete. */
size_t head_length(struct slice in);

struct head *head_new(struct slice head);
void head_free(struct head *h);

/* How often does a header occur? The first of them in *value. */
size_t head_count(const struct head *h, const char *name, struct slice *value);

bool head_is_token(struct slice s); /* RFC 3261 25.1 */

/* The next value of a comma-separated list, trimmed; commas in quotes and angle brackets do not
 * count. Ends with rest->p == NULL. */
struct slice head_value(struct slice *rest);

#endif
