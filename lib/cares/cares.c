/* c-ares on our loop: its sockets are watched, its time-outs are a timer. */
#include "base/cares_module.h"
#include "base/clock.h"
#include "base/mem.h"

#include <ares.h>
#include <arpa/nameser.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#define TRIES   3
#define UDP_MAX 1232 /* octets of an answer by UDP that no path cuts into fragments */

struct watched { /* a socket of the library */
    struct watched *next;
    struct cares_channel *channel;
    struct loop_fd watch;
};

struct cares_channel {
    struct loop *loop;
    ares_channel ares;
    struct watched *sockets;
    struct watched *free; /* kept for the next socket: one may be unwatched by its own handler */
    struct loop_timer timer;
    uint64_t heard; /* how often a server said anything */
};

struct question {
    struct cares_channel *channel;
    cares_taker *take;
    void *query;
    uint64_t heard; /* of the channel, when it was asked */
};

/* --- Sockets and time. */

static void set_timer(struct cares_channel *c);

static void on_timer(void *arg)
{
    struct cares_channel *c = arg;
    ares_process_fd(c->ares, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    set_timer(c);
}

static void set_timer(struct cares_channel *c)
{
    struct timeval left;
    if (!ares_timeout(c->ares, NULL, &left)) {
        loop_cancel(c->loop, &c->timer);
        return;
    }
    /* Rounded up: woken too early, the library would find nothing to do. */
    int64_t ms = (int64_t)left.tv_sec * 1000 + (left.tv_usec + 999) / 1000;
    loop_at(c->loop, &c->timer, clock_ms() + ms, on_timer, c);
}

static void on_socket(void *arg, uint32_t events)
{
    struct watched *w = arg;
    struct cares_channel *c = w->channel;
    int fd = w->watch.fd;
    bool in = events & (EPOLLIN | EPOLLERR | EPOLLHUP);
    bool out = events & (EPOLLOUT | EPOLLERR | EPOLLHUP);
    if ((events & (EPOLLIN | EPOLLERR)) == EPOLLIN)
        c->heard++;
    ares_process_fd(c->ares, in ? fd : ARES_SOCKET_BAD, out ? fd : ARES_SOCKET_BAD);
    set_timer(c);
}

static struct watched **find(struct cares_channel *c, int fd)
{
    struct watched **place = &c->sockets;
    while (*place && (*place)->watch.fd != fd)
        place = &(*place)->next;
    return place;
}

static struct watched *add(struct cares_channel *c)
{
    struct watched *w = c->free;
    if (w)
        c->free = w->next;
    else
        w = mem_new(sizeof *w);
    w->channel = c;
    w->next = c->sockets;
    c->sockets = w;
    return w;
}

/* The library tells what it wants to know of a socket; nothing more at its end. */
static void on_state(void *data, ares_socket_t fd, int in, int out)
{
    struct cares_channel *c = data;
    struct watched **place = find(c, fd);
    struct watched *w = *place;
    uint32_t events = (in ? EPOLLIN : 0) | (out ? EPOLLOUT : 0);
    if (events) {
        w = w ? w : add(c);
        /* A socket that cannot be watched is one that never answers: the time-out tells. */
        (void)loop_watch(c->loop, &w->watch, fd, events, on_socket, w);
    } else if (w) {
        *place = w->next;
        loop_unwatch(c->loop, &w->watch);
        w->next = c->free;
        c->free = w;
    }
}

/* --- Opening and closing. */

static void free_list(struct watched *w)
{
    while (w) {
        struct watched *next = w->next;
        free(w);
        w = next;
    }
}

static void close_channel(struct cares_channel *c)
{
    ares_destroy(c->ares); /* every question gets its end */
    loop_cancel(c->loop, &c->timer);
    free_list(c->sockets);
    free_list(c->free);
    free(c);
    ares_library_cleanup();
}

static int start(struct cares_channel *c, const struct dns_config *config)
{
    /* The pauses double: 1, 2 and 4 sevenths of the limit, if there is one server. */
    struct ares_options o = {.flags = ARES_FLAG_EDNS,
                             .timeout = (int)(config->timeout_ms / 7) + 1,
                             .tries = TRIES,
                             .ednspsz = UDP_MAX,
                             .sock_state_cb = on_state,
                             .sock_state_cb_data = c};
    int mask = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_EDNSPSZ |
               ARES_OPT_SOCK_STATE_CB;
    int status = ares_init_options(&c->ares, &o, mask);
    if (status != ARES_SUCCESS || !config->servers)
        return status;
    status = ares_set_servers_ports_csv(c->ares, config->servers);
    if (status != ARES_SUCCESS)
        ares_destroy(c->ares);
    return status;
}

static struct cares_channel *open_channel(struct loop *l, const struct dns_config *config,
                                          char why[MODULE_WHY_SIZE])
{
    struct cares_channel *c = mem_new(sizeof *c);
    c->loop = l;
    int status = ares_library_init(ARES_LIB_INIT_ALL);
    if (status == ARES_SUCCESS) {
        status = start(c, config);
        if (status == ARES_SUCCESS)
            return c;
        ares_library_cleanup();
    }
    (void)snprintf(why, MODULE_WHY_SIZE, "the DNS resolver cannot be started: %s",
                   ares_strerror(status));
    free(c);
    return NULL;
}

/* --- Answers. */

static const struct {
    int status, error;
    const char *why;
} endings[] = {
    {ARES_ENOTFOUND, ENOENT, "no such name (NXDOMAIN)"},
    {ARES_ENODATA, ENODATA, "no such record"},
    {ARES_ETIMEOUT, ETIMEDOUT, "no DNS server answered in time"},
    {ARES_ECONNREFUSED, ECONNREFUSED, "no DNS server could be reached"},
    {ARES_EFORMERR, EREMOTEIO, "the DNS server did not understand the query (FORMERR)"},
    {ARES_EBADRESP, EREMOTEIO, "the DNS server's answer makes no sense"},
    {ARES_EBADNAME, EREMOTEIO, "the DNS server's answer makes no sense"},
};

/* When all servers failed or refused, the library says the same as when there was none. */
static bool was_refused(const struct question *q, int status)
{
    return status == ARES_ECONNREFUSED && q->channel->heard != q->heard;
}

static void end(struct question *q, struct dns_reply *r, int status)
{
    if (was_refused(q, status)) {
        r->error = EREMOTEIO;
        r->why = "the DNS server failed or refused (SERVFAIL, REFUSED, NOTIMP)";
        status = ARES_SUCCESS;
    }
    for (size_t i = 0; status != ARES_SUCCESS && i < sizeof endings / sizeof *endings; i++) {
        if (endings[i].status == status) {
            r->error = endings[i].error;
            r->why = endings[i].why;
        }
    }
    if (status != ARES_SUCCESS && r->error == 0) {
        r->error = EREMOTEIO;
        r->why = ares_strerror(status);
    }
    if (r->error == 0 && r->n == 0) {
        r->error = ENODATA;
        r->why = "no such record";
    }
    q->take(q->query, r);
    free(q);
}

static void on_addresses(void *arg, int status, int timeouts, struct ares_addrinfo *found)
{
    struct dns_reply r = {.addr = mem_new(DNS_RECORDS_MAX * sizeof *r.addr)};
    (void)timeouts;
    for (const struct ares_addrinfo_node *i = found ? found->nodes : NULL;
         i && r.n < DNS_RECORDS_MAX; i = i->ai_next) {
        struct net_addr *a = &r.addr[r.n];
        if (i->ai_addrlen > sizeof a->ss)
            continue;
        memcpy(&a->ss, i->ai_addr, i->ai_addrlen);
        a->len = i->ai_addrlen;
        r.n++;
    }
    if (found)
        ares_freeaddrinfo(found);
    end(arg, &r, status);
}

static bool copied(char *to, size_t room, const char *from)
{
    int n = snprintf(to, room, "%s", from ? from : "");
    return n >= 0 && (size_t)n < room;
}

static void on_services(void *arg, int status, int timeouts, unsigned char *text, int length)
{
    struct dns_reply r = {.srv = mem_new(DNS_RECORDS_MAX * sizeof *r.srv)};
    struct ares_srv_reply *found = NULL;
    (void)timeouts;
    if (status == ARES_SUCCESS)
        status = ares_parse_srv_reply(text, length, &found);
    for (const struct ares_srv_reply *i = found; i && r.n < DNS_RECORDS_MAX; i = i->next) {
        struct dns_srv *s = &r.srv[r.n];
        *s = (struct dns_srv){.priority = i->priority, .weight = i->weight, .port = i->port};
        if (copied(s->host, sizeof s->host, i->host && *i->host ? i->host : "."))
            r.n++;
    }
    if (found)
        ares_free_data(found);
    end(arg, &r, status);
}

static void on_pointers(void *arg, int status, int timeouts, unsigned char *text, int length)
{
    struct dns_reply r = {.naptr = mem_new(DNS_RECORDS_MAX * sizeof *r.naptr)};
    struct ares_naptr_reply *found = NULL;
    (void)timeouts;
    if (status == ARES_SUCCESS)
        status = ares_parse_naptr_reply(text, length, &found);
    for (const struct ares_naptr_reply *i = found; i && r.n < DNS_RECORDS_MAX; i = i->next) {
        struct dns_naptr *p = &r.naptr[r.n];
        *p = (struct dns_naptr){.order = i->order, .preference = i->preference};
        if (i->regexp && *i->regexp)
            continue;
        if (copied(p->flags, sizeof p->flags, (const char *)i->flags) &&
            copied(p->service, sizeof p->service, (const char *)i->service) &&
            copied(p->replacement, sizeof p->replacement, i->replacement))
            r.n++;
    }
    if (found)
        ares_free_data(found);
    end(arg, &r, status);
}

static void ask(struct cares_channel *c, enum dns_kind kind, const char *name, int family,
                cares_taker *take, void *query)
{
    struct ares_addrinfo_hints hints = {
        .ai_flags = ARES_AI_ENVHOSTS, .ai_family = family, .ai_socktype = SOCK_STREAM};
    struct question *q = mem_new(sizeof *q);
    *q = (struct question){c, take, query, c->heard};
    if (kind == DNS_ADDRESSES)
        ares_getaddrinfo(c->ares, name, NULL, &hints, on_addresses, q);
    else if (kind == DNS_SERVICES)
        ares_query(c->ares, name, ns_c_in, ns_t_srv, on_services, q);
    else
        ares_query(c->ares, name, ns_c_in, ns_t_naptr, on_pointers, q);
    set_timer(c);
}

MODULE_TABLE(cares_module) = {MODULE_HEAD("cares", struct cares_module), open_channel, ask,
                              close_channel};
