/* Digest authentication inside lib/sip, its pure part (RFC 7616, RFC 8760, RFC 3261 22.4): a
 * challenge and the credentials that answer it. MD5, SHA-256 and SHA-512-256, each also as -sess;
 * qop=auth, or none as RFC 2069 had it. What came in quotes is kept and hashed as it came. */
#ifndef SIP_DIGEST_H
#define SIP_DIGEST_H

#include "base/hash.h"

struct challenge {
    char *realm, *nonce;
    char *opaque;          /* NULL: none */
    const char *algorithm; /* its name, static; NULL: not said, which means MD5 */
    enum hash hash;
    bool session; /* ...-sess */
    bool qop;     /* auth is offered */
    bool stale;
};

/* The value of a WWW-Authenticate or Proxy-Authenticate. 0, EBADMSG, or EPROTONOSUPPORT: a scheme,
 * algorithm or qop that is not known here, so to be passed over (RFC 7616 3.3). Nothing is to be
 * freed then. */
int challenge_parse(struct slice value, struct challenge *c);
void challenge_free(struct challenge *c);

/* The hash of user, realm and password. For -sess it is made once for a challenge. 0 or hash_hex's
 * error. */
int digest_a1(const struct challenge *c, const char *user, const char *password, const char *cnonce,
              char a1[HASH_HEX_SIZE], char why[MODULE_WHY_SIZE]);

struct digest {
    const struct challenge *challenge;
    const char *a1, *user, *method, *uri, *cnonce;
    uint32_t nc;
};

/* "Digest username=..., ...". The caller frees it. 0, hash_hex's error or EMSGSIZE. */
int digest_value(const struct digest *d, char **value, char why[MODULE_WHY_SIZE]);

/* What follows "Digest "; p == NULL: another scheme. */
struct slice digest_params(struct slice value);
/* The next name=value of such a list, the value without quotes. False: no more. */
bool digest_param(struct slice *rest, struct slice *name, struct slice *value);
bool digest_quotable(struct slice text); /* can it stand between quotes again? */

#endif
