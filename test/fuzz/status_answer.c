/* What is shown of a session file, whatever stands in it and whatever is asked for: the first line
 * of an input is the target of a request, the rest the session file. A page has no element,
 * attribute or link that a value brought in, JSON and metrics are well formed, and all is printable
 * text. */
#include "base/slice.h"
#include "base/utf8.h"
#include "status/answer.h"
#include "test/fuzz/fuzz.h"

#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/cpm-fuzz-XXXXXX", path[64];

static void remove_folder(void)
{
    (void)unlink(path);
    (void)rmdir(folder);
}

static void write_session(struct slice text)
{
    if (!path[0]) {
        HOLDS(mkdtemp(folder));
        (void)snprintf(path, sizeof path, "%s/session", folder);
        (void)atexit(remove_folder);
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    HOLDS(fd >= 0 && write(fd, text.p, text.n) == (ssize_t)text.n && close(fd) == 0);
}

static void check_text(struct slice s)
{
    uint32_t code;
    for (size_t n; s.n > 0; s.p += n, s.n -= n) {
        n = utf8_char(s.p, s.n, &code);
        HOLDS(n > 0 && (code == '\n' || code >= ' ') && code != 0x7f);
    }
}

/* --- HTML. */

static bool begins(struct slice s, const char *text)
{
    return s.n >= strlen(text) && memcmp(s.p, text, strlen(text)) == 0;
}

static struct slice take(struct slice *s, const char *chars)
{
    struct slice taken = {s->p, 0};
    while (s->n > 0 && strchr(chars, *s->p) && *s->p) {
        s->p++;
        s->n--;
        taken.n++;
    }
    return taken;
}

#define NAME "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-:"

static void check_attribute(struct slice name, struct slice value)
{
    static const char *const places[] = {"/", "#", "?", "data:image/svg+xml,"};
    bool link = slice_is(name, "href") || slice_is(name, "src") || slice_is(name, "action");
    bool known = slice_is(name, "xmlns");
    HOLDS(name.n > 0 && !begins(name, "on") && !slice_is(name, "style"));
    HOLDS(!memchr(value.p, '<', value.n));
    for (size_t i = 0; i < sizeof places / sizeof *places; i++)
        known = known || begins(value, places[i]);
    HOLDS(!link || (known && !begins(value, "//")));
}

/* *s stands behind the "<". */
static void check_tag(struct slice *s)
{
    static const char *const odd[] = {"script", "iframe", "object", "embed", "base", "form"};
    bool ends = begins(*s, "/");
    (void)take(s, "/!");
    struct slice name = take(s, NAME);
    HOLDS(name.n > 0);
    for (size_t i = 0; i < sizeof odd / sizeof *odd; i++)
        HOLDS(!slice_is_nocase(name, odd[i]));
    (void)take(s, " ");
    while (!ends && s->n > 0 && !begins(*s, ">") && !begins(*s, "/>")) {
        struct slice attribute = take(s, NAME), value = {"", 0};
        if (begins(*s, "=")) {
            HOLDS(begins(*s, "=\""));
            const char *end = memchr(s->p + 2, '"', s->n - 2);
            HOLDS(end);
            value = (struct slice){s->p + 2, (size_t)(end - s->p - 2)};
            s->n -= (size_t)(end + 1 - s->p);
            s->p = end + 1;
        }
        check_attribute(attribute, value);
        (void)take(s, " \n");
    }
    (void)take(s, "/");
    HOLDS(take(s, ">").n >= 1);
}

static void check_html(struct slice s)
{
    while (s.n > 0) {
        const char *tag = memchr(s.p, '<', s.n);
        if (!tag)
            return;
        s.n -= (size_t)(tag + 1 - s.p);
        s.p = tag + 1;
        check_tag(&s);
    }
}

/* --- JSON. */

static bool eat(struct slice *s, char c)
{
    (void)take(s, " \n");
    if (s->n == 0 || *s->p != c)
        return false;
    s->p++;
    s->n--;
    return true;
}

static void check_string(struct slice *s)
{
    HOLDS(eat(s, '"'));
    for (; s->n > 0 && *s->p != '"'; s->p++, s->n--) {
        HOLDS(*s->p != '\n');
        if (*s->p != '\\')
            continue;
        s->p++;
        s->n--;
        HOLDS(s->n > 0 && *s->p && strchr("\"\\/bfnrtu", *s->p));
    }
    HOLDS(eat(s, '"'));
}

static void check_value(struct slice *s, int depth)
{
    bool object = eat(s, '{');
    HOLDS(depth < 16);
    if (!object && !eat(s, '[')) {
        if (begins(*s, "\""))
            check_string(s);
        else
            HOLDS(take(s, "-+.0123456789aeflnrstu").n > 0);
        return;
    }
    if (eat(s, object ? '}' : ']'))
        return;
    do {
        (void)take(s, " \n");
        if (object) {
            check_string(s);
            HOLDS(eat(s, ':'));
        }
        (void)take(s, " \n");
        check_value(s, depth + 1);
    } while (eat(s, ','));
    HOLDS(eat(s, object ? '}' : ']'));
}

static void check_json(struct slice s)
{
    check_value(&s, 0);
    (void)take(&s, " \n");
    HOLDS(s.n == 0);
}

/* --- Metrics: comments, and names with labels of ours and a number. */

static void check_metrics(struct slice s)
{
    while (s.n > 0) {
        struct slice line = slice_cut(&s, '\n');
        if (line.n == 0 || begins(line, "#"))
            continue;
        HOLDS(take(&line, "abcdefghijklmnopqrstuvwxyz_").n > 0);
        if (begins(line, "{")) {
            (void)take(&line, "{abcdefghijklmnopqrstuvwxyz0123456789_=\",.+I");
            HOLDS(eat(&line, '}'));
        }
        HOLDS(take(&line, " ").n == 1 && take(&line, "0123456789.e+-").n > 0 && line.n == 0);
    }
}

static void check_answer(const struct status_answer *a)
{
    struct slice body = buf_slice(&a->body), type = slice_of(a->type);
    HOLDS(a->status == 200 || a->status == 400 || a->status == 404 || a->status == 503);
    HOLDS(body.n > 0);
    check_text(body);
    if (begins(type, "text/html") || begins(type, "image/svg"))
        check_html(body);
    else if (begins(type, "application/json"))
        check_json(body);
    else if (begins(type, "text/plain; version"))
        check_metrics(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct slice rest = {(const char *)bytes, n}, query = slice_cut(&rest, '\n');
    struct slice target = slice_cut(&query, '?');
    char *where = slice_dup(target), *what = query.p ? slice_dup(query) : NULL;
    struct snapshot_options o = {.mask = n % 2, .since_ms = 1};
    struct status_answer a = {0};
    struct snapshot *s;
    write_session((struct slice){rest.p ? rest.p : "", rest.n});
    snapshot_open_session(&s, path, &o);
    status_answer(s, where, what, &a);
    check_answer(&a);
    buf_free(&a.body);
    snapshot_close(s);
    free(where);
    free(what);
    return 0;
}
