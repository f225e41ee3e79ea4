/* The least of a value that entries have: binary heaps that know where each entry is. */
#include "status/snapshot_int.h"

#include "base/mem.h"

static int64_t value_of(const struct heap *h, const struct item *i)
{
    return h->of == LEAST_DUE ? i->e.due_ms : i->e.birth_ms;
}

static void put(struct heap *h, size_t at, struct item *i)
{
    h->list.v[at] = i;
    i->place[h->of] = (uint32_t)at + 1;
}

static size_t rise(struct heap *h, size_t at, const struct item *i)
{
    while (at > 0 && value_of(h, h->list.v[(at - 1) / 2]) > value_of(h, i)) {
        put(h, at, h->list.v[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    return at;
}

static size_t sink(struct heap *h, size_t at, const struct item *i)
{
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= h->list.n)
            return at;
        if (child + 1 < h->list.n &&
            value_of(h, h->list.v[child + 1]) < value_of(h, h->list.v[child]))
            child++;
        if (value_of(h, h->list.v[child]) >= value_of(h, i))
            return at;
        put(h, at, h->list.v[child]);
        at = child;
    }
}

void heap_add(struct heap *h, struct item *i)
{
    if (value_of(h, i) <= 0)
        return;
    items_add(&h->list, i);
    put(h, rise(h, h->list.n - 1, i), i);
}

void heap_remove(struct heap *h, struct item *i)
{
    size_t at = i->place[h->of];
    if (at-- == 0)
        return;
    struct item *last = h->list.v[--h->list.n];
    i->place[h->of] = 0;
    if (last != i)
        put(h, sink(h, rise(h, at, last), last), last);
}

int64_t heap_least(const struct heap *h)
{
    return h->list.n > 0 ? value_of(h, h->list.v[0]) : 0;
}

void items_add(struct items *l, struct item *i)
{
    if (l->n == l->room) {
        l->room = l->room ? l->room * 2 : 64;
        l->v = mem_grow(l->v, l->room, sizeof(struct item *));
    }
    l->v[l->n++] = i;
}
