#include "stage/stage_int.h"

#include "base/mem.h"

#include <stdlib.h>

/* Its place, or the free one where it would be. There always is a free one. */
static size_t place_of(const uint64_t *hashes, size_t room, uint64_t h)
{
    size_t i = h & (room - 1);
    while (hashes[i] && hashes[i] != h)
        i = (i + 1) & (room - 1);
    return i;
}

static void grow(struct seen *s)
{
    size_t room = s->room ? s->room * 2 : 256;
    uint64_t *hashes = mem_new(room * sizeof *hashes);
    for (size_t i = 0; i < s->room; i++) {
        if (s->hashes[i])
            hashes[place_of(hashes, room, s->hashes[i])] = s->hashes[i];
    }
    free(s->hashes);
    s->hashes = hashes;
    s->room = room;
}

/* Two different lines with one hash would hide one of them: 2^-64, and the file has it. */
bool seen_has(const struct seen *s, struct slice line)
{
    return s->room > 0 && s->hashes[place_of(s->hashes, s->room, slice_hash(line))];
}

bool seen_before(struct seen *s, struct slice line)
{
    if ((s->count + 1) * 2 > s->room)
        grow(s);
    uint64_t h = slice_hash(line);
    uint64_t *place = &s->hashes[place_of(s->hashes, s->room, h)];
    if (*place)
        return true;
    *place = h;
    s->count++;
    return false;
}

void seen_free(struct seen *s)
{
    free(s->hashes);
    *s = (struct seen){0};
}
