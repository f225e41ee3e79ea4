/* URIs inside lib/sip: sip:, sips: (RFC 3261 19.1) and tel: (RFC 3966). Pure. */
#ifndef SIP_URI_H
#define SIP_URI_H

#include "base/slice.h"

enum uri_scheme { URI_SIP, URI_SIPS, URI_TEL };

struct uri {
    enum uri_scheme scheme;
    struct slice user;   /* with its password and parameters; of tel: the number; may be empty */
    struct slice host;   /* without brackets; empty for tel: */
    uint16_t port;       /* 0: none given */
    struct slice params; /* after the first ';', empty if none */
};

/* Takes a URI apart. The parts point into `text`. Whatever could end the URI inside a header
 * (blanks, quotes, angle brackets, controls, bytes beyond ASCII) is refused. An IPv6 host may lack
 * its brackets when no port follows. 0, or EINVAL with a static text in *why (may be NULL). */
int uri_parse(struct slice text, struct uri *u, const char **why);

/* The value of a parameter; p == NULL: not there; n == 0: there without value (lr). */
struct slice uri_param(const struct uri *u, const char *name);

bool uri_is_secure(const char *text); /* sips:; NULL is not */

/* The URI as it has to stand on the wire (brackets around IPv6). The caller frees it. */
char *uri_text(const struct uri *u);

/* The URI inside a name-addr or addr-spec ("Bob" <sip:bob@x;lr>;q=1), RFC 3261 20.10. */
struct slice uri_of_name_addr(struct slice value);

#endif
