#include "journal/fold.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

static bool is_lasting(struct slice event)
{
    return slice_is(event, "msrp.transferred") || slice_is(event, "entry") ||
           slice_is(event, "learnt") || slice_starts(event, "entry.") ||
           slice_starts(event, "learnt.");
}

static struct fold_pair *find(const struct fold *f, uint64_t hash, const char *key)
{
    for (size_t i = 0; i < f->count; i++) {
        if (f->pairs[i].hash == hash && strcmp(f->pairs[i].key, key) == 0)
            return &f->pairs[i];
    }
    return NULL;
}

static void set(struct fold *f, struct fold_pair pair)
{
    struct fold_pair *known = find(f, pair.hash, pair.key);
    if (known) {
        pair.lasting = known->lasting;
        free(known->key);
        *known = pair;
        return;
    }
    if (f->count == f->room) {
        f->room = f->room ? f->room * 2 : 64;
        f->pairs = mem_grow(f->pairs, f->room, sizeof *f->pairs);
    }
    f->pairs[f->count++] = pair;
}

static void drop_pair(struct fold *f, size_t i)
{
    free(f->pairs[i].key);
    f->pairs[i] = f->pairs[--f->count];
}

/* A new attempt begins: an old port or dialog is never mistaken for today's. */
static void forget_attempt(struct fold *f)
{
    for (size_t i = f->count; i-- > 0;) {
        if (!f->pairs[i].lasting)
            drop_pair(f, i);
    }
    for (size_t i = f->event_count; i-- > 0;) {
        if (!f->events[i].lasting) {
            free(f->events[i].name);
            f->events[i] = f->events[--f->event_count];
        }
    }
    memset(f->spoke, 0, sizeof f->spoke);
}

/* n=1 starts a list anew: the members of the old one go. */
static void forget_list(struct fold *f, struct slice event)
{
    for (size_t i = f->count; i-- > 0;) {
        const char *key = f->pairs[i].key;
        if (strncmp(key, event.p, event.n) == 0 && key[event.n] == '.' && key[event.n + 1] >= '0' &&
            key[event.n + 1] <= '9')
            drop_pair(f, i);
    }
}

static void note_event(struct fold *f, struct slice event, bool lasting)
{
    for (size_t i = 0; i < f->event_count; i++) {
        if (slice_is(event, f->events[i].name))
            return;
    }
    if (f->event_count == f->event_room) {
        f->event_room = f->event_room ? f->event_room * 2 : 16;
        f->events = mem_grow(f->events, f->event_room, sizeof *f->events);
    }
    f->events[f->event_count++] = (struct fold_event){slice_dup(event), lasting};
}

static void note_speaker(struct fold *f, const struct line *l)
{
    for (int r = ROLE_INVITE; r <= ROLE_BYE; r++) {
        if (slice_is(l->program, journal_role_program((enum journal_role)r)))
            f->spoke[r] = true;
    }
}

static char *put(char *to, struct slice s, char after)
{
    memcpy(to, s.p, s.n);
    to[s.n] = after;
    return to + s.n + 1;
}

/* n.p == NULL: no member of a list */
static struct fold_pair pair_of(struct slice event, struct slice n, const struct line_pair *p)
{
    char *key = mem_new_part(event.n + n.n + p->key.n + p->value.n + 4, 0);
    char *end = put(key, event, '.');
    if (n.p)
        end = put(end, n, '.');
    char *value = put(end, p->key, '\0');
    (void)put(value, p->value, '\0');
    uint64_t hash = slice_hash((struct slice){key, (size_t)(value - key - 1)});
    return (struct fold_pair){.hash = hash, .key = key, .value = value};
}

static void keep_pairs(struct fold *f, const struct line *l, bool lasting)
{
    /* attempt.start has an n= too, but it counts attempts; it is no list. */
    struct slice n =
        slice_is(l->event, "attempt.start") ? (struct slice){NULL, 0} : line_get(l, "n");
    if (n.p && slice_is(n, "1"))
        forget_list(f, l->event);
    for (size_t i = 0; i < l->count; i++) {
        struct slice key = l->pairs[i].key;
        if (slice_is(key, "sid") || (n.p && slice_is(key, "n")))
            continue;
        struct fold_pair pair = pair_of(l->event, n, &l->pairs[i]);
        pair.lasting = lasting;
        set(f, pair);
    }
}

void fold_line(struct fold *f, const struct line *l)
{
    bool lasting = is_lasting(l->event);
    if (l->wall_ms == 0)
        return; /* a bare line is never a fact */
    if (slice_is(l->event, "attempt.start")) {
        if (l->sid.n == 0 || l->sid.n > LINE_NAME_MAX)
            return;
        forget_attempt(f);
        memcpy(f->sid, l->sid.p, l->sid.n);
        f->sid[l->sid.n] = '\0';
    } else if (!lasting && (f->sid[0] == '\0' || !slice_is(l->sid, f->sid))) {
        return; /* a line of an attempt that is over: its writer was slow to die */
    }
    if (f->sid[0] != '\0' && slice_is(l->sid, f->sid))
        note_speaker(f, l);
    note_event(f, l->event, lasting);
    keep_pairs(f, l, lasting);
}

const char *fold_get(const struct fold *f, const char *key)
{
    const struct fold_pair *p = find(f, slice_hash(slice_of(key)), key);
    return p ? p->value : NULL;
}

bool fold_has(const struct fold *f, const char *event)
{
    for (size_t i = 0; i < f->event_count; i++) {
        if (strcmp(f->events[i].name, event) == 0)
            return true;
    }
    return false;
}

void fold_free(struct fold *f)
{
    while (f->count > 0)
        drop_pair(f, f->count - 1);
    for (size_t i = 0; i < f->event_count; i++)
        free(f->events[i].name);
    free(f->pairs);
    free(f->events);
    *f = (struct fold){0};
}
