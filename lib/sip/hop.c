/* From the URI of the next hop to the addresses to try (RFC 3261 8.1.2, 18.1.1; RFC 3263 4). */
#include "sip/agent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

#define SIP_PORT 5060

/* Only addresses of the family that --sip-bind names can be reached from there. */
static int bound_family(const struct sip_config *c)
{
    struct net_bind b;
    struct in_addr a4;
    struct in6_addr a6;

    if (c->sip_bind == NULL || net_parse_bind(c->sip_bind, &b) != 0)
        return AF_UNSPEC;
    if (inet_pton(AF_INET, b.host, &a4) == 1)
        return AF_INET;
    return inet_pton(AF_INET6, b.host, &a6) == 1 ? AF_INET6 : AF_UNSPEC;
}

static int transport_named(const struct uri *next, const struct sip_config *c,
                           enum sip_transport *t, bool *named)
{
    struct slice name = uri_param(next, "transport");

    if (name.n == 0 && c->transport != NULL)
        name = slice_of(c->transport);
    *named = true;
    if (next->scheme == URI_SIPS || slice_is_nocase(name, "tls"))
        *t = SIP_TLS;
    else if (slice_is_nocase(name, "tcp"))
        *t = SIP_TCP;
    else if (slice_is_nocase(name, "udp"))
        *t = SIP_UDP;
    else if (name.n == 0)
        *named = false;
    else
        return EPROTONOSUPPORT;
    return *named && *t == SIP_TLS ? EPROTONOSUPPORT : 0;
}

int hops_find(const struct uri *next, const struct sip_config *c, bool large, struct hops *out,
              const char **why)
{
    struct net_addr list[HOPS_MAX / 2];
    enum sip_transport t = SIP_UDP;
    bool named;
    size_t n;
    char *host;
    int err;

    out->n = 0;
    *why = "this transport is not supported";
    if (next->scheme == URI_TEL || transport_named(next, c, &t, &named) != 0)
        return EPROTONOSUPPORT;
    host = slice_dup(next->host);
    err = net_resolve(host, next->port != 0 ? next->port : SIP_PORT, bound_family(c), SOCK_STREAM,
                      list, HOPS_MAX / 2, &n, why);
    free(host);
    for (size_t i = 0; err == 0 && i < n; i++) {
        if (!named && large)
            out->v[out->n++] = (struct sip_hop){.transport = SIP_TCP, .addr = list[i]};
        out->v[out->n++] = (struct sip_hop){.transport = t, .addr = list[i]};
    }
    return err;
}
