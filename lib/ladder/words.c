/* What is said: values made harmless, templates filled in. */
#include "base/mem.h"
#include "base/num.h"
#include "base/utf8.h"
#include "journal/clean.h"
#include "ladder/ladder_int.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX ((LADDER_TEXT + 1) * UTF8_SHOWN_MAX)

static void add(struct buf *b, const char *bytes, size_t n)
{
    if (buf_add(b, bytes, n) != 0)
        abort(); /* whose limit is enough for all there can be */
}

static char *harmless(struct slice v)
{
    struct buf b = BUF_UP_TO(VALUE_MAX);
    if (utf8_show(&b, v, LADDER_TEXT) != 0)
        abort(); /* whose limit is enough */
    char *text = slice_dup(buf_slice(&b));
    buf_free(&b);
    return text;
}

char *words_value(const struct ladder *l, struct slice value)
{
    char *clean = journal_clean(value, l->options.mask);
    char *text = harmless(slice_of(clean));
    free(clean);
    return text;
}

/* --- Templates. */

struct filler {
    const struct ladder *l;
    const struct line *line;
    struct buf out;
    bool missing; /* a value, in these brackets */
};

/* Host and port of the first URI of a path. */
static struct slice authority(struct slice path)
{
    for (size_t i = 0; i + 3 <= path.n; i++) {
        if (memcmp(path.p + i, "://", 3) != 0)
            continue;
        struct slice rest = {path.p + i + 3, path.n - i - 3};
        rest = slice_cut(&rest, '/');
        rest = slice_cut(&rest, ' ');
        struct slice user = rest, host = rest;
        (void)slice_cut(&host, '@');
        return host.p ? host : user;
    }
    return (struct slice){NULL, 0};
}

static void put_value(struct filler *f, const char *name, size_t n)
{
    char key[LINE_NAME_MAX + 1], grouped[27];
    bool special = strchr("#@^", *name) != NULL;
    uint64_t number;
    (void)snprintf(key, sizeof key, "%.*s", (int)(n - special), name + special);
    struct slice v = line_get(f->line, key);
    if (*name == '@')
        v = authority(v);
    if (v.n == 0)
        f->missing = true;
    if (*name == '#' && slice_number(v, UINT64_MAX, &number)) {
        num_group_text(grouped, number);
        v = slice_of(grouped);
    }
    char *text = words_value(f->l, v);
    for (char *c = text; *name == '^' && *c; c++)
        *c = *c >= 'a' && *c <= 'z' ? (char)(*c - 'a' + 'A') : *c;
    add(&f->out, text, strlen(text));
    free(text);
}

static void fill(struct filler *f, const char *template)
{
    size_t opened = 0;
    for (const char *p = template; *p; p++) {
        const char *close = *p == '{' ? strchr(p, '}') : NULL;
        if (*p == '[') {
            opened = f->out.n;
            f->missing = false;
        } else if (*p == ']') {
            f->out.n = f->missing ? opened : f->out.n;
        } else if (close) {
            put_value(f, p + 1, (size_t)(close - p) - 1);
            p = close;
        } else {
            add(&f->out, p, 1);
        }
    }
}

char *words_fill(const struct ladder *l, const char *template, const struct line *line)
{
    /* No template has more keys than there are in four values. */
    struct filler f = {.l = l, .line = line, .out = BUF_UP_TO(strlen(template) + 4 * VALUE_MAX)};
    fill(&f, template);
    char *text = harmless(buf_slice(&f.out)); /* cuts the whole */
    buf_free(&f.out);
    return text;
}

char *words_heading(const struct ladder *l, const struct ladder_attempt *a)
{
    if (!l->from || !l->to)
        return mem_format("attempt %s%s%s", a->number, l->to ? " to " : "", l->to ? l->to : "");
    return mem_format("attempt %s, %s to %s", a->number, l->from, l->to);
}

void words_time(char text[24], int64_t ms)
{
    if (ms > -10000000 && ms < 100000000)
        (void)snprintf(text, 24, "%+.3f", (double)ms / 1000);
    else
        (void)snprintf(text, 24, "%+.1f h", (double)ms / 3600000);
}
