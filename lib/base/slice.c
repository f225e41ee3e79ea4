#include "base/slice.h"

#include "base/mem.h"

#include <string.h>
#include <strings.h>

struct slice slice_of(const char *text)
{
    return (struct slice){text, text ? strlen(text) : 0};
}

bool slice_eq(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool slice_is(struct slice a, const char *text)
{
    if (a.n > 0 && a.p[0] != text[0])
        return false; /* as nearly always */
    return slice_eq(a, slice_of(text));
}

bool slice_is_nocase(struct slice a, const char *text)
{
    if (a.n > 0 && ((a.p[0] ^ text[0]) & ~0x20) != 0)
        return false;
    return a.n == strlen(text) && (a.n == 0 || strncasecmp(a.p, text, a.n) == 0);
}

bool slice_starts(struct slice a, const char *prefix)
{
    size_t n = strlen(prefix);
    return a.n >= n && memcmp(a.p, prefix, n) == 0;
}

uint64_t slice_hash(struct slice a)
{
    uint64_t h = a.n, word;
    for (; a.n >= sizeof word; a.p += sizeof word, a.n -= sizeof word) {
        memcpy(&word, a.p, sizeof word);
        h = (h ^ word) * 0x9e3779b97f4a7c15;
        h ^= h >> 32;
    }
    for (; a.n > 0; a.p++, a.n--)
        h = (h ^ (unsigned char)*a.p) * 0x100000001b3;
    h ^= h >> 29;
    return h ? h : 1;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

struct slice slice_trim(struct slice a)
{
    while (a.n > 0 && is_blank(a.p[0])) {
        a.p++;
        a.n--;
    }
    while (a.n > 0 && is_blank(a.p[a.n - 1]))
        a.n--;
    return a;
}

struct slice slice_cut(struct slice *rest, char at)
{
    struct slice all = *rest;
    const char *found = all.n ? memchr(all.p, at, all.n) : NULL;
    if (!found) {
        *rest = (struct slice){NULL, 0};
        return all;
    }
    size_t n = (size_t)(found - all.p);
    *rest = (struct slice){found + 1, all.n - n - 1};
    return (struct slice){all.p, n};
}

bool slice_number(struct slice a, uint64_t max, uint64_t *value)
{
    uint64_t v = 0;
    if (a.n == 0)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (a.p[i] < '0' || a.p[i] > '9')
            return false;
        unsigned digit = (unsigned)(a.p[i] - '0');
        if (digit > max || v > (max - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *value = v;
    return v <= max;
}

char *slice_dup(struct slice a)
{
    char *copy = mem_new(a.n + 1);
    if (a.n)
        memcpy(copy, a.p, a.n);
    return copy;
}
