/* Texts that many entries share are kept once. */
#include "status/snapshot_int.h"

#include "base/mem.h"
#include "base/rand.h"

#include <stdlib.h>
#include <string.h>

struct text {
    struct text *next;
    uint32_t hash, uses;
    char bytes[];
};

#define FIRST_SLOTS 64

static const char none[] = "";

/* FNV-1a from a start that nobody outside knows. */
static uint32_t hash_of(const struct texts *t, struct slice bytes)
{
    uint32_t h = 0x811c9dc5u ^ t->seed;
    for (size_t i = 0; i < bytes.n; i++)
        h = (h ^ (unsigned char)bytes.p[i]) * 0x01000193u;
    return h ^ h >> 15;
}

static void spread(struct texts *t)
{
    size_t slots = t->slots ? t->slots * 2 : FIRST_SLOTS;
    struct text **slot = mem_new(slots * sizeof(struct text *));
    if (t->slots == 0)
        t->seed = rand_up_to(UINT32_MAX);
    for (size_t i = 0; i < t->slots; i++) {
        for (struct text *x = t->slot[i], *next; x; x = next) {
            next = x->next;
            x->next = slot[x->hash & (slots - 1)];
            slot[x->hash & (slots - 1)] = x;
        }
    }
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
}

static struct text *add(struct texts *t, struct slice bytes, uint32_t hash)
{
    struct text *x = mem_new(sizeof *x + bytes.n + 1);
    struct text **slot = &t->slot[hash & (t->slots - 1)];
    *x = (struct text){.next = *slot, .hash = hash, .uses = 1};
    memcpy(x->bytes, bytes.p, bytes.n);
    *slot = x;
    t->count++;
    return x;
}

const char *texts_keep(struct texts *t, const char *text)
{
    struct slice bytes = slice_of(text);
    if (bytes.n == 0)
        return none;
    if (t->count >= t->slots)
        spread(t);
    uint32_t hash = hash_of(t, bytes);
    for (struct text *x = t->slot[hash & (t->slots - 1)]; x; x = x->next) {
        if (x->hash == hash && strcmp(x->bytes, text) == 0) {
            x->uses++;
            return x->bytes;
        }
    }
    return add(t, bytes, hash)->bytes;
}

void texts_drop(struct texts *t, const char *text)
{
    if (text == none)
        return;
    struct text *x = (struct text *)((uintptr_t)text - offsetof(struct text, bytes));
    if (--x->uses > 0)
        return;
    struct text **at = &t->slot[x->hash & (t->slots - 1)];
    while (*at != x)
        at = &(*at)->next;
    *at = x->next;
    t->count--;
    free(x);
}

void texts_free(struct texts *t)
{
    for (size_t i = 0; i < t->slots; i++) {
        for (struct text *x = t->slot[i], *next; x; x = next) {
            next = x->next;
            free(x);
        }
    }
    free(t->slot);
    *t = (struct texts){0};
}
