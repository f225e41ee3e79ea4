/* In which order records want to be used, and which of their names can be. */
#include "base/dns.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

static int by_priority(const void *a, const void *b)
{
    const struct dns_srv *x = a, *y = b;
    if (x->priority != y->priority)
        return x->priority < y->priority ? -1 : 1;
    return (x->weight != 0) - (y->weight != 0); /* those of weight 0 go first into the draw */
}

static void move_to_front(struct dns_srv *v, size_t i)
{
    struct dns_srv drawn = v[i];
    memmove(v + 1, v, i * sizeof *v);
    v[0] = drawn;
}

/* One draw among records of one priority: the first whose running sum reaches the number. */
static size_t draw(const struct dns_srv *v, size_t n, uint32_t (*below)(void *arg, uint32_t limit),
                   void *arg)
{
    uint32_t sum = 0, running = 0;
    for (size_t i = 0; i < n; i++)
        sum += v[i].weight;
    uint32_t number = below(arg, sum);
    for (size_t i = 0; i < n; i++) {
        running += v[i].weight;
        if (running >= number)
            return i;
    }
    return n - 1;
}

void dns_srv_order(struct dns_srv *v, size_t n, uint32_t (*below)(void *arg, uint32_t limit),
                   void *arg)
{
    if (n > 1)
        qsort(v, n, sizeof *v, by_priority);
    for (size_t i = 0; i < n; i++) {
        size_t same = 1;
        while (i + same < n && v[i + same].priority == v[i].priority)
            same++;
        if (same > 1)
            move_to_front(v + i, draw(v + i, same, below, arg));
    }
}

static int by_order(const void *a, const void *b)
{
    const struct dns_naptr *x = a, *y = b;
    if (x->order != y->order)
        return x->order < y->order ? -1 : 1;
    return (x->preference > y->preference) - (x->preference < y->preference);
}

void dns_naptr_order(struct dns_naptr *v, size_t n)
{
    if (n > 1)
        qsort(v, n, sizeof *v, by_order);
}

bool dns_is_name(const char *text)
{
    size_t label = 0, n;
    for (n = 0; text[n] != '\0'; n++) {
        unsigned char c = (unsigned char)text[n];
        if (c == '.' && label == 0)
            return false;
        label = c == '.' ? 0 : label + 1;
        if (label > 63 || n >= DNS_NAME_SIZE - 2 || (c != '.' && !isalnum(c) && !strchr("-_", c)))
            return false;
    }
    return n > 0;
}
