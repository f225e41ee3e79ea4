/* One entry, and one session of it: its facts, its attempts, its journal. */
#include "status/page.h"

#include "base/clock.h"
#include "base/num.h"
#include "status/past.h"

#include <stdlib.h>
#include <string.h>

static unsigned no_entry(const struct status_request *r, FILE *f)
{
    return page_fail(r, f, 404, "There is no such entry",
                     "It was removed or purged, or its ID is not complete. Entries that were "
                     "delivered stay until cpm-queue purges them.");
}

/* --- Facts. */

static void open_row(struct page *p, const char *name)
{
    html_add(&p->h, "<div><dt>%s</dt><dd>", name);
}

static void close_row(struct page *p)
{
    html_add(&p->h, "</dd></div>\n");
}

static void time_row(struct page *p, const char *name, int64_t ms)
{
    if (ms <= 0)
        return;
    open_row(p, name);
    page_when(p, ms);
    html_add(&p->h, " <span class=\"note\">");
    if (ms <= p->now_ms) {
        page_age(p, ms);
        html_add(&p->h, " ago");
    } else {
        html_add(&p->h, "in ");
        page_duration(p, ms - p->now_ms);
    }
    html_add(&p->h, "</span>");
    close_row(p);
}

static void state_rows(struct page *p, const struct status_entry *e)
{
    open_row(p, "State");
    page_state(p, e);
    if (e->wish != WISH_NONE)
        html_add(&p->h, " <span class=\"note\">wished: %s</span>", queue_wish_names[e->wish]);
    if (e->fate != WHY_NONE)
        html_add(&p->h, " <span class=\"note\">given up: %s</span>", queue_why_names[e->fate]);
    close_row(p);
    open_row(p, e->state == STATUS_DELIVERING ? "Confirmed" : "Last result");
    if (e->state == STATUS_DELIVERING)
        page_progress(p, e);
    else
        page_why(p, e);
    close_row(p);
}

static void facts(struct page *p, const struct status_entry *e)
{
    html_add(&p->h, "<dl class=\"rows\">\n");
    state_rows(p, e);
    open_row(p, "To");
    if (*e->to && *e->recipient) {
        html_add(&p->h, "<a href=\"");
        page_filter(p, NULL, e->recipient, NULL);
        html_add(&p->h, "\"><bdi>%s</bdi></a>", e->to);
    } else {
        html_add(&p->h, "<bdi>%s</bdi>", *e->to ? e->to : "not known yet");
    }
    close_row(p);
    time_row(p, "Came", e->birth_ms);
    if (e->state == STATUS_WAITING && e->due_ms > 0) {
        open_row(p, "Next attempt");
        page_due(p, e->due_ms);
        close_row(p);
    }
    time_row(p, "Expires", e->expires_ms);
    open_row(p, "Attempts");
    html_add(&p->h, "%lld", (long long)e->attempts);
    close_row(p);
    if (e->total > 0) {
        open_row(p, "Size");
        page_size(p, e->total);
        close_row(p);
    }
    html_add(&p->h, "</dl>\n");
}

/* --- Attempts. */

static void attempt_link(struct page *p, const struct status_past *a)
{
    html_add(&p->h, "<a href=\"/session/");
    html_query(&p->h, p->r->id);
    html_add(&p->h, "?attempt=%lld\">%lld</a>", (long long)a->n, (long long)a->n);
}

static void attempt_row(struct page *p, const struct status_past *a)
{
    page_row(p);
    attempt_link(p, a);
    page_cell(p);
    page_when(p, a->started_ms);
    page_cell(p);
    page_result(p, a->status, a->code, a->why);
    page_cell(p);
    if (a->ended_ms > 0)
        page_duration(p, a->ended_ms - a->started_ms);
    page_cell(p);
    page_size(p, a->octets);
    page_row_end(p);
}

static void attempts(struct page *p, const struct status_history *past)
{
    static const struct page_column columns[] = {{"", "Attempt"},         {"", "Started (UTC)"},
                                                 {"", "Result"},          {"number minor", "Took"},
                                                 {"number", "Confirmed"}, {0}};
    page_section(p, "attempts", "Attempts");
    if (past->count == 0) {
        html_add(&p->h, "<p class=\"none\">No attempt was made yet.</p>\n");
    } else {
        page_table(p, "Attempts to deliver it, the newest first", columns, true);
        for (size_t i = past->count; i > 0; i--)
            attempt_row(p, &past->list[i - 1]);
        page_table_end(p);
    }
    if (past->left_out > 0)
        html_add(&p->h, "<p>%lld older ones are not shown.</p>\n", (long long)past->left_out);
    page_section_end(p);
}

/* --- The call as a picture. */

/* What is wrong with the journal is said where it is shown. A picture may be wider than the screen:
 * it is scrolled by itself, also with keys. */
static void picture(struct page *p, const struct status_history *past, const char *heading)
{
    struct ladder_svg how = {.id = "call", .in_page = true};
    page_section(p, "picture", heading);
    html_add(&p->h, "<div class=\"scroll\" role=\"region\" tabindex=\"0\" "
                    "aria-labelledby=\"picture\">\n");
    if (!p->h.error)
        p->h.error = ladder_svg(past->call, &how, &p->out);
    html_add(&p->h, "</div>\n");
    page_section_end(p);
}

/* --- The journal. */

struct journal_table {
    struct page *p;
    int64_t from_ms; /* times count from here; 0: they are shown as they are */
    char day[10];    /* of the line before */
};

/* The day where it is another one than that of the line before. */
static void line_time(struct journal_table *t, int64_t ms)
{
    char when[CLOCK_TEXT_SIZE], text[32];
    int64_t after = ms > t->from_ms ? ms - t->from_ms : 0;
    clock_text(when, ms);
    if (t->from_ms != 0)
        (void)snprintf(text, sizeof text, "+%lld.%03d", (long long)after / 1000,
                       (int)(after % 1000));
    else
        (void)snprintf(text, sizeof text, "%.10s %.12s", when, when + 11);
    bool same_day = t->from_ms == 0 && strncmp(t->day, when, sizeof t->day) == 0;
    memcpy(t->day, when, sizeof t->day);
    html_add(&t->p->h, "<time class=\"nowrap\" datetime=\"%s\" title=\"%s\">%s</time>", when, when,
             same_day ? text + sizeof t->day + 1 : text);
}

static void slice_text(struct page *p, struct slice s)
{
    char *text = slice_dup(s);
    html_add(&p->h, "%s", text);
    free(text);
}

static void on_line(void *arg, const struct line *l, struct slice none)
{
    struct journal_table *t = arg;
    struct html *h = &t->p->h;
    (void)none;
    page_row(t->p);
    line_time(t, l->wall_ms);
    page_cell(t->p);
    slice_text(t->p, l->event);
    page_cell(t->p);
    for (size_t i = 0; i < l->count; i++) {
        if (slice_is(l->pairs[i].key, "sid"))
            continue;
        html_add(h, "<span class=\"pair\"><b>");
        slice_text(t->p, l->pairs[i].key);
        html_add(h, "</b> <bdi>");
        slice_text(t->p, l->pairs[i].value);
        html_add(h, "</bdi></span> ");
    }
    page_cell(t->p);
    slice_text(t->p, l->program);
    page_row_end(t->p);
}

/* Of one attempt, or of all: `one` NULL. */
static void journal(struct page *p, const struct status_history *past,
                    const struct status_past *one)
{
    static const struct page_column columns[] = {
        {"", "Time"}, {"event", "Event"}, {"", "Values"}, {"by minor", "By"}, {0}};
    struct journal_table t = {.p = p, .from_ms = one ? one->started_ms : 0};
    page_section(p, "journal", "Journal");
    page_table(p,
               one ? "Lines of this attempt, in seconds from its start"
                   : "Lines of all attempts; times are UTC",
               columns, true);
    status_history_lines(past, on_line, &t);
    page_table_end(p);
    const char *hint;
    int status;
    if (past->error)
        html_add(&p->h, "<p>It cannot be read: %s.</p>\n",
                 journal_open_error(past->error, &hint, &status));
    if (past->lines_older > 0)
        html_add(&p->h, "<p>%llu older lines are not shown.</p>\n",
                 (unsigned long long)past->lines_older);
    page_section_end(p);
}

/* --- The pages. */

static enum page_mood mood_of(const struct status_entry *e)
{
    if (e->state == STATUS_DONE)
        return MOOD_GOOD;
    return e->state == STATUS_FAILED || e->error ? MOOD_BAD : e->abandoned ? MOOD_WARN : MOOD_NONE;
}

/* Of this attempt, or (0) of the entry. */
static void json_link(struct page *p, const char *route, int64_t attempt)
{
    html_add(&p->h, "<p><a href=\"%s", route);
    html_query(&p->h, p->r->id);
    if (attempt > 0)
        html_add(&p->h, "?attempt=%lld", (long long)attempt);
    html_add(&p->h, "\">This page as JSON</a></p>\n");
}

unsigned page_entry(const struct status_request *r, FILE *f)
{
    const struct status_entry *e = snapshot_entry(r->s, r->id);
    struct page p;
    if (!e)
        return no_entry(r, f);
    struct status_history *past = status_history_new(r->s, r->id, STATUS_EVERY);
    page_begin(&p, r, "Entry", e->id, mood_of(e), true);
    facts(&p, e);
    if (past->count > 0)
        picture(&p, past, "The last attempt");
    attempts(&p, past);
    journal(&p, past, NULL);
    json_link(&p, "/api/entry/", 0);
    status_history_free(past);
    return page_end(&p, 200, f);
}

/* Which of how many, with the way to the ones beside it. */
static void which(struct page *p, const struct status_entry *e, const struct status_past *a)
{
    open_row(p, "Attempt");
    html_add(&p->h, "%lld of %lld", (long long)a->n, (long long)e->attempts);
    for (int i = -1; i <= 1; i += 2) {
        int64_t n = a->n + i;
        if (n < 1 || n > e->attempts)
            continue;
        html_add(&p->h, " <a href=\"/session/");
        html_query(&p->h, p->r->id);
        html_add(&p->h, "?attempt=%lld\">%s</a>", (long long)n,
                 i < 0 ? "the one before" : "the next");
    }
    close_row(p);
}

static void session_facts(struct page *p, const struct status_entry *e, const struct status_past *a)
{
    bool is_now = e->state == STATUS_DELIVERING && strcmp(e->sid, a->sid) == 0;
    char rate[16];
    num_size_text(rate, e->rate);
    html_add(&p->h, "<dl class=\"rows\">\n");
    open_row(p, "Entry");
    page_entry_link(p, "/entry/", e->id, e->to);
    close_row(p);
    which(p, e, a);
    time_row(p, "Started", a->started_ms);
    if (is_now) {
        open_row(p, "Phase");
        html_add(&p->h, "%s", status_phase_names[e->phase]);
        close_row(p);
        open_row(p, "Rate");
        html_add(&p->h, "%s/s", rate);
        close_row(p);
        open_row(p, "Confirmed");
        page_progress(p, e);
    } else {
        time_row(p, "Ended", a->ended_ms);
        open_row(p, "Result");
        page_result(p, a->status, a->code, a->why);
        close_row(p);
        open_row(p, "Confirmed");
        page_size(p, a->octets);
    }
    close_row(p);
    html_add(&p->h, "</dl>\n");
}

unsigned page_session(const struct status_request *r, FILE *f)
{
    const struct status_entry *e = snapshot_entry(r->s, r->id);
    const struct status_past *a;
    struct page p;
    if (!e)
        return no_entry(r, f);
    struct status_history *past = status_history_asked(r->s, r->id, r->query, &a);
    if (!past)
        return page_fail(r, f, 404, "There is no such attempt",
                         "Look at the entry's own page for its attempts.");
    page_begin(&p, r, a ? "Session" : "No attempt yet of", e->id, MOOD_NONE, true);
    if (a) {
        session_facts(&p, e, a);
        picture(&p, past, "The call");
        journal(&p, past, a);
    } else {
        facts(&p, e);
    }
    json_link(&p, "/api/session/", a ? a->n : 0);
    status_history_free(past);
    return page_end(&p, 200, f);
}
