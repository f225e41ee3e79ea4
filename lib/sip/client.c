#include "base/clock.h"
#include "base/mem.h"
#include "sip/stack_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_over(const struct sip_client *c)
{
    return c->t.osip && (c->t.osip->state == ICT_TERMINATED || c->t.osip->state == NICT_TERMINATED);
}

/* After a final response and after `failed` the caller is out of it. */
static void report_failure(struct sip_client *c, int error)
{
    const struct sip_client_ops *ops = c->ops;
    c->ops = NULL;
    trans_end(&c->t);
    if (ops && !c->t.stack->doomed)
        ops->failed(c->arg, c, error);
}

void client_due(struct sip_client *c)
{
    if (c->t.dead)
        return;
    if (c->t.error)
        report_failure(c, c->t.error);
    else if (is_over(c))
        /* After a final response nobody is told. */
        report_failure(c, c->t.nonsense ? EBADMSG : ETIMEDOUT);
    else if (!c->ops && clock_ms() >= c->t.end_due)
        trans_end(&c->t); /* a forgotten INVITE that only ever got provisional responses */
}

/* Nothing else would end a forgotten INVITE that only got provisional responses (RFC 3261 9.1). */
static void end_some_day(struct sip_client *c)
{
    if (c->ops || !c->t.osip || c->t.osip->state != ICT_PROCEEDING || c->t.end_due != CLOCK_NEVER)
        return;
    c->t.end_due = clock_ms() + 64 * c->t.stack->timers.t1;
    trans_set_timer(&c->t);
}

static void deliver(struct sip_client *c, const struct sip_hop *from)
{
    const struct sip_client_ops *ops = c->ops;
    const osip_message_t *m = c->t.osip->last_response;
    c->t.got = false;
    if (m->status_code >= 200)
        c->ops = NULL;
    if (ops && !c->t.stack->doomed)
        ops->response(c->arg, c, m, from);
}

/* Does the machine take 2xx any more? If not, each further one is for the caller to acknowledge. */
static bool takes_2xx(const struct sip_client *c)
{
    return c->ops && (c->t.osip->state == ICT_CALLING || c->t.osip->state == ICT_PROCEEDING);
}

bool client_response(struct sip_stack *s, osip_event_t *event, const struct sip_hop *from)
{
    char *key = trans_key(event->sip, true, NULL);
    struct trans *t = trans_find(s, key);
    free(key);
    struct sip_client *c = (struct sip_client *)t;
    if (!t || !t->osip || t->error)
        return false;
    if (MSG_IS_RESPONSE_FOR(event->sip, "INVITE") && MSG_IS_STATUS_2XX(event->sip) && !takes_2xx(c))
        return false;
    trans_run(t, event);
    if (is_over(c))
        trans_end(t);
    if (t->got)
        deliver(c, from);
    end_some_day(c);
    return true;
}

static void start(struct sip_client *c, osip_message_t *m)
{
    bool invite = m->sip_method && strcmp(m->sip_method, "INVITE") == 0;
    bool whole =
        m->sip_method && m->req_uri && m->from && m->to && m->cseq && osip_list_size(&m->vias) > 0;
    (void)osip_message_force_update(m);
    trans_add(&c->t, whole ? trans_key(m, true, m->sip_method) : mem_dup("malformed"));
    osip_event_t *e = whole && !trans_init(&c->t, invite ? ICT : NICT, m)
                          ? osip_new_outgoing_sipmessage(m)
                          : NULL;
    if (e) {
        trans_run(&c->t, e);
        return;
    }
    c->message = m;
    trans_fail(&c->t, EINVAL);
}

struct sip_client *sip_request(struct sip_stack *s, struct osip_message *m,
                               const struct sip_hop *to, const struct sip_client_ops *ops,
                               void *arg)
{
    struct sip_client *c = mem_new(sizeof *c);
    c->t.stack = s;
    c->t.client = true;
    c->t.end_due = CLOCK_NEVER;
    c->t.hop = *to;
    c->ops = ops;
    c->arg = arg;
    start(c, m);
    return c;
}

void sip_client_forget(struct sip_client *c)
{
    c->ops = NULL;
    end_some_day(c);
}

const struct osip_message *sip_client_message(const struct sip_client *c)
{
    return c->t.osip && c->t.osip->orig_request ? c->t.osip->orig_request : c->message;
}
