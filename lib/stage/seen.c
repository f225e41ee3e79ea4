#include "stage/stage_int.h"

#include "base/mem.h"

#include <stdlib.h>

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

/* Two different lines with one hash would hide one of them: 2^-64, and the file has it. */
bool seen_before(struct seen *s, struct slice line)
{
    if ((s->count + 1) * 2 > s->room)
        grow(s);
    if (!insert(s->hashes, s->room, slice_hash(line)))
        return true;
    s->count++;
    return false;
}

void seen_free(struct seen *s)
{
    free(s->hashes);
    *s = (struct seen){0};
}
