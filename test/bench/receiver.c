#include "test/bench/bench.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define READ_SIZE (256 * 1024)
#define KEPT_MAX  8192 /* a head, or what may be the beginning of an end-line */
#define ID_MAX    32
#define MARK_MAX  (7 + ID_MAX)
#define TAIL_MAX  (2 + MARK_MAX + 3) /* with the CR LF before it, its flag and CR LF */
#define BLOCK     64

_Noreturn void die(const char *what)
{
    perror(what);
    exit(71);
}

int64_t now_us(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
        die("clock");
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

struct receiver {
    uint64_t octets;
    bool in_body;
    bool ended; /* the chunk with $ came */
    char mark[MARK_MAX + 1];
    size_t mark_n;
    size_t kept;
    size_t answers_n;
    _Alignas(BLOCK) char bytes[KEPT_MAX + READ_SIZE];
    char to[1024], from_path[1024];
    char answers[READ_SIZE];
};

typedef uint32_t words __attribute__((vector_size(16), may_alias));

/* Four hyphens where a word begins: each seven hyphens have such four. */
static bool has_hyphens(const char *block)
{
    const words hyphens = {0x2d2d2d2d, 0x2d2d2d2d, 0x2d2d2d2d, 0x2d2d2d2d};
    const words *w = (const words *)block;
    words same =
        (words)((w[0] == hyphens) | (w[1] == hyphens) | (w[2] == hyphens) | (w[3] == hyphens));
    return same[0] | same[1] | same[2] | same[3];
}

/* The mark within p..end, where at least the mark and its flag and CR LF fit. */
static char *find_mark(const struct receiver *r, char *p, char *end)
{
    while (p < end) {
        char *block = (char *)((uintptr_t)p & ~(uintptr_t)(BLOCK - 1));
        while (block + BLOCK <= end && !has_hyphens(block))
            block += BLOCK;
        if (block > p + 7)
            p = block - 7;
        size_t n = (size_t)(end - p) < 3 * BLOCK ? (size_t)(end - p) : 3 * BLOCK;
        char *found = memmem(p, n, r->mark, r->mark_n);
        if (found || n < 3 * BLOCK)
            return found;
        p += 2 * BLOCK;
    }
    return NULL;
}

static void take_line(const char *head, const char *name, char *value, size_t room)
{
    const char *at = strstr(head, name);
    if (!at)
        die(name);
    at += strlen(name);
    (void)snprintf(value, room, "%.*s", (int)strcspn(at, "\r "), at);
}

/* "MSRP id SEND", the paths, the blank line. */
static void take_head(struct receiver *r, char *head, const char *end)
{
    char id[ID_MAX + 1];
    head[end - head - 1] = '\0';
    if (sscanf(head, "MSRP %32s SEND\r\n", id) != 1)
        die("no SEND");
    take_line(head, "To-Path: ", r->to, sizeof r->to);
    take_line(head, "From-Path: ", r->from_path, sizeof r->from_path);
    r->mark_n = (size_t)snprintf(r->mark, sizeof r->mark, "-------%s", id);
    r->in_body = true;
}

static void answer(struct receiver *r)
{
    int n = snprintf(r->answers + r->answers_n, sizeof r->answers - r->answers_n,
                     "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s$\r\n", r->mark + 7,
                     r->from_path, r->to, r->mark);
    r->answers_n += (size_t)n;
    r->in_body = false;
}

/* Takes one head or body from p..end; NULL: there is no whole one. */
static char *take_part(struct receiver *r, char *p, char *end)
{
    if (!r->in_body) {
        char *blank = memmem(p, (size_t)(end - p), "\r\n\r\n", 4);
        if (!blank)
            return NULL;
        take_head(r, p, blank + 4);
        return blank + 4;
    }
    char *mark = find_mark(r, p, end);
    if (!mark || end - mark < (ptrdiff_t)r->mark_n + 3)
        return NULL;
    r->octets += (uint64_t)(mark - 2 - p);
    r->ended = mark[r->mark_n] == '$';
    answer(r);
    return mark + r->mark_n + 3;
}

/* What is not used up goes to before where the next octets will be read. */
static void take(struct receiver *r, char *p, char *end)
{
    char *next;
    while (!r->ended && (next = take_part(r, p, end)))
        p = next;
    size_t keep = (size_t)(end - p);
    if (r->in_body && keep > TAIL_MAX) {
        r->octets += keep - TAIL_MAX;
        keep = TAIL_MAX;
    }
    if (keep > KEPT_MAX)
        die("a head without an end");
    memmove(r->bytes + KEPT_MAX - keep, end - keep, keep);
    r->kept = keep;
}

static void say(uint64_t octets, int64_t from)
{
    printf("%llu %lld\n", (unsigned long long)octets, (long long)(now_us() - from));
    (void)fflush(stdout);
}

void receive_all(const struct bench_io *io, int64_t from)
{
    static struct receiver r;
    ssize_t n;
    memset(&r, 0, offsetof(struct receiver, bytes));
    while ((n = io->read(io->arg, r.bytes + KEPT_MAX, READ_SIZE)) > 0) {
        char *p = r.bytes + KEPT_MAX - r.kept;
        if (r.octets == 0 && r.kept == 0 && !r.in_body && memcmp(p, "MSRP ", 5) != 0) {
            r.in_body = true; /* and no mark will ever come */
            r.mark_n = (size_t)snprintf(r.mark, sizeof r.mark, "-------%032d", 0);
        }
        bool was_ended = r.ended;
        take(&r, p, r.bytes + KEPT_MAX + n);
        if (r.answers_n && io->write(io->arg, r.answers, r.answers_n) < 0)
            die("answer");
        r.answers_n = 0;
        if (r.ended && !was_ended)
            say(r.octets, from);
    }
    if (!r.ended)
        say(r.octets + r.kept, from);
}
