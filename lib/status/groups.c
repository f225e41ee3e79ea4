/* Entries counted by what they have in common. */
#include "status/snapshot_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct group {
    struct group *next;
    struct group_key key;
    const char *text;
    uint32_t entries[STATUS_STATES], all;
};

#define FIRST_SLOTS 64

static size_t place_of(const struct group_key *k, size_t slots)
{
    uint64_t h = (k->a ^ k->b * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return (h ^ h >> 32) & (slots - 1);
}

static void spread(struct groups *t)
{
    size_t slots = t->slots ? t->slots * 2 : FIRST_SLOTS;
    struct group **slot = mem_new(slots * sizeof(struct group *));
    for (size_t i = 0; i < t->slots; i++) {
        for (struct group *g = t->slot[i], *next; g; g = next) {
            size_t place = place_of(&g->key, slots);
            next = g->next;
            g->next = slot[place];
            slot[place] = g;
        }
    }
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
}

static struct group **find(const struct groups *t, const struct group_key *k)
{
    struct group **at = &t->slot[place_of(k, t->slots)];
    while (*at && ((*at)->key.a != k->a || (*at)->key.b != k->b))
        at = &(*at)->next;
    return at;
}

/* Shows the text that came last, unless it is none. */
static void name(struct texts *texts, struct group *g, const char *text)
{
    if (*text == '\0' || text == g->text)
        return;
    texts_drop(texts, g->text);
    g->text = texts_keep(texts, text);
}

void groups_add(struct groups *t, struct texts *texts, const struct group_key *k, const char *text,
                enum status_state state)
{
    if (t->count >= t->slots)
        spread(t);
    struct group **at = find(t, k);
    if (!*at) {
        *at = mem_new(sizeof **at);
        **at = (struct group){.key = *k, .text = texts_keep(texts, "")};
        t->count++;
    }
    name(texts, *at, text);
    (*at)->entries[state]++;
    (*at)->all++;
}

void groups_subtract(struct groups *t, struct texts *texts, const struct group_key *k,
                     enum status_state state)
{
    struct group **at = find(t, k), *g = *at;
    g->entries[state]--;
    if (--g->all > 0)
        return;
    *at = g->next;
    texts_drop(texts, g->text);
    free(g);
    t->count--;
}

/* Not done: more of them first. */
static bool is_before(const struct group *a, const struct group *b)
{
    uint32_t x = a->all - a->entries[STATUS_DONE], y = b->all - b->entries[STATUS_DONE];
    if (x != y)
        return x > y;
    int order = strcmp(a->text, b->text);
    if (order != 0)
        return order < 0;
    return a->key.b != b->key.b ? a->key.b < b->key.b : a->key.a < b->key.a;
}

/* The first `limit` of them, in order; gives how many. */
static size_t choose(const struct groups *t, const struct group **best, size_t limit)
{
    size_t n = 0;
    for (size_t i = 0; i < t->slots; i++) {
        for (const struct group *g = t->slot[i]; g; g = g->next) {
            size_t at = n < limit ? n : limit;
            while (at > 0 && is_before(g, best[at - 1]))
                at--;
            if (at == limit)
                continue;
            n += n < limit;
            memmove(best + at + 1, best + at, (n - at - 1) * sizeof(const struct group *));
            best[at] = g;
        }
    }
    return n;
}

bool groups_each(const struct groups *t, size_t limit, groups_shown_h *shown,
                 status_group_h *handler, void *arg)
{
    const struct group **best = mem_grow(NULL, limit + 1, sizeof(const struct group *));
    size_t n = choose(t, best, limit);
    for (size_t i = 0; i < n; i++) {
        struct status_group g = {.text = best[i]->text};
        for (int k = 0; k < STATUS_STATES; k++)
            g.entries[k] = best[i]->entries[k];
        shown(&g, &best[i]->key);
        handler(arg, &g);
    }
    free(best);
    return n < t->count;
}

void groups_free(struct groups *t, struct texts *texts)
{
    for (size_t i = 0; i < t->slots; i++) {
        for (struct group *g = t->slot[i], *next; g; g = next) {
            next = g->next;
            texts_drop(texts, g->text);
            free(g);
        }
    }
    free(t->slot);
    *t = (struct groups){0};
}
