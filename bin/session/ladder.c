/* cpm-session ladder: the call as a picture. */
#include "ladder/ladder.h"
#include "base/err.h"
#include "bin/session/session.h"

#include <langinfo.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define COLUMNS 80 /* where there is no terminal */

static size_t terminal_columns(void)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    return COLUMNS;
}

static bool wants_colour(const char *when)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");
    if (strcmp(when, "auto") != 0)
        return strcmp(when, "always") == 0;
    return isatty(STDOUT_FILENO) && !(no && *no) && terminal && *terminal &&
           strcmp(terminal, "dumb") != 0;
}

static struct ladder_look look_of(const struct session *s)
{
    bool utf8 = setlocale(LC_CTYPE, "") && strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
    return (struct ladder_look){terminal_columns(), utf8, wants_colour(s->color)};
}

static int print(const struct buf *out)
{
    if (out->n > 0)
        (void)fwrite(out->p, 1, out->n, stdout);
    return err_output();
}

static struct ladder *new_ladder(const struct session *s)
{
    const struct ladder_options o = {.mask = s->mask, .attempt = s->attempt, .grows = s->follow};
    return ladder_new(&o);
}

/* --- As it grows. */

struct growing {
    struct session *s;
    struct ladder *ladder;
    struct ladder_at at;
    struct ladder_look look;
    int status;
};

static void on_line(void *arg, const struct line *l, struct slice text)
{
    ladder_line(((struct growing *)arg)->ladder, l, text);
}

static bool draw_more(void *arg)
{
    struct growing *g = arg;
    struct buf out = BUF_UP_TO(LADDER_SVG_MAX);
    if (ladder_text_more(g->ladder, &g->look, &g->at, &out) != 0)
        err_warn("%s: the ladder is cut", g->s->path);
    g->status = print(&out);
    buf_free(&out);
    return g->status != EX_OK || ladder_has_end(g->ladder);
}

static int follow(struct session *s)
{
    struct growing g = {.s = s, .ladder = new_ladder(s), .look = look_of(s)};
    const struct session_follow f = {.on_line = on_line,
                                     .look = draw_more,
                                     .arg = &g,
                                     .what = "the outcome",
                                     .needs_life = true};
    int status = session_follow(s, &f);
    ladder_free(g.ladder);
    return status ? status : g.status;
}

/* --- At once. */

static int draw(const struct session *s, const struct ladder *l)
{
    struct buf out = BUF_UP_TO(LADDER_SVG_MAX);
    const struct ladder_svg document = {0};
    const struct ladder_look look = look_of(s);
    int err = s->svg ? ladder_svg(l, &document, &out) : ladder_text(l, &look, &out);
    if (err)
        err_warn("%s: the ladder is cut", s->path);
    int status = print(&out);
    buf_free(&out);
    return status;
}

int session_ladder(struct session *s, char **operands)
{
    (void)operands;
    if (s->follow && s->svg) {
        err_line("--svg", "SVG cannot be drawn as it grows", "leave out --follow");
        return EX_USAGE;
    }
    if (s->follow)
        return follow(s);
    struct ladder *l = new_ladder(s);
    int status = session_read(s, ladder_line, l);
    if (!status && s->attempt && ladder_is_empty(l)) {
        err_linef(s->path, "cpm-session show lists them", "there is no attempt %s", s->attempt);
        status = SESSION_NOT_THERE;
    }
    if (!status)
        status = draw(s, l);
    ladder_free(l);
    return status;
}
