/* The ladder as SVG 1.1. Colours and sizes are presentation attributes, so it needs no style; each
 * text is given its length, so it fits whatever font there is. Where a text or the bar lies over a
 * lifeline, that has a gap. */
#include "base/clock.h"
#include "base/html.h"
#include "base/mem.h"
#include "ladder/ladder_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    ROW = 28,
    HEAD = 112, /* of an attempt, above its first row */
    FOOT = 16,
    CELL_10 = 78, /* a tenth of a unit: the width of a character of 13 units */
    TIME_END = 84,
    FIRST_LIFELINE = 100,
    RIGHT = 20,
    TOLD = 60, /* steps that the description tells */
};

struct picture {
    struct html h;
    const struct ladder *l;
    const struct ladder_svg *how;
    const char *id;
    size_t width;
    size_t apart; /* the lifelines of the attempt that is drawn */
};

static const char *const colours[] = {[MOOD_PLAIN] = "#2f81f7",
                                      [MOOD_FAINT] = "currentColor",
                                      [MOOD_GOOD] = "#2da44e",
                                      [MOOD_BAD] = "#e5534b",
                                      [MOOD_STRONG] = "currentColor"};
static const char *const classes[] = {[MOOD_PLAIN] = "ladder-plain",
                                      [MOOD_FAINT] = "ladder-faint",
                                      [MOOD_GOOD] = "ladder-good",
                                      [MOOD_BAD] = "ladder-bad",
                                      [MOOD_STRONG] = "ladder-strong"};

static size_t x_of(const struct picture *p, size_t lifeline)
{
    return FIRST_LIFELINE + lifeline * p->apart;
}

static size_t columns_in(size_t units)
{
    return units * 10 / CELL_10;
}

/* Gives how wide it is. `anchor` is start, middle or end; the text is cut to `room`. */
static size_t put_text(struct picture *p, size_t x, size_t y, const char *anchor, size_t room,
                       const char *text, enum ladder_mood mood)
{
    char *cut = layout_cut(text, columns_in(room), true);
    size_t length = layout_columns(cut) * CELL_10 / 10;
    if (length > 0)
        html_add(&p->h,
                 "<text class=\"%s\" x=\"%zu\" y=\"%zu\" text-anchor=\"%s\" textLength=\"%zu\" "
                 "lengthAdjust=\"spacingAndGlyphs\" fill=\"currentColor\" fill-opacity=\"%s\" "
                 "font-weight=\"%s\">%s</text>\n",
                 classes[mood], x, y, anchor, length, mood == MOOD_FAINT ? ".7" : "1",
                 mood == MOOD_STRONG ? "bold" : "normal", cut);
    free(cut);
    return length;
}

static void put_line(struct picture *p, size_t x1, size_t y1, size_t x2, size_t y2,
                     enum ladder_mood mood)
{
    html_add(&p->h,
             "<line class=\"%s\" x1=\"%zu\" y1=\"%zu\" x2=\"%zu\" y2=\"%zu\" stroke=\"%s\" "
             "stroke-opacity=\"%s\" stroke-width=\"%s\"/>\n",
             classes[mood], x1, y1, x2, y2, colours[mood], mood == MOOD_FAINT ? ".4" : "1",
             mood == MOOD_FAINT ? "1" : "1.5");
}

static void put_head(struct picture *p, size_t x, size_t y, bool to_right, enum ladder_mood mood)
{
    size_t back = to_right ? x - 9 : x + 9;
    html_add(&p->h, "<path class=\"%s\" d=\"M%zu %zuL%zu %zuL%zu %zuz\" fill=\"%s\"/>\n",
             classes[mood], x, y, back, y - 5, back, y + 5, colours[mood]);
}

/* --- The heading of an attempt. */

static void draw_name(struct picture *p, const struct ladder_attempt *a, size_t i, size_t top)
{
    const struct ladder_lifeline *k = &a->lifelines[i];
    bool first = i == 0, last = i > 0 && i + 1 == a->lifeline_count, two = a->lifeline_count == 2;
    size_t room = first && two  ? p->apart / 3
                  : last && two ? p->apart * 2 / 3 - 10
                  : first       ? p->apart / 2 - 10
                  : last        ? p->apart / 2 + RIGHT - 10
                                : p->apart - 20;
    const char *anchor = first ? "start" : last ? "end" : "middle";
    size_t x = x_of(p, i) + (last ? RIGHT / 2 : 0);
    char *name = mem_format("%s%s", k->name, k->shared ? ", others" : "");
    (void)put_text(p, x, top + 74, anchor, room, name, MOOD_STRONG);
    (void)put_text(p, x, top + 92, anchor, room, k->detail, MOOD_FAINT);
    free(name);
}

static void draw_heading(struct picture *p, const struct ladder_attempt *a, size_t top)
{
    char when[CLOCK_TEXT_SIZE];
    char *heading = words_heading(p->l, a);
    clock_text(when, a->wall_ms);
    (void)put_text(p, RIGHT, top + 24, "start", p->width - 2 * RIGHT, heading, MOOD_STRONG);
    (void)put_text(p, RIGHT, top + 44, "start", p->width - 2 * RIGHT, when, MOOD_FAINT);
    for (size_t i = 0; i < a->lifeline_count; i++)
        draw_name(p, a, i, top);
    free(heading);
}

/* --- Steps. `y` is their line; they give how far to the right they cover the lifelines. */

static size_t draw_note(struct picture *p, size_t y, const char *text, enum ladder_mood mood)
{
    size_t x = FIRST_LIFELINE + 10;
    size_t width = put_text(p, x, y, "start", p->width - RIGHT / 2 - x, text, mood);
    if (mood == MOOD_GOOD || mood == MOOD_BAD)
        html_add(&p->h, "<circle class=\"%s\" cx=\"%d\" cy=\"%zu\" r=\"5\" fill=\"%s\"/>\n",
                 classes[mood], FIRST_LIFELINE, y - 4, colours[mood]);
    return x + width + 4;
}

static size_t draw_arrow(struct picture *p, const struct ladder_step *step, size_t y)
{
    size_t from = x_of(p, step->from), to = x_of(p, step->to);
    size_t right = from < to ? to : from; /* the label stands where no lifeline is crossed */
    put_line(p, from, y, to, y, step->mood);
    put_head(p, to, y, from < to, step->mood);
    (void)put_text(p, right - p->apart / 2, y - 5, "middle", p->apart - 16, step->label,
                   step->mood);
    return 0;
}

static size_t draw_bar(struct picture *p, const struct ladder_step *step, size_t y)
{
    size_t left = FIRST_LIFELINE, right = x_of(p, step->to), width = right - left;
    size_t done = layout_done(step, width);
    html_add(&p->h,
             "<rect class=\"ladder-rest\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"20\" "
             "fill=\"currentColor\" fill-opacity=\".12\"/>\n"
             "<rect class=\"%s\" x=\"%zu\" y=\"%zu\" width=\"%zu\" height=\"20\" fill=\"%s\" "
             "fill-opacity=\".45\"/>\n",
             left, y - 17, width, classes[step->mood], left, y - 17, done, colours[step->mood]);
    if (step->mood == MOOD_BAD)
        html_add(&p->h,
                 "<path class=\"ladder-bad\" d=\"M%zu %zul10 20m0 -20l-10 20\" stroke=\"%s\" "
                 "stroke-width=\"2\" fill=\"none\"/>\n",
                 left + done - 5, y - 17, colours[MOOD_BAD]);
    else if (step->octets >= step->total)
        put_head(p, right, y - 7, true, step->mood);
    if (done > width / 2) /* the label stands in the longer part */
        (void)put_text(p, left + done / 2, y - 2, "middle", done - 30, step->label, step->mood);
    else
        (void)put_text(p, left + (done + width) / 2, y - 2, "middle", width - done - 30,
                       step->label, step->mood);
    return right;
}

static size_t draw_step(struct picture *p, const struct ladder_step *step, size_t y)
{
    char time[24];
    words_time(time, step->ms);
    (void)put_text(p, TIME_END, y, "end", TIME_END, time, MOOD_FAINT);
    return step->kind == STEP_NOTE    ? draw_note(p, y, step->label, step->mood)
           : step->kind == STEP_ARROW ? draw_arrow(p, step, y)
                                      : draw_bar(p, step, y);
}

/* --- An attempt. */

struct rows {
    size_t covered[LADDER_STEPS + 1]; /* up to which x, or 0 */
    size_t count, top;
};

static void next_row(struct picture *p, struct rows *r, const struct ladder_step *step,
                     const char *more)
{
    size_t y = r->top + r->count * ROW + 20;
    r->covered[r->count++] = step ? draw_step(p, step, y) : draw_note(p, y, more, MOOD_FAINT);
}

static void draw_lifeline(struct picture *p, const struct rows *r, size_t i)
{
    size_t x = x_of(p, i), from = r->top - 14;
    for (size_t k = 0; k < r->count; k++) {
        size_t y = r->top + k * ROW;
        if (i == 0 || r->covered[k] <= x)
            continue;
        if (from < y)
            put_line(p, x, from, x, y, MOOD_FAINT);
        from = y + ROW;
    }
    if (from < r->top + r->count * ROW + 4)
        put_line(p, x, from, x, r->top + r->count * ROW + 4, MOOD_FAINT);
}

static size_t height_of(const struct ladder_attempt *a)
{
    return HEAD + (a->step_count + (a->left_out > 0)) * ROW + FOOT;
}

static void draw_attempt(struct picture *p, const struct ladder_attempt *a, size_t top)
{
    struct rows r = {.top = top + HEAD};
    p->apart =
        (p->width - FIRST_LIFELINE - RIGHT) / (a->lifeline_count > 1 ? a->lifeline_count - 1 : 1);
    draw_heading(p, a, top);
    for (size_t i = 0; i < a->step_count; i++) {
        char *more = mem_format("\xe2\x80\xa6 %" PRIu64 " more", a->left_out);
        if (i == LADDER_FIRST && a->left_out > 0)
            next_row(p, &r, NULL, more);
        next_row(p, &r, &a->steps[i], NULL);
        free(more);
    }
    for (size_t i = 0; i < a->lifeline_count; i++)
        draw_lifeline(p, &r, i);
}

/* --- What it says to those who do not see it. */

static void tell_step(struct picture *p, const struct ladder_attempt *a, size_t i)
{
    const struct ladder_step *s = &a->steps[i];
    char time[24];
    words_time(time, s->ms);
    if (s->kind == STEP_NOTE)
        html_add(&p->h, "%s s: %s.\n", time, s->label);
    else
        html_add(&p->h, "%s s, %s to %s: %s.\n", time, a->lifelines[s->from].name,
                 a->lifelines[s->to].name, s->label);
}

static void tell(struct picture *p)
{
    const struct ladder *l = p->l;
    const struct ladder_attempt *a = l->count > 0 ? l->attempts[l->count - 1] : NULL;
    char *heading = a ? words_heading(l, a) : mem_dup("no attempt yet");
    size_t from = a && a->step_count > TOLD ? a->step_count - TOLD : 0;
    html_add(&p->h, "<title id=\"%s-title\">%s</title>\n<desc id=\"%s-desc\">", p->id, heading,
             p->id);
    for (size_t i = from; a && i < a->step_count; i++)
        tell_step(p, a, i);
    html_add(&p->h, "</desc>\n");
    free(heading);
}

/* --- The whole. */

static void measure(struct picture *p, size_t *height)
{
    size_t lifelines = 3;
    *height = p->l->count == 0 || p->l->earlier > 0 ? 2 * ROW : 0;
    for (size_t i = 0; i < p->l->count; i++) {
        const struct ladder_attempt *a = p->l->attempts[i];
        *height += height_of(a);
        lifelines = a->lifeline_count > lifelines ? a->lifeline_count : lifelines;
    }
    p->width = FIRST_LIFELINE + (lifelines - 1) * (lifelines < 4 ? 300 : 260) + RIGHT;
}

static void open_picture(struct picture *p, size_t height)
{
    html_add(&p->h,
             "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"ladder\" role=\"img\" "
             "aria-labelledby=\"%s-title %s-desc\" viewBox=\"0 0 %zu %zu\" width=\"%zu\" "
             "height=\"%zu\" font-family=\"ui-monospace, monospace\" font-size=\"13\"",
             p->id, p->id, p->width, height, p->width, height);
    html_add(&p->h, p->how->in_page ? ">\n" : " color=\"#1f2328\">\n");
    tell(p);
    if (!p->how->in_page)
        html_add(&p->h, "<style>@media (prefers-color-scheme: dark) { .ladder { color: #e6edf3 } "
                        ".ladder-paper { fill: #0d1117 } }</style>\n"
                        "<rect class=\"ladder-paper\" width=\"100%%\" height=\"100%%\" "
                        "fill=\"#ffffff\"/>\n");
}

int ladder_svg(const struct ladder *l, const struct ladder_svg *how, struct buf *out)
{
    struct picture p = {.h = {out, 0}, .l = l, .how = how, .id = how->id ? how->id : "ladder"};
    size_t height, top = 0;
    measure(&p, &height);
    open_picture(&p, height);
    if (l->count == 0 || l->earlier > 0) {
        char *text = l->count == 0
                         ? mem_dup("no attempt yet")
                         : mem_format("\xe2\x80\xa6 %" PRIu64 " earlier attempts", l->earlier);
        (void)put_text(&p, RIGHT, ROW, "start", p.width - 2 * RIGHT, text, MOOD_PLAIN);
        free(text);
        top = 2 * ROW;
    }
    for (size_t i = 0; i < l->count; i++) {
        draw_attempt(&p, l->attempts[i], top);
        top += height_of(l->attempts[i]);
    }
    html_add(&p.h, "</svg>\n");
    return p.h.error;
}
