/* The ladder: whatever the lines are, the text holds no control character and no row is wider than
 * the terminal, drawn at once or line by line; the SVG holds no markup but its own. */
#include "base/utf8.h"
#include "ladder/ladder.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

#define WIDTH 60

static void check_text(struct slice text, bool utf8)
{
    size_t columns = 0;
    for (size_t i = 0, size; i < text.n; i += size) {
        uint32_t c;
        size = utf8_char(text.p + i, text.n - i, &c);
        HOLDS(size > 0 && (utf8 || c < 0x80));
        HOLDS(c == '\n' || (c >= ' ' && (c < 0x7f || c >= 0xa0) && !utf8_is_unseen(c)));
        columns = c == '\n' ? 0 : columns + (size_t)utf8_columns(c);
        HOLDS(columns <= WIDTH);
    }
}

static void check_svg(struct slice svg)
{
    bool in_tag = false, in_value = false;
    for (size_t i = 0; i < svg.n; i++) {
        char c = svg.p[i];
        HOLDS((unsigned char)c >= ' ' || c == '\n');
        if (c == '"' && in_tag)
            in_value = !in_value;
        HOLDS(c != '<' || !in_tag);
        HOLDS(c != '>' || (in_tag && !in_value));
        in_tag = c == '<' || (in_tag && c != '>');
    }
    HOLDS(!in_tag && slice_starts(svg, "<svg "));
    HOLDS(memmem(svg.p, svg.n, "<script", 7) == NULL);
}

static void draw(const struct ladder *l)
{
    const struct ladder_svg in_page = {"f", true};
    for (int utf8 = 0; utf8 < 2; utf8++) {
        const struct ladder_look look = {WIDTH, utf8 == 1, false};
        struct buf out = BUF_UP_TO(LADDER_SVG_MAX);
        HOLDS(ladder_text(l, &look, &out) == 0);
        check_text(buf_slice(&out), utf8 == 1);
        buf_free(&out);
    }
    struct buf svg = BUF_UP_TO(LADDER_SVG_MAX);
    HOLDS(ladder_svg(l, &in_page, &svg) == 0);
    check_svg(buf_slice(&svg));
    buf_free(&svg);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    const struct ladder_options all = {0}, growing = {.grows = true};
    const struct ladder_look look = {WIDTH, true, false};
    struct ladder *l = ladder_new(&all), *g = ladder_new(&growing);
    struct ladder_at at = {0};
    struct slice rest = {(const char *)bytes, n};
    static struct line line;
    while (rest.p && rest.n > 0) {
        struct slice one = slice_cut(&rest, '\n');
        struct buf out = BUF_UP_TO(LADDER_SVG_MAX);
        if (line_parse(one, &line) != 0)
            continue;
        ladder_line(l, &line, one);
        ladder_line(g, &line, one);
        HOLDS(ladder_text_more(g, &look, &at, &out) == 0);
        check_text(buf_slice(&out), true);
        buf_free(&out);
    }
    draw(l);
    ladder_free(l);
    ladder_free(g);
    return 0;
}
