/* How values look on a page. */
#include "status/page.h"

#include "base/clock.h"
#include "base/num.h"

#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 400 /* octets */
#define LATE_MS   60000

static void dash(struct page *p)
{
    html_add(&p->h, "<span class=\"soft\">\xe2\x80\x93</span>");
}

/* --- Times. */

static void open_time(struct page *p, int64_t ms)
{
    char when[CLOCK_TEXT_SIZE];
    clock_text(when, ms);
    html_add(&p->h, "<time datetime=\"%s\" title=\"%s\">", when, when);
}

void page_duration(struct page *p, int64_t ms)
{
    char text[24];
    num_duration_text(text, ms);
    html_add(&p->h, "<span class=\"nowrap\">%s</span>", text);
}

void page_when(struct page *p, int64_t ms)
{
    char when[CLOCK_TEXT_SIZE];
    if (ms <= 0) {
        dash(p);
        return;
    }
    open_time(p, ms);
    clock_text(when, ms);
    when[10] = when[19] = '\0'; /* the T, and the milliseconds */
    html_add(&p->h, "<span class=\"nowrap\">%s</span> %s</time>", when, when + 11);
}

void page_age(struct page *p, int64_t ms)
{
    if (ms <= 0) {
        dash(p);
        return;
    }
    open_time(p, ms);
    page_duration(p, p->now_ms - ms);
    html_add(&p->h, "</time>");
}

bool page_is_late(int64_t due_ms, int64_t now_ms)
{
    return due_ms > 0 && now_ms - due_ms > LATE_MS;
}

void page_due(struct page *p, int64_t ms)
{
    if (ms <= 0) {
        dash(p);
        return;
    }
    open_time(p, ms);
    if (ms > p->now_ms) {
        html_add(&p->h, "in ");
        page_duration(p, ms - p->now_ms);
    } else {
        html_add(&p->h, "<span class=\"%s\">", page_is_late(ms, p->now_ms) ? "late" : "");
        page_duration(p, p->now_ms - ms);
        html_add(&p->h, " overdue</span>");
    }
    html_add(&p->h, "</time>");
}

/* --- Sizes. */

void page_size(struct page *p, uint64_t octets)
{
    char text[16];
    num_size_text(text, octets);
    html_add(&p->h, "<span class=\"nowrap\">%s</span>", text);
}

#define RECENT_MS 5000

/* In the long run a journal has a figure a minute: its age belongs to it. */
void page_progress(struct page *p, const struct status_entry *e)
{
    uint64_t done = e->octets < e->total ? e->octets : e->total;
    if (e->total == 0) {
        dash(p);
        return;
    }
    html_add(&p->h, "<progress value=\"%llu\" max=\"%llu\" aria-label=\"confirmed\"></progress> ",
             (unsigned long long)done, (unsigned long long)e->total);
    html_add(&p->h, "<span class=\"nowrap\">%d%% of ",
             (int)((double)done / (double)e->total * 100));
    page_size(p, e->total);
    html_add(&p->h, "</span>");
    if (e->progress_ms > 0 && p->now_ms - e->progress_ms >= RECENT_MS) {
        html_add(&p->h, " <span class=\"note\">");
        page_age(p, e->progress_ms);
        html_add(&p->h, " ago</span>");
    }
}

/* --- States and results. */

void page_state(struct page *p, const struct status_entry *e)
{
    const char *class = status_state_names[e->state];
    const char *name = class;
    if (e->error) {
        class = "failed";
        name = "unreadable";
    } else if (e->abandoned) {
        class = "failed";
        name = "abandoned";
    }
    html_add(&p->h, "<span class=\"badge %s\">%s</span>", class, name);
}

/* cpm-deliver(1) has the whole table. */
static const char *meaning_of(int status)
{
    static const char *const meanings[] = {
        [64] = ": wrong use",
        [65] = ": no sound message",
        [66] = ": no such input",
        [69] = ": refused for good",
        [70] = ": an internal error",
        [71] = ": the system refused something",
        [74] = ": reading or writing failed",
        [75] = ": not now",
        [76] = ": the recipient broke the protocol",
        [77] = ": not allowed",
        [78] = ": wrong configuration",
    };
    bool is_known = status >= 0 && (size_t)status < sizeof meanings / sizeof *meanings;
    return is_known && meanings[status] ? meanings[status] : "";
}

/* "480 Temporarily Unavailable" and where there are no words the exit status. */
static void words(struct page *p, int status, int code, const char *why)
{
    if (code > 0)
        html_add(&p->h, "%d ", code);
    if (*why)
        html_add(&p->h, "<bdi>%.160s</bdi>", why);
    else if (code == 0)
        html_add(&p->h, "exit status %d%s", status, meaning_of(status));
}

void page_result(struct page *p, int status, int code, const char *why)
{
    if (status < 0) {
        html_add(&p->h, "<span class=\"soft\">no end yet</span>");
    } else if (status == 0) {
        html_add(&p->h, "<span class=\"badge done\">delivered</span>");
        if (*why)
            html_add(&p->h, " <bdi>%.160s</bdi>", why);
    } else {
        words(p, status, code, why);
    }
}

void page_why(struct page *p, const struct status_entry *e)
{
    const char *hint;
    int status;
    if (e->error)
        html_add(&p->h, "cannot be read: %s", journal_open_error(e->error, &hint, &status));
    else if (e->abandoned)
        html_add(&p->h, "the processes of its last attempt died");
    else if (e->attempts == 0)
        html_add(&p->h, "<span class=\"soft\">no attempt yet</span>");
    else
        page_result(p, e->status, e->code, e->why);
}

void page_wait_cells(struct page *p, const struct status_entry *e)
{
    page_cell(p);
    page_age(p, e->birth_ms);
    page_cell(p);
    page_why(p, e);
    page_cell(p);
    html_add(&p->h, "%lld", (long long)e->attempts);
    page_cell(p);
    page_due(p, e->state == STATUS_WAITING ? e->due_ms : 0);
}

/* --- Links. */

void page_entry_link(struct page *p, const char *route, const char *id, const char *to)
{
    char first[QUEUE_RECIPIENT_SIZE + 1] = ""; /* with the dash */
    html_add(&p->h, "<a class=\"entry\" href=\"%s", route);
    html_query(&p->h, id);
    html_add(&p->h, "\">");
    if (*to)
        html_add(&p->h, "<bdi>%.120s</bdi> ", to);
    if (queue_is_id(id))
        memcpy(first, id, sizeof first - 1);
    html_add(&p->h, "<span class=\"id\">%s<wbr>%s</span></a>", first, id + strlen(first));
}

/* A long value is cut: a link has to stay one, and what is looked for is a part of it. */
static void parameter(struct page *p, const char **before, const char *name, const char *value)
{
    if (!value)
        return;
    char *part = slice_dup((struct slice){value, strnlen(value, VALUE_MAX)});
    html_add(&p->h, "%s%s=", *before, name);
    html_query(&p->h, part);
    *before = "&";
    free(part);
}

void page_filter(struct page *p, const char *state, const char *recipient, const char *reason)
{
    const char *before = "?";
    html_add(&p->h, "/entries");
    parameter(p, &before, "state", state);
    parameter(p, &before, "recipient", recipient);
    parameter(p, &before, "reason", reason);
}
