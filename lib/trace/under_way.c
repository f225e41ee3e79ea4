/* Requests under way, for the time that their responses took and for what comes once more. A table
 * of fixed size: what is pushed out is only less well commented. */
#include "base/mem.h"
#include "trace/trace_int.h"

#include <time.h>

#define SETS 1024
#define WAYS 4

struct entry {
    uint64_t key;      /* 0: free */
    uint64_t texts[2]; /* marks of the last request and response */
    struct timespec since;
};

struct under_way {
    struct entry entry[SETS][WAYS];
    unsigned next[SETS]; /* is pushed out next */
};

static uint64_t hash(uint64_t h, struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 0x100000001b3u; /* FNV-1a */
    return h | 1;
}

static struct entry *find(struct under_way *u, uint64_t key)
{
    size_t set = (key >> 32) % SETS;
    for (size_t i = 0; i < WAYS; i++) {
        if (u->entry[set][i].key == key)
            return &u->entry[set][i];
    }
    return NULL;
}

static struct entry *add(struct under_way *u, uint64_t key)
{
    size_t set = (key >> 32) % SETS;
    struct entry *e = &u->entry[set][u->next[set]++ % WAYS];
    *e = (struct entry){.key = key};
    (void)clock_gettime(CLOCK_MONOTONIC, &e->since);
    return e;
}

static double seconds_since(const struct timespec *then)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - then->tv_sec) + (double)(now.tv_nsec - then->tv_nsec) / 1e9;
}

/* What we sent and what we got are different requests, whatever they are called. */
struct under_way_note under_way_note(struct under_way **all, const struct trace_message *m)
{
    struct under_way_note note = {0};
    bool request = m->kind == TRACE_REQUEST;
    if (m->key.n == 0 || m->kind == TRACE_PART)
        return note;
    if (!*all)
        *all = mem_new(sizeof **all);
    bool ours = m->sent == request;
    uint64_t key = hash(ours ? 0xcbf29ce484222325u : 0x84222325cbf29ce4u, m->key);
    uint64_t text = hash(0xcbf29ce484222325u, m->text);
    struct entry *e = find(*all, key);
    if (e) {
        note.known = !request;
        note.past = seconds_since(&e->since);
        note.again = e->texts[!request] == text;
    } else if (request) {
        e = add(*all, key);
    }
    if (e)
        e->texts[!request] = text;
    return note;
}
