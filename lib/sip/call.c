/* The INVITE as facts: to the journal and back. */
#include "base/mem.h"
#include "sip/agent.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUTES_MAX 64

void routes_add(struct routes *r, struct slice value)
{
    r->v = mem_grow(r->v, r->n + 1, sizeof(*r->v));
    r->v[r->n++] = slice_dup(value);
}

void routes_free(struct routes *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->v[i]);
    free(r->v);
    *r = (struct routes){NULL, 0};
}

void routes_from_facts(struct routes *r, const struct journal *facts, const char *event,
                       const char *count)
{
    int64_t many = journal_number(facts, count, 0);

    for (int n = 1; n <= ROUTES_MAX && n <= many; n++) {
        char key[LINE_NAME_MAX];
        const char *value;
        (void)snprintf(key, sizeof(key), "%s.%d.uri", event, n);
        value = journal_get(facts, key);
        if (value == NULL)
            return;
        routes_add(r, slice_of(value));
    }
}

int routes_emit(const struct routes *r, const char *event, const char *sid, emit_f *emit, void *arg)
{
    int err = r->n > ROUTES_MAX ? EMSGSIZE : 0;

    for (size_t i = 0; i < r->n && err == 0; i++) {
        struct line_out o;
        line_begin(&o, event, sid);
        line_number(&o, "n", (int64_t)i + 1);
        line_text(&o, "uri", r->v[i]);
        err = emit(arg, &o, false);
    }
    return err;
}

char *uri_wire(const char *text)
{
    struct uri u;

    return uri_parse(slice_of(text), &u, NULL) == 0 ? uri_text(&u) : mem_dup(text);
}

/* A --proxy is a loose router, whether it says so or not. */
static void add_proxy(struct call *k, const char *proxy)
{
    struct uri u;
    char *uri = uri_wire(proxy);
    bool loose = uri_parse(slice_of(uri), &u, NULL) == 0 && uri_param(&u, "lr").p != NULL;
    char *value = mem_format("<%s%s>", uri, loose ? "" : ";lr");

    routes_add(&k->route, slice_of(value));
    free(value);
    free(uri);
}

void call_route(struct call *k, const struct sip_config *c, const char *further)
{
    routes_free(&k->route);
    for (size_t i = 0; i < c->proxy.n; i++)
        add_proxy(k, c->proxy.v[i]);
    if (further != NULL)
        add_proxy(k, further);
}

void call_free(struct call *k)
{
    free(k->call_id);
    free(k->from);
    free(k->from_tag);
    free(k->to);
    free(k->uri);
    free(k->via);
    free(k->contact);
    routes_free(&k->route);
    credentials_free(&k->credentials);
    *k = (struct call){.cseq = 0};
}

int call_emit(const struct call *k, const char *sid, emit_f *emit, void *arg)
{
    char next[NET_TEXT_SIZE], local[NET_TEXT_SIZE];
    struct line_out o;
    int err = routes_emit(&k->route, "invite.route", sid, emit, arg);

    net_addr_text(next, &k->hop.addr);
    net_addr_text(local, &k->local);
    line_begin(&o, "invite.sent", sid);
    line_text(&o, "call-id", k->call_id);
    line_text(&o, "from", k->from);
    line_text(&o, "from-tag", k->from_tag);
    line_text(&o, "to", k->to);
    line_text(&o, "uri", k->uri);
    line_number(&o, "cseq", k->cseq);
    line_text(&o, "branch", k->branch);
    line_text(&o, "transport", sip_transport_name(k->hop.transport));
    line_text(&o, "next-hop", next);
    line_text(&o, "local", local);
    line_text(&o, "via", k->via);
    line_text(&o, "contact", k->contact);
    line_number(&o, "routes", (int64_t)k->route.n);
    return err != 0 ? err : emit(arg, &o, false);
}

/* --- And back. */

static char *fact(const struct journal *facts, const char *key, int *err)
{
    const char *value = journal_get(facts, key);

    if (value == NULL)
        *err = EBADMSG;
    return mem_dup(value != NULL ? value : "");
}

static enum sip_transport transport_of(const char *name)
{
    return strcmp(name, "tcp") == 0 ? SIP_TCP : strcmp(name, "tls") == 0 ? SIP_TLS : SIP_UDP;
}

/* The domain that the next hop had to prove, and has to prove again. */
static void note_domain(struct sip_hop *hop, const struct journal *facts)
{
    const char *route = journal_get(facts, "invite.route.1.uri");
    const char *next = route != NULL ? route : journal_get(facts, "invite.sent.uri");
    struct uri u;

    if (next != NULL && uri_parse(uri_of_name_addr(slice_of(next)), &u, NULL) == 0 &&
        u.host.n < sizeof(hop->domain))
        (void)snprintf(hop->domain, sizeof(hop->domain), "%.*s", (int)u.host.n, u.host.p);
}

int hop_from_facts(struct sip_hop *hop, struct net_addr *local, const struct journal *facts,
                   const char *event, const char *local_key)
{
    char key[LINE_NAME_MAX];
    const char *transport, *next;

    (void)snprintf(key, sizeof(key), "%s.transport", event);
    transport = journal_get(facts, key);
    (void)snprintf(key, sizeof(key), "%s.next-hop", event);
    next = journal_get(facts, key);
    *hop = (struct sip_hop){.transport = transport_of(transport != NULL ? transport : "udp")};
    if (next == NULL || net_parse(next, &hop->addr) != 0)
        return EBADMSG;
    if (hop->transport == SIP_TLS)
        note_domain(hop, facts);
    next = journal_get(facts, local_key);
    return next != NULL && net_parse(next, local) == 0 ? 0 : EBADMSG;
}

int call_from_facts(struct call *k, const struct journal *facts)
{
    const char *branch = journal_get(facts, "invite.sent.branch");
    int err = 0;

    *k = (struct call){.cseq = journal_number(facts, "invite.sent.cseq", -1)};
    if (!journal_has(facts, "invite.sent"))
        return ENOENT;
    k->call_id = fact(facts, "invite.sent.call-id", &err);
    k->from = fact(facts, "invite.sent.from", &err);
    k->from_tag = fact(facts, "invite.sent.from-tag", &err);
    k->to = fact(facts, "invite.sent.to", &err);
    k->uri = fact(facts, "invite.sent.uri", &err);
    k->via = fact(facts, "invite.sent.via", &err);
    k->contact = fact(facts, "invite.sent.contact", &err);
    if (branch == NULL || strlen(branch) >= sizeof(k->branch) || k->cseq < 0)
        err = EBADMSG;
    else
        (void)snprintf(k->branch, sizeof(k->branch), "%s", branch);
    routes_from_facts(&k->route, facts, "invite.route", "invite.sent.routes");
    if (err == 0)
        err = hop_from_facts(&k->hop, &k->local, facts, "invite.sent", "invite.sent.local");
    return err;
}
