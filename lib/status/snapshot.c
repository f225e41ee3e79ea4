#include "status/snapshot_int.h"

#include "base/mem.h"
#include "base/num.h"
#include "base/rand.h"
#include "journal/clean.h"

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
    s->notices = -1;
    s->ranks = rand_up_to(UINT32_MAX - 1) + 1;
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

void snapshot_close(struct snapshot *s)
{
    if (!s)
        return;
    names_deaf(s);
    scan_stop(s);
    if (s->loop)
        loop_cancel(s->loop, &s->next);
    for (size_t i = 0; i < s->attempt_count; i++) {
        free(s->attempts[i].id);
        free(s->attempts[i].to);
        free(s->attempts[i].why);
    }
    items_free(s);
    free(s->scan.folders);
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

static bool takes(const struct status_filter *f, const struct status_entry *e)
{
    return (f->states == 0 || (f->states & 1U << e->state) != 0) && of_recipient(f->recipient, e) &&
           of_reason(f->reason, e);
}

struct page {
    const struct status_filter *filter;
    status_entry_h *handler;
    void *arg;
    size_t n;
};

/* False: there is one more than there may be. */
static bool on_item(void *arg, struct item *i)
{
    struct page *p = arg;
    if (!i->counted || !takes(p->filter, &i->e))
        return true;
    if (p->n++ == p->filter->limit)
        return false;
    p->handler(p->arg, &i->e);
    return true;
}

static int by_id(const void *a, const void *b)
{
    return strcmp((*(struct item *const *)a)->id, (*(struct item *const *)b)->id);
}

/* Those under way are few among many, and known. */
static bool visit_delivering(const struct snapshot *s, const char *after, struct page *p)
{
    const struct items *l = &s->lists[LIST_DELIVERING];
    bool more = false;
    struct item **v = mem_grow(NULL, l->n, sizeof(struct item *));
    if (l->n > 0)
        memcpy(v, l->v, l->n * sizeof(struct item *));
    qsort(v, l->n, sizeof *v, by_id);
    for (size_t i = 0; i < l->n && !more; i++)
        more = strcmp(v[i]->id, after) > 0 && !on_item(p, v[i]);
    free(v);
    return !more;
}

void snapshot_entries(const struct snapshot *s, const struct status_filter *f,
                      status_entry_h *handler, void *arg, bool *more)
{
    struct page p = {f, handler, arg, 0};
    const char *after = f->after ? f->after : "";
    if (s->session)
        *more = strcmp(s->session->e.id, after) > 0 && !on_item(&p, s->session);
    else if (f->states == 1U << STATUS_DELIVERING)
        *more = !visit_delivering(s, after, &p);
    else
        *more = !tree_visit(s->items, after, on_item, &p);
}

struct first {
    status_first_h *handler;
    void *arg;
};

static bool on_first(void *arg, struct item *i)
{
    struct first *f = arg;
    return i->e.state != STATUS_WAITING || f->handler(f->arg, &i->e);
}

void snapshot_first(const struct snapshot *s, enum status_order order, status_first_h *handler,
                    void *arg)
{
    struct first f = {handler, arg};
    list_visit(s, order == STATUS_BY_DUE ? LIST_DUE : LIST_BIRTH, on_first, &f);
}

static const struct item *find(const struct snapshot *s, const char *id)
{
    const struct item *i = s->session ? s->session : tree_find(s->items, id);
    return i && i->counted && strcmp(i->e.id, id) == 0 ? i : NULL;
}

const struct status_entry *snapshot_entry(const struct snapshot *s, const char *id)
{
    const struct item *i = find(s, id);
    return i ? &i->e : NULL;
}

/* --- Groups. */

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
    struct queue_name n;
    if (!i)
        return ENOENT;
    item_name(i, &n);
    char *path = s->queue ? queue_path(s->queue, &n) : mem_dup(s->path);
    int err = journal_glance(path, &from_start, handler, arg);
    free(path);
    return err;
}

char *snapshot_clean(const struct snapshot *s, struct slice value)
{
    return journal_clean(value, s->options.mask);
}

bool snapshot_masks(const struct snapshot *s)
{
    return s->options.mask;
}

size_t snapshot_attempts(const struct snapshot *s, const struct status_attempt **first)
{
    *first = s->attempts;
    return s->attempt_count;
}
