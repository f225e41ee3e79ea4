/* Provisional responses (RFC 3261 13.2.2.1), and PRACK for those that are reliable (RFC 3262 4). */
#include "base/err.h"
#include "base/mem.h"
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <stdlib.h>

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    (void)arg;
    (void)c;
    (void)from;
    if (sip_status(m) >= 300)
        err_step("the PRACK was answered %d %s", sip_status(m), reason_of(m));
}

/* What becomes of the INVITE is the peer's to say. */
static void on_failed(void *arg, struct sip_client *c, int error)
{
    struct fork *f = arg;

    (void)c;
    err_step("the PRACK was not answered: %s", local_why(&f->agent->local, error));
}

static void send_prack(struct sip_agent *a, struct fork *f)
{
    static const struct sip_client_ops ops = {on_response, on_failed};
    struct dialog *d = &f->dialog;
    char *rack = mem_format("%lld %lld INVITE", (long long)f->rseq, (long long)d->invite_cseq);
    struct osip_message *m;

    d->cseq++;
    (void)emit_cseq(d->cseq, "PRACK", agent_sid(a), agent_emit_f, a); /* the PRACK is owed anyway */
    m = dialog_request(d, a->config, "PRACK", d->cseq);
    if (m != NULL)
        (void)sip_header_add(m, "RAck", rack);
    free(rack);
    (void)dialog_send(d, &a->voice, m, &ops, f);
}

/* An answer may come in a provisional response: it counts if that is reliable, and then it is the
 * one; else it is only what a 200 without a description is taken to mean. */
static void keep_answer(struct fork *f, const struct osip_message *m, bool reliable)
{
    struct slice body;

    if (f->sdp_counts || !body_of(m, "application/sdp", &body))
        return;
    buf_clear(&f->sdp);
    if (buf_add_slice(&f->sdp, body) == 0)
        f->sdp_counts = reliable;
}

/* False: a repetition, or one whose predecessor is missing; those are not looked at. */
static bool take_reliably(struct sip_agent *a, struct fork *f, const struct osip_message *m)
{
    int64_t rseq = header_number(m, "RSeq", 0);
    bool reliable = rseq > 0 && header_lists(m, "Require", "100rel");

    if (reliable && f->rseq >= 0 && rseq != f->rseq + 1) {
        err_step("%d with RSeq %lld after %lld: left out", sip_status(m), (long long)rseq,
                 (long long)f->rseq);
        return false;
    }
    keep_answer(f, m, reliable);
    if (reliable) {
        f->rseq = rseq;
        send_prack(a, f);
    }
    return true;
}

void progress_emit(struct sip_agent *a, const struct osip_message *m)
{
    struct line_out o;

    line_begin(&o, "invite.progress", agent_sid(a));
    line_number(&o, "code", sip_status(m));
    line_free_text(&o, "reason", slice_of(reason_of(m)));
    line_text(&o, "to-tag", sip_status(m) < 200 ? tag_of(m, true) : NULL);
    agent_remark(a, &o);
}

void invite_progressed(struct sip_agent *a, const struct osip_message *m,
                       const struct sip_hop *from)
{
    const char *tag = sip_status(m) > 100 ? tag_of(m, true) : NULL;
    bool known = tag == NULL || fork_find(a, m) != NULL;
    struct fork *f = tag != NULL ? fork_early(a, m, from) : NULL;

    a->provisional = true;
    if (a->state == SIP_ENDING)
        agent_cancel(a);
    if (f != NULL && f->early && !take_reliably(a, f, m))
        return;
    if (sip_status(m) == a->progress_code && known)
        return;
    a->progress_code = sip_status(m);
    progress_emit(a, m);
}
