/* Inside lib/sdp. */
#ifndef SDP_SDP_INT_H
#define SDP_SDP_INT_H

#include "sdp/sdp.h"

/* Adds a tidied copy of `body` to `out`: CRLF, the order of RFC 4566, v= o= s= t= present, no line
 * that has no use, a format list on every m= line. 0, ENOMSG (nothing there), EMSGSIZE. */
int sdp_tidy(struct slice body, struct buf *out);

#endif
