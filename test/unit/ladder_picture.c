/* The ladder: the pictures of known calls are those in test/data/ladder, whatever a journal holds
 * the picture is bounded and harmless, and what comes row by row is what is drawn at once. */
#include "base/mem.h"
#include "ladder/ladder.h"
#include "test/unit/tap.h"

#include <stdlib.h>
#include <string.h>

#define DATA "test/data/ladder/"

static struct buf read_whole(const char *path)
{
    struct buf b = BUF_UP_TO(1 << 20);
    char piece[4096];
    FILE *f = fopen(path, "re");
    if (!f)
        abort();
    for (size_t n; (n = fread(piece, 1, sizeof piece, f)) > 0;) {
        if (buf_add(&b, piece, n) != 0)
            abort();
    }
    (void)fclose(f);
    return b;
}

static void feed(struct ladder *l, struct slice text)
{
    static struct line line;
    while (text.p && text.n > 0) {
        struct slice one = slice_cut(&text, '\n');
        if (line_parse(one, &line) == 0)
            ladder_line(l, &line, one);
    }
}

static struct ladder *ladder_of(const char *journal, const struct ladder_options *o)
{
    struct ladder *l = ladder_new(o);
    char *path = mem_format(DATA "%s.journal", journal);
    struct buf b = read_whole(path);
    feed(l, buf_slice(&b));
    buf_free(&b);
    free(path);
    return l;
}

/* Says the first line that differs. */
static void is_picture(const struct buf *got, const char *file)
{
    char *path = mem_format(DATA "%s", file);
    struct buf want = read_whole(path);
    struct slice g = buf_slice(got), w = buf_slice(&want);
    if (!tap_ok(slice_eq(g, w), "the picture is that of %s", file)) {
        struct slice a, b;
        do {
            a = slice_cut(&g, '\n');
            b = slice_cut(&w, '\n');
        } while (slice_eq(a, b) && g.p && w.p);
        printf("#      got: %.*s\n# expected: %.*s\n", (int)a.n, a.p, (int)b.n, b.p);
    }
    buf_free(&want);
    free(path);
}

static void text_is(const char *journal, const struct ladder_options *o,
                    const struct ladder_look *look, const char *file)
{
    struct ladder *l = ladder_of(journal, o);
    struct buf b = BUF_UP_TO(1 << 20);
    tap_is_int(ladder_text(l, look, &b), 0, "text is drawn");
    is_picture(&b, file);
    buf_free(&b);
    ladder_free(l);
}

static const struct ladder_options all;

static void test_text(void)
{
    static const struct ladder_look plain = {80, false, false}, unicode = {80, true, false},
                                    coloured = {80, true, true}, narrow = {1, true, false},
                                    wide = {1000, true, false};
    static const struct ladder_options second = {.attempt = "2"},
                                       third = {.attempt = "cccccccccccc"}, masked = {.mask = true};
    text_is("delivered", &all, &unicode, "delivered.txt");
    text_is("delivered", &all, &plain, "delivered-ascii.txt");
    text_is("delivered", &all, &coloured, "delivered-colour.txt");
    text_is("delivered", &masked, &plain, "delivered-masked.txt");
    text_is("failed", &all, &unicode, "failed.txt");
    text_is("failed", &second, &unicode, "failed-2.txt");
    text_is("failed", &third, &narrow, "failed-3-narrow.txt");
    text_is("failed", &second, &wide, "failed-2-wide.txt");
    text_is("hostile", &all, &unicode, "hostile.txt");
    text_is("hostile", &all, &plain, "hostile-ascii.txt");
}

static void svg_is(const char *journal, const struct ladder_svg *how, const char *file)
{
    struct ladder *l = ladder_of(journal, &all);
    struct buf b = BUF_UP_TO(LADDER_SVG_MAX);
    tap_is_int(ladder_svg(l, how, &b), 0, "SVG is drawn");
    is_picture(&b, file);
    buf_free(&b);
    ladder_free(l);
}

static void test_svg(void)
{
    static const struct ladder_svg document = {NULL, false}, in_page = {"call", true};
    svg_is("delivered", &document, "delivered.svg");
    svg_is("failed", &document, "failed.svg");
    svg_is("hostile", &document, "hostile.svg");
    svg_is("failed", &in_page, "failed-page.svg");
    svg_is("hostile", &in_page, "hostile-page.svg");
}

/* In the middle of a transfer, whose bar is where its last progress is. */
static void test_under_way(void)
{
    const struct ladder_look look = {80, true, false};
    const struct ladder_svg document = {0};
    struct ladder *l = ladder_new(&all);
    struct buf journal = read_whole(DATA "failed.journal"), out = BUF_UP_TO(1 << 20);
    const char *end = strstr(journal.p, " session.ended ");
    feed(l, (struct slice){journal.p, (size_t)(end - journal.p)});
    tap_ok(!ladder_has_end(l), "an attempt is under way");
    tap_is_int(ladder_text(l, &look, &out), 0, "it is drawn");
    is_picture(&out, "under-way.txt");
    buf_clear(&out);
    tap_is_int(ladder_svg(l, &document, &out), 0, "as SVG too");
    is_picture(&out, "under-way.svg");
    buf_free(&out);
    buf_free(&journal);
    ladder_free(l);
}

/* --- Row by row. */

static void test_more(void)
{
    const struct ladder_options growing = {.grows = true};
    const struct ladder_look look = {80, true, false};
    struct ladder *l = ladder_new(&growing);
    struct ladder_at at = {0};
    struct buf journal = read_whole(DATA "failed.journal"), out = BUF_UP_TO(1 << 20);
    struct slice rest = buf_slice(&journal);
    tap_ok(ladder_is_empty(l) && !ladder_has_end(l), "an empty ladder");
    while (rest.p && rest.n > 0) {
        feed(l, slice_cut(&rest, '\n'));
        if (ladder_text_more(l, &look, &at, &out) != 0)
            abort();
    }
    is_picture(&out, "failed-growing.txt");
    tap_ok(!ladder_is_empty(l) && ladder_has_end(l), "it has its end");
    buf_free(&out);
    buf_free(&journal);
    ladder_free(l);
}

/* --- Bounds. */

#define HEAD "2026-11-25T13:43:21.014Z cpm-invite[1] "

static void flood(struct ladder *l)
{
    for (int a = 0; a < 100; a++) {
        char *line = mem_format(HEAD "attempt.start sid=s%d n=%d", a, a + 1);
        feed(l, slice_of(line));
        free(line);
        for (int i = 0; i < 300; i++) {
            line = mem_format(HEAD "invite.sent sid=s%d next-hop=h%d transport=udp uri=sip:%01000d",
                              a, i, i);
            feed(l, slice_of(line));
            free(line);
        }
    }
}

static void is_narrow(struct slice text, size_t columns)
{
    size_t widest = 0, rows = 0;
    while (text.p && text.n > 0) {
        size_t n = slice_cut(&text, '\n').n;
        widest = n > widest ? n : widest;
        rows++;
    }
    tap_ok(widest <= columns, "no row is wider than the terminal (%zu)", widest);
    tap_ok(rows < 16 * 210 && rows > 16 * 200, "so many rows and no more (%zu)", rows);
}

static void test_bounds(void)
{
    const struct ladder_look look = {80, false, false};
    const struct ladder_svg how = {0};
    struct ladder *l = ladder_new(&all);
    struct buf text = BUF_UP_TO(LADDER_SVG_MAX), svg = BUF_UP_TO(LADDER_SVG_MAX),
               small = BUF_UP_TO(1000);
    flood(l);
    tap_is_int(ladder_text(l, &look, &text), 0, "a flood is drawn");
    is_narrow(buf_slice(&text), 80);
    tap_ok(slice_starts(buf_slice(&text), "... 84 earlier attempts\n"), "attempts are left out");
    tap_ok(strstr(text.p, " more ") != NULL, "steps are left out");
    tap_is_int(ladder_svg(l, &how, &svg), 0, "as SVG too");
    tap_ok(svg.n < LADDER_SVG_MAX / 2, "of %zu octets", svg.n);
    tap_ok(ladder_text(l, &look, &small) != 0 && ladder_svg(l, &how, &small) != 0,
           "what has no room says so");
    buf_free(&text);
    buf_free(&svg);
    buf_free(&small);
    ladder_free(l);
    ladder_free(NULL);
}

static void test_empty(void)
{
    const struct ladder_look look = {80, true, true};
    const struct ladder_svg how = {0};
    struct ladder *l = ladder_new(&all);
    struct buf b = BUF_UP_TO(10000);
    feed(l, SLICE(HEAD "outcome sid=nobody status=0\nattempt.start sid=bare n=1"));
    tap_is_int(ladder_text(l, &look, &b), 0, "nothing is drawn");
    tap_is_str(b.p, "no attempt yet\n", "and that is said");
    buf_clear(&b);
    tap_is_int(ladder_svg(l, &how, &b), 0, "as SVG");
    tap_ok(strstr(b.p, ">no attempt yet</text>") != NULL, "it is said too");
    buf_free(&b);
    ladder_free(l);
}

static bool contains(const struct buf *b, const char *text)
{
    return memmem(b->p, b->n, text, strlen(text)) != NULL;
}

/* Whatever the recipient says, and whoever is shown it. */
static void test_safe(void)
{
    static const char journal[] =
        "2026-11-22T10:00:00.000Z cpm-invite[1] attempt.start sid=abc n=1\n"
        "2026-11-22T10:00:01.000Z cpm-invite[1] invite.failed sid=abc status=75 "
        "why=\"5 \\x1b[2J msrp://h:1/secret;tcp sip:alice@example.com\"\n"
        "2026-11-22T10:00:02.000Z cpm-bye[1] outcome sid=abc status=75 why=other\n";
    static const struct ladder_look look = {120, true, false};
    for (int masked = 0; masked <= 1; masked++) {
        const struct ladder_options o = {.mask = masked};
        struct ladder *l = ladder_new(&o);
        struct buf b = BUF_UP_TO(1 << 20);
        feed(l, slice_of(journal));
        tap_is_int(ladder_text(l, &look, &b), 0, "text is drawn");
        tap_ok(contains(&b, "no call: 5"), "it says why");
        tap_ok(!contains(&b, " \n"), "no row ends in a blank");
        tap_ok(!memchr(b.p, '\033', b.n), "the terminal has nothing to obey");
        tap_ok(!contains(&b, "secret"), "an MSRP session id is not shown");
        tap_is_int(contains(&b, "alice"), !masked, "a mask hides who it was");
        buf_free(&b);
        ladder_free(l);
    }
}

int main(void)
{
    test_text();
    test_safe();
    test_svg();
    test_under_way();
    test_more();
    test_bounds();
    test_empty();
    return tap_done();
}
