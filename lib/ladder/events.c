/* What each event of a journal draws (cpm-session(5)). */
#include "base/mem.h"
#include "base/num.h"
#include "ladder/ladder_int.h"

#include <stdlib.h>
#include <string.h>

struct scene {
    struct ladder *l;
    struct ladder_attempt *a;
    const struct line *line;
};

static void note(struct scene *s, enum ladder_mood mood, const char *template)
{
    char *label = words_fill(s->l, template, s->line);
    (void)attempt_add(s->a, STEP_NOTE, mood, s->line->wall_ms, label);
}

/* Without anybody at the other end (an event that comes before its time) it is a note. */
static void arrow(struct scene *s, size_t from, size_t to, enum ladder_mood mood, char *label)
{
    enum ladder_kind kind = from == to ? STEP_NOTE : STEP_ARROW;
    struct ladder_step *step = attempt_add(s->a, kind, mood, s->line->wall_ms, label);
    step->from = from;
    step->to = to;
}

static void to_peer(struct scene *s, const char *template)
{
    arrow(s, 0, s->a->peer, MOOD_PLAIN, words_fill(s->l, template, s->line));
}

static void to_us(struct scene *s, enum ladder_mood mood, const char *template)
{
    arrow(s, s->a->peer, 0, mood, words_fill(s->l, template, s->line));
}

static uint64_t number(const struct line *line, const char *key)
{
    uint64_t v = 0;
    return slice_number(line_get(line, key), UINT64_MAX, &v) ? v : 0;
}

static bool has(const struct line *line, const char *key)
{
    return line_get(line, key).n > 0;
}

static bool is(const struct line *line, const char *key, const char *value)
{
    return slice_is(line_get(line, key), value);
}

/* --- The INVITE. */

static void on_sent(struct scene *s)
{
    struct ladder_attempt *a = s->a;
    char *local = words_fill(s->l, "{via}", s->line);
    char *host = words_fill(s->l, "{next-hop}", s->line);
    char *uri = words_fill(s->l, "{uri}", s->line);
    if (a->asked && !a->answered)
        (void)attempt_add(a, STEP_NOTE, MOOD_BAD, s->line->wall_ms,
                          mem_format("no answer from %s", a->lifelines[a->hop].host));
    lifelines_forget_tags(a);
    a->hop = lifeline_of_host(a, mem_dup(host),
                              words_fill(s->l, "SIP[ over {^transport}]", s->line), false);
    a->peer = a->hop;
    a->asked = true;
    a->answered = false;
    free(a->lifelines[0].detail);
    a->lifelines[0].detail = local;
    if (strcmp(a->lifelines[a->hop].host, host) != 0) /* it has no lifeline of its own */
        arrow(s, 0, a->hop, MOOD_PLAIN, mem_format("INVITE (%s)", host));
    else if (s->l->to && strcmp(uri, s->l->to) != 0)
        arrow(s, 0, a->hop, MOOD_PLAIN, mem_format("INVITE %s", uri));
    else
        arrow(s, 0, a->hop, MOOD_PLAIN, mem_dup("INVITE"));
    free(host);
    free(uri);
}

static void choose_dialog(struct scene *s, const char *key)
{
    if (s->a->hop > 0 && has(s->line, key))
        s->a->peer = lifeline_of_tag(s->a, s->a->hop, words_value(s->l, line_get(s->line, key)));
}

static void on_progress(struct scene *s)
{
    struct ladder_attempt *a = s->a;
    uint64_t code = number(s->line, "code");
    bool met = code < 400 || code == 401 || code == 407 || code == 422; /* by another INVITE */
    a->peer = a->hop;
    if (code >= 300 && code < 700)
        a->answered = a->codes_drawn[code] = true;
    else
        choose_dialog(s, "to-tag");
    to_us(s, met ? MOOD_PLAIN : MOOD_BAD, "{code}[ {reason}]");
}

static void on_confirmed(struct scene *s)
{
    choose_dialog(s, "remote-tag");
}

static void on_answered(struct scene *s)
{
    s->a->answered = true;
    to_us(s, MOOD_GOOD, "{code} with the answer");
    to_peer(s, "ACK");
}

/* For the outcome, which need not tell it again. */
static void told(struct ladder_attempt *a, const struct line *line, const char *key)
{
    free(a->why);
    free(a->code);
    a->why = slice_dup(line_get(line, key));
    a->code = NULL;
}

/* The verdict may be a response that was drawn before: then the last INVITE did not bring it. */
static void on_failed(struct scene *s)
{
    struct ladder_attempt *a = s->a;
    uint64_t code = number(s->line, "code");
    bool drawn = code < 300 || code >= 700 || a->codes_drawn[code] || !a->asked || a->answered;
    a->answered = a->refused = true;
    told(a, s->line, code ? "reason" : "why");
    a->code = code ? words_fill(s->l, "{code}", s->line) : NULL;
    if (drawn) {
        note(s, MOOD_BAD, code ? "no call: {code}[ {reason}]" : "no call[: {why}][, {detail}]");
    } else {
        a->peer = a->hop;
        to_us(s, MOOD_BAD, "{code}[ {reason}]");
    }
    if (code && has(s->line, "detail"))
        note(s, MOOD_FAINT, "{detail}");
    if (has(s->line, "retry-after"))
        note(s, MOOD_FAINT, "come again in {#retry-after} s");
}

/* --- The dialog. */

static void on_cseq(struct scene *s)
{
    if (is(s->line, "method", "PRACK"))
        to_peer(s, "{method}");
    else if (!is(s->line, "method", "BYE")) /* which has its bye.sent */
        to_peer(s, "{method} (session timer)");
}

static void on_refreshed(struct scene *s)
{
    to_us(s, MOOD_PLAIN,
          is(s->line, "by", "us") ? "refreshed[ for {#session-expires} s]"
                                  : "{method} (session timer[, {#session-expires} s])");
}

static void on_session_ended(struct scene *s)
{
    enum ladder_mood mood = s->a->transferred ? MOOD_PLAIN : MOOD_BAD;
    if (is(s->line, "by", "peer"))
        to_us(s, mood, "BYE[ ({why})]");
    else
        note(s, mood, "the session ended[: {why}]");
}

static void on_bye_request(struct scene *s)
{
    bool first = !s->a->to_end; /* more than one program may ask for it */
    s->a->to_end = true;
    if (first && !s->a->transferred && !is(s->line, "why", "done"))
        note(s, MOOD_FAINT, "to be ended[: {why}]");
}

static void on_bye_sent(struct scene *s)
{
    to_peer(s, "{method}");
}

static void on_bye_answered(struct scene *s)
{
    if (has(s->line, "code"))
        to_us(s, number(s->line, "code") < 300 ? MOOD_PLAIN : MOOD_BAD, "{code}[ {reason}]");
}

static void on_bye_failed(struct scene *s)
{
    if (has(s->line, "code"))
        to_us(s, MOOD_BAD, "{code}[ {reason}]");
    else
        note(s, MOOD_BAD, "no answer to the {method}[: {why}]");
}

/* --- The transfer. */

static void on_listening(struct scene *s)
{
    s->a->octets = number(s->line, "octets");
    note(s, MOOD_FAINT, "listening[ at {@path}], {#octets} octets to send");
}

static void on_connected(struct scene *s)
{
    struct ladder_attempt *a = s->a;
    char *peer = words_fill(s->l, "{peer}", s->line);
    bool dialled = is(s->line, "role", "active");
    a->media = lifeline_of_host(a, peer, words_fill(s->l, "MSRP[ over {tls}]", s->line), true);
    arrow(s, dialled ? 0 : a->media, dialled ? a->media : 0, MOOD_PLAIN,
          mem_dup("MSRP connection"));
}

static void bar(struct scene *s, enum ladder_mood mood, uint64_t total, char *label)
{
    attempt_drop_bar(s->a);
    struct ladder_step *step = attempt_add(s->a, STEP_BAR, mood, s->line->wall_ms, label);
    step->to = s->a->media;
    step->octets = number(s->line, "octets");
    step->total = total > step->octets ? total : step->octets;
}

static void on_transfer(struct scene *s)
{
    uint64_t octets = number(s->line, "octets"), total = number(s->line, "total");
    uint64_t rate = number(s->line, "rate");
    char all[27], speed[16];
    if (s->a->media == 0)
        return;
    num_group_text(all, total);
    num_size_text(speed, rate);
    double part = total > octets ? (double)octets / (double)total : 1;
    bar(s, MOOD_PLAIN, total,
        mem_format("%d %% of %s octets%s%s%s", (int)(part * 100), all, rate ? ", " : "",
                   rate ? speed : "", rate ? "/s" : ""));
}

static void on_transferred(struct scene *s)
{
    const char *said = is(s->line, "chunks", "1")
                           ? "{#octets} octets in one SEND[, {#ms} ms]"
                           : "{#octets} octets[ in {chunks} SENDs][, {#ms} ms]";
    s->a->transferred = true;
    if (s->a->media > 0)
        bar(s, MOOD_GOOD, 0, words_fill(s->l, said, s->line));
    else
        note(s, MOOD_GOOD, "{#octets} octets transferred");
    if (has(s->line, "report") && !is(s->line, "report", "none"))
        note(s, MOOD_FAINT, "success report: {report}");
}

static void on_not_transferred(struct scene *s)
{
    if (s->a->media > 0)
        bar(s, MOOD_BAD, s->a->octets, words_fill(s->l, "[{#octets} octets confirmed]", s->line));
    if (s->a->refused) /* which was drawn */
        return;
    note(s, MOOD_BAD, "not transferred[: {code}][ {reason}][: {why}]");
    told(s->a, s->line, "why");
}

static void on_imdn(struct scene *s)
{
    bool msrp = slice_is(s->line->program, "cpm-msrp-serve") && s->a->media > 0;
    arrow(s, msrp ? s->a->media : s->a->peer, 0, MOOD_PLAIN,
          words_fill(s->l, "notification[: {status}]", s->line));
}

/* --- The end, and what the queue does. */

/* What was said before is not said again, but for the response that refused the call. */
static void on_outcome(struct scene *s)
{
    struct ladder_attempt *a = s->a;
    bool said = a->why && is(s->line, "why", a->why);
    bool later = is(s->line, "status", "75");
    const char *code = said && a->code ? a->code : "";
    char *why = words_fill(s->l, said && !a->code ? "" : "[{why}]", s->line);
    char *rest = words_fill(s->l, later ? "; try again (75)" : " ({status})", s->line);
    a->ended = true;
    if (is(s->line, "status", "0"))
        note(s, MOOD_GOOD, "delivered");
    else
        (void)attempt_add(a, STEP_NOTE, MOOD_BAD, s->line->wall_ms,
                          mem_format("not delivered%s%s%s%s%s", *why ? ": " : "", code,
                                     *code ? " " : "", why, rest));
    free(why);
    free(rest);
}

static const struct event {
    const char *name;
    void (*draw)(struct scene *s);
    const char *note; /* instead */
} events[] = {
    {"msrp.listening", on_listening, NULL},
    {"learnt", NULL,
     "learnt: [{#window} octets at once without an answer]"
     "[a=setup:{setup} in the next offer]"},
    {"invite.sent", on_sent, NULL},
    {"invite.progress", on_progress, NULL},
    {"dialog.confirmed", on_confirmed, NULL},
    {"invite.answered", on_answered, NULL},
    {"invite.failed", on_failed, NULL},
    {"dialog.cseq", on_cseq, NULL},
    {"dialog.refreshed", on_refreshed, NULL},
    {"session.ended", on_session_ended, NULL},
    {"msrp.connected", on_connected, NULL},
    {"msrp.progress", on_transfer, NULL},
    {"msrp.transferred", on_transferred, NULL},
    {"msrp.failed", on_not_transferred, NULL},
    {"bye.request", on_bye_request, NULL},
    {"bye.sent", on_bye_sent, NULL},
    {"bye.answered", on_bye_answered, NULL},
    {"bye.failed", on_bye_failed, NULL},
    {"imdn.received", on_imdn, NULL},
    {"outcome", on_outcome, NULL},
    {"queue.wish", NULL, "asked to {do}"},
    {"queue.failed", NULL, "given up[: {why}]"},
    {"notify.done", NULL, "the failure was reported"},
    {"notify.failed", NULL, "the failure could not be reported (status {status})"},
};

static void remember(struct ladder *l, const struct line *line, const char *key, char **to)
{
    if (!has(line, key))
        return;
    free(*to);
    *to = words_value(l, line_get(line, key));
}

void ladder_line(void *ladder, const struct line *line, struct slice text)
{
    struct scene s = {.l = ladder, .line = line};
    (void)text;
    if (line->wall_ms == 0)
        return; /* no fact */
    if (slice_is(line->event, "entry")) {
        remember(s.l, line, "from", &s.l->from);
        remember(s.l, line, "to", &s.l->to);
    }
    if (slice_is(line->event, "attempt.start"))
        attempt_begin(s.l, line);
    s.a = attempt_of(s.l, line->sid);
    for (size_t i = 0; s.a && i < sizeof events / sizeof *events; i++) {
        if (!slice_is(line->event, events[i].name))
            continue;
        if (events[i].draw)
            events[i].draw(&s);
        else
            note(&s, MOOD_FAINT, events[i].note);
    }
}
