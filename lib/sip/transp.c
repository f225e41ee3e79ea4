#include "base/clock.h"
#include "sip/stack_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OWN_MS 1000 /* as long our address towards a peer is taken for known */

const char *sip_transport_name(enum sip_transport t)
{
    static const char *const names[] = {"udp", "tcp", "tls"};
    return names[t];
}

const char *sip_via_name(enum sip_transport t)
{
    static const char *const names[] = {"UDP", "TCP", "TLS"};
    return names[t];
}

void sip_stack_tls(struct sip_stack *s, struct tls_context *c)
{
    s->tls = c;
}

const char *sip_stack_why(const struct sip_stack *s, int error)
{
    bool tls = error == EKEYREJECTED || error == EPROTO;
    if (error == EBADMSG)
        return "what comes from there cannot be read as SIP";
    return tls && s->tls_why[0] ? s->tls_why : strerrordesc_np(error);
}

int sip_stack_listen(struct sip_stack *s, enum sip_transport t, const struct net_bind *b,
                     int family, bool reuse, struct net_addr *bound)
{
    if (t == SIP_UDP)
        return udp_listen(s, b, family, reuse, bound);
    return stream_listen(s, t, b, family, reuse, bound);
}

int sip_stack_adopt(struct sip_stack *s, enum sip_transport t, int fd, const struct net_addr *bound)
{
    return stream_adopt(s, t, fd, bound);
}

/* Asking the kernel takes a socket. The requests of a small delivery follow at once. */
static int own_toward(struct sip_stack *s, const struct net_addr *peer, struct net_addr *own)
{
    int64_t now = clock_ms();
    if (now >= s->own_until || !net_same_host(&s->toward, peer)) {
        int err = net_local_toward(peer, &s->own);
        if (err)
            return err;
        s->toward = *peer;
        s->own_until = now + OWN_MS;
    }
    *own = s->own;
    return 0;
}

int sip_local(struct sip_stack *s, const struct sip_hop *hop, struct net_addr *local)
{
    const struct net_addr *bound =
        hop->transport == SIP_UDP ? udp_bound(s, hop) : stream_bound(s, hop);
    if (!bound)
        return EADDRNOTAVAIL;
    *local = *bound;
    if (!net_is_any(bound))
        return 0;
    int err = own_toward(s, &hop->addr, local);
    net_set_port(local, net_port(bound));
    return err;
}

int transp_send_text(struct sip_stack *s, struct sip_hop *hop, struct slice text)
{
    return hop->transport == SIP_UDP ? udp_send(s, hop, text) : stream_send(s, hop, text);
}

int transp_send(struct sip_stack *s, struct sip_hop *hop, osip_message_t *m)
{
    char *text;
    size_t n;
    int err = message_text(m, &text, &n);
    if (err)
        return err;
    err = transp_send_text(s, hop, (struct slice){text, n});
    free(text);
    return err;
}

void transp_free(struct sip_stack *s)
{
    udp_free(s);
    stream_free(s);
}
