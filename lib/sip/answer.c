/* The 2xx to the INVITE: the dialog, the ACK, the answer, and what forking brings (RFC 3261
 * 13.2.2.4). */
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "cpim/imdn.h"
#include "sdp/sdp.h"
#include "sip/agent_int.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- The answer. */

static char *peer_address(const struct sdp_view *v)
{
    bool v6 = strchr(v->address, ':') != NULL;

    if (v->address[0] == '\0')
        return NULL;
    return mem_format("%s%s%s:%u", v6 ? "[" : "", v->address, v6 ? "]" : "", v->port);
}

static const char *some(const char *text)
{
    return text[0] != '\0' ? text : NULL;
}

static int emit_answered(struct sip_agent *a, int code, const struct sdp_view *v)
{
    char *address = peer_address(v);
    struct line_out o;
    int err;

    line_begin(&o, "invite.answered", agent_sid(a));
    line_number(&o, "code", code);
    line_text(&o, "peer-path", v->path);
    line_text(&o, "peer-setup", some(sdp_answer_setup(v)));
    line_text(&o, "peer-address", address);
    line_text(&o, "cema", v->cema ? "yes" : NULL);
    line_text(&o, "accept-types", some(v->accept_types));
    if (v->max_size >= 0)
        line_number(&o, "max-size", v->max_size);
    line_text(&o, "fingerprint", some(v->fingerprint));
    line_text(&o, "direction", v->direction);
    err = agent_emit(a, &o);
    free(address);
    return err;
}

/* The session cannot be used: it ends, and then the failure is said. */
static void give_up(struct sip_agent *a, int status, int code, const char *why, const char *text)
{
    failure_set(a, status, code, "", why, text);
    agent_enter(a, SIP_ENDING);
    agent_limit(a, OWN_END_MS);
    agent_bye(a);
}

/* The answer comes too late, or its dialog cannot be written down. */
static void end_at_once(struct sip_agent *a, int code, bool unwanted)
{
    bool asked = unwanted && a->failure.status == 0;

    if (unwanted)
        give_up(a, EX_TEMPFAIL, code, "cancelled", "answered after it was cancelled");
    else
        give_up(a, EX_IOERR, code, "journal", "the journal cannot be written");
    a->failure.silent = asked;
}

/* The first of the types that the offer may wrap is the content's. A notification always may come.
 */
static char *content_type(const struct sip_agent *a)
{
    struct slice types = slice_of(journal_get(a->facts, "msrp.listening.wrapped-types"));
    struct slice type = slice_cut(&types, ' ');

    return type.n == 0 || slice_is_nocase(type, IMDN_TYPE) ? NULL : slice_dup(type);
}

static struct sdp_refusal read_answer(const struct sip_agent *a, const struct fork *f,
                                      const struct osip_message *m, struct sdp_view *v)
{
    struct sdp_refusal r;
    struct slice body;
    char *type;
    int err;

    if (!body_of(m, "application/sdp", &body) || f->sdp_counts)
        body = buf_slice(&f->sdp);
    err = sdp_read(body, v);
    if (err != 0)
        return sdp_read_refusal(err);
    type = content_type(a);
    r = sdp_answer_check(v, a->octets, type);
    free(type);
    return r;
}

static void on_hopes_over(void *arg)
{
    bye_settled(arg);
}

static void take_answer(struct sip_agent *a, const struct fork *f, const struct osip_message *m)
{
    struct sdp_view v = {.found = false};
    struct sdp_refusal r = read_answer(a, f, m, &v);
    int err;

    if (r.status != 0) {
        a->open = true;
        loop_at(a->loop, &a->open_timer, clock_ms() + a->config->t1, on_hopes_over, a);
        give_up(a, r.status, sip_status(m), r.why, r.text);
    } else if ((err = emit_answered(a, sip_status(m), &v)) == EMSGSIZE) {
        give_up(a, EX_PROTOCOL, sip_status(m), "too-long", "the answer is too long");
    } else {
        offer_answered(a, &v);
        agent_enter(a, SIP_TALKING); /* where nothing can be written, agent_emit ends it */
    }
    sdp_view_free(&v);
}

/* --- The 2xx. */

/* Whoever rang and did not answer will not any more (RFC 3261 13.2.2.4). */
static void on_forks_over(void *arg)
{
    struct sip_agent *a = arg;

    forks_drop_early(a);
    agent_enter(a, a->state);
    bye_settled(a);
}

static void start_timer(struct sip_agent *a, const struct osip_message *m)
{
    const char *refresher;
    int64_t expires = session_expires(m, &refresher);

    a->peer_updates = header_lists(m, "Allow", "UPDATE");
    if (expires > 0)
        session_timer_start(a, expires, strcmp(refresher, "uas") != 0);
}

static void choose(struct sip_agent *a, struct fork *f, const struct osip_message *m, bool unwanted)
{
    int err;

    a->chosen = f;
    start_timer(a, m);
    err = dialog_emit(&f->dialog, a->expires, a->refresher ? "uac" : "uas", agent_sid(a),
                      agent_emit_f, a);
    dialog_ack(&f->dialog, &a->local, f->dialog.invite_cseq);
    if (err == EMSGSIZE)
        give_up(a, EX_PROTOCOL, sip_status(m), "too-long", "the peer's route set is too long");
    else if (unwanted || err != 0)
        end_at_once(a, sip_status(m), unwanted);
    else if (f->unroutable)
        give_up(a, EX_PROTOCOL, sip_status(m), "bad-response",
                "the Record-Route of the 200 cannot be used");
    else
        take_answer(a, f, m);
}

void invite_answered(struct sip_agent *a, const struct osip_message *m, const struct sip_hop *from)
{
    bool unwanted = a->state == SIP_ENDING;
    struct fork *f = fork_confirm(a, m, from);

    loop_cancel(a->loop, &a->answer_timer);
    loop_at(a->loop, &a->forks_timer, clock_ms() + 64 * a->config->t1, on_forks_over, a);
    choose(a, f, m, unwanted);
}

/* --- Repeated and forked 2xx. */

/* The session that we have is of no use and about to end: is this one better? */
static bool is_better(const struct sip_agent *a, const struct fork *f, const struct osip_message *m)
{
    struct sdp_view v = {.found = false};
    bool usable =
        a->open && a->state == SIP_ENDING && !f->unroutable && read_answer(a, f, m, &v).status == 0;

    sdp_view_free(&v);
    return usable;
}

static void answered_again(struct sip_agent *a, struct fork *f, const struct osip_message *m)
{
    if (!is_better(a, f, m)) {
        fork_end(a, f);
        bye_settled(a);
        return;
    }
    err_step("another one has answered, and can be used");
    fork_unchoose(a);
    agent_no_limit(a);
    a->open = false;
    a->failure.status = 0;
    a->fate.method = NULL;
    a->expires = 0;
    agent_enter(a, SIP_CALLING);
    choose(a, f, m, false);
}

static bool of_this_call(const struct sip_agent *a, const struct osip_message *m)
{
    const char *id = sip_header(m, "Call-ID", 0);

    return a->call.call_id != NULL && id != NULL && strcmp(id, a->call.call_id) == 0;
}

void invite_stray(void *arg, const struct osip_message *m, const struct sip_hop *from)
{
    struct sip_agent *a = arg;
    struct fork *f = fork_find(a, m);
    int64_t cseq = cseq_of(m);
    int code = sip_status(m);

    if (!of_this_call(a, m) || code < 200 || code > 299 || strcmp(sip_method(m), "INVITE") != 0)
        return;
    if (f != NULL && !f->early) {
        if (cseq == f->dialog.invite_cseq || (f == a->chosen && cseq == a->reinvite_cseq))
            dialog_ack(&f->dialog, &a->local, cseq);
        return;
    }
    f = cseq == a->call.cseq ? fork_confirm(a, m, from) : NULL;
    if (f != NULL)
        answered_again(a, f, m);
}
