/* Looking for what should not be. Others work meanwhile, so what looks wrong is looked at again
 * when nobody else is in a step; only what is wrong then too is told, and mended. An entry whose
 * claim is held is somebody's work and never touched. */
#include "queue/queue_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct check {
    struct queue *q;
    bool repair;
    queue_finding_h *handler;
    void *arg;
    struct queue_name *names; /* of all entries, sorted by ID */
    size_t count;
    char (*bodies)[QUEUE_ID_SIZE]; /* sorted */
    size_t body_count;
    struct queue_name *suspects;
    size_t suspect_count;
    char (*orphans)[QUEUE_ID_SIZE];
    size_t orphan_count;
};

static void tell(struct check *c, const char *path, const char *what, bool mended)
{
    c->handler(c->arg, path, what, mended);
}

/* --- Taking everything in. */

static bool take_name(void *arg, const struct queue_name *n)
{
    struct check *c = arg;
    if ((c->count & (c->count - 1)) == 0)
        c->names = mem_grow(c->names, c->count ? c->count * 2 : 1, sizeof *c->names);
    c->names[c->count++] = *n;
    return true;
}

static void take_stray(void *arg, const char *path)
{
    tell(arg, path, "is no name of an entry: move it away", false);
}

static int by_id(const void *a, const void *b)
{
    const struct queue_name *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static int by_text(const void *a, const void *b)
{
    return strcmp(a, b);
}

static bool take_body(void *arg, const char *name)
{
    struct check *c = arg;
    if (!queue_is_id(name)) {
        char *path = queue_body_path(c->q, name);
        take_stray(c, path);
        free(path);
        return true;
    }
    if ((c->body_count & (c->body_count - 1)) == 0)
        c->bodies = mem_grow(c->bodies, c->body_count ? c->body_count * 2 : 1, QUEUE_ID_SIZE);
    memcpy(c->bodies[c->body_count++], name, QUEUE_ID_SIZE);
    return true;
}

/* In the queue's own folder nothing of ours is ever left over. */
static bool take_part(void *arg, const char *name)
{
    struct check *c = arg;
    if (queue_is_part(name))
        return true;
    char *path = queue_sub(c->q, name);
    tell(c, path, "is no part of a queue: move it away", false);
    free(path);
    return true;
}

static int take_all(struct check *c)
{
    int err = queue_read(c->q->folder, take_part, c);
    if (!err)
        err = queue_read(c->q->msg, take_body, c);
    for (int s = QUEUE_WAIT; s <= QUEUE_FAILED && !err; s++)
        err = queue_walk(c->q, (enum queue_state)s, take_name, take_stray, c);
    if (c->count > 0)
        qsort(c->names, c->count, sizeof *c->names, by_id);
    if (c->body_count > 0)
        qsort(c->bodies, c->body_count, sizeof *c->bodies, by_text);
    return err;
}

/* --- What looks wrong by the names alone. */

static const struct queue_name *entry_of(const struct check *c, const char *id)
{
    struct queue_name key = {0};
    memcpy(key.id, id, QUEUE_ID_SIZE);
    return c->count ? bsearch(&key, c->names, c->count, sizeof key, by_id) : NULL;
}

static bool has_body(const struct check *c, const char *id)
{
    return c->body_count && bsearch(id, c->bodies, c->body_count, QUEUE_ID_SIZE, by_text);
}

static void suspect(struct check *c, const struct queue_name *n)
{
    c->suspects = mem_grow(c->suspects, c->suspect_count + 1, sizeof *c->suspects);
    c->suspects[c->suspect_count++] = *n;
}

static void look_at_names(struct check *c)
{
    for (size_t i = 0; i < c->count; i++) {
        bool twin = (i > 0 && strcmp(c->names[i - 1].id, c->names[i].id) == 0) ||
                    (i + 1 < c->count && strcmp(c->names[i + 1].id, c->names[i].id) == 0);
        bool done = c->names[i].state == QUEUE_DONE;
        if (twin || done == has_body(c, c->names[i].id))
            suspect(c, &c->names[i]);
    }
    for (size_t i = 0; i < c->body_count; i++) {
        if (entry_of(c, c->bodies[i]))
            continue;
        c->orphans = mem_grow(c->orphans, c->orphan_count + 1, QUEUE_ID_SIZE);
        memcpy(c->orphans[c->orphan_count++], c->bodies[i], QUEUE_ID_SIZE);
    }
}

/* --- Looking again, alone in the queue. */

static bool exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static void check_orphan(struct check *c, const char *id)
{
    struct queue_name n;
    char *path = queue_body_path(c->q, id);
    if (exists(path) && queue_find(c->q, id, &n) == ENOENT)
        tell(c, path, "is a body without an entry", c->repair && file_remove(path) == 0);
    free(path);
}

static int move_to(struct check *c, const struct queue_name *n, enum queue_state state,
                   const char *path)
{
    struct queue_name to = {.state = state};
    int err = 0;
    memcpy(to.id, n->id, QUEUE_ID_SIZE);
    if (state == QUEUE_DONE) {
        queue_day(to.day, clock_wall_ms());
        err = queue_make_day(c->q, to.day);
    }
    char *target = queue_path(c->q, &to);
    if (!err)
        err = file_move(path, target);
    free(target);
    return err;
}

/* An entry without a body. */
static void mend_entry(struct check *c, const struct queue_entry *e)
{
    const char *what = "has no body";
    int err = EINVAL;
    if (journal_has(e->journal, "msrp.transferred")) {
        what = "was delivered, and is not with what is done";
        err = c->repair ? move_to(c, &e->name, QUEUE_DONE, e->path) : EINVAL;
    } else if (e->facts.wish == WISH_REMOVE) {
        what = "was to be removed";
        err = c->repair ? file_remove(e->path) : EINVAL;
    } else if (e->name.state == QUEUE_WAIT && c->repair) {
        err = move_to(c, &e->name, QUEUE_HELD, e->path);
    }
    tell(c, e->path, what, err == 0);
}

/* Somebody's work is left alone. We are alone in the queue but not with the entry: so who mends it
 * takes its claim. */
static void check_entry(struct check *c, const struct queue_name *n, const char *path)
{
    struct queue_entry *e;
    int err = queue_entry_open(c->q, n, c->repair ? JOURNAL_UPDATE : JOURNAL_READ, &e);
    if (err) {
        if (err != ENOENT)
            tell(c, path, "cannot be read", false);
        return;
    }
    err = c->repair ? journal_claim(e->journal) : journal_claimed(e->journal) ? EAGAIN : 0;
    if (!err)
        mend_entry(c, e);
    queue_entry_close(e);
}

/* Two entries with one ID can only be told, not mended: whose is the body? */
static bool check_twin(struct check *c, const struct queue_name *n, const char *path)
{
    struct queue_name other;
    if (queue_find(c->q, n->id, &other) != 0)
        return false;
    char *first = queue_path(c->q, &other);
    bool twin = strcmp(first, path) != 0;
    if (twin)
        tell(c, path, "has the ID of another entry", false);
    free(first);
    return twin;
}

static void check_suspect(struct check *c, const struct queue_name *n)
{
    char *path = queue_path(c->q, n);
    char *body = queue_body_path(c->q, n->id);
    bool done = n->state == QUEUE_DONE;
    if (exists(path) && !check_twin(c, n, path) && done == exists(body)) {
        if (done)
            tell(c, path, "is done and still has its body", c->repair && file_remove(body) == 0);
        else
            check_entry(c, n, path);
    }
    free(path);
    free(body);
}

/* What lies in tmp/ without its maker. */
static bool check_leftover(void *arg, const char *name)
{
    struct check *c = arg;
    int fd;
    bool made = false;
    char *path = mem_format("%s/%s", c->q->tmp, name);
    int err = file_open_private(path, O_RDONLY, FILE_IS_THERE, &fd);
    if (!err) {
        err = lock_held(fd, BYTE_MAKER, &made);
        (void)close(fd);
    }
    if (err != ENOENT && !made)
        tell(c, path, "was left by one who died", c->repair && !err && file_remove(path) == 0);
    free(path);
    return true;
}

static int look_again(struct check *c)
{
    int err = queue_step(c->q, true);
    if (err)
        return err;
    for (size_t i = 0; i < c->orphan_count; i++)
        check_orphan(c, c->orphans[i]);
    for (size_t i = 0; i < c->suspect_count; i++)
        check_suspect(c, &c->suspects[i]);
    err = queue_read(c->q->tmp, check_leftover, c);
    queue_step_end(c->q);
    return err;
}

int queue_check(struct queue *q, bool repair, queue_finding_h *handler, void *arg)
{
    struct check c = {.q = q, .repair = repair, .handler = handler, .arg = arg};
    int err = take_all(&c);
    if (!err)
        look_at_names(&c);
    if (!err)
        err = look_again(&c);
    free(c.names);
    free(c.bodies);
    free(c.suspects);
    free(c.orphans);
    return err;
}
