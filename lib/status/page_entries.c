/* Entries as a list, and the pages that are no page. */
#include "status/page.h"

#include <stdlib.h>

#define LIST_LIMIT 100

unsigned page_fail(const struct status_request *r, FILE *f, unsigned status, const char *what,
                   const char *hint)
{
    struct page p;
    page_begin(&p, r, what, "", MOOD_NONE, false);
    html_add(&p.h, "<p>%s</p>\n<p><a href=\"/\">To the overview</a></p>\n", hint);
    return page_end(&p, status, f);
}

unsigned page_not_found(const struct status_request *r, FILE *f)
{
    return page_fail(r, f, 404, "There is no such page",
                     "Look at the overview, or at what cpm-status(1) says of its pages.");
}

/* --- The list. */

struct list {
    struct page *p;
    char *last; /* its ID */
    size_t count;
};

static void on_entry(void *arg, const struct status_entry *e)
{
    struct list *l = arg;
    struct page *p = l->p;
    page_row(p);
    page_entry_link(p, "/entry/", e->id, e->to);
    page_cell(p);
    page_state(p, e);
    page_wait_cells(p, e);
    page_row_end(p);
    free(l->last);
    l->last = slice_dup(slice_of(e->id));
    l->count++;
}

/* Each choice keeps what else was asked for. */
static void choices(struct page *p, const struct status_wanted *w)
{
    html_add(&p->h, "<nav aria-label=\"States\"><ul class=\"choices\">");
    for (int i = -1; i < STATUS_STATES; i++) {
        const char *state = i < 0 ? NULL : status_state_names[i];
        bool is_it = i < 0 ? !w->state : w->filter.states == 1U << i;
        html_add(&p->h, "<li><a href=\"");
        page_filter(p, state, w->recipient, w->reason);
        html_add(&p->h, "\"");
        if (is_it)
            html_add(&p->h, " aria-current=\"page\"");
        html_add(&p->h, ">%s</a></li>", state ? state : "all");
    }
    html_add(&p->h, "</ul></nav>\n");
    if (!w->recipient && !w->reason)
        return;
    html_add(&p->h, "<p>Only");
    if (w->recipient)
        html_add(&p->h, " to <bdi class=\"name\">%.120s</bdi>", w->recipient);
    if (w->reason)
        html_add(&p->h, " with the reason <bdi class=\"name\">%.160s</bdi>", w->reason);
    html_add(&p->h, ". <a href=\"");
    page_filter(p, w->state, NULL, NULL);
    html_add(&p->h, "\">Show all</a></p>\n");
}

static void list_of(struct page *p, const struct status_wanted *w)
{
    static const struct page_column columns[] = {{"", "Entry"},
                                                 {"", "State"},
                                                 {"", "Age"},
                                                 {"", "Last result"},
                                                 {"number minor", "Attempts"},
                                                 {"minor nowrap", "Next attempt"},
                                                 {0}};
    struct list l = {.p = p};
    bool more;
    html_add(&p->h, "<div class=\"panel\">\n");
    page_table(p, "Entries, in the order of their IDs", columns, true);
    snapshot_entries(p->r->s, &w->filter, on_entry, &l, &more);
    page_table_end(p);
    if (l.count == 0)
        html_add(&p->h, "<p class=\"none\">There are none.</p>\n");
    if (more) {
        html_add(&p->h, "<p><a rel=\"next\" href=\"");
        page_filter(p, w->state, w->recipient, w->reason);
        html_add(&p->h, "%safter=", w->state || w->recipient || w->reason ? "&" : "?");
        html_query(&p->h, l.last);
        html_add(&p->h, "\">The next %d</a></p>\n", LIST_LIMIT);
    }
    html_add(&p->h, "</div>\n");
    free(l.last);
}

unsigned page_entries(const struct status_request *r, FILE *f)
{
    struct status_wanted w;
    struct page p;
    unsigned status = 200;
    if (status_wanted_read(&w, r->query, LIST_LIMIT)) {
        page_begin(&p, r, "Entries", w.state ? w.state : "", MOOD_NONE, true);
        choices(&p, &w);
        list_of(&p, &w);
        status = page_end(&p, status, f);
    } else {
        status = page_fail(r, f, 400, "There is no such state",
                           "States are waiting, delivering, held, done and failed.");
    }
    status_wanted_free(&w);
    return status;
}
