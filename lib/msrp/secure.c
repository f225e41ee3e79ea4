/* TLS of a session (RFC 4975 14.4, RFC 8122): whom the answer names, and what becomes of the
 * session when somebody else is there. */
#include "msrp/session_int.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* A fingerprint is the recipient's; where a relay is in the path it is the relay that we meet (RFC
 * 6135 4.3), and its name counts. */
int msrp_secure_learn(struct msrp_session *s, const struct msrp_answer *answer)
{
    struct msrp_uri hop;
    if (msrp_uri_parse(msrp_path_first(slice_of(answer->path)), &hop) != 0)
        return EINVAL;
    if (hop.secure != (s->plan.tls != NULL))
        return EPROTO;
    if (!s->plan.tls)
        return 0;
    struct slice path = slice_of(answer->path);
    bool relayed = msrp_path_first(path).n != slice_trim(path).n;
    bool named = relayed || !answer->fingerprint || !answer->fingerprint[0];
    s->hop = slice_dup(hop.host);
    s->fingerprint = named ? NULL : mem_dup(answer->fingerprint);
    s->expected.check = named ? TLS_CHECK_HOST : TLS_CHECK_FINGERPRINT;
    s->expected.value = named ? s->hop : s->fingerprint;
    return 0;
}

void msrp_secure_free(struct msrp_session *s)
{
    free(s->hop);
    free(s->fingerprint);
}

static void note(struct msrp_session *s, const struct link *l, int status, const char *why)
{
    char peer[NET_TEXT_SIZE];
    net_addr_text(peer, msrp_conn_peer(l->conn));
    s->tls_status = status;
    (void)snprintf(s->tls_error, sizeof(s->tls_error), "TLS with %s: %s", peer, why);
}

bool msrp_secure_is_peer(struct msrp_session *s, struct link *l)
{
    struct tls *tls = msrp_conn_tls(l->conn);
    if (!tls || tls_check_peer(tls, &s->expected) == 0)
        return true;
    note(s, l, EX_NOPERM, tls_why(tls));
    return false;
}

/* A stranger who only knows our port cannot end the session: it has to be a connection of ours, or
 * of a host that the answer names. */
bool msrp_secure_lost(struct msrp_session *s, struct link *l, int error, const char *why)
{
    bool rejected = error == EKEYREJECTED;
    bool no_tls = error == EPROTO && !msrp_conn_is_open(l->conn);
    if (!msrp_conn_tls(l->conn) || (!rejected && !no_tls))
        return false;
    note(s, l, rejected ? EX_NOPERM : EX_PROTOCOL, why);
    bool ours = l->state == LINK_BOUND || l->state == LINK_DIALLING;
    return rejected ? ours || (s->answered && msrp_link_expected(l)) : false;
}

int msrp_secure_status(const struct msrp_session *s)
{
    return s->tls_status ? s->tls_status : EX_TEMPFAIL;
}
