#include "base/mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void add_word(struct mark *m, uint64_t word)
{
    m->lane[0] = (m->lane[0] ^ word) * 0x9e3779b97f4a7c15u;
    m->lane[0] ^= m->lane[0] >> 32;
    m->lane[1] = (m->lane[1] + word) * 0xc2b2ae3d27d4eb4fu;
    m->lane[1] ^= m->lane[1] >> 29;
}

static uint64_t word_at(const void *p)
{
    uint64_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

void mark_begin(struct mark *m)
{
    *m = (struct mark){.lane = {0x243f6a8885a308d3u, 0x13198a2e03707344u}};
}

void mark_add(struct mark *m, struct slice s)
{
    size_t have = m->octets % sizeof m->part;
    m->octets += s.n;
    if (have > 0) {
        size_t n = sizeof m->part - have < s.n ? sizeof m->part - have : s.n;
        memcpy(m->part + have, s.p, n);
        s = (struct slice){s.p + n, s.n - n};
        if (have + n < sizeof m->part)
            return;
        add_word(m, word_at(m->part));
    }
    for (; s.n >= sizeof m->part; s.p += sizeof m->part, s.n -= sizeof m->part)
        add_word(m, word_at(s.p));
    if (s.n > 0)
        memcpy(m->part, s.p, s.n);
}

/* The finishing steps of SplitMix64: every bit counts. */
static uint64_t finish(uint64_t h)
{
    h = (h ^ (h >> 30)) * 0xbf58476d1ce4e5b9u;
    h = (h ^ (h >> 27)) * 0x94d049bb133111ebu;
    return h ^ (h >> 31);
}

void mark_end(struct mark *m, char hex[MARK_HEX_SIZE])
{
    size_t have = m->octets % sizeof m->part;
    memset(m->part + have, 0, sizeof m->part - have);
    add_word(m, word_at(m->part));
    add_word(m, m->octets);
    (void)snprintf(hex, MARK_HEX_SIZE, "%016" PRIx64 "%016" PRIx64, finish(m->lane[0]),
                   finish(m->lane[1]));
}
