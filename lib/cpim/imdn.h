/* Delivery notifications (RFC 5438), as far as an event line tells them: in MSRP, and in SIP's
 * MESSAGE and INFO. What they say is passed on, never believed. Pure. */
#ifndef CPIM_IMDN_H
#define CPIM_IMDN_H

#include "base/buf.h"
#include "base/slice.h"

#include <stdbool.h>

#define IMDN_TYPE "message/imdn+xml"
#define IMDN_MAX  ((size_t)64 * 1024) /* of one that has to be decoded */

struct imdn {
    struct slice message_id; /* of the message that it speaks of; may be empty */
    struct slice status;     /* "delivered", "displayed", "failed" ...; may be empty */
};

/* Is this content a notification, by itself or wrapped in CPIM, there perhaps in base64? Slices
 * point into it, or into *decoded, which is the caller's to free; empty before. */
bool imdn_read(struct slice content_type, struct slice content, struct buf *decoded,
               struct imdn *n);

#endif
