/* Ending the dialog of an owner that died, from the facts that it left in the journal. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "sip/agent.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <string.h>

struct sip_takeover {
    struct loop *loop;
    const struct sip_config *config;
    struct journal *facts;
    const struct sip_takeover_ops *ops;
    void *arg;
    struct local local;
    struct voice voice;
    struct call call; /* call_id is NULL where the dialog was there from the start */
    struct dialog dialog;
    struct branch { /* of a fork, which the dead owner would have ended */
        struct dialog dialog;
        struct branch *next;
    } * branches;
    bool confirmed; /* there is a dialog */
    bool over;
    struct sip_client *cancel;
    struct dialog_client *bye;
    int cancel_code; /* the answer to the CANCEL */
    struct loop_timer limit;
};

static const char *method_of(const struct sip_takeover *t)
{
    return t->confirmed ? "BYE" : "CANCEL";
}

/* `why` is NULL where there was an answer. */
static void finish(struct sip_takeover *t, int code, const char *reason, const char *why)
{
    const char *sid = journal_sid(t->facts);

    if (t->over)
        return;
    t->over = true;
    loop_cancel(t->loop, &t->limit);
    /* What cannot be written was said by the caller's emit. */
    if (why == NULL)
        (void)emit_bye_answered(method_of(t), code, reason, sid, t->ops->emit, t->arg);
    else
        (void)emit_bye_failed(method_of(t), code, why, sid, t->ops->emit, t->arg);
    t->ops->done(t->arg);
}

static void on_limit(void *arg)
{
    struct sip_takeover *t = arg;

    if (!t->confirmed && t->cancel_code != 0)
        finish(t, t->cancel_code, "", NULL);
    else
        finish(t, 408, "", "timeout");
}

/* --- BYE. */

static void on_bye_response(void *arg, struct sip_client *c, const struct osip_message *m,
                            const struct sip_hop *from)
{
    struct sip_takeover *t = arg;

    (void)c;
    (void)from;
    if (sip_status(m) < 200)
        return;
    t->bye = NULL;
    finish(t, sip_status(m), reason_of(m), NULL);
}

static void on_bye_failed(void *arg, struct sip_client *c, int error)
{
    struct sip_takeover *t = arg;

    (void)c;
    t->bye = NULL;
    err_step("BYE: %s", local_why(&t->local, error));
    finish(t, 408, "", error == ETIMEDOUT ? "timeout" : "unreachable");
}

/* ACK (whether or not the dead owner sent it) and BYE. */
static void end_dialog(struct sip_takeover *t)
{
    static const struct sip_client_ops ops = {on_bye_response, on_bye_failed};
    const char *sid = journal_sid(t->facts);
    struct dialog *d = &t->dialog;

    dialog_ack(d, &t->local, d->invite_cseq);
    d->cseq++;
    /* The BYE is owed also where its lines cannot be written. */
    (void)emit_cseq(d->cseq, "BYE", sid, t->ops->emit, t->arg);
    (void)emit_bye_sent(d->cseq, "BYE", sid, t->ops->emit, t->arg);
    t->bye = dialog_send(d, &t->voice, dialog_request(d, t->config, "BYE", d->cseq), &ops, t);
}

/* --- CANCEL. */

static void on_cancel_response(void *arg, struct sip_client *c, const struct osip_message *m,
                               const struct sip_hop *from)
{
    struct sip_takeover *t = arg;

    (void)c;
    (void)from;
    if (sip_status(m) < 200)
        return;
    t->cancel = NULL;
    t->cancel_code = sip_status(m); /* the final response to the INVITE is still to come */
    /* Or the INVITE never left, or has had its response. */
    if (t->cancel_code == 481 && clock_ms() + t->config->t1 < t->limit.due)
        loop_at(t->loop, &t->limit, clock_ms() + t->config->t1, on_limit, t);
}

static void on_cancel_failed(void *arg, struct sip_client *c, int error)
{
    struct sip_takeover *t = arg;

    (void)c;
    t->cancel = NULL;
    err_step("CANCEL: %s", local_why(&t->local, error));
    if (error != ETIMEDOUT)
        finish(t, 408, "", "unreachable");
}

/* Whether there was a 1xx or not: the dead owner may have had it without writing it down, and a
 * CANCEL that finds nothing does no harm. */
static int cancel(struct sip_takeover *t)
{
    static const struct sip_client_ops ops = {on_cancel_response, on_cancel_failed};
    struct net_addr bound;
    struct osip_message *m;
    int err = local_listen(&t->local, &t->call.hop, &bound);

    if (err != 0)
        return err;
    m = call_cancel(&t->call, t->config);
    if (m == NULL)
        return EBADMSG;
    (void)emit_bye_sent(t->call.cseq, "CANCEL", journal_sid(t->facts), t->ops->emit, t->arg);
    t->cancel = sip_request(t->local.stack, m, &t->call.hop, &ops, t);
    return 0;
}

/* A 200 that crossed the CANCEL. */
static void crossed(struct sip_takeover *t, const struct osip_message *m)
{
    if (t->cancel != NULL)
        sip_client_forget(t->cancel);
    t->cancel = NULL;
    if (dialog_from_response(&t->dialog, &t->call, m) != 0)
        err_step("the Record-Route of the 200 cannot be used");
    t->confirmed = true;
    (void)dialog_emit(&t->dialog, 0, "", journal_sid(t->facts), t->ops->emit, t->arg);
    end_dialog(t);
}

static void refused(struct sip_takeover *t, const struct osip_message *m)
{
    struct osip_message *ack = call_ack(&t->call, t->config, m);
    int err = ack != NULL ? sip_send(t->local.stack, ack, &t->call.hop) : EBADMSG;

    if (err != 0)
        err_step("ACK: %s", strerror(err));
    finish(t, sip_status(m), reason_of(m), NULL);
}

/* --- Another branch answers too (RFC 3261 13.2.2.4): ACK and BYE, without lines. */

#define BRANCHES_MAX 16

static void on_branch_response(void *arg, struct sip_client *c, const struct osip_message *m,
                               const struct sip_hop *from)
{
    (void)arg;
    (void)c;
    (void)from;
    if (sip_status(m) >= 200)
        err_step("BYE of a forked dialog: %d %s", sip_status(m), reason_of(m));
}

static void on_branch_failed(void *arg, struct sip_client *c, int error)
{
    struct sip_takeover *t = arg;

    (void)c;
    err_step("BYE of a forked dialog: %s", local_why(&t->local, error));
}

static struct branch *branch_of(const struct sip_takeover *t, const struct osip_message *m,
                                size_t *n)
{
    struct branch *b = t->branches;

    for (*n = 0; b != NULL && !dialog_matches(&b->dialog, m); b = b->next)
        ++*n;
    return b;
}

static void branch_answered(struct sip_takeover *t, const struct osip_message *m)
{
    static const struct sip_client_ops ops = {on_branch_response, on_branch_failed};
    size_t n;
    struct branch *b = branch_of(t, m, &n);
    struct call k = {.cseq = -1};

    if (b != NULL) {
        dialog_ack(&b->dialog, &t->local, b->dialog.invite_cseq);
        return;
    }
    if (n < BRANCHES_MAX && call_from_facts(&k, t->facts) == 0 && cseq_of(m) == k.cseq) {
        b = mem_new(sizeof(*b));
        b->next = t->branches;
        t->branches = b;
        if (dialog_from_response(&b->dialog, &k, m) != 0)
            err_step("the Record-Route of a 200 cannot be used");
        dialog_ack(&b->dialog, &t->local, b->dialog.invite_cseq);
        (void)dialog_send(&b->dialog, &t->voice,
                          dialog_request(&b->dialog, t->config, "BYE", ++b->dialog.cseq), &ops, t);
    }
    call_free(&k);
}

/* No transaction of this process: the answers to the INVITE of the dead one. */
static void on_stray(void *arg, const struct osip_message *m, const struct sip_hop *from)
{
    struct sip_takeover *t = arg;
    const char *own = t->call.call_id != NULL ? t->call.call_id : t->dialog.call_id;
    const char *id = sip_header(m, "Call-ID", 0);
    int code = sip_status(m);

    (void)from;
    if (t->over || code < 200 || id == NULL || strcmp(id, own) != 0 ||
        strcmp(sip_method(m), "INVITE") != 0)
        return;
    if (!t->confirmed && code < 300)
        crossed(t, m);
    else if (!t->confirmed)
        refused(t, m);
    else if (code < 300 && dialog_matches(&t->dialog, m))
        dialog_ack(&t->dialog, &t->local, cseq_of(m));
    else if (code < 300)
        branch_answered(t, m);
}

/* The peer's own BYE may come before ours is there: it is answered, and the session is over. */
static void on_request(void *arg, struct sip_server *s, const struct osip_message *m,
                       const struct sip_hop *from, struct sip_server *invite)
{
    struct sip_takeover *t = arg;
    bool ours = t->confirmed && dialog_matches(&t->dialog, m);
    int err;

    (void)from;
    (void)invite;
    if (s == NULL)
        return;
    err = sip_respond(
        t->local.stack, s,
        sip_response_to(m, ours && strcmp(sip_method(m), "BYE") == 0 ? 200 : 481, NULL));
    if (err != 0)
        err_step("a response could not be sent: %s", strerror(err));
}

/* --- The whole. */

static bool all_over(const struct journal *facts)
{
    return journal_has(facts, "bye.answered") || journal_has(facts, "session.ended") ||
           (journal_has(facts, "invite.failed") && !journal_has(facts, "dialog.confirmed"));
}

static int read_facts(struct sip_takeover *t)
{
    int err = dialog_from_facts(&t->dialog, t->facts);

    if (err == 0) {
        t->confirmed = true;
        t->local.again = t->dialog.local_addr;
        return 0;
    }
    dialog_free(&t->dialog);
    if (err == ENOENT)
        err = call_from_facts(&t->call, t->facts);
    t->local.again = t->call.local;
    return err;
}

int sip_takeover_start(struct sip_takeover **out, struct loop *loop,
                       const struct sip_config *config, struct journal *facts,
                       const struct sip_takeover_ops *ops, void *arg)
{
    static const struct sip_stack_ops stack_ops = {on_request, on_stray, NULL};
    struct sip_takeover *t;
    struct sip_fault f;
    int err;

    if (all_over(facts))
        return ENOENT;
    t = mem_new(sizeof(*t));
    *t = (struct sip_takeover){
        .loop = loop, .config = config, .facts = facts, .ops = ops, .arg = arg};
    t->voice = (struct voice){.local = &t->local, .facts = facts, .emit = ops->emit, .arg = arg};
    if (auth_new(&t->voice.auth, config, &f) != 0) /* the BYE may do without */
        err_line(f.what, f.why, f.hint);
    err = local_start(&t->local, loop, config, &stack_ops, t);
    if (err == 0) {
        sip_stack_limit(t->local.stack, REQUESTS_MAX, GUESTS_MAX);
        err = read_facts(t);
    }
    if (err == 0 && t->confirmed)
        end_dialog(t);
    else if (err == 0)
        err = cancel(t);
    if (err != 0) {
        sip_takeover_free(t);
        return err;
    }
    loop_at(loop, &t->limit, clock_ms() + SIP_TAKEOVER_MS, on_limit, t);
    *out = t;
    return 0;
}

void sip_takeover_free(struct sip_takeover *t)
{
    if (t == NULL)
        return;
    loop_cancel(t->loop, &t->limit);
    voice_free(&t->voice);
    sip_stack_free(t->local.stack);
    call_free(&t->call);
    dialog_free(&t->dialog);
    while (t->branches != NULL) {
        struct branch *b = t->branches;
        t->branches = b->next;
        dialog_free(&b->dialog);
        free(b);
    }
    dns_free(t->local.dns);
    tls_context_free(t->local.tls);
    free(t);
}
