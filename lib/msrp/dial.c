/* Connections that we open: to the answer's path, its next hop first (RFC 4975 5.4, 6.2). */
#include "msrp/session_int.h"

#include "base/clock.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
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

static void learn_host(struct msrp_session *s, const char *host, uint16_t port)
{
    struct net_addr found[4];
    size_t n = 0;
    const char *why;
    if (net_resolve(host, port, AF_UNSPEC, SOCK_STREAM, found, 4, &n, &why) != 0)
        err_step("%s: %s", host, why);
    for (size_t i = 0; i < n; i++)
        learn_address(s, &found[i]);
}

static void learn_hop(struct msrp_session *s)
{
    struct msrp_uri hop;
    char host[256];
    if (msrp_uri_parse(msrp_path_first(slice_of(s->peer_path)), &hop) == 0 && hop.has_port &&
        hop.host.n < sizeof(host)) {
        memcpy(host, hop.host.p, hop.host.n);
        host[hop.host.n] = '\0';
        learn_host(s, host, hop.port);
    }
}

static void learn_media_address(struct msrp_session *s, const char *address)
{
    struct net_addr a;
    if (address && net_parse(address, &a) == 0)
        learn_address(s, &a);
}

/* All addresses are learnt, also for telling the peer's host; msrp_dial_next leaves out those that
 * nobody listens on. */
int msrp_dial_learn(struct msrp_session *s, const struct msrp_answer *answer)
{
    if (answer->cema)
        learn_media_address(s, answer->address);
    learn_hop(s);
    learn_media_address(s, answer->address);
    return s->n_targets ? 0 : ENOENT;
}

void msrp_dial_failed(struct msrp_session *s, const struct net_addr *to, int error)
{
    char text[NET_TEXT_SIZE];
    net_addr_text(text, to);
    (void)snprintf(s->dial_error, sizeof(s->dial_error), "connecting to %s: %s", text,
                   strerrordesc_np(error));
}

/* Nothing is left to dial. A peer may begin to listen only when it has our ACK, so those that were
 * dialled get further chances. */
static void give_up(struct msrp_session *s)
{
    static const int64_t pauses[] = {250, 750, 2000};
    bool dialled = s->dial_error[0] != '\0';
    if (dialled && s->dial_rounds < sizeof(pauses) / sizeof(pauses[0])) {
        s->next_target = 0;
        msrp_dial_later(s, pauses[s->dial_rounds++]);
        return;
    }
    if (!dialled)
        (void)snprintf(s->dial_error, sizeof(s->dial_error),
                       "the answer names no address to connect to");
    if (s->only_dialled)
        msrp_session_fail(s, EX_TEMPFAIL, s->dial_error);
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
    int err = msrp_conn_dial(&l->conn, s->plan.loop, to, &msrp_link_ops, l);
    if (err)
        msrp_link_drop(l);
    return err;
}

void msrp_dial_next(void *session)
{
    struct msrp_session *s = session;
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
        msrp_dial_failed(s, to, err);
    }
    if (!s->bound && !s->done)
        give_up(s);
}
