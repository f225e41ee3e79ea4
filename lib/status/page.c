/* The overview: is something stuck, what, and why? */
#include "status/page.h"

#include "base/num.h"

#include <stdlib.h>
#include <string.h>

#define URGENT   8
#define SESSIONS 8
#define ROWS     12
#define ATTEMPTS 20

/* Of the entries that wait, those to look at first: what is overdue, then what came first, then
 * what cannot be told. */
struct urgent {
    struct status_entry list[URGENT];
    size_t count;
    int64_t now_ms;
};

static bool take(struct urgent *u, const struct status_entry *e)
{
    if (u->count < URGENT)
        u->list[u->count++] = *e;
    return u->count < URGENT;
}

static bool on_due(void *arg, const struct status_entry *e)
{
    struct urgent *u = arg;
    return page_is_late(e->due_ms, u->now_ms) && take(u, e);
}

static bool on_age(void *arg, const struct status_entry *e)
{
    struct urgent *u = arg;
    return page_is_late(e->due_ms, u->now_ms) || take(u, e);
}

static bool on_ageless(void *arg, const struct status_entry *e)
{
    struct urgent *u = arg;
    return e->birth_ms > 0 || page_is_late(e->due_ms, u->now_ms) || take(u, e);
}

static void find_urgent(const struct snapshot *s, struct urgent *u)
{
    snapshot_first(s, STATUS_BY_DUE, on_due, u);
    if (u->count < URGENT)
        snapshot_first(s, STATUS_BY_AGE, on_age, u);
    if (u->count < URGENT)
        snapshot_first(s, STATUS_BY_DUE, on_ageless, u);
}

/* --- By state. */

static void states(struct page *p)
{
    const struct status_summary *sum = snapshot_summary(p->r->s);
    page_section(p, "states", "By state");
    html_add(&p->h, "<ul class=\"tiles\">\n");
    for (int i = 0; i < STATUS_STATES; i++) {
        html_add(&p->h, "<li class=\"%s\"><a href=\"", status_state_names[i]);
        page_filter(p, status_state_names[i], NULL, NULL);
        html_add(&p->h, "\"><strong>%llu</strong> %s</a></li>\n",
                 (unsigned long long)sum->entries[i], status_state_names[i]);
    }
    html_add(&p->h, "</ul>\n");
    page_section_end(p);
}

/* --- What waits. */

static void waiting_row(struct page *p, const struct status_entry *e)
{
    page_row(p);
    page_entry_link(p, "/entry/", e->id, e->to);
    page_wait_cells(p, e);
    page_row_end(p);
}

static void waiting(struct page *p)
{
    struct urgent u = {.now_ms = p->now_ms};
    static const struct page_column columns[] = {{"", "Entry"},
                                                 {"", "Waits for"},
                                                 {"", "Why"},
                                                 {"number minor", "Attempts"},
                                                 {"nowrap", "Next attempt"},
                                                 {0}};
    find_urgent(p->r->s, &u);
    page_section(p, "waiting", "Waiting");
    if (u.count == 0) {
        html_add(&p->h, "<p class=\"none\">No message waits.</p>\n");
    } else {
        page_table(p, "Waiting messages: what is overdue, then the oldest", columns, true);
        for (size_t i = 0; i < u.count; i++)
            waiting_row(p, &u.list[i]);
        page_table_end(p);
    }
    page_section_end(p);
}

/* --- Sessions. */

/* How long it will take at the rate of its last figure; 0: not known. */
static int64_t left_of(const struct status_entry *e, int64_t now_ms)
{
    if (e->rate == 0 || e->octets >= e->total)
        return 0;
    uint64_t s = (e->total - e->octets) / e->rate;
    return s < INT32_MAX ? (int64_t)s * 1000 - (now_ms - e->progress_ms) : 0;
}

static void on_session(void *arg, const struct status_entry *e)
{
    struct page *p = arg;
    char rate[16];
    num_size_text(rate, e->rate);
    page_row(p);
    page_entry_link(p, "/session/", e->id, e->to);
    page_cell(p);
    html_add(&p->h, "%s", status_phase_names[e->phase]);
    page_cell(p);
    page_progress(p, e);
    page_cell(p);
    if (e->rate > 0)
        html_add(&p->h, "<span class=\"nowrap\">%s/s</span>", rate);
    page_cell(p);
    int64_t left_ms = left_of(e, p->now_ms);
    if (left_ms > 0)
        page_duration(p, left_ms);
    page_cell(p);
    page_age(p, e->started_ms);
    page_row_end(p);
}

static void sessions(struct page *p)
{
    uint64_t n = snapshot_summary(p->r->s)->entries[STATUS_DELIVERING];
    static const struct page_column columns[] = {{"", "Session"},
                                                 {"minor nowrap", "Phase"},
                                                 {"", "Confirmed"},
                                                 {"number", "Rate"},
                                                 {"number minor", "Left"},
                                                 {"number minor", "Since"},
                                                 {0}};
    struct status_filter f = {.states = 1U << STATUS_DELIVERING, .limit = SESSIONS};
    bool more;
    page_section(p, "sessions", "Sessions under way");
    if (n == 0) {
        html_add(&p->h, "<p class=\"none\">No delivery is under way.</p>\n");
    } else {
        page_table(p, "Deliveries that are under way now", columns, true);
        snapshot_entries(p->r->s, &f, on_session, p, &more);
        page_table_end(p);
        if (more) {
            html_add(&p->h, "<p><a href=\"");
            page_filter(p, status_state_names[STATUS_DELIVERING], NULL, NULL);
            html_add(&p->h, "\">All %llu of them</a></p>\n", (unsigned long long)n);
        }
    }
    page_section_end(p);
}

/* --- By reason, by recipient. */

static void count_cell(struct page *p, uint64_t n)
{
    page_cell(p);
    if (n > 0)
        html_add(&p->h, "%llu", (unsigned long long)n);
    else
        html_add(&p->h, "<span class=\"soft\">0</span>");
}

struct rows { /* a table that begins with its first row */
    struct page *p;
    const char *caption;
    const struct page_column *columns;
    size_t count;
};

static struct page *next_row(struct rows *r)
{
    if (r->count++ == 0)
        page_table(r->p, r->caption, r->columns, false);
    return r->p;
}

static void end_rows(const struct rows *r, bool more, const char *path)
{
    if (r->count > 0)
        page_table_end(r->p);
    else
        html_add(&r->p->h, "<p class=\"none\">There is nothing.</p>\n");
    if (more)
        html_add(&r->p->h, "<p>There are more: <a href=\"%s\">JSON</a></p>\n", path);
    page_section_end(r->p);
}

/* What is done with is of no interest, unless something else is there too. */
static bool is_open(const struct status_group *g)
{
    return g->entries[STATUS_WAITING] + g->entries[STATUS_DELIVERING] + g->entries[STATUS_HELD] +
               g->entries[STATUS_FAILED] >
           0;
}

static void on_reason(void *arg, const struct status_group *g)
{
    char status[16];
    if (!is_open(g))
        return;
    struct page *p = next_row(arg);
    (void)snprintf(status, sizeof status, "%d", g->status);
    page_row(p);
    html_add(&p->h, "<a href=\"");
    page_filter(p, NULL, NULL, *g->text ? g->text : status);
    html_add(&p->h, "\">");
    page_result(p, g->status, g->code, g->text);
    html_add(&p->h, "</a>");
    count_cell(p, g->entries[STATUS_WAITING]);
    count_cell(p, g->entries[STATUS_HELD]);
    count_cell(p, g->entries[STATUS_FAILED]);
    page_row_end(p);
}

static void reasons(struct page *p)
{
    static const struct page_column columns[] = {
        {"", "Reason"}, {"number", "Waiting"}, {"number", "Held"}, {"number", "Failed"}, {0}};
    page_section(p, "reasons", "By reason");
    struct rows rows = {p, "Why attempts failed, the most frequent first", columns, 0};
    bool more = snapshot_reasons(p->r->s, ROWS, on_reason, &rows);
    end_rows(&rows, more, "/api/reasons");
}

static void on_recipient(void *arg, const struct status_group *g)
{
    if (!is_open(g))
        return;
    struct page *p = next_row(arg);
    page_row(p);
    html_add(&p->h, "<a href=\"");
    page_filter(p, NULL, g->recipient, NULL);
    html_add(&p->h, "\"><bdi>%.120s</bdi></a>", *g->text ? g->text : g->recipient);
    count_cell(p, g->entries[STATUS_WAITING]);
    count_cell(p, g->entries[STATUS_DELIVERING]);
    count_cell(p, g->entries[STATUS_HELD]);
    count_cell(p, g->entries[STATUS_FAILED]);
    count_cell(p, g->entries[STATUS_DONE]);
    page_row_end(p);
}

static void recipients(struct page *p)
{
    static const struct page_column columns[] = {{"", "Recipient"},
                                                 {"number", "Waiting"},
                                                 {"number minor", "Delivering"},
                                                 {"number", "Held"},
                                                 {"number", "Failed"},
                                                 {"number minor", "Done"},
                                                 {0}};
    page_section(p, "recipients", "By recipient");
    struct rows rows = {p, "Recipients, those with the most undelivered entries first", columns, 0};
    bool more = snapshot_recipients(p->r->s, ROWS, on_recipient, &rows);
    end_rows(&rows, more, "/api/recipients");
}

/* --- Recent attempts. */

static void attempt_row(struct page *p, const struct status_attempt *a)
{
    page_row(p);
    page_entry_link(p, "/entry/", a->id, a->to);
    page_cell(p);
    page_age(p, a->ended_ms);
    html_add(&p->h, " ago");
    page_cell(p);
    page_result(p, a->status, a->code, a->why);
    page_cell(p);
    page_duration(p, a->ended_ms - a->started_ms);
    page_cell(p);
    page_size(p, a->octets);
    page_row_end(p);
}

static void attempts(struct page *p)
{
    static const struct page_column columns[] = {{"", "Entry"},
                                                 {"", "Ended"},
                                                 {"", "Result"},
                                                 {"number minor", "Took"},
                                                 {"number minor", "Confirmed"},
                                                 {0}};
    const struct status_attempt *a;
    size_t n = snapshot_attempts(p->r->s, &a);
    page_section(p, "attempts", "Recent attempts");
    if (n == 0) {
        html_add(&p->h, "<p class=\"none\">No attempt has ended yet.</p>\n");
    } else {
        page_table(p, "Attempts that have ended, the newest first", columns, true);
        for (size_t i = 0; i < n && i < ATTEMPTS; i++)
            attempt_row(p, &a[i]);
        page_table_end(p);
    }
    page_section_end(p);
}

static void on_only(void *arg, const struct status_entry *e)
{
    struct status_request *r = arg;
    r->id = e->id;
}

/* A session file is one entry. */
static unsigned page_only(const struct status_request *r, FILE *f)
{
    struct status_filter all = {.limit = 1};
    struct status_request only = *r;
    bool more;
    snapshot_entries(r->s, &all, on_only, &only, &more);
    return page_entry(&only, f);
}

unsigned page_overview(const struct status_request *r, FILE *f)
{
    struct page p;
    const struct status_summary *sum = snapshot_summary(r->s);
    if (sum->is_session)
        return page_only(r, f);
    char *name = snapshot_clean(r->s, slice_of(sum->queue));
    enum page_mood mood = page_mood_of(r->s);
    page_begin(&p, r, "Queue", name, mood, true);
    page_health(&p, mood);
    states(&p);
    sessions(&p);
    waiting(&p);
    html_add(&p.h, "<div class=\"beside\">\n");
    reasons(&p);
    recipients(&p);
    html_add(&p.h, "</div>\n");
    attempts(&p);
    free(name);
    return page_end(&p, 200, f);
}
