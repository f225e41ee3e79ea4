/* Bringing the snapshot up to date: what the kernel told of, what it does not tell, and as much of
 * what is yet to be read again as there is time for. */
#include "status/snapshot_int.h"

#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ROUNDS    3    /* in which what moves while it is looked at may come to rest */
#define MOMENT_MS 1000 /* between the two notices of a move, or a notice and what it is about */

/* --- A journal. */

struct reading {
    struct snapshot *s;
    struct item *i;
};

static void on_line(void *arg, const struct line *l, struct slice text)
{
    struct reading *r = arg;
    (void)text;
    item_leave(r->s, r->i);
    status_line(r->s, r->i, l);
    r->i->newest_ms = l->wall_ms;
}

static bool is_known(const struct item *i, const char *path)
{
    struct stat st;
    return i->counted && i->e.error == 0 && i->e.state != STATUS_DELIVERING &&
           lstat(path, &st) == 0 && st.st_ino == i->glance.inode && st.st_size == i->glance.size &&
           (int64_t)st.st_ctim.tv_sec * 1000000000 + st.st_ctim.tv_nsec == i->glance.ctime_ns;
}

static int read_journal(struct snapshot *s, struct item *i, const char *path)
{
    struct reading r = {s, i};
    int64_t from = i->glance.at;
    int err = journal_glance(path, &i->glance, on_line, &r);
    if (err == ESTALE) {
        item_start_over(s, i);
        from = 0;
        err = journal_glance(path, &i->glance, on_line, &r);
    }
    s->sum.glances++;
    s->sum.octets_read += (uint64_t)(i->glance.at - from);
    return err;
}

/* --- An item. */

static enum status_state state_of(const struct snapshot *s, const struct item *i, bool *abandoned)
{
    static const enum status_state states[] = {STATUS_WAITING, STATUS_HELD, STATUS_DONE,
                                               STATUS_FAILED};
    bool under_way = i->state == QUEUE_WAIT && i->e.attempts > 0 && !i->ended;
    *abandoned = under_way && !i->glance.claimed;
    if (under_way && i->glance.claimed)
        return STATUS_DELIVERING;
    if (!s->queue && i->ended)
        return i->e.status == 0 ? STATUS_DONE : STATUS_FAILED;
    return states[i->state];
}

static bool may_be_free_soon(const struct item *i)
{
    return i->closed && i->e.state == STATUS_DELIVERING &&
           (uint32_t)clock_ms() - i->closed_ms < MOMENT_MS;
}

static void conclude(struct snapshot *s, struct item *i, int error)
{
    bool abandoned;
    if (error != 0 && error != i->e.error && !item_error_passes(error))
        item_start_over(s, i);
    enum status_state state = state_of(s, i, &abandoned);
    if (state != i->e.state || abandoned != i->e.abandoned || error != i->e.error || i->closed)
        item_leave(s, i);
    i->e.state = state;
    i->e.abandoned = abandoned;
    i->e.error = error;
    i->closed = may_be_free_soon(i);
    item_join(s, i);
}

static int look_in_queue(struct snapshot *s, struct item *i, bool unsure)
{
    struct queue_name n;
    item_name(i, &n);
    char *path = queue_path(s->queue, &n);
    int err = unsure && is_known(i, path) ? i->e.error : read_journal(s, i, path);
    free(path);
    return err;
}

/* Without notices the name has to be looked for; else it will be told. */
void item_look(struct snapshot *s, struct item *i, bool unsure)
{
    struct queue_name n;
    int err = look_in_queue(s, i, unsure);
    if (err == ENOENT && s->notices < 0 && queue_find(s->queue, i->id, &n) == 0)
        err = look_in_queue(s, names_found(s, &n), false);
    if (err == ENOENT)
        item_mark(s, i);
    if (err != ENOENT || !i->counted) /* what is not known yet counts by its name */
        conclude(s, i, err == ENOENT ? 0 : err);
}

/* Who was moved has another name a moment later, unless somebody took it out of the queue. Who lost
 * it before all names were read would have been met. */
static bool may_come_back(const struct snapshot *s, const struct item *i)
{
    return !i->deleted && !i->gone &&
           (scan_goes_on(s) ||
            (i->turn == s->scan.turn && (uint32_t)clock_ms() - i->lost_ms < MOMENT_MS));
}

static bool has_other_name(struct snapshot *s, struct item *i)
{
    struct queue_name n;
    if (!i->twin || queue_find(s->queue, i->id, &n) != 0)
        return false;
    i->deleted = false; /* the other name was */
    return names_found(s, &n)->named;
}

static void settle(struct snapshot *s, struct item *i)
{
    if (!i->named && may_come_back(s, i))
        item_mark(s, i);
    else if (i->named || has_other_name(s, i))
        item_look(s, i, false);
    else
        item_forget(s, i);
}

bool status_settle(struct snapshot *s, size_t most)
{
    struct items now = s->changed;
    size_t n = now.n < most ? now.n : most;
    s->changed = (struct items){0};
    for (size_t k = n; k < now.n; k++)
        items_add(&s->changed, now.v[k]);
    for (size_t k = 0; k < n; k++) {
        now.v[k]->changed = false;
        settle(s, now.v[k]);
    }
    free(now.v);
    return n < now.n;
}

/* --- All. */

/* From the last one on, as who leaves and joins becomes the last one. */
static void look_again(struct snapshot *s)
{
    struct items *l = &s->lists[LIST_AGAIN];
    for (size_t k = l->n; k-- > 0;)
        item_look(s, l->v[k], false);
}

static void read_names(struct snapshot *s)
{
    bool all = !s->sum.told;
    if (s->notices < 0) {
        names_listen(s);
        scan_begin(s);
    }
    names_take(s);
    int err = scan_some(s, all ? SIZE_MAX : STATUS_SLICE);
    if (!err && s->notices < 0) /* by now */
        err = scan_some(s, SIZE_MAX);
    if (err)
        names_deaf(s);
    s->sum.error = err;
}

static void update_queue(struct snapshot *s)
{
    read_names(s);
    look_again(s);
    for (int round = 0; round < ROUNDS && s->changed.n > 0; round++) {
        if (round > 0)
            names_take(s);
        (void)status_settle(s, SIZE_MAX);
    }
    s->sum.told = s->notices >= 0;
    s->sum.complete = !s->scan.whole;
}

static void update_session(struct snapshot *s)
{
    if (!s->session) {
        const char *slash = strrchr(s->path, '/');
        s->session = item_new(s, "");
        s->session->e.id = slash ? slash + 1 : s->path;
    }
    int err = read_journal(s, s->session, s->path);
    conclude(s, s->session, err == ENOENT ? 0 : err); /* it is yet to come */
    s->sum.error = s->session->e.error > 0 ? s->session->e.error : 0;
    s->sum.complete = true;
}

static void sums(struct snapshot *s)
{
    s->sum.recipients = s->recipients.count;
    s->sum.oldest_due_ms = list_least(s, LIST_DUE);
    s->sum.oldest_birth_ms = list_least(s, LIST_BIRTH);
    status_hour(s);
    status_disk(s);
}

void snapshot_update(struct snapshot *s)
{
    int64_t begun_ns = clock_ns();
    s->sum.now_ms = clock_wall_ms();
    if (s->queue)
        update_queue(s);
    else
        update_session(s);
    sums(s);
    status_pursue(s);
    s->sum.updates++;
    s->sum.errors += s->sum.error != 0;
    s->sum.took_s = (double)(clock_ns() - begun_ns) / 1e9;
}
