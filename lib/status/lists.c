/* Lists of items that know where they are in them. Two are binary heaps: the least of a time is
 * their first one. */
#include "status/snapshot_int.h"

#include "base/mem.h"

#include <stdlib.h>

static int64_t time_of(enum list which, const struct item *i)
{
    return which == LIST_DUE ? i->e.due_ms : which == LIST_BIRTH ? i->e.birth_ms : 1;
}

static bool is_before(enum list which, const struct item *a, const struct item *b)
{
    return time_of(which, a) < time_of(which, b);
}

static void put(struct items *l, enum list which, size_t at, struct item *i)
{
    l->v[at] = i;
    i->place[which] = (uint32_t)at + 1;
}

static size_t rise(struct items *l, enum list which, size_t at, const struct item *i)
{
    while (at > 0 && is_before(which, i, l->v[(at - 1) / 2])) {
        put(l, which, at, l->v[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return at;
}

static size_t sink(struct items *l, enum list which, size_t at, const struct item *i)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < l->n && is_before(which, l->v[child + 1], l->v[child]))
            child++;
        if (child >= l->n || !is_before(which, l->v[child], i))
            return at;
        put(l, which, at, l->v[child]);
        at = child;
    }
}

void list_add(struct snapshot *s, enum list which, struct item *i)
{
    struct items *l = &s->lists[which];
    if (time_of(which, i) <= 0)
        return;
    items_add(l, i);
    put(l, which, rise(l, which, l->n - 1, i), i);
}

static void take_out(struct items *l, enum list which, struct item *i)
{
    size_t at = i->place[which];
    if (at-- == 0)
        return;
    struct item *last = l->v[--l->n];
    i->place[which] = 0;
    if (last != i)
        put(l, which, sink(l, which, rise(l, which, at, last), last), last);
}

void list_remove(struct snapshot *s, struct item *i)
{
    for (int which = 0; which < LISTS; which++)
        take_out(&s->lists[which], (enum list)which, i);
}

int64_t list_least(const struct snapshot *s, enum list which)
{
    const struct items *l = &s->lists[which];
    return l->n > 0 ? time_of(which, l->v[0]) : 0;
}

/* The places whose turn it may be: of each that was visited, those below it. */
struct front {
    const struct items *list;
    enum list which;
    size_t *at, n;
};

static struct item *next(struct front *f)
{
    size_t first = 0;
    for (size_t k = 1; k < f->n; k++) {
        if (is_before(f->which, f->list->v[f->at[k]], f->list->v[f->at[first]]))
            first = k;
    }
    size_t at = f->at[first];
    f->at[first] = f->at[--f->n];
    f->at = mem_grow(f->at, f->n + 2, sizeof *f->at);
    for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < f->list->n; child++)
        f->at[f->n++] = child;
    return f->list->v[at];
}

void list_visit(const struct snapshot *s, enum list which, tree_visit_h *visit, void *arg)
{
    struct front f = {&s->lists[which], which, mem_new(sizeof(size_t)), s->lists[which].n > 0};
    while (f.n > 0 && visit(arg, next(&f)))
        ;
    free(f.at);
}

void items_add(struct items *l, struct item *i)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->v = mem_grow(l->v, l->room, sizeof(struct item *));
    }
    l->v[l->n++] = i;
}
