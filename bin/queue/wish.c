/* retry, hold, release, remove, expire: what somebody wants of an entry. It is written down first.
 * If nobody is at work on the entry it is done at once; else whoever is does it, at the attempt's
 * end. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRIES 100 /* an entry that moves all the time is moved by somebody who works on it */

struct order {
    const struct config *config;
    struct queue *queue;
    enum queue_wish wish;
    unsigned from;            /* the states it is for, as bits */
    enum queue_state already; /* nothing to do there */
    bool has_already;
};

static int obey(const struct order *o, struct queue_entry *e)
{
    struct queue_name to = {.state = o->wish == WISH_HOLD ? QUEUE_HELD : QUEUE_WAIT,
                            .due = clock_wall_ms() / 1000};
    memcpy(to.id, e->name.id, sizeof to.id);
    if (o->wish == WISH_REMOVE)
        return queue_remove(e);
    return queue_move(e, &to);
}

/* EAGAIN: it has moved meanwhile. */
static int order_opened(const struct order *o, struct queue_entry *e, bool *later)
{
    bool same;
    int err = journal_claim(e->journal);
    if (err && err != EAGAIN)
        return err == ESTALE ? EAGAIN : err;
    *later = err == EAGAIN;
    err = queue_wish(e, o->wish);
    if (err)
        return err;
    if (!*later)
        return obey(o, e);
    err = journal_same(e->journal, &same);
    return err ? err : same ? 0 : EAGAIN;
}

static int order_one(const struct order *o, const char *id, const char **what)
{
    struct queue_name n;
    struct queue_entry *e;
    bool later = false;
    int err = EAGAIN;
    for (int i = 0; i < TRIES && err == EAGAIN; i++) {
        *what = "there is no such entry";
        err = queue_find(o->queue, id, &n);
        if (err)
            return err;
        *what = queue_state_names[n.state];
        if (o->has_already && n.state == o->already)
            return 0;
        if (!(o->from & (1u << n.state)))
            return EINVAL;
        err = queue_entry_open(o->queue, &n, JOURNAL_UPDATE, &e);
        if (!err) {
            err = order_opened(o, e, &later);
            queue_entry_close(e);
        }
        err = err == ENOENT ? EAGAIN : err;
    }
    *what = later ? "at the attempt's end" : NULL;
    return err;
}

static int order_id(const struct order *o, const char *id)
{
    const char *what;
    int err = order_one(o, id, &what);
    if (!err) {
        if (what)
            err_step("%s: %s", id, what);
        return EX_OK;
    }
    if (err == EINVAL) {
        err_linef(id, NULL, "it is %s", what);
        return EX_DATAERR;
    }
    err_line(id, err == ENOENT ? "there is no such entry" : strerror(err),
             err == ENOENT ? "see cpm-queue list" : NULL);
    return err == ENOENT ? EX_NOINPUT : status_of_error(err);
}

/* --- Which entries: those named, else those of --to. */

struct chosen {
    struct queue_name *v;
    size_t count;
    const struct order *order;
};

static bool is_chosen(const struct order *o, const struct queue_name *n)
{
    struct queue_entry *e;
    bool yes = false;
    if (queue_entry_open(o->queue, n, JOURNAL_READ, &e) != 0)
        return false;
    for (size_t i = 0; i < o->config->to.n; i++)
        yes = yes || strcmp(o->config->to.v[i], queue_entry_get(e, "entry.to")) == 0;
    if (o->wish == WISH_EXPIRE && o->config->to.n == 0) {
        int64_t expires = queue_entry_time(e, "entry.expires");
        yes = expires != 0 && expires <= clock_wall_ms();
    }
    queue_entry_close(e);
    return yes;
}

static bool choose(void *arg, const struct queue_name *n)
{
    struct chosen *c = arg;
    if (!is_chosen(c->order, n))
        return true;
    c->v = mem_grow(c->v, c->count + 1, sizeof *c->v);
    c->v[c->count++] = *n;
    return true;
}

static int order_chosen(const struct order *o)
{
    struct chosen c = {.order = o};
    int status = EX_OK, err = 0;
    for (int s = QUEUE_WAIT; s <= QUEUE_FAILED && !err; s++) {
        bool wanted = (o->from & (1u << s)) || (o->has_already && (int)o->already == s);
        if (s != QUEUE_DONE && wanted)
            err = queue_walk(o->queue, (enum queue_state)s, choose, NULL, &c);
    }
    for (size_t i = 0; i < c.count; i++) {
        int one = order_id(o, c.v[i].id);
        status = status ? status : one;
    }
    free(c.v);
    if (!err && c.count == 0 && o->config->to.n > 0) {
        err_line(o->config->to.v[0], "has no entry for which that could be done",
                 "see cpm-queue list; --to is compared as it was given to add");
        status = EX_NOINPUT;
    }
    if (err)
        err_line(queue_folder(o->queue), strerror(err), NULL);
    return err ? EX_IOERR : status;
}

static int give_order(struct order *o, char **operands, int count)
{
    int status;
    if (count == 0 && o->config->to.n == 0 && o->wish != WISH_EXPIRE)
        err_die(EX_USAGE, queue_wish_names[o->wish], "neither an ID nor --to given",
                "see cpm-queue --help");
    if (count > 0 && o->config->to.n > 0)
        err_die(EX_USAGE, queue_wish_names[o->wish], "either IDs or --to", "see cpm-queue --help");
    status = open_queue(o->config, false, &o->queue);
    if (status)
        return status;
    if (count == 0)
        status = order_chosen(o);
    for (int i = 0; i < count; i++) {
        int one = order_id(o, operands[i]);
        status = status ? status : one;
    }
    /* What was put back has to stay there: nobody looks for wishes elsewhere. */
    bool back = o->wish == WISH_RETRY || o->wish == WISH_RELEASE || o->wish == WISH_EXPIRE;
    int err = back ? file_sync_folder(queue_wait_folder(o->queue)) : 0;
    if (err)
        err_line(queue_wait_folder(o->queue), strerror(err), NULL);
    queue_close(o->queue);
    return status ? status : err ? EX_IOERR : EX_OK;
}

#define WAITING (1u << QUEUE_WAIT)
#define HELD    (1u << QUEUE_HELD)
#define DONE    (1u << QUEUE_DONE)
#define FAILED  (1u << QUEUE_FAILED)

int retry(const struct config *c, char **operands, int count)
{
    struct order o = {.config = c, .wish = WISH_RETRY, .from = WAITING | HELD | FAILED};
    return give_order(&o, operands, count);
}

int hold(const struct config *c, char **operands, int count)
{
    struct order o = {.config = c,
                      .wish = WISH_HOLD,
                      .from = WAITING,
                      .already = QUEUE_HELD,
                      .has_already = true};
    return give_order(&o, operands, count);
}

int release(const struct config *c, char **operands, int count)
{
    struct order o = {.config = c, .wish = WISH_RELEASE, .from = HELD};
    return give_order(&o, operands, count);
}

int remove_entries(const struct config *c, char **operands, int count)
{
    struct order o = {.config = c, .wish = WISH_REMOVE, .from = WAITING | HELD | DONE | FAILED};
    return give_order(&o, operands, count);
}

int expire(const struct config *c, char **operands, int count)
{
    struct order o = {.config = c,
                      .wish = WISH_EXPIRE,
                      .from = WAITING | HELD,
                      .already = QUEUE_FAILED,
                      .has_already = true};
    return give_order(&o, operands, count);
}
