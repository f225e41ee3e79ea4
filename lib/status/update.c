/* Bringing the snapshot up to date: all names, and what was appended to the journals. */
#include "status/snapshot_int.h"

#include "base/clock.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct names {
    struct queue_name *list;
    size_t count, room;
};

static void add_name(struct names *n, const struct queue_name *name)
{
    if (n->count == n->room) {
        n->room = n->room ? n->room * 2 : 64;
        n->list = mem_grow(n->list, n->room, sizeof *n->list);
    }
    n->list[n->count++] = *name;
}

static bool on_name(void *arg, const struct queue_name *name)
{
    add_name(arg, name);
    return true;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct queue_name *)a)->id, ((const struct queue_name *)b)->id);
}

static int walk(struct snapshot *s, struct names *n)
{
    int err = 0;
    for (int state = QUEUE_WAIT; state <= QUEUE_FAILED && !err; state++) {
        err = queue_walk(s->queue, (enum queue_state)state, on_name, NULL, n);
        /* Folders of states come with the first entry of theirs. */
        if (err == ENOENT && state != QUEUE_WAIT)
            err = 0;
    }
    return err;
}

/* What moved against the walk may have been passed by: it is looked for by itself. */
static void look_for_missed(struct snapshot *s, struct names *n)
{
    size_t known = n->count;
    struct queue_name found;
    for (size_t i = 0; i < s->count; i++) {
        struct queue_name *name = &s->items[i].name;
        if (!(known > 0 && bsearch(name, n->list, known, sizeof *n->list, by_id)) &&
            queue_find(s->queue, name->id, &found) == 0)
            add_name(n, &found);
    }
}

static void sort(struct names *n)
{
    size_t kept = 0;
    if (n->count == 0)
        return;
    qsort(n->list, n->count, sizeof *n->list, by_id);
    for (size_t i = 1; i < n->count; i++) {
        if (by_id(&n->list[kept], &n->list[i]) != 0)
            kept++;
        n->list[kept] = n->list[i];
    }
    n->count = kept + 1;
}

static void new_item(struct texts *t, struct item *i, const char *id)
{
    *i = (struct item){.id = mem_dup(id),
                       .e = {.to = texts_keep(t, ""), .why = texts_keep(t, ""), .status = -1}};
    i->e.id = i->id;
}

/* Both lists are sorted: what is known stays, what is new comes, what is gone goes. */
static void merge(struct snapshot *s, const struct names *n)
{
    struct item *items = mem_grow(NULL, n->count ? n->count : 1, sizeof *items);
    size_t old = 0;
    for (size_t i = 0; i < n->count; i++) {
        const struct queue_name *name = &n->list[i];
        for (; old < s->count && strcmp(s->items[old].e.id, name->id) < 0; old++)
            status_item_free(s, &s->items[old]);
        if (old < s->count && strcmp(s->items[old].e.id, name->id) == 0)
            items[i] = s->items[old++];
        else
            new_item(&s->texts, &items[i], name->id);
        items[i].name = *name;
        memcpy(items[i].e.recipient, name->id, QUEUE_RECIPIENT_SIZE - 1);
        items[i].e.due_ms = name->due * 1000;
    }
    for (; old < s->count; old++)
        status_item_free(s, &s->items[old]);
    free(s->items);
    s->items = items;
    s->count = n->count;
}

/* --- Journals. */

struct reading {
    struct snapshot *s;
    struct item *i;
    int64_t newest_ms;
};

static void on_line(void *arg, const struct line *l, struct slice text)
{
    struct reading *r = arg;
    (void)text;
    status_line(r->s, r->i, l);
    r->newest_ms = l->wall_ms;
}

/* Is there nothing new? Who is being delivered is looked at each time: his processes may die. */
static bool is_known(const struct item *i, const char *path)
{
    struct stat st;
    bool under_way = i->e.attempts > 0 && !i->ended;
    return i->glance.inode != 0 && !under_way && lstat(path, &st) == 0 &&
           st.st_ino == i->glance.inode && st.st_size == i->glance.size &&
           (int64_t)st.st_mtim.tv_sec * 1000000000 + st.st_mtim.tv_nsec == i->glance.mtime_ns;
}

static void start_over(struct snapshot *s, struct item *i, int64_t newest_ms)
{
    struct item fresh;
    new_item(&s->texts, &fresh, i->e.id);
    fresh.name = i->name;
    fresh.e.due_ms = i->e.due_ms;
    memcpy(fresh.e.recipient, i->e.recipient, sizeof fresh.e.recipient);
    fresh.counted_ms = newest_ms;
    status_item_free(s, i);
    *i = fresh;
}

static void read_item(struct snapshot *s, struct item *i, const char *path)
{
    struct reading r = {s, i, i->newest_ms};
    if (is_known(i, path))
        return;
    i->e.error = journal_glance(path, &i->glance, on_line, &r);
    s->sum.glances++;
    if (i->e.error == ESTALE) {
        start_over(s, i, i->newest_ms);
        i->e.error = journal_glance(path, &i->glance, on_line, &r);
    }
    i->newest_ms = r.newest_ms;
    s->sum.octets_read += i->glance.octets;
}

static void read_entry(struct snapshot *s, struct item *i)
{
    char *path = queue_path(s->queue, &i->name);
    read_item(s, i, path);
    if (i->e.error == ENOENT && queue_find(s->queue, i->name.id, &i->name) == 0) {
        free(path);
        path = queue_path(s->queue, &i->name);
        i->e.due_ms = i->name.due * 1000;
        read_item(s, i, path);
    }
    free(path);
}

static void set_state(struct snapshot *s, struct item *i)
{
    static const enum status_state states[] = {STATUS_WAITING, STATUS_HELD, STATUS_DONE,
                                               STATUS_FAILED};
    bool under_way = i->e.attempts > 0 && !i->ended;
    i->e.state = states[i->name.state];
    if (!s->queue && i->ended)
        i->e.state = i->e.status == 0 ? STATUS_DONE : STATUS_FAILED;
    i->e.abandoned = i->e.state == STATUS_WAITING && under_way && !i->glance.claimed;
    if (i->e.state == STATUS_WAITING && under_way && i->glance.claimed)
        i->e.state = STATUS_DELIVERING;
}

/* --- The sums. */

static void least(int64_t *to, int64_t ms)
{
    if (ms > 0 && (*to == 0 || ms < *to))
        *to = ms;
}

static void sum_up(struct status_summary *sum, const struct status_entry *e)
{
    sum->entries[e->state]++;
    sum->unreadable += e->error != 0;
    sum->abandoned += e->abandoned;
    if (e->state == STATUS_WAITING)
        least(&sum->oldest_due_ms, e->due_ms);
    if (e->state == STATUS_WAITING || e->state == STATUS_DELIVERING)
        least(&sum->oldest_birth_ms, e->birth_ms);
    if (e->state == STATUS_DELIVERING) {
        sum->sessions[e->phase]++;
        if (e->phase == STATUS_TRANSFERRING)
            sum->rate += e->rate;
    }
}

static void group(struct snapshot *s, const struct status_entry *e)
{
    struct group_key to = status_recipient_key(e), why = status_reason_key(e);
    groups_add(&s->recipients, &s->texts, &to, e->to, e->state);
    if (e->status > 0)
        groups_add(&s->reasons, &s->texts, &why, e->why, e->state);
}

static void sums(struct snapshot *s)
{
    struct status_summary *sum = &s->sum;
    memset(sum->entries, 0, sizeof sum->entries);
    memset(sum->sessions, 0, sizeof sum->sessions);
    sum->unreadable = sum->abandoned = sum->recipients = sum->rate = 0;
    sum->oldest_birth_ms = sum->oldest_due_ms = 0;
    groups_free(&s->recipients, &s->texts);
    groups_free(&s->reasons, &s->texts);
    for (size_t i = 0; i < s->count; i++) {
        sum_up(sum, &s->items[i].e);
        group(s, &s->items[i].e);
    }
    sum->recipients = s->recipients.count;
    status_hour(s);
}

static void update_queue(struct snapshot *s)
{
    struct names n = {0};
    s->sum.error = walk(s, &n);
    if (!s->sum.error) {
        sort(&n);
        look_for_missed(s, &n);
        sort(&n);
        merge(s, &n);
    }
    free(n.list);
    for (size_t i = 0; i < s->count; i++)
        read_entry(s, &s->items[i]);
}

static void update_session(struct snapshot *s)
{
    if (s->count == 0) {
        const char *slash = strrchr(s->path, '/');
        s->items = mem_new(sizeof *s->items);
        new_item(&s->texts, s->items, slash ? slash + 1 : s->path);
        s->count = 1;
    }
    read_item(s, s->items, s->path);
    if (s->items->e.error == ENOENT)
        s->items->e.error = 0; /* it is yet to come */
    s->sum.error = s->items->e.error > 0 ? s->items->e.error : 0;
}

void snapshot_update(struct snapshot *s)
{
    int64_t begun_ns = clock_ns();
    s->sum.now_ms = clock_wall_ms();
    if (s->queue)
        update_queue(s);
    else
        update_session(s);
    for (size_t i = 0; i < s->count; i++)
        set_state(s, &s->items[i]);
    sums(s);
    status_disk(s);
    s->sum.updates++;
    s->sum.errors += s->sum.error != 0;
    s->sum.complete = true;
    s->sum.took_s = (double)(clock_ns() - begun_ns) / 1e9;
}
