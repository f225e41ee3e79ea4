/* An entry: its journal and what the queue has written there. */
#include "queue/queue_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *const queue_wish_names[] = {"none", "hold", "remove", "retry", "release", "expire"};
const char *const queue_why_names[] = {"", "refused", "expired"};

/* The place of a word in its list, 0 when it is not there. */
static unsigned place_of(const char *const *names, unsigned count, struct slice word)
{
    for (unsigned i = 1; i < count; i++) {
        if (slice_is(word, names[i]))
            return i;
    }
    return 0;
}

/* A new attempt fulfils these, and makes the end of the last one history. */
static void begin_attempt(struct queue_facts *f)
{
    f->attempts++;
    f->outcome_ms = 0;
    f->why = WHY_NONE;
    f->notified = false;
    f->not_notified = 0;
    if (f->wish == WISH_RETRY || f->wish == WISH_RELEASE)
        f->wish = WISH_NONE;
}

static void take_wish(struct queue_facts *f, enum queue_wish wish)
{
    f->wish = wish;
    if (wish == WISH_RETRY || wish == WISH_RELEASE) {
        f->why = WHY_NONE; /* it is no longer given up */
        f->notified = false;
        f->not_notified = 0;
    }
}

static void on_line(void *arg, const struct line *l, struct slice text)
{
    struct queue_entry *e = arg;
    struct queue_facts *f = &e->facts;
    (void)text;
    f->newest_ms = l->wall_ms;
    if (slice_is(l->event, "attempt.start")) {
        begin_attempt(f);
    } else if (slice_is(l->event, "queue.wish")) {
        take_wish(f,
                  (enum queue_wish)place_of(queue_wish_names, WISH_EXPIRE + 1, line_get(l, "do")));
    } else if (slice_is(l->event, "queue.failed")) {
        f->why = (enum queue_why)place_of(queue_why_names, WHY_EXPIRED + 1, line_get(l, "why"));
    } else if (slice_is(l->event, "notify.done")) {
        f->notified = true;
    } else if (slice_is(l->event, "notify.failed")) {
        f->not_notified++;
    } else if (slice_is(l->event, "outcome") && slice_is(l->sid, journal_sid(e->journal)) &&
               f->outcome_ms == 0) {
        f->outcome_ms = l->wall_ms;
    }
}

int queue_entry_open(struct queue *q, const struct queue_name *n, enum journal_mode mode,
                     struct queue_entry **out)
{
    struct queue_entry *e = mem_new(sizeof *e);
    bool grew;
    e->q = q;
    e->name = *n;
    e->path = queue_path(q, n);
    int err = journal_open(&e->journal, e->path, mode);
    if (!err) {
        journal_on_line(e->journal, on_line, e);
        err = journal_read(e->journal, &grew);
    }
    if (err)
        queue_entry_close(e);
    else
        *out = e;
    return err;
}

void queue_entry_close(struct queue_entry *e)
{
    if (!e)
        return;
    journal_close(e->journal);
    free(e->path);
    free(e);
}

const char *queue_entry_get(const struct queue_entry *e, const char *key)
{
    const char *value = journal_get(e->journal, key);
    return value ? value : "";
}

int64_t queue_entry_time(const struct queue_entry *e, const char *key)
{
    int64_t ms;
    const char *text = queue_entry_get(e, key);
    return clock_parse(text, strlen(text), &ms) == 0 ? ms : 0;
}

static int note(struct queue_entry *e, struct line_out *o, bool durable)
{
    bool grew;
    int err = journal_append(e->journal, o, durable, NULL);
    return err ? err : journal_read(e->journal, &grew);
}

static void begin_line(struct queue_entry *e, struct line_out *o, const char *event)
{
    const char *sid = journal_sid(e->journal);
    line_begin(o, event, *sid ? sid : NULL);
}

int queue_wish(struct queue_entry *e, enum queue_wish wish)
{
    struct line_out o;
    begin_line(e, &o, "queue.wish");
    line_text(&o, "do", queue_wish_names[wish]);
    return note(e, &o, true);
}

int queue_note_why(struct queue_entry *e, enum queue_why why)
{
    struct line_out o;
    begin_line(e, &o, "queue.failed");
    line_text(&o, "why", queue_why_names[why]);
    return note(e, &o, false);
}

int queue_note_notified(struct queue_entry *e, int status)
{
    struct line_out o;
    begin_line(e, &o, status == 0 ? "notify.done" : "notify.failed");
    line_number(&o, "status", status);
    return note(e, &o, status == 0);
}
