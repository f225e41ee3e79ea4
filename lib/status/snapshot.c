#include "status/snapshot_int.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const status_state_names[] = {"waiting", "delivering", "held", "done", "failed"};
const char *const status_phase_names[] = {"inviting", "transferring", "ending"};

static struct snapshot *new_snapshot(const struct snapshot_options *o, const char *path)
{
    struct snapshot *s = mem_new(sizeof *s);
    s->options = *o;
    s->path = mem_dup(path);
    s->sum.queue = s->path;
    s->sum.since_ms = o->since_ms;
    status_histograms(s);
    return s;
}

int snapshot_open(struct snapshot **out, const char *queue, const struct snapshot_options *o)
{
    struct queue *q;
    int err = queue_look(&q, queue);
    if (err)
        return err;
    *out = new_snapshot(o, queue);
    (*out)->queue = q;
    return 0;
}

void snapshot_open_session(struct snapshot **out, const char *path,
                           const struct snapshot_options *o)
{
    *out = new_snapshot(o, path);
    (*out)->sum.is_session = true;
}

void status_item_free(struct snapshot *s, struct item *i)
{
    free(i->id);
    texts_drop(&s->texts, i->e.to);
    texts_drop(&s->texts, i->e.why);
}

void snapshot_close(struct snapshot *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < s->count; i++)
        status_item_free(s, &s->items[i]);
    for (size_t i = 0; i < s->attempt_count; i++) {
        free(s->attempts[i].id);
        free(s->attempts[i].to);
        free(s->attempts[i].why);
    }
    free(s->items);
    groups_free(&s->recipients, &s->texts);
    groups_free(&s->reasons, &s->texts);
    texts_free(&s->texts);
    free(s->path);
    queue_close(s->queue);
    free(s);
}

const struct status_summary *snapshot_summary(const struct snapshot *s)
{
    return &s->sum;
}

bool snapshot_health(const struct snapshot *s, char why[256])
{
    if (s->sum.error) {
        (void)snprintf(why, 256, "the queue cannot be read: %s", strerror(s->sum.error));
        return false;
    }
    int64_t late = s->sum.oldest_due_ms > 0 ? s->sum.now_ms - s->sum.oldest_due_ms : 0;
    if (s->options.stuck_after_ms > 0 && late > s->options.stuck_after_ms) {
        (void)snprintf(why, 256, "an entry is overdue for %lld s", (long long)late / 1000);
        return false;
    }
    (void)snprintf(why, 256, "ok");
    return true;
}

/* --- Entries. */

static bool of_recipient(const char *wanted, const struct status_entry *e)
{
    return !wanted || strcmp(wanted, e->recipient) == 0 || strcmp(wanted, e->to) == 0;
}

static bool of_reason(const char *wanted, const struct status_entry *e)
{
    int64_t status;
    if (!wanted)
        return true;
    if (e->status < 0)
        return false;
    if (num_int(wanted, 0, 255, &status) == 0)
        return e->status == status;
    return strstr(e->why, wanted) != NULL;
}

bool status_filter_takes(const struct status_filter *f, const struct status_entry *e)
{
    return (f->states == 0 || (f->states & 1U << e->state) != 0) && of_recipient(f->recipient, e) &&
           of_reason(f->reason, e);
}

void snapshot_entries(const struct snapshot *s, const struct status_filter *f,
                      status_entry_h *handler, void *arg, bool *more)
{
    size_t n = 0;
    *more = false;
    for (size_t i = 0; i < s->count; i++) {
        const struct status_entry *e = &s->items[i].e;
        if ((f->after && strcmp(e->id, f->after) <= 0) || !status_filter_takes(f, e))
            continue;
        if (n++ == f->limit) {
            *more = true;
            return;
        }
        handler(arg, e);
    }
}

static const struct item *find(const struct snapshot *s, const char *id)
{
    size_t low = 0, high = s->count;
    while (low < high) {
        size_t at = low + (high - low) / 2;
        int order = strcmp(s->items[at].e.id, id);
        if (order == 0)
            return &s->items[at];
        if (order < 0)
            low = at + 1;
        else
            high = at;
    }
    return NULL;
}

const struct status_entry *snapshot_entry(const struct snapshot *s, const char *id)
{
    const struct item *i = find(s, id);
    return i ? &i->e : NULL;
}

/* --- Groups. A kept text is one address. */

struct group_key status_recipient_key(const struct status_entry *e)
{
    struct group_key k = {0};
    memcpy(&k.a, e->recipient, sizeof k.a); /* its eight digits */
    return k;
}

struct group_key status_reason_key(const struct status_entry *e)
{
    return (struct group_key){(uintptr_t)e->why, (uint64_t)e->status << 16 | (uint64_t)e->code};
}

static void show_recipient(struct status_group *g, const struct group_key *k)
{
    memcpy(g->recipient, &k->a, sizeof k->a);
}

bool snapshot_recipients(const struct snapshot *s, size_t limit, status_group_h *handler, void *arg)
{
    return groups_each(&s->recipients, limit, show_recipient, handler, arg);
}

static void show_reason(struct status_group *g, const struct group_key *k)
{
    g->status = (int)(k->b >> 16);
    g->code = (int)(k->b & 0xffff);
}

bool snapshot_reasons(const struct snapshot *s, size_t limit, status_group_h *handler, void *arg)
{
    return groups_each(&s->reasons, limit, show_reason, handler, arg);
}

int snapshot_journal(struct snapshot *s, const char *id, journal_line_h *handler, void *arg)
{
    const struct item *i = find(s, id);
    struct glance from_start = {0};
    if (!i)
        return ENOENT;
    char *path = s->queue ? queue_path(s->queue, &i->name) : mem_dup(s->path);
    int err = journal_glance(path, &from_start, handler, arg);
    free(path);
    return err;
}

char *snapshot_clean(const struct snapshot *s, struct slice value)
{
    return status_clean(value, s->options.mask);
}

size_t snapshot_attempts(const struct snapshot *s, const struct status_attempt **first)
{
    *first = s->attempts;
    return s->attempt_count;
}
