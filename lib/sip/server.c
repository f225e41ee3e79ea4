#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "sip/fence.h"
#include "sip/parts.h"
#include "sip/stack_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static struct sip_server *find(struct sip_stack *s, const osip_message_t *m, const char *method)
{
    char *key = trans_key(m, false, method);
    struct trans *t = trans_find(s, key);
    free(key);
    return (struct sip_server *)t;
}

/* --- A 2xx to an INVITE: libosip2's machine ends there, as RFC 3261 has it; this is the Accepted
 * state of RFC 6026 and the repetition of RFC 3261 13.3.1.4. */

static void send_yes(struct sip_server *v)
{
    osip_message_t *yes = v->yes ? v->yes : v->t.osip->last_response;
    (void)transp_send(v->t.stack, &v->t.hop, yes); /* it is repeated anyway */
}

static void accept_invite(struct sip_server *v)
{
    const struct sip_timers *timers = &v->t.stack->timers;
    int64_t now = clock_ms();
    v->accepted = true;
    v->t.repeat_ms = timers->t1;
    v->t.repeat_due = now + timers->t1;
    v->t.end_due = now + 64 * timers->t1;
    trans_set_timer(&v->t);
}

/* libosip2's transaction is large: once nobody can be reading the request, only the 2xx is kept. */
static void shed(struct sip_server *v)
{
    if (v->yes || !v->t.osip)
        return;
    v->yes = v->t.osip->last_response;
    v->t.osip->last_response = NULL;
    (void)osip_transaction_free2(v->t.osip);
    v->t.osip = NULL;
}

static void absorb_only(struct sip_server *v)
{
    if (clock_ms() >= v->t.end_due) {
        trans_end(&v->t);
        return;
    }
    shed(v);
    v->t.repeat_ms = 0;
    trans_set_timer(&v->t);
}

static void accepted_due(struct sip_server *v)
{
    struct sip_stack *s = v->t.stack;
    if (!v->handed) {
        absorb_only(v);
    } else if (clock_ms() < v->t.end_due) {
        send_yes(v);
        v->t.repeat_ms = v->t.repeat_ms * 2 < s->timers.t2 ? v->t.repeat_ms * 2 : s->timers.t2;
        v->t.repeat_due = clock_ms() + v->t.repeat_ms;
        trans_set_timer(&v->t);
    } else {
        v->t.repeat_ms = 0;
        v->t.end_due = CLOCK_NEVER;
        if (s->ops->unacked && !s->doomed)
            s->ops->unacked(s->arg, v);
    }
}

/* The caller lets go: what is left only absorbs (absorb_only, from the loop). Over a stream nothing
 * comes twice. */
static void let_go(struct sip_server *v)
{
    v->handed = false;
    v->t.repeat_ms = 1;
    v->t.repeat_due = clock_ms();
    if (v->t.end_due == CLOCK_NEVER || v->t.hop.transport != SIP_UDP)
        v->t.end_due = v->t.repeat_due;
    trans_set_timer(&v->t);
}

void sip_server_acked(struct sip_server *v)
{
    if (v->accepted && v->handed)
        let_go(v);
}

void sip_server_forget(struct sip_server *v)
{
    if (v->accepted) {
        sip_server_acked(v);
        return;
    }
    v->handed = false;
    v->silent = true;
    v->t.end_due = clock_ms() + 64 * v->t.stack->timers.t1;
    trans_set_timer(&v->t);
}

void server_due(struct sip_server *v)
{
    bool over =
        v->t.osip && (v->t.osip->state == IST_TERMINATED || v->t.osip->state == NIST_TERMINATED);
    v->t.error = 0;
    if (v->t.dead)
        return;
    if (v->accepted)
        accepted_due(v);
    else if (over || (v->silent && clock_ms() >= v->t.end_due))
        trans_end(&v->t);
}

/* --- Answers. */

static bool is_final(const osip_message_t *m)
{
    return m->status_code >= 200;
}

static void after_final(struct sip_server *v)
{
    v->answered = true;
    if (v->t.osip->state == IST_TERMINATED) {
        accept_invite(v);
        return;
    }
    v->handed = false;
}

int sip_respond(struct sip_stack *s, struct sip_server *v, struct osip_message *response)
{
    bool final = is_final(response);
    (void)s;
    osip_event_t *e = v->answered || v->silent ? NULL : osip_new_outgoing_sipmessage(response);
    if (!e) {
        osip_message_free(response);
        return EALREADY;
    }
    (void)osip_message_force_update(response);
    v->t.error = 0;
    trans_run(&v->t, e);
    int err = v->t.error;
    v->t.error = 0;
    if (final)
        after_final(v);
    return err;
}

static void set_tag(struct sip_server *v, osip_message_t *response)
{
    for (int i = 0; response->to && i < osip_list_size(&response->to->gen_params); i++) {
        osip_generic_param_t *p = osip_list_get(&response->to->gen_params, i);
        if (!p->gname || strcasecmp(p->gname, "tag") != 0)
            continue;
        free(p->gvalue);
        p->gvalue = mem_format("%016llx", (unsigned long long)(v->t.hash ^ v->t.stack->secret));
    }
}

int sip_respond_stateless(struct sip_stack *s, struct sip_server *v, struct osip_message *response)
{
    if (v->t.osip->orig_request && !sip_to_tag(v->t.osip->orig_request))
        set_tag(v, response);
    int err = sip_respond(s, v, response);
    trans_end(&v->t);
    return err;
}

const struct osip_message *sip_server_message(const struct sip_server *v)
{
    return v->t.osip ? v->t.osip->orig_request : NULL;
}

/* --- Requests. */

static void hand_out(struct sip_stack *s, struct sip_server *v, const osip_message_t *m,
                     const struct sip_hop *from, struct sip_server *invite)
{
    if (!s->doomed)
        s->ops->request(s->arg, v, m, from, invite);
}

static struct sip_server *server_new(struct sip_stack *s, osip_event_t *event,
                                     const struct sip_hop *from)
{
    struct sip_server *v = mem_new(sizeof *v);
    v->t.stack = s;
    v->invite = MSG_IS_INVITE(event->sip);
    via_response_hop(event->sip, from, &v->t.hop);
    if (trans_init(&v->t, v->invite ? IST : NIST, event->sip) != 0) {
        free(v);
        return NULL;
    }
    trans_add(&v->t, trans_key(event->sip, false, NULL));
    return v;
}

static void new_request(struct sip_stack *s, osip_event_t *event, const struct sip_hop *from)
{
    osip_message_t *m = event->sip;
    bool cancel = MSG_IS_CANCEL(m);
    struct sip_server *invite = cancel ? find(s, m, "INVITE") : NULL;
    struct sip_server *v = server_new(s, event, from);
    if (!v) {
        fence_drop(event);
        return;
    }
    message_note_tag(m, invite && invite->t.osip ? invite->t.osip->orig_request : NULL);
    trans_run(&v->t, event);
    if (invite && invite->answered) {
        (void)sip_respond(s, v, sip_response_to(m, 200, NULL)); /* the CANCEL is repeated if lost */
        return;
    }
    v->handed = true;
    hand_out(s, v, m, from, invite && invite->handed ? invite : NULL);
}

static void repeated_request(struct sip_server *v, osip_event_t *event)
{
    if (!v->accepted) {
        trans_run(&v->t, event);
        v->t.error = 0;
        return;
    }
    send_yes(v);
    fence_drop(event);
}

/* An ACK with the branch of the INVITE belongs to its machine (RFC 3261 17.2.3), unless that got a
 * 2xx, whose ACK is the caller's. */
static void acknowledge(struct sip_stack *s, osip_event_t *event, const struct sip_hop *from)
{
    struct sip_server *v = find(s, event->sip, "INVITE");
    if (v && v->t.osip && !v->accepted) {
        trans_run(&v->t, event);
        return;
    }
    hand_out(s, NULL, event->sip, from, NULL);
    fence_drop(event);
}

void server_request(struct sip_stack *s, osip_event_t *event, const struct sip_hop *from)
{
    via_mark(event->sip, &from->addr);
    if (MSG_IS_ACK(event->sip)) {
        acknowledge(s, event, from);
        return;
    }
    struct sip_server *v = find(s, event->sip, NULL);
    if (v) {
        repeated_request(v, event);
    } else if (s->servers >= s->servers_max) {
        err_step("%s: too many requests at once", sip_method(event->sip));
        fence_drop(event);
    } else {
        new_request(s, event, from);
    }
}
