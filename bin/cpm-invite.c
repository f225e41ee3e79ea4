/* cpm-invite: the SIP side of a delivery. It sends the INVITE with the offer that cpm-msrp-serve
 * made, keeps the dialog alive, and ends it when cpm-bye asks for that. */
#include "base/clock.h"
#include "base/err.h"
#include "base/opt.h"
#include "base/rand.h"
#include "base/spawn.h"
#include "bin/options.h"
#include "sip/sip.h"
#include "stage/stage.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define HURRY_MS      4000 /* for an end that others wait for */
#define STOP_MS       3500 /* the same after a signal, of the 5 s that a stage has */
#define STOP_MEDIA_MS 1000
#define ORPHAN_MS     1000 /* of the 2 s in which the others end when one was killed */
#define SIGNALLED     128  /* a status from here on is that of a signal */
#define NOBODY_MS     2000 /* for a cpm-bye that starts late, where nothing was ever sent */

struct program {
    struct loop *loop;
    struct sip_config sip;
    struct stage_options stage;
    struct stage *s;
    struct sip_agent *agent;
    struct loop_timer wake;
    int64_t media_over; /* when it was first seen; 0: not yet */
    int64_t call_over;
    int64_t stopped;  /* when the order to stop came: a signal, or cpm-bye's death */
    int64_t orphaned; /* when cpm-bye was first seen dead */
    bool done;
    char conversation[128], contribution[128];
};

static void look(struct stage *s, void *arg);

static void on_wake(void *arg)
{
    struct program *p = arg;
    if (!p->done)
        look(p->s, p);
}

/* Has this time come? If not, look again then. */
static bool due(struct program *p, int64_t when)
{
    if (clock_ms() >= when)
        return true;
    if (p->wake.place == 0 || p->wake.due > when)
        loop_at(p->loop, &p->wake, when, on_wake, p);
    return false;
}

static int emit(void *arg, struct line_out *o, bool durable)
{
    struct program *p = arg;
    return stage_emit(p->s, o, durable ? STAGE_DURABLE : STAGE_FACT);
}

/* --- The facts. */

static bool media_over(struct program *p)
{
    const struct journal *j = stage_journal(p->s);
    bool over = journal_has(j, "msrp.transferred") || journal_has(j, "msrp.failed") ||
                stage_partner(p->s, ROLE_SERVE) == PARTNER_LOST;
    if (over && p->media_over == 0)
        p->media_over = clock_ms();
    return over;
}

/* Nobody asks for the end, or waits for it: cpm-bye died, or will not come. One that was never seen
 * may still be started by hand, --start-timeout after there was something to do for it. */
static bool bye_lost(struct program *p, int64_t since)
{
    if (stage_partner(p->s, ROLE_BYE) != PARTNER_LOST)
        return false;
    if (stage_in_pipeline(p->s) || journal_life(stage_journal(p->s), ROLE_BYE) != LIFE_ABSENT)
        return true;
    int64_t patience = p->stage.start_timeout_ms;
    return due(p, since + (patience != 0 ? patience : STAGE_START_TIMEOUT_MS));
}

/* --- Before the INVITE. */

static void refuse(struct program *p, int status, const char *what, const char *why,
                   const char *hint, const char *word)
{
    struct sip_fault f = {.status = status, .hint = hint};
    (void)snprintf(f.what, sizeof f.what, "%s", what);
    (void)snprintf(f.why, sizeof f.why, "%s", why);
    sip_agent_refuse(p->agent, &f, word);
}

static bool bind_entry(struct program *p, const char *key, const char *option, const char *value)
{
    const char *bound = NULL;
    int err = stage_bind(p->s, key, value, &bound);
    if (err == EEXIST)
        refuse(p, EX_USAGE, option, "the session file belongs to another one",
               "use a session file for each message and recipient", "bound");
    else if (err)
        refuse(p, err == EMSGSIZE ? EX_USAGE : EX_IOERR, option, strerror(err), NULL, "bound");
    return err == 0;
}

/* The ids are the same in all attempts. */
static bool bind_id(struct program *p, const char *key, const char *option, const char **value,
                    char *own, size_t size)
{
    char name[32];
    (void)snprintf(name, sizeof name, "entry.%s", key);
    const char *known = journal_get(stage_journal(p->s), name);
    if (known && strlen(known) < size)
        (void)snprintf(own, size, "%s", known);
    else
        rand_uuid(own);
    if (!*value)
        *value = own; /* a text of the fold would live only until the next read */
    return bind_entry(p, key, option, *value);
}

static bool from_is_right(struct program *p, const struct journal *j)
{
    const char *from = journal_get(j, "msrp.listening.cpim-from");
    bool check = !p->sip.from_check || strcmp(p->sip.from_check, "no") != 0;
    if (!check || (from && sip_same_originator(from, p->sip.from)))
        return true;
    refuse(p, EX_DATAERR, from ? from : "CPIM From",
           "the message is not from the originator (--from)", "see --from-check", "from");
    return false;
}

/* The last value wins: a wrong originator of an attempt before this one binds nobody. */
static bool note_originator(struct program *p)
{
    struct line_out o;
    const char *known = journal_get(stage_journal(p->s), "entry.from");
    if (known && strcmp(known, p->sip.from) == 0)
        return true;
    line_begin(&o, "entry", stage_sid(p->s));
    line_text(&o, "from", p->sip.from);
    int err = stage_emit(p->s, &o, STAGE_FACT);
    if (err)
        refuse(p, err == EMSGSIZE ? EX_USAGE : EX_IOERR, "--from", strerror(err), NULL, "bound");
    return err == 0;
}

static void look_before(struct program *p)
{
    struct journal *j = stage_journal(p->s);
    /* Asked first, as it reads the file: why a stage is gone may be its last line. */
    enum stage_partner serve = stage_partner(p->s, ROLE_SERVE);
    if (journal_has(j, "msrp.failed"))
        refuse(p, (int)journal_number(j, "msrp.failed.status", EX_TEMPFAIL), "", "", NULL,
               "msrp.failed");
    else if (journal_has(j, "bye.request") || p->stopped != 0)
        sip_agent_end(p->agent, "asked for", 0);
    else if (serve == PARTNER_LOST)
        refuse(p, EX_TEMPFAIL, "cpm-msrp-serve", "did not come, or died", "start it too",
               "no-media");
    else if (journal_has(j, "msrp.listening") && from_is_right(p, j) && note_originator(p))
        sip_agent_invite(p->agent);
}

/* --- During the call. */

/* Whoever is left waits for us: a signal came to one of us, the time is up, or one was killed. */
static bool in_haste(struct program *p)
{
    struct journal *j = stage_journal(p->s);
    const char *why = journal_get(j, "bye.request.why");
    bool failed = journal_has(j, "msrp.failed");
    return (why && (strcmp(why, "signal") == 0 || strcmp(why, "timeout") == 0)) ||
           journal_number(j, "msrp.failed.status", 0) >= SIGNALLED ||
           (!failed && stage_partner(p->s, ROLE_SERVE) == PARTNER_LOST) ||
           stage_partner(p->s, ROLE_BYE) == PARTNER_LOST;
}

/* An order to stop, from outside or by ourselves: the others see it in the file. */
static void order_stop(struct program *p, const char *why)
{
    struct line_out o;
    p->stopped = clock_ms();
    if (journal_has(stage_journal(p->s), "bye.request"))
        return;
    line_begin(&o, "bye.request", stage_sid(p->s));
    line_text(&o, "why", why);
    if (stage_emit(p->s, &o, STAGE_FACT) != 0)
        err_step("the others could not be told to stop");
}

/* What is nearly done may be finished without cpm-bye, but not for long. */
static bool orphaned(struct program *p)
{
    if (journal_life(stage_journal(p->s), ROLE_BYE) != LIFE_GONE)
        return false;
    if (p->orphaned == 0)
        p->orphaned = clock_ms();
    return due(p, p->orphaned + ORPHAN_MS);
}

static void look_during(struct program *p)
{
    struct journal *j = stage_journal(p->s);
    bool over = media_over(p);
    if (p->stopped == 0 && !over && orphaned(p))
        order_stop(p, "cpm-bye is gone");
    if (p->stopped != 0) {
        if (over || sip_agent_state(p->agent) != SIP_TALKING || due(p, p->stopped + STOP_MEDIA_MS))
            sip_agent_end(p->agent, "told to stop", STOP_MS);
    } else if (journal_has(j, "bye.request")) {
        sip_agent_end(p->agent, "asked for", in_haste(p) ? HURRY_MS : 0);
    } else if (stage_over(p->s) || (over && bye_lost(p, p->media_over))) {
        sip_agent_end(p->agent, "nobody is left to ask", HURRY_MS);
    }
}

/* --- After it. */

/* cpm-bye may start late and shall still find the attempt. */
static bool awaited(struct program *p)
{
    struct journal *j = stage_journal(p->s);
    if (stage_over(p->s) || stage_is_mute(p->s))
        return false;
    if (stage_partner(p->s, ROLE_BYE) == PARTNER_HERE)
        return true;
    if (p->stopped != 0)
        return false;
    if (!journal_has(j, "invite.sent"))
        return stage_partner(p->s, ROLE_BYE) == PARTNER_COMING && !stage_in_pipeline(p->s) &&
               !due(p, p->call_over + NOBODY_MS);
    return !bye_lost(p, p->call_over);
}

/* A call that was cancelled because the media failed ends with the status of that. */
static int status_of(struct program *p)
{
    int status = sip_agent_status(p->agent);
    return status == EX_TEMPFAIL
               ? (int)journal_number(stage_journal(p->s), "msrp.failed.status", status)
               : status;
}

static void look_after(struct program *p)
{
    if (p->call_over == 0)
        p->call_over = clock_ms();
    if (awaited(p) || sip_agent_owes(p->agent))
        return;
    p->done = true;
    stage_end(p->s, status_of(p));
}

static void look(struct stage *s, void *arg)
{
    struct program *p = arg;
    (void)s;
    if (sip_agent_state(p->agent) == SIP_IDLE)
        look_before(p);
    else if (sip_agent_state(p->agent) != SIP_ENDED)
        look_during(p);
    else
        look_after(p);
}

static void changed(void *arg)
{
    on_wake(arg);
}

/* --- The stage. */

static void joined(struct stage *s, void *arg)
{
    static const struct sip_ops ops = {emit, changed};
    struct program *p = arg;
    struct sip_fault f;
    p->s = s;
    int err = sip_agent_new(&p->agent, p->loop, &p->sip, stage_journal(s), &ops, p);
    if (err) {
        err_line("SIP", strerror(err), NULL);
        p->done = true;
        stage_end(s, EX_OSERR);
        return;
    }
    if (sip_config_check(&p->sip, true, &f) != 0)
        sip_agent_refuse(p->agent, &f, "usage");
    else if (bind_entry(p, "to", "--to", p->sip.to) &&
             bind_id(p, "conversation", "--conversation-id", &p->sip.conversation_id,
                     p->conversation, sizeof p->conversation) &&
             bind_id(p, "contribution", "--contribution-id", &p->sip.contribution_id,
                     p->contribution, sizeof p->contribution))
        look(s, p);
}

static void stop(struct stage *s, void *arg, int signal)
{
    struct program *p = arg;
    (void)signal;
    order_stop(p, "signal");
    look(s, p);
}

static void take_options(struct program *p, int argc, char **argv)
{
#define STAGE_TO(field) &p->stage.field
#define TRACE_TO(field) &trace.field
#define SIP_TO(field)   &p->sip.field
    static const char *const known[] = OPTION_NAMES;
    static const char *const headings[] = {"The session", "SIP", "The trace"};
    struct trace_options trace = {0};
    const struct opt shown[] = {TRACE_OPTIONS(TRACE_TO){0}};
    const struct opt stage[] = {SESSION_OPTIONS(STAGE_TO) STAGE_OPTIONS(STAGE_TO){0}};
    const struct opt sip[] = {ADDRESS_OPTIONS(SIP_TO) SIP_OPTIONS(SIP_TO) DNS_OPTIONS(SIP_TO){0}};
    const struct opt *const tables[] = {stage, sip, shown, NULL};
    const struct opt_program program = {
        .name = "cpm-invite",
        .usage = "-s FILE --from URI --to URI [options]",
        .about = "Sets up the session of a delivery by SIP, keeps it alive and ends it.",
        .tables = tables,
        .headings = headings,
        .known = known,
        .after = "The exit status is 0 if the session was set up and ended in order.\n"
                 "See cpm-invite(1).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    trace_open(&trace);
    if (operands.count > 0)
        err_die(EX_USAGE, operands.operands[0], "no operand is taken", "see cpm-invite --help");
}

SPAWN_LOADABLE int main(int argc, char **argv)
{
    static const struct stage_ops ops = {joined, look, stop};
    struct program p = {.sip = SIP_CONFIG_DEFAULT};
    err_program("cpm-invite");
    take_options(&p, argc, argv);
    p.loop = loop_new();
    int status = stage_run(p.loop, ROLE_INVITE, &p.stage, &ops, &p);
    sip_agent_free(p.agent);
    loop_free(p.loop);
    trace_close();
    return status;
}
