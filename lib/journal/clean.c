#include "journal/clean.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define HIDDEN "***"

static bool ends_word(char c)
{
    return (unsigned char)c <= ' ' || strchr("<>\"", c) != NULL;
}

static bool ends_path(char c)
{
    return ends_word(c) || c == ';' || c == ',';
}

/* Grows by at most the length of HIDDEN for each character that goes. */
static struct buf like(struct slice text)
{
    return BUF_UP_TO(text.n * sizeof HIDDEN + sizeof HIDDEN);
}

static void add(struct buf *b, const char *p, size_t n)
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
            add(out, t.p[i] ? t.p + i : "\xef\xbf\xbd", t.p[i] ? 1 : 3);
            i++;
            continue;
        }
        size_t from = i;
        i += t.p[i + 4] == ':' ? 7 : 8;
        while (i < t.n && t.p[i] != '/' && !ends_path(t.p[i]))
            i++;
        add(out, t.p + from, i - from);
        if (i == t.n || t.p[i] != '/')
            continue;
        add(out, "/" HIDDEN, sizeof HIDDEN);
        while (i < t.n && !ends_path(t.p[i]))
            i++;
    }
}

/* Where the user begins in what stands before an '@': behind the scheme, or at the word's start. */
static size_t user_start(const char *p, size_t from, size_t at)
{
    static const char *const schemes[] = {"sip:", "sips:", "im:", "pres:", "tel:", "cpm:"};
    for (size_t i = at; i > from; i--) {
        if (p[i - 1] != ':')
            continue;
        for (size_t k = 0; k < sizeof schemes / sizeof *schemes; k++) {
            size_t n = strlen(schemes[k]);
            if (i - from >= n && strncasecmp(p + i - n, schemes[k], n) == 0)
                return i;
        }
    }
    while (at > from && !ends_word(p[at - 1]))
        at--;
    return at;
}

static void hide_users(struct slice t, struct buf *out)
{
    size_t shown = 0;
    for (size_t i = 0; i < t.n; i++) {
        if (t.p[i] != '@')
            continue;
        size_t user = user_start(t.p, shown, i);
        add(out, t.p + shown, user - shown);
        if (user < i)
            add(out, HIDDEN, sizeof HIDDEN - 1);
        shown = i;
    }
    add(out, t.p + shown, t.n - shown);
}

/* tel:+15550100 has no '@'. */
static void hide_numbers(struct slice t, struct buf *out)
{
    size_t i = 0;
    while (i < t.n) {
        if (t.n - i <= 4 || strncasecmp(t.p + i, "tel:", 4) != 0) {
            add(out, t.p + i++, 1);
            continue;
        }
        add(out, t.p + i, 4);
        i += 4;
        add(out, HIDDEN, sizeof HIDDEN - 1);
        while (i < t.n && !ends_word(t.p[i]) && t.p[i] != '@')
            i++;
    }
}

static char *take(struct slice t, void (*hide)(struct slice, struct buf *))
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
    if (!mask)
        return clean;
    char *users = take(slice_of(clean), hide_users);
    char *all = take(slice_of(users), hide_numbers);
    free(clean);
    free(users);
    return all;
}
