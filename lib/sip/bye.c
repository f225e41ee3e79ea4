/* The end: BYE for a session, CANCEL for an INVITE without answer (RFC 3261 9, 15). */
#include "base/clock.h"
#include "base/err.h"
#include "base/utf8.h"
#include "sip/agent_int.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <string.h>

/* The fate is known. A failure goes first: who waits for the end then reads both. */
static void write_fate(struct sip_agent *a)
{
    const struct fate *f = &a->fate;

    /* What cannot be written any more is told by the status. A failure stands between the request
     * and its fate: who reads it knows that the fate follows. */
    if (f->quiet)
        (void)emit_bye_sent(a->chosen->dialog.cseq, f->method, agent_sid(a), agent_emit_f, a);
    if (a->failure.status != 0)
        failure_say(a);
    if (f->why == NULL)
        (void)emit_bye_answered(f->method, f->code, f->reason, agent_sid(a), agent_emit_f, a);
    else
        (void)emit_bye_failed(f->method, f->code, f->why, agent_sid(a), agent_emit_f, a);
    a->fate.method = NULL;
    agent_enter(a, SIP_ENDED);
}

/* Where only the answer was of no use, another branch may give a better one: one that rings, or
 * for a round trip one that does not. */
void bye_settled(struct sip_agent *a)
{
    bool hopes = a->open && (forks_ringing(a) || a->open_timer.place != 0);

    if (a->fate.method != NULL && !hopes)
        write_fate(a);
}

static void finish(struct sip_agent *a, const char *method, int code, const char *reason,
                   const char *why)
{
    a->fate.method = method;
    a->fate.code = code;
    a->fate.why = why;
    utf8_copy(a->fate.reason, sizeof(a->fate.reason), slice_of(reason));
    bye_settled(a);
}

/* --- BYE. */

static void on_bye_response(void *arg, struct sip_client *c, const struct osip_message *m,
                            const struct sip_hop *from)
{
    struct sip_agent *a = arg;
    int code = sip_status(m);

    (void)c;
    (void)from;
    if (code < 200)
        return;
    a->bye = NULL;
    if (code >= 300)
        err_warn("the BYE was answered %d %s", code, reason_of(m));
    finish(a, "BYE", code, reason_of(m), NULL);
}

static void on_bye_failed(void *arg, struct sip_client *c, int error)
{
    struct sip_agent *a = arg;

    (void)c;
    a->bye = NULL;
    err_warn("the BYE was not answered: %s", local_why(&a->local, error));
    finish(a, "BYE", 0, "", error == ETIMEDOUT ? "timeout" : "unreachable");
}

void agent_bye(struct sip_agent *a)
{
    static const struct sip_client_ops ops = {on_bye_response, on_bye_failed};
    struct dialog *d = &a->chosen->dialog;
    struct osip_message *m;

    if (a->bye != NULL)
        return;
    session_timer_stop(a);
    d->cseq++;
    /* The BYE leaves also where the lines cannot be written. */
    (void)emit_cseq(d->cseq, "BYE", agent_sid(a), agent_emit_f, a);
    a->fate.quiet = a->open; /* the others would take it for the end of the delivery */
    if (!a->fate.quiet)
        (void)emit_bye_sent(d->cseq, "BYE", agent_sid(a), agent_emit_f, a);
    m = dialog_request(d, a->config, "BYE", d->cseq);
    a->bye = dialog_send(d, &a->voice, m, &ops, a);
}

void session_lost(struct sip_agent *a, const char *by, const char *why)
{
    struct line_out o;

    line_begin(&o, "session.ended", agent_sid(a));
    line_text(&o, "by", by);
    line_text(&o, "why", why);
    (void)agent_emit(a, &o);
    if (a->status == 0)
        a->status = EX_TEMPFAIL;
    err_line(a->config->to, "the session ended", why);
    agent_enter(a, SIP_ENDING);
    agent_limit(a, OWN_END_MS);
    agent_bye(a);
}

/* --- CANCEL. */

static void on_cancel_response(void *arg, struct sip_client *c, const struct osip_message *m,
                               const struct sip_hop *from)
{
    struct sip_agent *a = arg;

    (void)c;
    (void)from;
    if (sip_status(m) >= 200) {
        err_step("the CANCEL was answered %d %s", sip_status(m), reason_of(m));
        a->cancel_code = sip_status(m);
        a->cancel = NULL; /* the INVITE's own final response decides */
    }
}

static void on_cancel_failed(void *arg, struct sip_client *c, int error)
{
    struct sip_agent *a = arg;

    (void)c;
    err_step("the CANCEL was not answered: %s", local_why(&a->local, error));
    a->cancel = NULL;
}

void agent_cancel(struct sip_agent *a)
{
    static const struct sip_client_ops ops = {on_cancel_response, on_cancel_failed};
    struct osip_message *m;

    if (!a->provisional || a->cancelled || a->invite == NULL)
        return;
    m = call_cancel(&a->call, a->config);
    if (m == NULL)
        return;
    a->cancelled = true;
    (void)emit_bye_sent(a->call.cseq, "CANCEL", agent_sid(a), agent_emit_f, a);
    a->cancel = sip_request(a->local.stack, m, &a->call.hop, &ops, a);
    /* RFC 3261 9.1 has 64*T1, as a most: a verdict waits for it. */
    agent_limit(a, OWN_END_MS);
}

static void failure_cancelled(struct sip_agent *a, int code, const char *reason)
{
    if (a->failure.status == 0) {
        failure_set(a, EX_TEMPFAIL, code, reason, "cancelled", "cancelled");
        a->failure.silent = true; /* it was asked for */
    } else if (a->failure.code == 0) {
        a->failure.code = code;
    }
}

void cancel_done(struct sip_agent *a, int code, const char *reason)
{
    if (a->cancel != NULL)
        sip_client_forget(a->cancel);
    a->cancel = NULL;
    failure_cancelled(a, code, reason);
    if (a->cancelled) {
        finish(a, "CANCEL", a->cancel_code, "", code != 0 ? NULL : "timeout");
    } else {
        failure_say(a);
        agent_enter(a, SIP_ENDED);
    }
}

/* --- Limits. */

static void on_limit(void *arg)
{
    struct sip_agent *a = arg;

    if (a->state != SIP_ENDING)
        return;
    a->open = false;
    if (a->fate.method != NULL) {
        write_fate(a);
        return;
    }
    if (a->bye != NULL) {
        dialog_client_forget(a->bye);
        on_bye_failed(a, NULL, ETIMEDOUT);
        return;
    }
    if (a->invite != NULL)
        sip_client_forget(a->invite);
    a->invite = NULL;
    forks_drop_early(a);
    cancel_done(a, 0, "");
}

void agent_limit(struct sip_agent *a, int64_t ms)
{
    int64_t due = clock_ms() + ms;

    if (a->limit_due != 0 && a->limit_due <= due)
        return;
    a->limit_due = due;
    loop_at(a->loop, &a->limit_timer, due, on_limit, a);
}

void agent_no_limit(struct sip_agent *a)
{
    a->limit_due = 0;
    loop_cancel(a->loop, &a->limit_timer);
}

void sip_agent_end(struct sip_agent *a, const char *why, int64_t limit_ms)
{
    if (a->state == SIP_ENDED)
        return;
    a->open = false;
    bye_settled(a);
    if (a->state == SIP_ENDED)
        return;
    if (a->state != SIP_ENDING)
        err_step("ending the session: %s", why);
    if (a->state == SIP_IDLE) { /* it may still be waiting for the DNS */
        targets_free(a->targets);
        a->targets = NULL;
        failure_cancelled(a, 0, "");
        failure_say(a);
        agent_enter(a, SIP_ENDED);
        return;
    }
    if (limit_ms > 0)
        agent_limit(a, limit_ms);
    if (a->state == SIP_CALLING && a->invite == NULL) { /* between two targets */
        agent_enter(a, SIP_ENDING);
        cancel_done(a, 0, "");
    } else if (a->state == SIP_CALLING) {
        agent_enter(a, SIP_ENDING);
        agent_cancel(a);
    } else if (a->state == SIP_TALKING) {
        agent_enter(a, SIP_ENDING);
        agent_bye(a);
    }
}
