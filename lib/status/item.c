/* Entries as they are remembered, and what they add to the sums: each is taken out of the sums
 * before anything of it changes, and put back when all of it is known again. */
#include "status/snapshot_int.h"

#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK 128
struct block {
    struct block *next;
    struct item items[BLOCK];
};

static struct item *take(struct snapshot *s)
{
    if (!s->unused) {
        struct block *b = mem_new(sizeof *b);
        b->next = s->blocks;
        s->blocks = b;
        for (size_t i = 0; i < BLOCK; i++) {
            b->items[i].right = s->unused;
            s->unused = &b->items[i];
        }
    }
    struct item *i = s->unused;
    s->unused = i->right;
    return i;
}

/* Marsaglia's xorshift. */
static uint32_t rank(struct snapshot *s)
{
    s->ranks ^= s->ranks << 13;
    s->ranks ^= s->ranks >> 17;
    s->ranks ^= s->ranks << 5;
    return s->ranks;
}

static void know_nothing(struct snapshot *s, struct item *i)
{
    const char *none = texts_keep(&s->texts, "");
    i->e = (struct status_entry){.id = i->id, .to = none, .why = none, .sid = none, .status = -1};
    memcpy(i->e.recipient, i->id, QUEUE_RECIPIENT_SIZE - 1);
    i->glance = (struct glance){0};
    i->newest_ms = 0;
    i->ended = i->delivered = false;
    i->failed_in = STAGE_NONE;
}

struct item *item_new(struct snapshot *s, const char *id)
{
    struct item *i = take(s);
    *i = (struct item){.rank = rank(s), .day = texts_keep(&s->texts, "")};
    memcpy(i->id, id, strnlen(id, sizeof i->id - 1));
    know_nothing(s, i);
    s->count++;
    return i;
}

static void drop_texts(struct snapshot *s, struct item *i)
{
    texts_drop(&s->texts, i->e.to);
    texts_drop(&s->texts, i->e.why);
    texts_drop(&s->texts, i->e.sid);
}

void item_start_over(struct snapshot *s, struct item *i)
{
    const char *id = i->e.id;
    int64_t due_ms = i->e.due_ms;
    item_leave(s, i);
    if (i->newest_ms > i->counted_ms)
        i->counted_ms = i->newest_ms;
    drop_texts(s, i);
    know_nothing(s, i);
    i->e.id = id;
    i->e.due_ms = due_ms;
}

void item_forget(struct snapshot *s, struct item *i)
{
    item_leave(s, i);
    tree_remove(&s->items, i);
    drop_texts(s, i);
    texts_drop(&s->texts, i->day);
    if (i->turn == s->scan.turn)
        s->scan.met--;
    i->right = s->unused;
    s->unused = i;
    s->count--;
}

void items_free(struct snapshot *s)
{
    while (s->blocks) {
        struct block *next = s->blocks->next;
        free(s->blocks);
        s->blocks = next;
    }
    free(s->changed.v);
    for (int i = 0; i < LISTS; i++)
        free(s->lists[i].v);
}

void item_mark(struct snapshot *s, struct item *i)
{
    if (!i->changed)
        items_add(&s->changed, i);
    i->changed = true;
}

/* --- The sums. */

static void count(struct snapshot *s, const struct status_entry *e, uint64_t by)
{
    struct status_summary *sum = &s->sum;
    sum->entries[e->state] += by;
    if (e->error)
        sum->unreadable += by;
    if (e->abandoned)
        sum->abandoned += by;
    if (e->state != STATUS_DELIVERING)
        return;
    sum->sessions[e->phase] += by;
    if (e->phase == STATUS_TRANSFERRING)
        sum->rate += e->rate * by;
}

static struct group_key recipient_key(const struct status_entry *e)
{
    struct group_key k = {0};
    memcpy(&k.a, e->recipient, sizeof k.a); /* its eight digits */
    return k;
}

/* A kept text is one address. */
static struct group_key reason_key(const struct status_entry *e)
{
    return (struct group_key){(uintptr_t)e->why, (uint64_t)e->status << 16 | (uint64_t)e->code};
}

bool item_error_passes(int error)
{
    return error == EMFILE || error == ENFILE || error == ENOMEM || error == EIO;
}

/* Is there what no notice tells: somebody who may begin to work on a dead attempt, a claim that is
 * given up just now, or an error that may pass? */
static bool has_to_be_looked_at(const struct item *i)
{
    return i->e.abandoned || i->closed || item_error_passes(i->e.error);
}

void item_leave(struct snapshot *s, struct item *i)
{
    struct group_key to = recipient_key(&i->e), why = reason_key(&i->e);
    if (!i->counted)
        return;
    i->counted = false;
    count(s, &i->e, (uint64_t)-1);
    groups_subtract(&s->recipients, &s->texts, &to, i->e.state);
    if (i->e.status > 0)
        groups_subtract(&s->reasons, &s->texts, &why, i->e.state);
    list_remove(s, i);
}

void item_join(struct snapshot *s, struct item *i)
{
    struct group_key to = recipient_key(&i->e), why = reason_key(&i->e);
    if (i->counted)
        return;
    i->counted = true;
    count(s, &i->e, 1);
    groups_add(&s->recipients, &s->texts, &to, i->e.to, i->e.state);
    if (i->e.status > 0)
        groups_add(&s->reasons, &s->texts, &why, i->e.why, i->e.state);
    if (i->e.state == STATUS_WAITING)
        list_add(s, LIST_DUE, i);
    if (i->e.state == STATUS_WAITING || i->e.state == STATUS_DELIVERING)
        list_add(s, LIST_BIRTH, i);
    if (i->e.state == STATUS_DELIVERING)
        list_add(s, LIST_DELIVERING, i);
    if (has_to_be_looked_at(i))
        list_add(s, LIST_AGAIN, i);
}
