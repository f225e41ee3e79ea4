#include "base/dns.h"

#include "base/cares_module.h"
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "base/slice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A query has up to two sides that hold it: the caller, until its handler was called or it forgot
 * it; and the module, until it gave its reply. Who comes last frees it. */
struct dns_query {
    struct dns *dns;
    struct dns_query *next; /* of those whose handler is still to be called */
    enum dns_kind kind;
    uint16_t port;
    dns_handler *handler;
    void *arg;
    bool wanted; /* by its caller */
    bool asked;  /* and the module still has it */
    struct dns_reply reply;
    char why[MODULE_WHY_SIZE];
    struct loop_timer timer; /* its limit, then the moment to tell */
};

struct dns {
    struct loop *loop;
    struct dns_config config;
    const struct cares_module *module;
    struct cares_channel *channel;
    struct dns_query *queries;
};

bool dns_is_temporary(int error)
{
    return error != 0 && error != ENOENT && error != ENODATA;
}

/* A server is a numeric address. */
int dns_servers_check(const char *servers)
{
    struct slice rest = slice_of(servers);
    if (!*servers)
        return EINVAL;
    while (rest.p) {
        char *one = slice_dup(slice_cut(&rest, ','));
        struct net_bind b;
        struct net_addr a;
        bool good = net_parse_bind(one, &b) == 0 && b.port_low == b.port_high &&
                    net_parse_host(b.host, b.port_low, &a) == 0;
        free(one);
        if (!good)
            return EINVAL;
    }
    return 0;
}

struct dns *dns_new(struct loop *l, const struct dns_config *config)
{
    struct dns *d = mem_new(sizeof *d);
    d->loop = l;
    d->config = *config;
    if (d->config.timeout_ms == 0)
        d->config.timeout_ms = DNS_TIMEOUT_MS;
    return d;
}

/* --- Queries. */

static void free_lists(struct dns_reply *r)
{
    free(r->addr);
    free(r->srv);
    free(r->naptr);
}

static void free_if_done(struct dns_query *q)
{
    if (q->wanted || q->asked)
        return;
    free_lists(&q->reply);
    free(q);
}

void dns_forget(struct dns_query *q)
{
    struct dns_query **place = &q->dns->queries;
    while (*place != q)
        place = &(*place)->next;
    *place = q->next;
    loop_cancel(q->dns->loop, &q->timer);
    q->wanted = false;
    free_if_done(q);
}

void dns_free(struct dns *d)
{
    if (!d)
        return;
    while (d->queries)
        dns_forget(d->queries);
    if (d->channel)
        d->module->close(d->channel);
    free(d);
}

static void on_tell(void *arg)
{
    struct dns_query *q = arg;
    dns_handler *handler = q->handler;
    struct dns_reply reply = q->reply;
    void *owner = q->arg;
    q->reply = (struct dns_reply){.error = 0};
    char *why = mem_dup(q->why);
    reply.why = why;
    dns_forget(q); /* the handler may free the whole */
    handler(owner, &reply);
    free(why);
    free_lists(&reply);
}

static void tell(struct dns_query *q)
{
    loop_at(q->dns->loop, &q->timer, clock_ms(), on_tell, q);
}

static void fail(struct dns_query *q, int error, const char *why)
{
    free_lists(&q->reply);
    q->reply = (struct dns_reply){.error = error};
    (void)snprintf(q->why, sizeof q->why, "%s", why);
    tell(q);
}

static void on_limit(void *arg)
{
    fail(arg, ETIMEDOUT, "no DNS server answered in time");
}

/* --- Replies. */

static uint32_t below(void *arg, uint32_t limit)
{
    (void)arg;
    return rand_up_to(limit);
}

/* What has no usable name is as good as not there. */
static size_t usable_services(struct dns_srv *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (strcmp(v[i].host, ".") == 0 || (dns_is_name(v[i].host) && v[i].port != 0))
            v[kept++] = v[i];
    }
    return kept;
}

static size_t usable_pointers(struct dns_naptr *v, size_t n)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (dns_is_name(v[i].replacement))
            v[kept++] = v[i];
    }
    return kept;
}

static void arrange(struct dns_query *q)
{
    struct dns_reply *r = &q->reply;
    if (q->kind == DNS_SERVICES) {
        r->n = usable_services(r->srv, r->n);
        dns_srv_order(r->srv, r->n, below, NULL);
    } else if (q->kind == DNS_POINTERS) {
        r->n = usable_pointers(r->naptr, r->n);
        dns_naptr_order(r->naptr, r->n);
    }
    for (size_t i = 0; i < r->n && q->kind == DNS_ADDRESSES; i++)
        net_set_port(&r->addr[i], q->port);
}

/* From the module. */
static void take(void *query, const struct dns_reply *reply)
{
    struct dns_query *q = query;
    q->asked = false;
    q->reply = *reply;
    if (!q->wanted) {
        free_if_done(q);
        return;
    }
    arrange(q);
    if (reply->error != 0)
        fail(q, reply->error, reply->why);
    else if (q->reply.n == 0)
        fail(q, ENODATA, "no usable record");
    else
        tell(q);
}

static bool open_channel(struct dns *d, char why[MODULE_WHY_SIZE])
{
    if (!d->module)
        d->module = module_open("cares", sizeof *d->module, why);
    if (d->module && !d->channel)
        d->channel = d->module->open(d->loop, &d->config, why);
    return d->channel != NULL;
}

static struct dns_query *ask(struct dns *d, enum dns_kind kind, const char *name, int family,
                             uint16_t port, dns_handler *handler, void *arg)
{
    struct dns_query *q = mem_new(sizeof *q);
    *q = (struct dns_query){
        .dns = d, .next = d->queries, .kind = kind, .port = port, .handler = handler, .arg = arg};
    d->queries = q;
    q->wanted = true;
    if (!dns_is_name(name)) {
        fail(q, EINVAL, "not a name that can be looked up");
    } else if (!open_channel(d, q->why)) {
        q->reply.error = ELIBACC;
        tell(q);
    } else {
        loop_at(d->loop, &q->timer, clock_ms() + d->config.timeout_ms, on_limit, q);
        q->asked = true;
        d->module->ask(d->channel, kind, name, family, take, q);
    }
    return q;
}

struct dns_query *dns_addresses(struct dns *d, const char *host, uint16_t port, int family,
                                dns_handler *handler, void *arg)
{
    return ask(d, DNS_ADDRESSES, host, family, port, handler, arg);
}

struct dns_query *dns_services(struct dns *d, const char *name, dns_handler *handler, void *arg)
{
    return ask(d, DNS_SERVICES, name, 0, 0, handler, arg);
}

struct dns_query *dns_pointers(struct dns *d, const char *name, dns_handler *handler, void *arg)
{
    return ask(d, DNS_POINTERS, name, 0, 0, handler, arg);
}
