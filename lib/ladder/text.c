/* The ladder on a terminal: each row is put together from cells, one a column. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "ladder/ladder_int.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    COLUMNS_LEAST = 40,
    COLUMNS_MOST = 120,
    TIME_COLUMNS = 9,
    FIRST_LIFELINE = TIME_COLUMNS + 2,
    APART = 13,    /* lifelines, at least */
    NOTE_ROWS = 3, /* at most */
};

struct glyphs {
    const char *lifeline, *line, *left, *right, *bar, *rest, *broken;
};

static const struct glyphs ascii = {"|", "-", "<", ">", "=", ".", "x"};
static const struct glyphs unicode = {
    "\xe2\x94\x82", "\xe2\x94\x80", "\xe2\x97\x80", "\xe2\x96\xb6",
    "\xe2\x95\x90", "\xe2\x94\x84", "\xe2\x9c\x97",
};

struct cell {
    char bytes[12]; /* a character and the marks on it; none: a blank, or behind a wide one */
    size_t n;
    bool behind;
    enum ladder_mood mood;
};

struct canvas {
    const struct ladder_look *look;
    const struct glyphs *glyphs;
    struct buf *out;
    int error;
    size_t width;
    size_t at[LADDER_LIFELINES]; /* the columns of the lifelines */
    size_t count;                /* of those with a column of their own: the rest shares the last */
    struct cell row[COLUMNS_MOST];
};

static size_t put_char(struct canvas *c, size_t column, const char *bytes, size_t size,
                       size_t columns, enum ladder_mood mood)
{
    if (columns == 0) {
        struct cell *before = column > 0 ? &c->row[column - 1 - c->row[column - 1].behind] : NULL;
        if (before && before->n + size <= sizeof before->bytes) {
            memcpy(before->bytes + before->n, bytes, size);
            before->n += size;
        }
        return column;
    }
    if (column + columns > c->width)
        return column;
    c->row[column] = (struct cell){.n = size, .mood = mood};
    memcpy(c->row[column].bytes, bytes, size);
    if (columns > 1)
        c->row[column + 1] = (struct cell){.behind = true, .mood = mood};
    return column + columns;
}

/* Gives the column behind it. */
static size_t put(struct canvas *c, size_t column, const char *text, enum ladder_mood mood)
{
    for (size_t size; *text; text += size) {
        uint32_t code;
        size = utf8_char(text, strlen(text), &code);
        if (size == 0)
            return column;
        column = put_char(c, column, text, size, (size_t)utf8_columns(code), mood);
    }
    return column;
}

static void put_cut(struct canvas *c, size_t column, size_t columns, const char *text,
                    enum ladder_mood mood)
{
    char *cut = layout_cut(text, columns, c->look->utf8);
    (void)put(c, column, cut, mood);
    free(cut);
}

static void write_out(struct canvas *c, const char *bytes, size_t n)
{
    if (!c->error)
        c->error = buf_add(c->out, bytes, n);
}

static void write_mood(struct canvas *c, enum ladder_mood mood)
{
    static const char *const sgr[] = {[MOOD_PLAIN] = "\033[0;36m",
                                      [MOOD_FAINT] = "\033[0;2m",
                                      [MOOD_GOOD] = "\033[0;32m",
                                      [MOOD_BAD] = "\033[0;31m",
                                      [MOOD_STRONG] = "\033[0;1m"};
    if (c->look->colour)
        write_out(c, sgr[mood], strlen(sgr[mood]));
}

static bool is_blank(const struct cell *cell)
{
    return cell->n == 0 ? !cell->behind : cell->n == 1 && cell->bytes[0] == ' ';
}

/* Writes the row, without the blanks at its end, and empties it. */
static void end_row(struct canvas *c)
{
    size_t n = c->width, last = SIZE_MAX;
    while (n > 0 && is_blank(&c->row[n - 1]))
        n--;
    for (size_t i = 0; i < n; i++) {
        const struct cell *cell = &c->row[i];
        if (cell->n > 0 && cell->mood != last) {
            last = cell->mood;
            write_mood(c, cell->mood);
        }
        if (cell->n > 0)
            write_out(c, cell->bytes, cell->n);
        else if (!cell->behind)
            write_out(c, " ", 1);
    }
    if (c->look->colour && last != SIZE_MAX)
        write_out(c, "\033[0m", 4);
    write_out(c, "\n", 1);
    memset(c->row, 0, sizeof c->row);
}

/* --- The heading of an attempt. */

static void place_lifelines(struct canvas *c, const struct ladder_attempt *a)
{
    size_t span = c->width - 1 - FIRST_LIFELINE;
    size_t fit = span / APART + 1;
    c->count = a->lifeline_count < fit ? a->lifeline_count : fit;
    for (size_t i = 0; i < LADDER_LIFELINES; i++) {
        size_t place = i < c->count ? i : c->count - 1;
        c->at[i] = FIRST_LIFELINE + (place > 0 ? place * span / (c->count - 1) : 0);
    }
}

/* Half of the room between two lifelines, and what the name at the other one leaves of the rest. */
static size_t room_beside(const char *neighbour, size_t apart)
{
    size_t half = apart / 2, taken = layout_columns(neighbour) / 2 + 1;
    return taken < half ? apart - taken - 1 : half - 1;
}

/* A row of names: the first one begins at its lifeline, the last one ends there, the others have it
 * in their middle. */
static void draw_row(struct canvas *c, const char *const names[LADDER_LIFELINES],
                     enum ladder_mood mood)
{
    size_t last = c->count - 1;
    for (size_t i = 0; i <= last; i++) {
        size_t apart = last > 0 ? c->at[1] - c->at[0] : c->width - FIRST_LIFELINE;
        size_t room = last == 0            ? apart
                      : i > 0 && i < last  ? apart - 2
                      : last == 1 && i > 0 ? apart - apart / 3 - 1
                      : last == 1          ? apart / 3
                                           : room_beside(names[i == 0 ? 1 : last - 1], apart);
        char *cut = layout_cut(names[i], room, c->look->utf8);
        size_t n = layout_columns(cut), before = i == 0 ? 0 : i == last ? n - 1 : n / 2;
        if (n > 0)
            (void)put(c, c->at[i] - before, cut, mood);
        free(cut);
    }
    end_row(c);
}

static void draw_names(struct canvas *c, const struct ladder_attempt *a)
{
    const char *details[LADDER_LIFELINES] = {0};
    char *names[LADDER_LIFELINES] = {0};
    for (size_t i = 0; i < c->count; i++) {
        const struct ladder_lifeline *k = &a->lifelines[i];
        bool shared = k->shared || (i + 1 == c->count && c->count < a->lifeline_count);
        names[i] = mem_format("%s%s", k->name, shared ? ", others" : "");
        details[i] = k->detail;
    }
    draw_row(c, (const char *const *)names, MOOD_STRONG);
    draw_row(c, details, MOOD_FAINT);
    for (size_t i = 0; i < c->count; i++)
        free(names[i]);
}

static void draw_heading(struct canvas *c, const struct ladder *l, const struct ladder_attempt *a)
{
    char when[CLOCK_TEXT_SIZE];
    char *heading = words_heading(l, a);
    clock_text(when, a->wall_ms);
    put_cut(c, 0, c->width, heading, MOOD_STRONG);
    end_row(c);
    (void)put(c, 0, when, MOOD_FAINT);
    end_row(c);
    end_row(c);
    draw_names(c, a);
    free(heading);
}

/* --- Steps. */

static void put_lifelines(struct canvas *c)
{
    for (size_t i = 0; i < c->count; i++)
        (void)put(c, c->at[i], c->glyphs->lifeline, MOOD_FAINT);
}

/* Over some rows, if it is long. */
static void draw_note(struct canvas *c, const char *text, enum ladder_mood mood)
{
    size_t from = FIRST_LIFELINE + 2, room = c->width - from - 2; /* the last lifeline is seen */
    for (int rows = 1; rows < NOTE_ROWS && layout_columns(text) > room; rows++) {
        size_t n = layout_row(text, room);
        if (n == 0)
            break;
        char *part = mem_format("%.*s ", (int)n, text);
        put_cut(c, from, room + 1, part, mood);
        free(part);
        end_row(c);
        put_lifelines(c);
        text += n + 1;
    }
    char *cut = layout_cut(text, room, c->look->utf8);
    char *apart = mem_format("%s ", cut);
    (void)put(c, from, apart, mood);
    free(apart);
    free(cut);
}

/* In the middle between two columns, with a blank at both sides. */
static void put_label(struct canvas *c, size_t left, size_t right, const char *label,
                      enum ladder_mood mood)
{
    size_t inner = right - left - 1;
    char *cut = layout_cut(label, inner - 6, c->look->utf8);
    char *apart = mem_format(" %s ", cut);
    if (*cut)
        (void)put(c, left + 1 + (inner - layout_columns(apart)) / 2, apart, mood);
    free(apart);
    free(cut);
}

static void draw_arrow(struct canvas *c, const struct ladder_step *step)
{
    size_t from = c->at[step->from], to = c->at[step->to];
    size_t left = from < to ? from : to, right = from < to ? to : from;
    if (left == right) {
        draw_note(c, step->label, step->mood);
        return;
    }
    for (size_t i = left + 1; i < right; i++)
        (void)put(c, i, c->glyphs->line, step->mood);
    put_label(c, left, right, step->label, step->mood);
    (void)put(c, from < to ? right - 1 : left + 1, from < to ? c->glyphs->right : c->glyphs->left,
              step->mood);
}

static void draw_bar(struct canvas *c, const struct ladder_step *step)
{
    size_t left = c->at[0], right = c->at[step->to];
    if (left == right) {
        draw_note(c, step->label, step->mood);
        return;
    }
    size_t end = left + layout_done(step, right - left - 1);
    for (size_t i = left + 1; i < right; i++)
        (void)put(c, i, i <= end ? c->glyphs->bar : c->glyphs->rest,
                  i <= end ? step->mood : MOOD_FAINT);
    if (end > left)
        (void)put(c, end, step->mood == MOOD_BAD ? c->glyphs->broken : c->glyphs->right,
                  step->mood);
    /* The label stands in the longer part. */
    if (end - left > right - end)
        put_label(c, left, end, step->label, step->mood);
    else
        put_label(c, end, right, step->label, step->mood);
}

static void draw_step(struct canvas *c, const struct ladder_step *step)
{
    char time[24];
    words_time(time, step->ms);
    size_t n = strlen(time);
    (void)put(c, n < TIME_COLUMNS ? TIME_COLUMNS - n : 0, time, MOOD_FAINT);
    put_lifelines(c);
    if (step->kind == STEP_NOTE)
        draw_note(c, step->label, step->mood);
    else if (step->kind == STEP_ARROW)
        draw_arrow(c, step);
    else
        draw_bar(c, step);
    end_row(c);
}

static void draw_more(struct canvas *c, uint64_t left_out)
{
    char *text =
        mem_format("%s %" PRIu64 " more", c->look->utf8 ? "\xe2\x80\xa6" : "...", left_out);
    put_lifelines(c);
    draw_note(c, text, MOOD_FAINT);
    end_row(c);
    free(text);
}

static void draw_steps(struct canvas *c, const struct ladder_attempt *a, uint64_t *drawn)
{
    for (size_t i = 0; i < a->step_count; i++) {
        uint64_t number = i < LADDER_FIRST ? i : i + a->left_out;
        if (number < *drawn)
            continue;
        if (number > *drawn)
            draw_more(c, number - *drawn);
        draw_step(c, &a->steps[i]);
        *drawn = number + 1;
    }
}

static struct canvas canvas_of(const struct ladder_look *look, struct buf *out)
{
    size_t width = look->columns < COLUMNS_LEAST  ? COLUMNS_LEAST
                   : look->columns > COLUMNS_MOST ? COLUMNS_MOST
                                                  : look->columns;
    return (struct canvas){
        .look = look, .glyphs = look->utf8 ? &unicode : &ascii, .out = out, .width = width};
}

int ladder_text_more(const struct ladder *l, const struct ladder_look *look, struct ladder_at *at,
                     struct buf *out)
{
    struct canvas c = canvas_of(look, out);
    for (size_t i = 0; i < l->count; i++) {
        const struct ladder_attempt *a = l->attempts[i];
        uint64_t number = l->earlier + i + 1;
        if (number < at->attempts)
            continue;
        place_lifelines(&c, a);
        if (number > at->attempts) {
            if (at->attempts > 0)
                end_row(&c);
            draw_heading(&c, l, a);
            *at = (struct ladder_at){.attempts = number};
        }
        draw_steps(&c, a, &at->steps);
    }
    return c.error;
}

int ladder_text(const struct ladder *l, const struct ladder_look *look, struct buf *out)
{
    struct ladder_at at = {0};
    int err = 0;
    if (l->earlier > 0)
        err = buf_format(out, "%s %" PRIu64 " earlier attempts\n\n",
                         look->utf8 ? "\xe2\x80\xa6" : "...", l->earlier);
    if (l->count == 0)
        err = buf_add_text(out, "no attempt yet\n");
    return err ? err : ladder_text_more(l, look, &at, out);
}
