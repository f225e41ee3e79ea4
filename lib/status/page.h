/* What the pages are made of. Private to the room. */
#ifndef STATUS_PAGE_H
#define STATUS_PAGE_H

#include "base/html.h"
#include "status/answer_int.h"

/* Of a table; one without a name ends the list. The class "minor" hides a column on narrow screens,
 * "number" sets it to the right. */
struct page_column {
    const char *classes, *name;
};

struct page {
    struct html h; /* the first member: html_add(&p->h, ...) */
    struct buf out;
    const struct status_request *r;
    int64_t now_ms;                    /* of the snapshot */
    const struct page_column *columns; /* of the table that is open */
    size_t column;                     /* the cell that is open */
};

enum page_mood { MOOD_GOOD, MOOD_WARN, MOOD_BAD, MOOD_NONE };
extern const char *const page_moods[]; /* names of classes */

/* Down to the h1. With `refreshes` the page may be asked to come again by itself (refresh=SECONDS),
 * which is offered beside a link that does it by hand. `name` is shown beside the title. */
void page_begin(struct page *p, const struct status_request *r, const char *title, const char *name,
                enum page_mood mood, bool refreshes);
/* Writes it, and frees what it holds. Gives `status`, or 503. */
unsigned page_end(struct page *p, unsigned status, FILE *f);

/* A section with its heading, around what follows; `id` is of the heading. */
void page_section(struct page *p, const char *id, const char *heading);
void page_section_end(struct page *p);

/* A table with its caption and headings of columns, and its rows: page_row opens the first cell,
 * which is the row's heading, page_cell the next. With more words than numbers (`cards`) the rows
 * become cards on narrow screens. */
void page_table(struct page *p, const char *caption, const struct page_column *columns, bool cards);
void page_row(struct page *p);
void page_cell(struct page *p);
void page_row_end(struct page *p);
void page_table_end(struct page *p);

/* Values, without a cell around them. Times 0: a dash. */
void page_age(struct page *p, int64_t ms);  /* "3 h 12 min", with the moment behind it */
void page_due(struct page *p, int64_t ms);  /* "in 5 min", "3 min overdue" */
void page_when(struct page *p, int64_t ms); /* "2026-11-22 10:00:00" */
void page_duration(struct page *p, int64_t ms);
void page_size(struct page *p, uint64_t octets);
void page_state(struct page *p, const struct status_entry *e);
void page_progress(struct page *p, const struct status_entry *e);
void page_result(struct page *p, int status, int code, const char *why); /* of an attempt */
void page_why(struct page *p, const struct status_entry *e); /* it is not delivered, or how it is */
/* Cells of a row: how old it is, why it is here, how often it was tried, when it is tried again. */
void page_wait_cells(struct page *p, const struct status_entry *e);
/* Links: the recipient's address with the ID below; `route` is "/entry/" or "/session/". */
void page_entry_link(struct page *p, const char *route, const char *id, const char *to);
void page_filter(struct page *p, const char *state, const char *recipient, const char *reason);

bool page_is_late(int64_t due_ms, int64_t now_ms); /* more than a runner needs to take it */

/* The top of the overview. */
enum page_mood page_mood_of(const struct snapshot *s);
void page_health(struct page *p, enum page_mood mood);

/* What cannot be shown, and a hint, as a page. */
unsigned page_fail(const struct status_request *r, FILE *f, unsigned status, const char *what,
                   const char *hint);

#endif
