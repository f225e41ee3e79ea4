/* cpm-bye: decides the end of a delivery. It waits for the transfer's fate, asks for the BYE, and
 * gives the verdict on the whole pipeline as its exit status. Where cpm-invite is dead it ends the
 * session itself. */
#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/spawn.h"
#include "bin/options.h"
#include "sip/sip.h"
#include "stage/stage.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAST_WORD_MS 500

struct bye {
    struct loop *loop;
    struct sip_config sip;
    struct stage_options stage;
    const char *reason;
    bool cleanup;
    struct stage *s;
    struct sip_takeover *takeover;
    struct loop_timer next;
    int64_t waited; /* for the last word of cpm-msrp-serve, since then; 0: not yet */
    bool requested;
    bool taken_over; /* also when there was nothing to do */
    int signal;
};

/* --- The facts. */

/* Every octet is confirmed, or never will be. */
static bool media_over(struct bye *b, const struct journal *j)
{
    return journal_has(j, "msrp.transferred") || journal_has(j, "msrp.failed") ||
           stage_partner(b->s, ROLE_SERVE) == PARTNER_LOST;
}

static bool session_over(const struct journal *j)
{
    return journal_has(j, "bye.answered") || journal_has(j, "bye.failed") ||
           journal_has(j, "session.ended") || journal_has(j, "invite.failed");
}

/* Of a BYE or CANCEL that left, cpm-invite tells the fate right behind the failure that it was for.
 */
static bool fate_told(const struct bye *b, const struct journal *j)
{
    if (!journal_has(j, "invite.failed") || !journal_has(j, "bye.sent"))
        return true;
    return journal_has(j, "bye.answered") || journal_has(j, "bye.failed") ||
           stage_partner(b->s, ROLE_INVITE) != PARTNER_HERE;
}

static const char stage_gone[] = "stage gone";

/* The first failure decides. An INVITE that was cancelled was cancelled because of another one. */
static int verdict(const struct bye *b, const struct journal *j, const char **why)
{
    *why = NULL;
    if (journal_has(j, "msrp.transferred"))
        return EX_OK;
    *why = "signal";
    if (b->signal)
        return 128 + b->signal;
    const char *order = journal_get(j, "bye.request.why");
    *why = "timeout";
    if (!b->requested && order && strcmp(order, *why) == 0)
        return EX_TEMPFAIL;
    const char *invite_why = journal_get(j, "invite.failed.why");
    bool follows = invite_why &&
                   (strcmp(invite_why, "cancelled") == 0 || strcmp(invite_why, "msrp.failed") == 0);
    if (journal_has(j, "invite.failed") && !(follows && journal_has(j, "msrp.failed"))) {
        *why = journal_get(j, "invite.failed.reason");
        *why = *why ? *why : invite_why;
        return (int)journal_number(j, "invite.failed.status", EX_TEMPFAIL);
    }
    *why = journal_get(j, "msrp.failed.why");
    if (journal_has(j, "msrp.failed"))
        return (int)journal_number(j, "msrp.failed.status", EX_TEMPFAIL);
    *why = journal_has(j, "session.ended") ? "session ended" : stage_gone;
    return EX_TEMPFAIL;
}

/* --- The steps. */

static void conclude(struct bye *b)
{
    const char *why;
    int status = verdict(b, stage_journal(b->s), &why);
    loop_cancel(b->loop, &b->next);
    if (why == stage_gone && !b->stage.attempt) /* else cpm-deliver says which one */
        err_line(journal_path(stage_journal(b->s)), "a stage died and could not say why",
                 "try again");
    if (stage_outcome(b->s, status, why) != 0)
        err_step("the outcome could not be written"); /* said by the stage; 74 */
    stage_end(b->s, status);
}

static void request(struct bye *b)
{
    struct journal *j = stage_journal(b->s);
    struct line_out o;
    const char *why;
    if (b->requested || journal_has(j, "bye.request"))
        return;
    b->requested = true;
    line_begin(&o, "bye.request", stage_sid(b->s));
    line_free_text(&o, "why", slice_of(b->signal ? "signal" : b->reason));
    /* Where it cannot be written, our end tells cpm-invite that nobody is left to ask. */
    if (stage_emit(b->s, &o, STAGE_FACT) != 0)
        stage_end(b->s, verdict(b, j, &why));
}

static int emit(void *arg, struct line_out *o, bool durable)
{
    struct bye *b = arg;
    return stage_emit(b->s, o, durable ? STAGE_DURABLE : STAGE_FACT);
}

static void taken_over(void *arg)
{
    struct bye *b = arg;
    b->taken_over = true;
    conclude(b);
}

/* cpm-invite is dead and owes the peer an end: we take its byte and speak. */
static void take_over(struct bye *b)
{
    static const struct sip_takeover_ops ops = {emit, taken_over};
    struct journal *j = stage_journal(b->s);
    if (b->takeover || b->taken_over)
        return;
    if (journal_take_role(j, ROLE_INVITE) != 0)
        return; /* somebody holds it after all: look again */
    err_step("cpm-invite is gone: ending the session for it");
    int err = sip_takeover_start(&b->takeover, b->loop, &b->sip, j, &ops, b);
    if (err) {
        if (err != ENOENT)
            err_linef("BYE", NULL, "%s", strerror(err));
        taken_over(b);
    }
}

static void look(struct stage *s, void *arg);

static void on_next(void *arg)
{
    struct bye *b = arg;
    look(b->s, b);
}

/* cpm-msrp-serve says in a moment that it has nothing to send any more: the outcome stands behind
 * that, unless it is not there or cannot speak. */
static bool last_word_said(struct bye *b)
{
    if (stage_partner(b->s, ROLE_SERVE) != PARTNER_HERE)
        return true;
    if (b->waited == 0) {
        b->waited = clock_ms();
        loop_at(b->loop, &b->next, b->waited + LAST_WORD_MS, on_next, b);
    }
    return clock_ms() - b->waited >= LAST_WORD_MS;
}

static void look(struct stage *s, void *arg)
{
    struct bye *b = arg;
    struct journal *j = stage_journal(s);
    if (stage_over(s)) {
        stage_end(s, (int)journal_number(j, "outcome.status", EX_TEMPFAIL));
        return;
    }
    if (b->takeover)
        return;
    bool media = media_over(b, j);
    enum stage_partner invite = stage_partner(s, ROLE_INVITE);
    if (session_over(j)) {
        /* The peer's BYE may overtake its last response, which cpm-msrp-serve still reads. */
        if (fate_told(b, j) &&
            (media || b->signal || (journal_has(j, "invite.failed") && last_word_said(b))))
            conclude(b);
    } else if (invite != PARTNER_LOST) {
        if (media || b->signal)
            request(b);
    } else if (!media && stage_partner(s, ROLE_SERVE) == PARTNER_HERE) {
        err_step("waiting for cpm-msrp-serve"); /* it sees that too, and ends its chunk */
    } else if (journal_has(j, "invite.sent")) {
        take_over(b);
    } else {
        conclude(b);
    }
}

/* Nobody may have seen our byte yet. By this line our death is told from our not having come. */
static void joined(struct stage *s, void *arg)
{
    struct bye *b = arg;
    struct line_out o;
    b->s = s;
    line_begin(&o, "bye.waiting", stage_sid(s));
    if (stage_emit(s, &o, STAGE_FACT) != 0)
        err_step("that we are here could not be written"); /* said by the stage; 74 */
    look(s, b);
}

static void stop(struct stage *s, void *arg, int signal)
{
    struct bye *b = arg;
    b->signal = signal;
    look(s, b);
}

/* --- --cleanup: what a dead attempt left with the peer. No stage, no attempt. */

struct cleanup {
    struct loop *loop;
    struct journal *journal;
    bool unwritten; /* a line is not in the journal */
};

static int emit_alone(void *arg, struct line_out *o, bool durable)
{
    struct cleanup *c = arg;
    int err = journal_append(c->journal, o, durable, NULL);
    if (err && !c->unwritten)
        err_line(journal_path(c->journal), strerror(err), "make room, then try again");
    c->unwritten = c->unwritten || err != 0;
    return err;
}

static void cleanup_done(void *arg)
{
    struct cleanup *c = arg;
    loop_stop(c->loop);
}

static int end_left_over(struct bye *b, struct journal *j)
{
    static const struct sip_takeover_ops ops = {emit_alone, cleanup_done};
    struct cleanup c = {.loop = b->loop, .journal = j};
    bool grew;
    int err = journal_take_role(j, ROLE_BYE);
    if (!err)
        err = journal_take_role(j, ROLE_INVITE);
    if (err == EBUSY) {
        err_line(journal_path(j), "an attempt is under way", "wait for its end");
        return EX_TEMPFAIL;
    }
    if (!err)
        err = journal_read(j, &grew);
    if (!err && session_over(j))
        return EX_OK;
    if (!err)
        err = sip_takeover_start(&b->takeover, b->loop, &b->sip, j, &ops, &c);
    if (err == ENOENT)
        return EX_OK;
    if (err) {
        err_line(journal_path(j), strerror(err), NULL);
        return EX_OSERR;
    }
    loop_run(b->loop);
    return c.unwritten ? EX_IOERR : EX_OK;
}

static int cleanup(struct bye *b)
{
    struct journal *j;
    int status;
    const char *hint;
    if (!b->stage.session)
        err_die(EX_USAGE, "session file", "not given", "-s FILE");
    int err = journal_open(&j, b->stage.session, JOURNAL_UPDATE);
    if (err) {
        const char *why = journal_open_error(err, &hint, &status);
        err_line(b->stage.session, why, hint);
        return err == ENOENT ? EX_NOINPUT : status;
    }
    status = end_left_over(b, j);
    sip_takeover_free(b->takeover);
    journal_close(j);
    return status;
}

SPAWN_LOADABLE int main(int argc, char **argv)
{
    err_program("cpm-bye");
    struct bye b = {.sip = SIP_CONFIG_DEFAULT, .reason = "done"};
    static const struct stage_ops ops = {joined, look, stop};
#define STAGE_TO(field) &b.stage.field
#define TRACE_TO(field) &trace.field
#define SIP_TO(field)   &b.sip.field
    static const char *const known[] = OPTION_NAMES;
    const struct opt own[] = {
        {.name = "reason",
         .kind = OPT_TEXT,
         .arg = "TEXT",
         .help = "why, for the journal",
         .to = &b.reason},
        {.name = "cleanup",
         .kind = OPT_FLAG,
         .help = "end what a dead attempt left with the peer, and exit",
         .to = &b.cleanup,
         .where = OPT_COMMAND_LINE},
        {0},
    };
    struct trace_options trace = {0};
    const struct opt shown[] = {TRACE_OPTIONS(TRACE_TO){0}};
    const struct opt stage[] = {SESSION_OPTIONS(STAGE_TO) STAGE_OPTIONS(STAGE_TO){0}};
    const struct opt sip[] = {ADDRESS_OPTIONS(SIP_TO) SIP_OPTIONS(SIP_TO) DNS_OPTIONS(SIP_TO){0}};
    const struct opt *const tables[] = {own, stage, sip, shown, NULL};
    const char *const headings[] = {"The end", "The session", "SIP (for a dead cpm-invite)",
                                    "The trace"};
    const struct opt_program program = {
        .name = "cpm-bye",
        .usage = "-s FILE [options]",
        .about = "Decides the end of a delivery and gives the verdict on it.",
        .tables = tables,
        .headings = headings,
        .known = known,
        .after = "The exit status is 0 if the message was delivered, else the first failure's.\n"
                 "See cpm-bye(1).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    trace_open(&trace);
    if (operands.count > 0)
        err_die(EX_USAGE, operands.operands[0], "no operand is taken", "see cpm-bye --help");
    b.loop = loop_new();
    int status = b.cleanup ? cleanup(&b) : stage_run(b.loop, ROLE_BYE, &b.stage, &ops, &b);
    if (!b.cleanup)
        sip_takeover_free(b.takeover);
    loop_free(b.loop);
    trace_close();
    return status;
}
