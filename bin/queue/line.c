/* Who is next. Recipients stand in a line; whoever is served goes to its end, so that one of them
 * with many entries, or a slow one, does not hold up the others. */
#include "base/mem.h"
#include "runner.h"

#include <stdlib.h>
#include <string.h>

static size_t slot_of(const struct runner *r, const char *hash)
{
    size_t h = 0;
    for (const char *p = hash; *p; p++)
        h = h * 31 + (unsigned char)*p;
    size_t i = h & (r->table_size - 1);
    while (r->table[i] && strcmp(r->table[i]->hash, hash) != 0)
        i = (i + 1) & (r->table_size - 1);
    return i;
}

static void grow_table(struct runner *r)
{
    struct recipient **old = r->table;
    size_t n = r->table_size;
    r->table_size = n ? n * 2 : 64;
    r->table = mem_new(r->table_size * sizeof(struct recipient *));
    for (size_t i = 0; i < n; i++) {
        if (old[i])
            r->table[slot_of(r, old[i]->hash)] = old[i];
    }
    free(old);
}

static struct recipient *recipient_of(struct runner *r, const char *id)
{
    char hash[QUEUE_RECIPIENT_SIZE];
    memcpy(hash, id, sizeof hash - 1);
    hash[sizeof hash - 1] = '\0';
    if (r->recipient_count * 2 >= r->table_size)
        grow_table(r);
    size_t i = slot_of(r, hash);
    if (!r->table[i]) {
        r->table[i] = mem_new(sizeof **r->table);
        memcpy(r->table[i]->hash, hash, sizeof hash);
        r->recipient_count++;
    }
    return r->table[i];
}

/* Into the line, if there is something to do for him and he has not too much already. */
static void line_up(struct runner *r, struct recipient *to)
{
    if (to->ready || to->next == to->count || to->active >= r->config->per_recipient)
        return;
    to->ready = true;
    to->after = NULL;
    if (r->last)
        r->last->after = to;
    else
        r->first = to;
    r->last = to;
}

void line_add(struct runner *r, const struct queue_name *n)
{
    struct recipient *to = recipient_of(r, n->id);
    if (to->next == to->count)
        to->next = to->count = 0;
    if (to->count == to->room) {
        to->room = to->room ? to->room * 2 : 1;
        to->due = mem_grow(to->due, to->room, sizeof *to->due);
    }
    to->due[to->count++] = *n;
    line_up(r, to);
}

struct recipient *line_next(struct runner *r, struct queue_name *n)
{
    struct recipient *to = r->first;
    if (!to)
        return NULL;
    r->first = to->after;
    if (!r->first)
        r->last = NULL;
    to->ready = false;
    *n = to->due[to->next++];
    to->active++;
    line_up(r, to);
    return to;
}

void line_back(struct runner *r, struct recipient *to)
{
    to->active--;
    line_up(r, to);
}

size_t line_left(const struct runner *r)
{
    size_t left = 0;
    for (size_t i = 0; i < r->table_size; i++) {
        if (r->table[i])
            left += r->table[i]->count - r->table[i]->next;
    }
    return left;
}

void line_clear(struct runner *r)
{
    for (size_t i = 0; i < r->table_size; i++) {
        if (r->table[i]) {
            r->table[i]->next = r->table[i]->count = 0;
            r->table[i]->ready = false;
        }
    }
    r->first = r->last = NULL;
}

void line_free(struct runner *r)
{
    for (size_t i = 0; i < r->table_size; i++) {
        if (r->table[i])
            free(r->table[i]->due);
        free(r->table[i]);
    }
    free(r->table);
}
