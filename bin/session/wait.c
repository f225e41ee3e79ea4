/* cpm-session wait: until an event is there. */
#include "base/err.h"
#include "bin/session/session.h"
#include "journal/events.h"

#include <stdio.h>
#include <string.h>

static const char *const events[] = {
#define NAME(event, writers, keys) event,
    JOURNAL_EVENTS(NAME)
#undef NAME
};

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* How many characters are wrong, missing or too much (Levenshtein's distance). */
static size_t distance(const char *a, const char *b)
{
    size_t row[LINE_NAME_MAX + 1], n = strlen(b);
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t wrong = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            row[j] = least(least(row[j], row[j - 1]) + 1, wrong);
        }
    }
    return row[n];
}

static const char *nearest_event(const char *name)
{
    const char *nearest = events[0];
    for (size_t i = 1; i < sizeof events / sizeof *events; i++) {
        if (distance(name, events[i]) < distance(name, nearest))
            nearest = events[i];
    }
    return nearest;
}

struct waiting {
    const struct session *s;
    const char *event;
};

static bool is_there(void *arg)
{
    const struct waiting *w = arg;
    return journal_has(w->s->journal, w->event);
}

int session_wait(struct session *s, char **operands)
{
    struct waiting w = {s, operands[2]};
    const struct session_follow f = {.look = is_there, .arg = &w, .what = w.event};
    const char *nearest = strlen(w.event) <= LINE_NAME_MAX ? nearest_event(w.event) : events[0];
    size_t wrong = strlen(w.event) <= LINE_NAME_MAX ? distance(w.event, nearest) : SIZE_MAX;
    char hint[LINE_NAME_MAX + 32];
    if (wrong == 0)
        return session_follow(s, &f);
    (void)snprintf(hint, sizeof hint, "did you mean %s?", nearest);
    err_line(w.event, "there is no such event",
             wrong <= strlen(nearest) / 2 ? hint : "see cpm-session(5)");
    return EX_USAGE;
}
