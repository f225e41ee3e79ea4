/* Inside lib/sip: from the URI of the next hop to the places to try (RFC 3261 18.1.1, RFC 3263). */
#ifndef SIP_TARGET_H
#define SIP_TARGET_H

#include "base/dns.h"
#include "sip/sip.h"
#include "sip/stack.h"
#include "sip/uri.h"

#define SIP_LARGE 1300 /* octets that still may go by UDP (RFC 3261 18.1.1) */

struct targets;

/* Does it depend on its size where a request for `next` may go (`large` below)? */
bool targets_by_size(const struct uri *next, const struct sip_config *c, bool secure);

/* Where a request for `next` may go. Nothing is looked up before targets_next, and for numeric
 * hosts nothing at all. A transport in the URI or in the options is the only one; else the DNS
 * tells (NAPTR, SRV), or UDP. With `secure`, as with sips:, it is TLS alone. With `large` and
 * nothing that names a transport, streams go first, and TCP is tried before UDP at each address.
 * `ready` is called from the loop, never from inside.
 */
struct targets *targets_new(struct dns *dns, const struct uri *next, const struct sip_config *c,
                            bool secure, bool large, void (*ready)(void *arg), void *arg);
void targets_free(struct targets *t); /* `ready` is not called any more */

/* The next place to try. 0; EINPROGRESS: `ready` will be called, ask again then; else there is none
 * any more: EPROTONOSUPPORT where no transport of ours fits, ELIBACC where the resolver cannot be
 * loaded, ENOENT. */
int targets_next(struct targets *t, struct sip_hop *hop);
/* Among the addresses of one host, this one goes first. */
void targets_prefer(struct targets *t, const struct net_addr *a);
/* Why nothing was found, or what was not: "SRV _sip._udp.example.com: no DNS server answered". */
const char *targets_why(const struct targets *t);

#endif
