/* Connections that we open: to the answer's path, its next hop first (RFC 4975 5.4, 6.2). */
#include "msrp/session_int.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define DIAL_MS 5000 /* for one address, while there are others */

/* Port 9 is what an active endpoint writes (RFC 4145 4.1); nobody listens there, nor on 0. */
static bool may_be_dialled(uint16_t port)
{
    return port != 0 && port != 9;
}

static void learn_address(struct msrp_session *s, const struct net_addr *a)
{
    if (s->n_targets == sizeof(s->targets) / sizeof(s->targets[0]) || net_is_any(a))
        return;
    for (size_t i = 0; i < s->n_targets; i++) {
        if (net_same_host(&s->targets[i], a) && net_port(&s->targets[i]) == net_port(a))
            return;
    }
    s->targets[s->n_targets++] = *a;
}

static void learn_media(struct msrp_session *s)
{
    if (s->media.len != 0)
        learn_address(s, &s->media);
}

static void on_addresses(void *arg, const struct dns_reply *r)
{
    struct msrp_session *s = arg;
    s->lookup = NULL;
    if (r->error != 0) {
        (void)snprintf(s->dial_error, sizeof(s->dial_error), "addresses of %s: %s", s->name,
                       r->why);
        err_step("%s", s->dial_error);
    }
    if (r->error == 0)
        s->name[0] = '\0';
    for (size_t i = 0; i < r->n; i++)
        learn_address(s, &r->addr[i]);
    learn_media(s);
    if (s->dial_waits)
        msrp_dial_next(s);
}

/* By A and AAAA only: the URI of an MSRP endpoint has no SRV records (RFC 4975 6.2). Where it
 * failed the next round tries again. */
static void look_up(struct msrp_session *s)
{
    if (!s->name[0] || s->lookup)
        return;
    if (!s->dns)
        s->dns = dns_new(s->plan.loop, &s->plan.dns);
    s->lookup = dns_addresses(s->dns, s->name, s->name_port, AF_UNSPEC, on_addresses, s);
}

static void learn_host(struct msrp_session *s, struct slice host, uint16_t port)
{
    struct net_addr a;
    char *text = slice_dup(host);
    if (net_parse_host(text, port, &a) == 0)
        learn_address(s, &a);
    else if (host.n < sizeof(s->name))
        (void)snprintf(s->name, sizeof(s->name), "%s", text);
    s->name_port = port;
    free(text);
}

static void learn_hop(struct msrp_session *s)
{
    struct msrp_uri hop;
    if (msrp_uri_parse(msrp_path_first(slice_of(s->peer_path)), &hop) == 0 && hop.has_port)
        learn_host(s, hop.host, hop.port);
}

/* All addresses are learnt, also for telling the peer's host; msrp_dial_next leaves out those that
 * nobody listens on. */
int msrp_dial_learn(struct msrp_session *s, const struct msrp_answer *answer)
{
    if (!answer->address || net_parse(answer->address, &s->media) != 0)
        s->media.len = 0;
    if (answer->cema)
        learn_media(s);
    learn_hop(s);
    look_up(s);
    if (!s->name[0])
        learn_media(s);
    return s->n_targets || s->name[0] ? 0 : ENOENT;
}

void msrp_dial_failed(struct msrp_session *s, const struct net_addr *to, const char *why)
{
    char text[NET_TEXT_SIZE];
    net_addr_text(text, to);
    (void)snprintf(s->dial_error, sizeof(s->dial_error), "connecting to %s: %s", text, why);
}

/* Nothing is left to dial. A peer may begin to listen only when it has our ACK, so those that were
 * dialled get further chances. */
static void give_up(struct msrp_session *s)
{
    static const int64_t pauses[] = {250, 750, 2000};
    bool dialled = s->dial_error[0] != '\0';
    if (dialled && s->dial_rounds < sizeof(pauses) / sizeof(pauses[0])) {
        s->next_target = 0;
        look_up(s);
        msrp_dial_later(s, pauses[s->dial_rounds++]);
        return;
    }
    if (!dialled)
        (void)snprintf(s->dial_error, sizeof(s->dial_error),
                       "the answer names no address to connect to");
    if (s->only_dialled)
        msrp_session_fail(s, msrp_secure_status(s), s->dial_error);
}

void msrp_dial_later(struct msrp_session *s, int64_t ms)
{
    loop_at(s->plan.loop, &s->dial_timer, clock_ms() + ms, msrp_dial_next, s);
}

static int dial(struct msrp_session *s, const struct net_addr *to)
{
    char text[NET_TEXT_SIZE];
    net_addr_text(text, to);
    err_step("connecting to %s", text);
    struct link *l = msrp_link_add(s, LINK_DIALLING);
    if (!l)
        return EMFILE;
    const struct msrp_conn_security security = {s->plan.tls, s->hop, s->expected};
    int err = msrp_conn_dial(&l->conn, s->plan.loop, to, &security, &msrp_link_ops, l);
    if (err)
        msrp_link_drop(l);
    return err;
}

void msrp_dial_next(void *session)
{
    struct msrp_session *s = session;
    s->dial_waits = s->lookup != NULL;
    if (s->dial_waits)
        return;
    while (!s->bound && !s->done && s->next_target < s->n_targets) {
        const struct net_addr *to = &s->targets[s->next_target++];
        if (!may_be_dialled(net_port(to)))
            continue;
        int err = dial(s, to);
        if (!err) {
            if (s->next_target < s->n_targets)
                msrp_dial_later(s, DIAL_MS);
            return;
        }
        msrp_dial_failed(s, to, strerrordesc_np(err));
    }
    if (!s->bound && !s->done)
        give_up(s);
}
