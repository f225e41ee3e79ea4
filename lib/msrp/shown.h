/* What the transcript shows of MSRP (trace/trace.h): heads, end-lines and sizes, never content. */
#ifndef MSRP_SHOWN_H
#define MSRP_SHOWN_H

#include "base/net.h"
#include "msrp/msrp.h"

#include <stdbool.h>

/* Text that goes out: whole heads, end-lines and responses; behind it so much content. */
void msrp_show_sent(const struct net_addr *peer, bool tls, struct slice text, uint64_t content);

/* What came, as the parser told it of `in`, which is shown as it is at MSRP_BAD. */
void msrp_show_event(const struct net_addr *peer, bool tls, const struct msrp_event *ev,
                     struct slice in);

#endif
