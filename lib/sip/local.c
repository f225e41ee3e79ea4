/* Where we are reachable: one listener for each transport and IP version that is used, opened when
 * the first request needs it. */
#include "base/err.h"
#include "base/mem.h"
#include "sip/agent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int local_start(struct local *l, struct loop *loop, const struct sip_config *c,
                const struct sip_stack_ops *ops, void *arg)
{
    struct dns_config dns = {.servers = c->dns_server, .timeout_ms = c->dns_timeout};

    *l = (struct local){.loop = loop, .config = c};
    l->dns = dns_new(loop, &dns);
    return sip_stack_new(&l->stack, loop, (struct sip_timers){c->t1, c->t2, c->t4}, ops, arg);
}

#define PAIR_TRIES 64 /* ports that UDP has taken and TCP not */

static const struct local_end *end_for(const struct local *l, const struct sip_hop *to)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->ends[i].transport == to->transport &&
            l->ends[i].bound.ss.ss_family == to->addr.ss.ss_family)
            return &l->ends[i];
    return NULL;
}

static struct net_bind one_port(const struct net_addr *a)
{
    struct net_bind b = {.port_low = net_port(a), .port_high = net_port(a)};
    char host[NET_TEXT_SIZE];

    net_host_text(host, a, false);
    (void)snprintf(b.host, sizeof(b.host), "%s", host);
    return b;
}

/* The port of another transport of ours, so that one Contact is right for both. */
static bool sibling(const struct local *l, int family, struct net_bind *b)
{
    for (size_t i = 0; i < l->n; i++)
        if (l->ends[i].bound.ss.ss_family == family) {
            *b = one_port(&l->ends[i].bound);
            return true;
        }
    return false;
}

const char *local_why(const struct local *l, int error)
{
    if ((error == EKEYREJECTED || error == ELIBACC) && l->tls_why[0] != '\0')
        return l->tls_why;
    return sip_stack_why(l->stack, error);
}

/* Only a run that speaks TLS loads it. */
static int start_tls(struct local *l)
{
    struct tls_plan plan = {.ca = l->config->sip_tls_ca,
                            .cert = l->config->sip_tls_cert,
                            .key = l->config->sip_tls_key};
    int err = l->tls == NULL ? tls_context_new(&l->tls, &plan, l->tls_why) : 0;

    if (err == 0)
        sip_stack_tls(l->stack, l->tls);
    return err;
}

static int listen_on(struct local *l, const struct sip_hop *to, const struct net_bind *b,
                     struct net_addr *bound)
{
    return sip_stack_listen(l->stack, to->transport, b, to->addr.ss.ss_family, true, bound);
}

/* A peer may have to say by TCP what is too large for UDP, so whoever is called there is there on
 * the same port by TCP too (RFC 3261 18.2.1). So that port is chosen which both have free, if there
 * is any in the range; else it is UDP alone. */
static int listen_udp(struct local *l, const struct sip_hop *to, struct net_bind b,
                      struct net_addr *bound, int *tcp)
{
    struct net_bind range = b;

    for (int i = 0; i < PAIR_TRIES; i++) {
        struct net_addr at;
        int fd, err = net_open(SOCK_STREAM, &range, to->addr.ss.ss_family, true, &fd, &at);
        if (err != 0)
            break;
        struct net_bind one = one_port(&at);
        err = listen_on(l, to, &one, bound);
        if (err == 0)
            *tcp = fd;
        else
            (void)close(fd);
        if (err != EADDRINUSE)
            return err;
        if (b.port_low != 0 && net_port(&at) == b.port_high)
            break;
        if (b.port_low != 0)
            range.port_low = (uint16_t)(net_port(&at) + 1);
    }
    return listen_on(l, to, &b, bound);
}

/* `fd`: the socket that listens there already, or -1. */
static void listen_beside(struct local *l, const struct sip_hop *udp, const struct net_addr *bound,
                          int fd)
{
    struct sip_hop tcp = {.transport = SIP_TCP, .addr = udp->addr};
    struct net_bind b = one_port(bound);
    struct net_addr there = *bound;
    int err;

    if (end_for(l, &tcp) != NULL) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    err = fd >= 0 ? sip_stack_adopt(l->stack, SIP_TCP, fd, bound) : listen_on(l, &tcp, &b, &there);
    if (err != 0)
        err_step("no TCP beside UDP on port %u: %s", (unsigned)net_port(bound), strerror(err));
    else
        l->ends[l->n++] = (struct local_end){SIP_TCP, there};
}

int local_listen(struct local *l, const struct sip_hop *to, struct net_addr *bound)
{
    const struct local_end *known = end_for(l, to);
    struct net_bind b = {.port_low = 0};
    int err = ENOENT, tcp = -1;

    if (known != NULL) {
        *bound = known->bound;
        return 0;
    }
    if (l->n + 1 >= sizeof(l->ends) / sizeof(l->ends[0]))
        return EMFILE;
    if (to->transport == SIP_TLS)
        err = start_tls(l);
    if (err != ENOENT && err != 0)
        return err;
    err = ENOENT;
    if (l->again.len != 0 && l->again.ss.ss_family == to->addr.ss.ss_family) {
        b = one_port(&l->again);
        err = listen_on(l, to, &b, bound);
    }
    if (err != 0 && sibling(l, to->addr.ss.ss_family, &b))
        err = listen_on(l, to, &b, bound);
    if (err != 0) {
        b = (struct net_bind){.port_low = 0};
        if (l->config->sip_bind != NULL && net_parse_bind(l->config->sip_bind, &b) != 0)
            return EINVAL;
        err = to->transport == SIP_UDP ? listen_udp(l, to, b, bound, &tcp)
                                       : listen_on(l, to, &b, bound);
    }
    if (err != 0)
        return err;
    l->ends[l->n++] = (struct local_end){to->transport, *bound};
    if (to->transport == SIP_UDP)
        listen_beside(l, to, bound, tcp);
    return 0;
}

char *local_sent_by(const struct local *l, const struct sip_hop *to)
{
    struct net_addr own = end_for(l, to)->bound;
    char text[NET_TEXT_SIZE];

    if (l->config->sip_advertise != NULL) {
        const char *host = l->config->sip_advertise;
        bool v6 = strchr(host, ':') != NULL && host[0] != '[';
        return mem_format("%s%s%s:%u", v6 ? "[" : "", host, v6 ? "]" : "", net_port(&own));
    }
    /* On an error the bound address is shown: the request then fails by itself. */
    (void)sip_local(l->stack, to, &own);
    net_addr_text(text, &own);
    return mem_dup(text);
}
