#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "sip/fence.h"
#include "sip/stack_int.h"

#include <stdlib.h>

int sip_stack_new(struct sip_stack **out, struct loop *loop, struct sip_timers timers,
                  const struct sip_stack_ops *ops, void *arg)
{
    struct sip_stack *s = mem_new(sizeof *s);
    s->loop = loop;
    s->timers = timers;
    s->ops = ops;
    s->arg = arg;
    s->servers_max = s->guests_max = SIZE_MAX;
    arc4random_buf(&s->secret, sizeof s->secret);
    int err = trans_start(s);
    if (err) {
        free(s);
        return err;
    }
    s->datagram = mem_new_part(SIP_MESSAGE_MAX + 1, 0);
    *out = s;
    return 0;
}

void sip_stack_limit(struct sip_stack *s, size_t requests, size_t guests)
{
    s->servers_max = requests;
    s->guests_max = guests;
}

static void free_now(struct sip_stack *s)
{
    transp_free(s);
    trans_stop(s);
    loop_cancel(s->loop, &s->reaper);
    free(s->datagram);
    free(s);
}

void sip_stack_free(struct sip_stack *s)
{
    if (!s)
        return;
    s->doomed = true;
    if (s->inside == 0)
        free_now(s);
}

void stack_enter(struct sip_stack *s)
{
    s->inside++;
}

void stack_leave(struct sip_stack *s)
{
    if (--s->inside == 0 && s->doomed)
        free_now(s);
}

static void reap_transactions(struct sip_stack *s)
{
    while (s->dead) {
        struct trans *t = s->dead;
        s->dead = t->next;
        trans_free(t);
    }
}

/* Whoever is dead may still be looked at by a function that is on the call stack now, never by one
 * that the loop calls later. */
static void on_reap(void *arg)
{
    struct sip_stack *s = arg;
    reap_transactions(s);
    stream_reap(s);
}

void stack_reap(struct sip_stack *s)
{
    loop_at(s->loop, &s->reaper, clock_ms(), on_reap, s);
}

int sip_send(struct sip_stack *s, struct osip_message *m, const struct sip_hop *to)
{
    struct sip_hop hop = *to;
    (void)osip_message_force_update(m);
    int err = transp_send(s, &hop, m);
    osip_message_free(m);
    return err;
}

/* --- What comes in. */

static void refuse(struct sip_stack *s, struct slice raw, const struct sip_hop *from,
                   const struct fence_fault *fault)
{
    struct buf text = BUF_UP_TO(SIP_MESSAGE_MAX);
    struct sip_hop back = *from;
    char addr[NET_TEXT_SIZE];
    net_addr_text(addr, &from->addr);
    err_step("a message from %s/%s refused: %s", sip_transport_name(from->transport), addr,
             fault->why);
    trans_note_nonsense(s, from);
    if (fence_refuse(raw, fault, &text) == 0)
        (void)transp_send_text(s, &back, buf_slice(&text));
    buf_free(&text);
}

static void take_response(struct sip_stack *s, osip_event_t *event, const struct sip_hop *from)
{
    if (client_response(s, event, from))
        return;
    if (!s->doomed)
        s->ops->stray(s->arg, event->sip, from);
    fence_drop(event);
}

void stack_message(struct sip_stack *s, struct slice raw, const struct sip_hop *from)
{
    struct fence_fault fault;
    osip_event_t *event;
    message_shown(false, from, raw);
    if (fence_read(raw, from->transport != SIP_UDP, &event, &fault) != 0)
        refuse(s, raw, from, &fault);
    else if (MSG_IS_RESPONSE(event->sip))
        take_response(s, event, from);
    else
        server_request(s, event, from);
    /* Here no transaction is looked at any more; a stream may bring thousands before the loop runs.
     */
    reap_transactions(s);
}
