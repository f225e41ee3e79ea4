/* Adding. What is being made lies in tmp/, each file locked by its maker; when all of it is on the
 * disk, the bodies get their names, and when those are durable, the entries theirs. */
#include "queue/queue_int.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/mem.h"
#include "base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SYNC_ONE_BY_ONE 4 /* more files than this are synced together */
#define ROUNDS          16

struct made {
    char *path; /* in tmp; NULL: it has moved */
    int fd;
};

struct item {
    struct made file;
    size_t body;
    char *to, *message;
    bool linked; /* its body's name is ours to take back */
    bool placed;
    struct queue_added added;
};

struct queue_batch {
    struct queue *q;
    struct made *bodies;
    size_t body_count;
    struct item *items;
    size_t count;
    int64_t now_ms;
};

struct queue_batch *queue_batch_new(struct queue *q)
{
    struct queue_batch *b = mem_new(sizeof *b);
    b->q = q;
    b->now_ms = clock_wall_ms();
    return b;
}

/* Within a step, so that the sweep never sees it without its lock. */
static int make_file(struct queue *q, struct made *m)
{
    char name[17];
    rand_token(name, sizeof name - 1);
    m->path = mem_format("%s/%s", q->tmp, name);
    m->fd = -1;
    int err = queue_step(q, false);
    if (!err) {
        err = file_create(m->path, &m->fd);
        if (!err)
            err = lock_try(m->fd, BYTE_MAKER, LOCK_EXCLUSIVE);
        queue_step_end(q);
    }
    return err;
}

static void unmake(struct made *m)
{
    if (m->fd >= 0)
        (void)close(m->fd);
    if (m->path)
        (void)file_remove(m->path); /* else the sweep does it */
    free(m->path);
    *m = (struct made){.fd = -1};
}

int queue_add_body(struct queue_batch *b, int *fd)
{
    struct made m;
    int err = make_file(b->q, &m);
    if (err) {
        unmake(&m);
        return err;
    }
    b->bodies = mem_grow(b->bodies, b->body_count + 1, sizeof *b->bodies);
    b->bodies[b->body_count++] = m;
    *fd = m.fd;
    return 0;
}

void queue_drop_body(struct queue_batch *b)
{
    unmake(&b->bodies[--b->body_count]);
}

static int write_entry(int fd, const struct queue_new *n)
{
    struct line_out o;
    char born[CLOCK_TEXT_SIZE], expires[CLOCK_TEXT_SIZE];
    clock_text(born, n->born_ms);
    clock_text(expires, n->expires_ms);
    line_begin(&o, "entry", NULL);
    line_text(&o, "from", n->from);
    line_text(&o, "to", n->to);
    line_text(&o, "message", n->message);
    line_text(&o, "birth", born);
    line_text(&o, "expires", expires);
    line_text(&o, "notify", n->notify ? NULL : "no");
    int err = line_end(&o);
    return err ? err : file_write_all(fd, o.text, o.n);
}

int queue_add_entry(struct queue_batch *b, const struct queue_new *n)
{
    struct item i = {.body = b->body_count - 1};
    char random[17];
    rand_token(random, sizeof random - 1);
    int err = make_file(b->q, &i.file);
    if (!err)
        err = write_entry(i.file.fd, n);
    if (err) {
        unmake(&i.file);
        return err;
    }
    i.to = mem_dup(n->to);
    i.message = mem_dup(n->message);
    queue_make_id(i.added.id, n->to, n->message ? n->message : random, 0);
    b->items = mem_grow(b->items, b->count + 1, sizeof *b->items);
    b->items[b->count++] = i;
    return 0;
}

size_t queue_batch_count(const struct queue_batch *b)
{
    return b->count;
}

const struct queue_added *queue_batch_entry(const struct queue_batch *b, size_t i)
{
    return &b->items[i].added;
}

/* --- Committing. */

static int sync_content(struct queue_batch *b)
{
    int err = 0;
    if (b->count + b->body_count > SYNC_ONE_BY_ONE)
        return file_sync_system(b->q->lock);
    for (size_t i = 0; i < b->body_count && !err; i++)
        err = file_sync_data(b->bodies[i].fd);
    for (size_t i = 0; i < b->count && !err; i++)
        err = file_sync_data(b->items[i].file.fd);
    return err;
}

static void take_back(struct queue_batch *b, struct item *i)
{
    char *path = queue_body_path(b->q, i->added.id);
    (void)file_remove(path); /* else the sweep does it */
    free(path);
    i->linked = false;
}

/* Is the entry of this name the one that we add? Else its ID is another's by accident. */
static int compare(struct queue_batch *b, struct item *i, const struct queue_name *n, bool *same)
{
    struct queue_entry *e;
    int err = queue_entry_open(b->q, n, JOURNAL_READ, &e);
    if (err)
        return err;
    *same = strcmp(queue_entry_get(e, "entry.to"), i->to) == 0 && i->message &&
            strcmp(queue_entry_get(e, "entry.message"), i->message) == 0;
    queue_entry_close(e);
    return 0;
}

/* Gives the body its name. EEXIST: the ID is taken. Who was delivered has no body any more. */
static int link_body(struct queue_batch *b, struct item *i)
{
    struct queue_name done;
    char *path = queue_body_path(b->q, i->added.id);
    int err = file_link(b->bodies[i->body].path, path);
    free(path);
    if (err)
        return err;
    i->linked = true;
    if (!i->message)
        return 0;
    err = queue_find_done(b->q, i->added.id, &done);
    if (err)
        return err == ENOENT ? 0 : err;
    take_back(b, i);
    return EEXIST;
}

/* The ID is taken: by the same message, or another; or by a body whose maker died. We are alone in
 * the queue, so nobody is about to give it an entry. */
static int solve_taken(struct queue_batch *b, struct item *i)
{
    struct queue_name n;
    bool same = false;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        int err = queue_find(b->q, i->added.id, &n);
        if (!err)
            err = compare(b, i, &n, &same);
        if (!err && same) {
            i->added.known = true;
            i->added.state = n.state;
            return 0;
        }
        if (err && err != ENOENT)
            return err;
        if (err == ENOENT)
            take_back(b, i);
        else
            queue_make_id(i->added.id, i->to, i->message ? i->message : i->added.id, round);
        err = link_body(b, i);
        if (err != EEXIST)
            return err;
    }
    return EEXIST;
}

static int place(struct queue_batch *b, struct item *i)
{
    struct queue_name n = {.state = QUEUE_WAIT, .due = b->now_ms / 1000};
    memcpy(n.id, i->added.id, sizeof n.id);
    char *path = queue_path(b->q, &n);
    int err = file_move(i->file.path, path);
    free(path);
    if (err)
        return err;
    free(i->file.path);
    i->file.path = NULL;
    i->placed = true;
    return 0;
}

static bool is_open(const struct item *i)
{
    return !i->placed && !i->added.known;
}

/* One step: bodies, their durability, entries. The first time round an item whose ID is taken is
 * left for the second, in which we are alone. */
static int place_all(struct queue_batch *b, bool alone)
{
    size_t linked = 0;
    int err = queue_step(b->q, alone);
    if (err)
        return err;
    for (size_t n = 0; n < b->count && !err; n++) {
        struct item *i = &b->items[n];
        if (!is_open(i))
            continue;
        err = link_body(b, i);
        if (err == EEXIST)
            err = alone ? solve_taken(b, i) : 0;
        linked += i->linked;
    }
    if (!err && linked > 0)
        err = file_sync_folder(b->q->msg);
    for (size_t n = 0; n < b->count && !err; n++) {
        if (b->items[n].linked && is_open(&b->items[n]))
            err = place(b, &b->items[n]);
    }
    for (size_t n = 0; n < b->count && err; n++) {
        if (b->items[n].linked && !b->items[n].placed)
            take_back(b, &b->items[n]);
    }
    queue_step_end(b->q);
    return err;
}

static bool any_open(const struct queue_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (is_open(&b->items[i]))
            return true;
    }
    return false;
}

static bool any_known(const struct queue_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        if (b->items[i].added.known)
            return true;
    }
    return false;
}

int queue_commit(struct queue_batch *b)
{
    b->now_ms = clock_wall_ms();
    int err = sync_content(b);
    if (!err)
        err = place_all(b, false);
    if (!err && any_open(b))
        err = place_all(b, true);
    /* Who added what we found may not have come so far. */
    if (!err && any_known(b))
        err = file_sync_folder(b->q->msg);
    return err ? err : file_sync_folder(b->q->wait);
}

void queue_batch_free(struct queue_batch *b)
{
    for (size_t i = 0; i < b->count; i++) {
        unmake(&b->items[i].file);
        free(b->items[i].to);
        free(b->items[i].message);
    }
    for (size_t i = 0; i < b->body_count; i++)
        unmake(&b->bodies[i]);
    free(b->items);
    free(b->bodies);
    free(b);
}
