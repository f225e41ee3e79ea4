/* Notifications that come back in the session (RFC 5438), as far as an event line tells them. */
#ifndef BIN_MSRP_SERVE_IMDN_H
#define BIN_MSRP_SERVE_IMDN_H

#include "base/slice.h"

#include <stdbool.h>

struct imdn {
    struct slice message_id; /* of the message that it speaks of; may be empty */
    struct slice status;     /* "delivered", "displayed", "failed" ...; may be empty */
};

/* Is this content, as it came by MSRP, a notification? Slices point into it. */
bool imdn_read(struct slice content_type, struct slice content, struct imdn *n);

#endif
