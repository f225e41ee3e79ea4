/* The ladder as it is kept: attempts, lifelines and steps, all of them bounded. */
#include "base/mem.h"
#include "ladder/ladder_int.h"

#include <stdlib.h>
#include <string.h>

struct ladder *ladder_new(const struct ladder_options *o)
{
    struct ladder *l = mem_new(sizeof *l);
    l->options = *o;
    return l;
}

static void attempt_free(struct ladder_attempt *a)
{
    for (size_t i = 0; i < a->lifeline_count; i++) {
        free(a->lifelines[i].name);
        free(a->lifelines[i].detail);
        free(a->lifelines[i].host);
        free(a->lifelines[i].tag);
    }
    for (size_t i = 0; i < a->step_count; i++)
        free(a->steps[i].label);
    free(a->steps);
    free(a->sid);
    free(a->number);
    free(a->why);
    free(a->code);
    free(a);
}

void ladder_free(struct ladder *l)
{
    if (!l)
        return;
    for (size_t i = 0; i < l->count; i++)
        attempt_free(l->attempts[i]);
    free(l->from);
    free(l->to);
    free(l);
}

bool ladder_is_empty(const struct ladder *l)
{
    return l->count == 0;
}

bool ladder_has_end(const struct ladder *l)
{
    return l->count > 0 && l->attempts[l->count - 1]->ended;
}

/* --- Lifelines. */

static size_t add_lifeline(struct ladder_attempt *a, char *host, char *name, char *detail)
{
    a->lifelines[a->lifeline_count] =
        (struct ladder_lifeline){.host = host, .name = name, .detail = detail};
    return a->lifeline_count++;
}

/* Where lifelines come one by one, or the one that was kept for it; it takes the texts. */
static size_t place(struct ladder_attempt *a, size_t kept, char *host, char *name, char *detail)
{
    struct ladder_lifeline *k = &a->lifelines[kept];
    if (!a->grows && a->lifeline_count < LADDER_LIFELINES)
        return add_lifeline(a, host, name, detail);
    free(name);
    free(detail);
    if (!a->grows || k->host) {
        size_t i = a->grows ? kept : LADDER_LIFELINES - 1;
        free(host);
        a->lifelines[i].shared = true;
        return i;
    }
    k->host = host;
    return kept;
}

size_t lifeline_of_host(struct ladder_attempt *a, char *host, char *detail, bool msrp)
{
    for (size_t i = 1; i < a->lifeline_count; i++) {
        const struct ladder_lifeline *k = &a->lifelines[i];
        if (k->host && strcmp(k->host, host) == 0 && (a->grows || strcmp(k->detail, detail) == 0)) {
            free(host);
            free(detail);
            return i;
        }
    }
    return place(a, msrp ? 2 : 1, host, mem_dup(host), detail);
}

size_t lifeline_of_tag(struct ladder_attempt *a, size_t hop, char *tag)
{
    unsigned forks = 1;
    const char *host = a->lifelines[hop].host;
    char *behind = mem_format("behind %s", host ? host : "it");
    for (size_t n = 0; host && n < a->lifeline_count; n++) {
        size_t i = n == 0 ? hop : n; /* the hop itself, then those behind it */
        struct ladder_lifeline *k = &a->lifelines[i];
        if (n > 0 && (n == hop || strcmp(k->detail, behind) != 0))
            continue;
        if (k->tag && strcmp(k->tag, tag) != 0) {
            forks++;
            continue;
        }
        free(k->tag);
        k->tag = tag;
        free(behind);
        return i;
    }
    size_t i = place(a, hop, mem_dup(host), mem_format("fork %u", forks), behind);
    if (a->lifelines[i].tag)
        free(tag);
    else
        a->lifelines[i].tag = tag;
    return i;
}

void lifelines_forget_tags(struct ladder_attempt *a)
{
    for (size_t i = 0; i < a->lifeline_count; i++) {
        free(a->lifelines[i].tag);
        a->lifelines[i].tag = NULL;
    }
}

/* --- Attempts. */

static struct ladder_attempt *make_room(struct ladder *l)
{
    size_t most = l->options.last ? 1 : LADDER_ATTEMPTS;
    if (l->count == most) {
        attempt_free(l->attempts[0]);
        memmove(l->attempts, l->attempts + 1, (most - 1) * sizeof *l->attempts);
        l->count--;
        l->earlier += !l->options.last;
    }
    l->attempts[l->count] = mem_new(sizeof **l->attempts);
    return l->attempts[l->count++];
}

void attempt_begin(struct ladder *l, const struct line *line)
{
    const char *only = l->options.attempt;
    struct slice n = line_get(line, "n");
    if (line->sid.n == 0 || (only && !slice_is(line->sid, only) && !slice_is(n, only)))
        return;
    struct ladder_attempt *a = make_room(l);
    a->sid = slice_dup(line->sid);
    a->number = words_value(l, n);
    a->wall_ms = line->wall_ms;
    a->grows = l->options.grows;
    (void)add_lifeline(a, NULL, mem_dup("us"), mem_dup(""));
    if (a->grows) {
        a->peer = a->hop = add_lifeline(a, NULL, mem_dup("recipient"), mem_dup("SIP"));
        (void)add_lifeline(a, NULL, mem_dup("recipient"), mem_dup("MSRP"));
    }
}

struct ladder_attempt *attempt_of(const struct ladder *l, struct slice sid)
{
    for (size_t i = l->count; i-- > 0;) {
        if (slice_is(sid, l->attempts[i]->sid))
            return l->attempts[i];
    }
    return NULL;
}

/* --- Steps. */

static void drop_step(struct ladder_attempt *a, size_t i)
{
    free(a->steps[i].label);
    memmove(a->steps + i, a->steps + i + 1, (a->step_count - i - 1) * sizeof *a->steps);
    a->step_count--;
}

struct ladder_step *attempt_add(struct ladder_attempt *a, enum ladder_kind kind,
                                enum ladder_mood mood, int64_t wall_ms, char *label)
{
    if (!a->steps)
        a->steps = mem_grow(NULL, LADDER_STEPS, sizeof *a->steps);
    if (a->step_count == LADDER_STEPS) {
        drop_step(a, LADDER_FIRST);
        a->left_out++;
    }
    a->steps[a->step_count] = (struct ladder_step){
        .kind = kind, .mood = mood, .ms = wall_ms - a->wall_ms, .label = label};
    return &a->steps[a->step_count++];
}

void attempt_drop_bar(struct ladder_attempt *a)
{
    for (size_t i = a->step_count; !a->grows && i-- > 0;) {
        if (a->steps[i].kind == STEP_BAR)
            drop_step(a, i);
    }
}
