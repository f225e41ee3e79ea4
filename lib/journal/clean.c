#include "journal/clean.h"

#include "journal/journal_int.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool ends_path(char c)
{
    return clean_ends_word(c) || c == ';' || c == ',';
}

bool clean_ends_word(char c)
{
    return (unsigned char)c <= ' ' || strchr("<>\"", c) != NULL;
}

/* Grows by at most the length of HIDDEN for each character that goes. */
static struct buf like(struct slice text)
{
    return BUF_UP_TO(text.n * sizeof HIDDEN + sizeof HIDDEN);
}

void clean_add(struct buf *b, const char *p, size_t n)
{
    if (buf_add(b, p, n) != 0)
        abort(); /* like() made room for all there can be */
}

static bool starts_path(const char *p, size_t n)
{
    return (n > 7 && strncasecmp(p, "msrp://", 7) == 0) ||
           (n > 8 && strncasecmp(p, "msrps://", 8) == 0);
}

/* msrp://host:port/SESSION;tcp. A NUL becomes U+FFFD: it must not end the text. */
static void hide_sessions(struct slice t, struct buf *out)
{
    size_t i = 0;
    while (i < t.n) {
        if (!starts_path(t.p + i, t.n - i)) {
            clean_add(out, t.p[i] ? t.p + i : "\xef\xbf\xbd", t.p[i] ? 1 : 3);
            i++;
            continue;
        }
        size_t from = i;
        i += t.p[i + 4] == ':' ? 7 : 8;
        while (i < t.n && t.p[i] != '/' && !ends_path(t.p[i]))
            i++;
        clean_add(out, t.p + from, i - from);
        if (i == t.n || t.p[i] != '/')
            continue;
        clean_add(out, "/" HIDDEN, sizeof HIDDEN);
        while (i < t.n && !ends_path(t.p[i]))
            i++;
    }
}

static char *take(struct slice t, clean_step *hide)
{
    struct buf b = like(t);
    hide(t, &b);
    char *text = slice_dup(buf_slice(&b));
    buf_free(&b);
    return text;
}

char *journal_clean(struct slice text, bool mask)
{
    char *clean = take(text, hide_sessions);
    for (size_t i = 0; mask && mask_steps[i]; i++) {
        char *masked = take(slice_of(clean), mask_steps[i]);
        free(clean);
        clean = masked;
    }
    return clean;
}
