/* The owner of a dialog: its life, what it says and when it tells its caller. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "sip/agent_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *agent_sid(const struct sip_agent *a)
{
    return journal_sid(a->facts);
}

/* The caller hears of a change from the loop, never from inside a call of its own. */
static void on_poke(void *arg)
{
    struct sip_agent *a = arg;

    if (a->unwritten && (a->state == SIP_CALLING || a->state == SIP_TALKING))
        sip_agent_end(a, "journal", OWN_END_MS);
    a->ops->changed(a->arg);
}

static void poke(struct sip_agent *a)
{
    loop_at(a->loop, &a->poke, clock_ms(), on_poke, a);
}

bool agent_end_asked(struct sip_agent *a)
{
    bool grew;

    /* A file that cannot be read is noticed by who watches it. */
    if (journal_read(a->facts, &grew) != 0 || !journal_has(a->facts, "bye.request"))
        return false;
    poke(a); /* the caller will see it too, and act on it */
    return true;
}

void agent_enter(struct sip_agent *a, enum sip_state state)
{
    static const char *const names[] = {"idle", "calling", "talking", "ending", "ended"};

    if (a->state != state)
        err_step("session: %s -> %s", names[a->state], names[state]);
    a->state = state;
    if (state == SIP_ENDED) {
        session_timer_stop(a);
        loop_cancel(a->loop, &a->answer_timer);
        loop_cancel(a->loop, &a->limit_timer);
    }
    poke(a);
}

int agent_emit_f(void *arg, struct line_out *o, bool durable)
{
    struct sip_agent *a = arg;
    int err = a->ops->emit(a->arg, o, durable);

    if (err != 0 && err != EMSGSIZE && !a->unwritten) {
        a->unwritten = true;
        a->status = a->status != 0 ? a->status : EX_IOERR;
        poke(a);
    }
    return err;
}

int agent_emit(struct sip_agent *a, struct line_out *o)
{
    return agent_emit_f(a, o, false);
}

void agent_remark(struct sip_agent *a, struct line_out *o)
{
    if (!pace_allows(&a->remarks, clock_ms())) {
        err_step("the peer causes too many lines: one is left out");
        return;
    }
    (void)agent_emit(a, o); /* one that cannot be written is only not remembered */
}

/* --- Failures. */

void failure_make(struct failure *f, int status, int code, const char *reason, const char *why,
                  const char *text)
{
    *f = (struct failure){.status = status, .code = code, .retry_after = -1};
    utf8_copy(f->reason, sizeof(f->reason), slice_of(reason));
    utf8_copy(f->why, sizeof(f->why), slice_of(why));
    utf8_copy(f->text, sizeof(f->text), slice_of(text));
}

void failure_set(struct sip_agent *a, int status, int code, const char *reason, const char *why,
                 const char *text)
{
    if (a->failure.status == 0)
        failure_make(&a->failure, status, code, reason, why, text);
}

/* Without a response that refuses, what happened instead of one, unless the word says it all. */
static const char *detail_of(const struct failure *f)
{
    bool refused = f->code >= 300;
    return f->detail[0] != '\0' || refused || strcmp(f->text, f->why) == 0 ? f->detail : f->text;
}

void failure_say(struct sip_agent *a)
{
    const struct failure *f = &a->failure;
    const char *detail = detail_of(f);
    struct line_out o;

    line_begin(&o, "invite.failed", agent_sid(a));
    line_number(&o, "status", f->status);
    if (f->code != 0)
        line_number(&o, "code", f->code);
    if (f->reason[0] != '\0')
        line_free_text(&o, "reason", slice_of(f->reason));
    if (f->retry_after >= 0)
        line_number(&o, "retry-after", f->retry_after);
    line_text(&o, "why", f->why);
    if (detail[0] != '\0')
        line_free_text(&o, "detail", slice_of(detail));
    /* What cannot be written was said by the caller's emit; the status tells it as well. */
    (void)agent_emit(a, &o);
    if (!f->silent)
        err_line(a->config->to != NULL ? a->config->to : "INVITE", f->text,
                 f->hint[0] != '\0' ? f->hint : NULL);
    if (a->status == 0)
        a->status = f->status;
}

void agent_fail(struct sip_agent *a, int status, int code, const char *reason, const char *why,
                const char *text)
{
    failure_set(a, status, code, reason, why, text);
    failure_say(a);
    agent_enter(a, SIP_ENDED);
}

void sip_agent_refuse(struct sip_agent *a, const struct sip_fault *f, const char *why)
{
    if (a->state != SIP_IDLE)
        return;
    if (f->why[0] != '\0')
        err_line(f->what, f->why, f->hint);
    failure_set(a, f->status, 0, "", why, f->why);
    if (f->why[0] != '\0')
        (void)snprintf(a->failure.detail, sizeof(a->failure.detail), "%s: %s", f->what, f->why);
    a->failure.silent = true; /* said here, with its hint */
    failure_say(a);
    agent_enter(a, SIP_ENDED);
}

/* --- Life. */

int sip_agent_new(struct sip_agent **out, struct loop *loop, const struct sip_config *config,
                  struct journal *facts, const struct sip_ops *ops, void *arg)
{
    static const struct sip_stack_ops stack_ops = {indialog_request, invite_stray, reoffer_unacked};
    struct sip_agent *a = mem_new(sizeof(*a));
    int err;

    a->loop = loop;
    a->config = config;
    a->facts = facts;
    a->ops = ops;
    a->arg = arg;
    a->min_se = config->min_se / 1000;
    a->offer = BUF_UP_TO(16 * 1024);
    a->voice = (struct voice){.local = &a->local, .facts = facts, .emit = agent_emit_f, .arg = a};
    err = local_start(&a->local, loop, config, &stack_ops, a);
    if (err != 0) {
        dns_free(a->local.dns);
        free(a);
        return err;
    }
    sip_stack_limit(a->local.stack, REQUESTS_MAX, GUESTS_MAX);
    *out = a;
    return 0;
}

static void cancel_timers(struct sip_agent *a)
{
    loop_cancel(a->loop, &a->poke);
    loop_cancel(a->loop, &a->answer_timer);
    loop_cancel(a->loop, &a->forks_timer);
    loop_cancel(a->loop, &a->open_timer);
    loop_cancel(a->loop, &a->limit_timer);
    loop_cancel(a->loop, &a->linger_timer);
    loop_cancel(a->loop, &a->refresh_timer);
    loop_cancel(a->loop, &a->expiry_timer);
}

void sip_agent_free(struct sip_agent *a)
{
    if (a == NULL)
        return;
    cancel_timers(a);
    voice_free(&a->voice);
    sip_stack_free(a->local.stack);
    forks_free(a);
    targets_free(a->targets);
    redirect_free(a);
    dns_free(a->local.dns);
    tls_context_free(a->local.tls);
    call_free(&a->call);
    buf_free(&a->offer);
    free(a->peer_path);
    free(a);
}

/* --- Questions. */

enum sip_state sip_agent_state(const struct sip_agent *a)
{
    return a->state;
}

int sip_agent_status(const struct sip_agent *a)
{
    return a->status;
}

bool sip_agent_owes(const struct sip_agent *a)
{
    bool others = forks_ringing(a) && a->forks_timer.place != 0;

    for (const struct fork *f = a->forks; f != NULL; f = f->next)
        others = others || f->bye != NULL;
    return others || a->linger_timer.place != 0;
}
