#include "stage/stage_int.h"

#include "base/mem.h"

#include <stdlib.h>

/* FNV-1a. Two different lines with one hash would hide one of them: 2^-64, and the file has it. */
static uint64_t hash_of(struct slice s)
{
    uint64_t h = 14695981039346656037ULL;
    for (size_t i = 0; i < s.n; i++)
        h = (h ^ (unsigned char)s.p[i]) * 1099511628211ULL;
    return h ? h : 1;
}

static bool insert(uint64_t *hashes, size_t room, uint64_t h)
{
    size_t i = h & (room - 1);
    for (; hashes[i]; i = (i + 1) & (room - 1)) {
        if (hashes[i] == h)
            return false;
    }
    hashes[i] = h;
    return true;
}

static void grow(struct seen *s)
{
    size_t room = s->room ? s->room * 2 : 256;
    uint64_t *hashes = mem_new(room * sizeof *hashes);
    for (size_t i = 0; i < s->room; i++) {
        if (s->hashes[i])
            (void)insert(hashes, room, s->hashes[i]); /* they differ: each finds its place */
    }
    free(s->hashes);
    s->hashes = hashes;
    s->room = room;
}

bool seen_before(struct seen *s, struct slice line)
{
    if ((s->count + 1) * 2 > s->room)
        grow(s);
    if (!insert(s->hashes, s->room, hash_of(line)))
        return true;
    s->count++;
    return false;
}

void seen_free(struct seen *s)
{
    free(s->hashes);
    *s = (struct seen){0};
}
