#include "journal/ladder.h"

#include "base/mem.h"
#include "base/num.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum way { NOTE, TO_PEER, TO_US, BAR };

struct rung {
    int64_t wall_ms;
    enum way way;
    char *label;
    bool starts; /* an attempt: the times count from here */
};

struct ladder {
    struct rung *rungs;
    size_t count, room;
    char *peer;
};

struct ladder *ladder_new(void)
{
    return mem_new(sizeof(struct ladder));
}

static void forget(struct ladder *l)
{
    for (size_t i = 0; i < l->count; i++)
        free(l->rungs[i].label);
    l->count = 0;
}

void ladder_free(struct ladder *l)
{
    forget(l);
    free(l->rungs);
    free(l->peer);
    free(l);
}

static void add(struct ladder *l, int64_t wall_ms, enum way way, char *label)
{
    if (l->count == l->room) {
        l->room = l->room ? l->room * 2 : 32;
        l->rungs = mem_grow(l->rungs, l->room, sizeof *l->rungs);
    }
    l->rungs[l->count++] = (struct rung){wall_ms, way, label, false};
}

/* What each event draws. A label is text in which {key} stands for the value of a key; where the
 * line has no key `without`, it is a note with the label `otherwise`. */
static const struct drawing {
    const char *event;
    enum way way;
    const char *label;
    const char *without, *otherwise;
} drawings[] = {
    {"attempt.start", NOTE, "attempt {n}", NULL, NULL},
    {"msrp.listening", NOTE, "listening, {octets} octets", NULL, NULL},
    {"invite.sent", TO_PEER, "INVITE {uri}", NULL, NULL},
    {"invite.progress", TO_US, "{code} {reason}", NULL, NULL},
    {"invite.answered", TO_US, "{code} answer", NULL, NULL},
    {"invite.answered", TO_PEER, "ACK", NULL, NULL},
    {"invite.failed", TO_US, "{code} {reason} {why}", "code", "no call: {why}"},
    {"dialog.refreshed", TO_PEER, "{method} refresh by {by}", NULL, NULL},
    {"msrp.connected", TO_US, "MSRP connection {peer}", NULL, NULL},
    {"msrp.transferred", BAR, "{octets} octets in {chunks} SENDs", NULL, NULL},
    {"msrp.failed", NOTE, "transfer failed after {octets} octets: {code} {reason} {why}", "octets",
     "transfer failed: {why}"},
    {"imdn.received", TO_US, "IMDN {status}", NULL, NULL},
    {"session.ended", TO_US, "session ended by {by} {why}", NULL, NULL},
    {"bye.sent", TO_PEER, "{method}", NULL, NULL},
    {"bye.answered", TO_US, "{code} {reason}", NULL, NULL},
    {"bye.failed", NOTE, "no end: {code} {reason} {why}", NULL, NULL},
    {"outcome", NOTE, "outcome {status} {why}", NULL, NULL},
};

/* Fills the {keys} in; blanks left by keys that are not there are folded. */
static char *fill(const char *label, const struct line *line)
{
    struct buf b = BUF_UP_TO(512);
    int err = 0;
    for (const char *p = label; *p && !err;) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        if (close) {
            char key[LINE_NAME_MAX + 1];
            size_t n = (size_t)(close - p - 1);
            memcpy(key, p + 1, n);
            key[n] = '\0';
            err = buf_add_slice(&b, line_get(line, key));
            p = close + 1;
        } else if (*p != ' ' || (b.n > 0 && b.p[b.n - 1] != ' ')) {
            err = buf_add(&b, p++, 1);
        } else {
            p++;
        }
    }
    struct slice text = slice_trim(buf_slice(&b));
    char *filled = slice_dup(text);
    buf_free(&b);
    return filled;
}

void ladder_line(struct ladder *l, const struct line *line)
{
    if (line->wall_ms == 0)
        return;
    struct slice to = line_get(line, "to");
    if (slice_is(line->event, "entry") && to.p) {
        free(l->peer);
        l->peer = slice_dup(to);
    }
    for (size_t i = 0; i < sizeof drawings / sizeof *drawings; i++) {
        const struct drawing *d = &drawings[i];
        if (!slice_is(line->event, d->event))
            continue;
        if (d->without && !line_get(line, d->without).p)
            add(l, line->wall_ms, NOTE, fill(d->otherwise, line));
        else
            add(l, line->wall_ms, d->way, fill(d->label, line));
        l->rungs[l->count - 1].starts = slice_is(line->event, "attempt.start");
    }
}

#define TIME_COLUMNS 11

static int repeat(struct buf *out, char c, size_t n)
{
    int err = 0;
    while (n-- > 0 && !err)
        err = buf_add(out, &c, 1);
    return err;
}

/* "|---------- label --------->|", `inner` columns between the lifelines. */
static int arrow(const struct rung *r, size_t inner, struct buf *out)
{
    char body = r->way == BAR ? '=' : '-';
    size_t n = strlen(r->label);
    if (n > inner - 8)
        n = inner - 8;
    size_t dashes = inner - n - 3;
    size_t left = dashes / 2;
    int err = buf_add_text(out, r->way == TO_US ? "|<" : "|");
    err = err ? err : repeat(out, body, left);
    err = err ? err : buf_format(out, " %.*s ", (int)n, r->label);
    err = err ? err : repeat(out, body, dashes - left);
    return err ? err : buf_add_text(out, r->way == TO_US ? "|\n" : ">|\n");
}

static int note(const struct rung *r, size_t inner, struct buf *out)
{
    size_t n = strlen(r->label);
    if (n > inner - 2)
        n = inner - 2;
    int err = buf_format(out, "| %.*s", (int)n, r->label);
    err = err ? err : repeat(out, ' ', inner - 1 - n);
    return err ? err : buf_add_text(out, "|\n");
}

int ladder_draw(const struct ladder *l, size_t columns, struct buf *out)
{
    size_t inner = (columns < 60 ? 60 : columns > 120 ? 120 : columns) - TIME_COLUMNS - 2;
    const char *peer = l->peer ? l->peer : "recipient";
    if (l->count == 0)
        return buf_add_text(out, "no attempt yet\n");
    int pad = (int)inner - (int)strlen(peer) - 2;
    int err =
        buf_format(out, "%*s%s%*s%s\n", TIME_COLUMNS, "", "us", pad < 1 ? 1 : pad + 2, "", peer);
    int64_t began = l->rungs[0].wall_ms;
    for (size_t i = 0; i < l->count && !err; i++) {
        const struct rung *r = &l->rungs[i];
        if (r->starts)
            began = r->wall_ms;
        int64_t ms = r->wall_ms - began;
        err = buf_format(out, "%+9.3f  ", (double)ms / 1000);
        if (!err)
            err = r->way == NOTE ? note(r, inner, out) : arrow(r, inner, out);
    }
    return err;
}
