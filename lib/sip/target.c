/* From the URI of the next hop to the places to try, one at a time (RFC 3263). */
#include "sip/target.h"

#include "base/err.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SERVICES_MAX  6  /* NAPTR records that are followed */
#define HOSTS_MAX     32 /* SRV records that are tried */
#define ADDRESSES_MAX 8  /* of one host */

struct service { /* an SRV name, for one transport */
    struct targets *owner;
    enum sip_transport transport;
    char name[DNS_NAME_SIZE];
    struct dns_query *query;
    struct dns_srv *found;
    size_t n;
    int error;
};

struct host {
    enum sip_transport transport;
    uint16_t port;
    char name[DNS_NAME_SIZE];
};

struct targets {
    struct dns *dns;
    void (*ready)(void *arg);
    void *arg;
    int family;
    bool sips, large;
    bool named; /* the URI or an option says which transport */
    enum sip_transport transport;
    char domain[DNS_NAME_SIZE]; /* TARGET of RFC 3263 4 */
    char host[DNS_NAME_SIZE];   /* of the URI, that TLS peers have to prove (RFC 5922 4) */
    uint16_t port;              /* 0: none given */

    enum { BEGIN, POINTERS, SERVICES, HOSTS } step;
    struct dns_query *query; /* for pointers or addresses */
    size_t n_services;
    size_t n_hosts, next_host;
    struct net_addr preferred; /* len 0: none */
    size_t n_hops, next_hop;

    int error;
    char why[DNS_NAME_SIZE + 256];

    /* Large and mostly unused, so never cleared: the first n_ of each are set. */
    struct service services[SERVICES_MAX];
    struct host hosts[HOSTS_MAX];
    struct sip_hop hops[2 * ADDRESSES_MAX];
};

/* --- What the URI and the options say. */

/* Only addresses of the family that --sip-bind names can be reached from there. */
static int bound_family(const struct sip_config *c)
{
    struct net_bind b;
    struct net_addr a;

    if (c->sip_bind == NULL || net_parse_bind(c->sip_bind, &b) != 0 ||
        net_parse_host(b.host, 0, &a) != 0)
        return AF_UNSPEC;
    return a.ss.ss_family;
}

/* What the URI says, or else the option. n == 0: neither. */
static struct slice wanted_transport(const struct uri *next, const struct sip_config *c)
{
    struct slice name = uri_param(next, "transport");

    return name.n == 0 && c->transport != NULL ? slice_of(c->transport) : name;
}

/* 0 or EPROTONOSUPPORT */
static int name_transport(struct targets *t, const struct uri *next, const struct sip_config *c)
{
    struct slice name = wanted_transport(next, c);

    t->named = true;
    if (t->sips || slice_is_nocase(name, "tls"))
        t->transport = SIP_TLS;
    else if (slice_is_nocase(name, "tcp"))
        t->transport = SIP_TCP;
    else if (slice_is_nocase(name, "udp"))
        t->transport = SIP_UDP;
    else if (name.n == 0)
        t->named = false;
    else
        return EPROTONOSUPPORT;
    return 0;
}

bool targets_by_size(const struct uri *next, const struct sip_config *c, bool secure)
{
    return !secure && next->scheme != URI_SIPS && wanted_transport(next, c).n == 0;
}

struct targets *targets_new(struct dns *dns, const struct uri *next, const struct sip_config *c,
                            bool secure, bool large, void (*ready)(void *arg), void *arg)
{
    struct targets *t = mem_new_part(sizeof(*t), offsetof(struct targets, services));
    struct slice maddr = uri_param(next, "maddr");
    struct slice domain = maddr.n > 0 ? maddr : next->host;

    t->dns = dns;
    t->ready = ready;
    t->arg = arg;
    t->family = bound_family(c);
    t->sips = secure || next->scheme == URI_SIPS;
    t->large = large;
    t->port = next->port;
    if (next->scheme == URI_TEL || name_transport(t, next, c) != 0) {
        t->error = EPROTONOSUPPORT;
        (void)snprintf(t->why, sizeof(t->why), "this transport is not supported");
    } else if (domain.n >= sizeof(t->domain) || next->host.n >= sizeof(t->host)) {
        t->error = ENOENT;
        (void)snprintf(t->why, sizeof(t->why), "the host name is too long");
    } else {
        (void)snprintf(t->domain, sizeof(t->domain), "%.*s", (int)domain.n, domain.p);
        (void)snprintf(t->host, sizeof(t->host), "%.*s", (int)next->host.n, next->host.p);
    }
    return t;
}

static void drop_services(struct targets *t)
{
    for (size_t i = 0; i < t->n_services; i++) {
        if (t->services[i].query != NULL)
            dns_forget(t->services[i].query);
        free(t->services[i].found);
    }
    t->n_services = 0;
}

void targets_free(struct targets *t)
{
    if (t == NULL)
        return;
    if (t->query != NULL)
        dns_forget(t->query);
    drop_services(t);
    free(t);
}

void targets_prefer(struct targets *t, const struct net_addr *a)
{
    t->preferred = *a;
}

const char *targets_why(const struct targets *t)
{
    return t->why[0] != '\0' ? t->why : "no address";
}

/* What goes wrong is remembered for the case that nothing goes right. */
static void note(struct targets *t, const char *type, const char *name, int error, const char *why)
{
    t->error = error == ELIBACC ? ELIBACC : ENOENT;
    if (error == ELIBACC)
        (void)snprintf(t->why, sizeof(t->why), "%s", why);
    else
        (void)snprintf(t->why, sizeof(t->why), "%s of %s: %s", type, name, why);
    err_step("%s", t->why);
}

/* --- Hosts and their addresses. */

static void add_host(struct targets *t, enum sip_transport transport, const char *name,
                     uint16_t port)
{
    struct host *h = &t->hosts[t->n_hosts];

    if (t->n_hosts == HOSTS_MAX)
        return;
    t->n_hosts++;
    *h = (struct host){.transport = transport, .port = port};
    (void)snprintf(h->name, sizeof(h->name), "%s", name);
}

static void add_domain(struct targets *t)
{
    uint16_t usual = t->transport == SIP_TLS ? 5061 : 5060;

    add_host(t, t->transport, t->domain, t->port != 0 ? t->port : usual);
    t->step = HOSTS;
}

static bool any_stream(const struct targets *t)
{
    for (size_t i = 0; i < t->n_hosts; i++)
        if (t->hosts[i].transport != SIP_UDP)
            return true;
    return false;
}

/* A large request goes by a stream where the server has one. */
static void streams_first(struct targets *t)
{
    struct host sorted[HOSTS_MAX];
    size_t n = 0;

    if (!t->large || t->named)
        return;
    for (int streams = 1; streams >= 0; streams--)
        for (size_t i = 0; i < t->n_hosts; i++)
            if ((t->hosts[i].transport != SIP_UDP) == (streams == 1))
                sorted[n++] = t->hosts[i];
    memcpy(t->hosts, sorted, n * sizeof(sorted[0]));
}

static void add_address(struct targets *t, const struct net_addr *a, bool tcp_too)
{
    enum sip_transport transport = t->hosts[t->next_host - 1].transport;

    if (t->n_hops + 2 > sizeof(t->hops) / sizeof(t->hops[0]))
        return;
    if (tcp_too)
        t->hops[t->n_hops++] = (struct sip_hop){.transport = SIP_TCP, .addr = *a};
    struct sip_hop *hop = &t->hops[t->n_hops++];
    *hop = (struct sip_hop){.transport = transport, .addr = *a};
    if (transport == SIP_TLS)
        (void)snprintf(hop->domain, sizeof(hop->domain), "%s", t->host);
}

static bool is_preferred(const struct targets *t, const struct net_addr *a)
{
    return t->preferred.len != 0 && net_same_host(a, &t->preferred) &&
           net_port(a) == net_port(&t->preferred);
}

static void add_addresses(struct targets *t, const struct net_addr *a, size_t n)
{
    bool tcp_too = t->large && !t->named && !any_stream(t);

    t->n_hops = 0;
    t->next_hop = 0;
    for (int first = 1; first >= 0; first--)
        for (size_t i = 0; i < n; i++)
            if (is_preferred(t, &a[i]) == (first == 1))
                add_address(t, &a[i], tcp_too);
}

static void on_addresses(void *arg, const struct dns_reply *r)
{
    struct targets *t = arg;

    t->query = NULL;
    if (r->error != 0)
        note(t, "addresses", t->hosts[t->next_host - 1].name, r->error, r->why);
    else
        add_addresses(t, r->addr, r->n);
    t->ready(t->arg);
}

static void next_host(struct targets *t)
{
    const struct host *h = &t->hosts[t->next_host++];
    struct net_addr a;

    if (net_parse_host(h->name, h->port, &a) != 0)
        t->query = dns_addresses(t->dns, h->name, h->port, t->family, on_addresses, t);
    else if (t->family == AF_UNSPEC || t->family == a.ss.ss_family)
        add_addresses(t, &a, 1);
    else
        note(t, "address", h->name, ENOENT, "not of the IP version of --sip-bind");
}

/* --- SRV (RFC 3263 4.1, 4.2). */

static bool services_pending(const struct targets *t)
{
    for (size_t i = 0; i < t->n_services; i++)
        if (t->services[i].query != NULL)
            return true;
    return false;
}

static void on_services(void *arg, const struct dns_reply *r)
{
    struct service *s = arg;
    struct targets *t = s->owner;

    s->query = NULL;
    s->error = r->error;
    if (dns_is_temporary(r->error))
        note(t, "SRV", s->name, r->error, r->why);
    if (r->error == 0) {
        s->n = r->n;
        s->found = mem_new(r->n * sizeof(*s->found));
        memcpy(s->found, r->srv, r->n * sizeof(*s->found));
    }
    if (!services_pending(t))
        t->ready(t->arg);
}

static void add_service(struct targets *t, enum sip_transport transport, const char *name)
{
    struct service *s = &t->services[t->n_services];

    if (t->n_services == SERVICES_MAX)
        return;
    t->n_services++;
    *s = (struct service){.owner = t, .transport = transport};
    (void)snprintf(s->name, sizeof(s->name), "%s", name);
}

static void add_usual_service(struct targets *t, enum sip_transport transport)
{
    static const char *const prefix[] = {"_sip._udp", "_sip._tcp", "_sips._tcp"};
    char name[DNS_NAME_SIZE + 16];

    (void)snprintf(name, sizeof(name), "%s.%s", prefix[transport], t->domain);
    if (strlen(name) < DNS_NAME_SIZE) /* a longer one cannot exist */
        add_service(t, transport, name);
}

static void ask_services(struct targets *t)
{
    t->step = SERVICES;
    if (t->n_services == 0 && t->named) {
        add_usual_service(t, t->transport);
    } else if (t->n_services == 0) {
        add_usual_service(t, SIP_UDP);
        add_usual_service(t, SIP_TCP);
    }
    for (size_t i = 0; i < t->n_services; i++)
        t->services[i].query =
            dns_services(t->dns, t->services[i].name, on_services, &t->services[i]);
}

/* A service that is there with the target "." alone is decidedly not offered (RFC 2782). */
static void take_services(struct targets *t)
{
    bool found = false, unclear = false;

    for (size_t i = 0; i < t->n_services; i++) {
        const struct service *s = &t->services[i];
        found = found || s->n > 0;
        /* Where there is no DNS at all, /etc/hosts may have the name. */
        unclear = unclear || (dns_is_temporary(s->error) && s->error != ECONNREFUSED);
        for (size_t k = 0; k < s->n; k++)
            if (strcmp(s->found[k].host, ".") != 0)
                add_host(t, s->transport, s->found[k].host, s->found[k].port);
    }
    drop_services(t);
    t->step = HOSTS;
    streams_first(t);
    if (!found && !unclear)
        add_domain(t);
    else if (found && t->n_hosts == 0)
        note(t, "SRV", t->domain, ENOENT, "this service is not offered there");
}

/* --- NAPTR (RFC 3263 4.1). */

static bool transport_of(const struct targets *t, const struct dns_naptr *p,
                         enum sip_transport *transport)
{
    if (strcasecmp(p->flags, "s") != 0)
        return false;
    if (strcasecmp(p->service, "SIPS+D2T") == 0)
        *transport = SIP_TLS;
    else if (!t->sips && strcasecmp(p->service, "SIP+D2T") == 0)
        *transport = SIP_TCP;
    else if (!t->sips && strcasecmp(p->service, "SIP+D2U") == 0)
        *transport = SIP_UDP;
    else
        return false;
    return true;
}

static void on_pointers(void *arg, const struct dns_reply *r)
{
    struct targets *t = arg;

    t->query = NULL;
    if (dns_is_temporary(r->error))
        note(t, "NAPTR", t->domain, r->error, r->why);
    /* Silence will not end for SRV either; a server that does not know NAPTR may know SRV. */
    if (r->error == ETIMEDOUT || r->error == ELIBACC || r->error == EINVAL)
        t->step = HOSTS;
    for (size_t i = 0; i < r->n; i++) {
        enum sip_transport transport;
        if (transport_of(t, &r->naptr[i], &transport))
            add_service(t, transport, r->naptr[i].replacement);
    }
    t->ready(t->arg);
}

/* --- The whole. */

/* RFC 6761 6.3: no server is to be asked about it. */
static bool is_localhost(const char *name)
{
    size_t n = strlen(name);

    return n >= 9 && strcasecmp(name + n - 9, "localhost") == 0 && (n == 9 || name[n - 10] == '.');
}

static void begin(struct targets *t)
{
    struct net_addr a;

    if (t->port != 0 || net_parse_host(t->domain, 0, &a) == 0 || is_localhost(t->domain)) {
        add_domain(t);
    } else if (t->named && !t->sips) {
        ask_services(t);
    } else {
        t->step = POINTERS;
        t->query = dns_pointers(t->dns, t->domain, on_pointers, t);
    }
}

static void go_on(struct targets *t)
{
    if (t->step == BEGIN)
        begin(t);
    else if (t->step == POINTERS)
        ask_services(t);
    else if (t->step == SERVICES)
        take_services(t);
    else
        next_host(t);
}

int targets_next(struct targets *t, struct sip_hop *hop)
{
    if (t->error == EPROTONOSUPPORT)
        return t->error;
    while (t->next_hop == t->n_hops) {
        if (t->query != NULL || services_pending(t))
            return EINPROGRESS;
        if (t->step == HOSTS && t->next_host == t->n_hosts)
            return t->error != 0 ? t->error : ENOENT;
        go_on(t);
    }
    *hop = t->hops[t->next_hop++];
    return 0;
}
