/* cpm-session: reads a session file. Never writes, never takes a lock. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/opt.h"
#include "bin/options.h"
#include "journal/journal.h"
#include "ladder/ladder.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NOT_THERE      1
#define APPEARS_MS     250
#define LADDER_MAX     (1024 * 1024)
#define LADDER_COLUMNS 80

struct session {
    int64_t timeout_ms;
    const char *path;
    struct journal *journal;
    bool svg;
};

static int finish_stdout(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return EX_OK;
    err_line("stdout", strerror(errno), NULL);
    return EX_IOERR;
}

static int open_and_read(struct session *s, bool may_be_missing)
{
    int status;
    const char *hint;
    bool grew;
    int err = journal_open(&s->journal, s->path, JOURNAL_READ);
    if (err == ENOENT && may_be_missing)
        return EX_OK;
    if (err) {
        const char *why = journal_open_error(err, &hint, &status);
        err_line(s->path, why, hint);
        return err == ENOENT ? EX_NOINPUT : status;
    }
    err = journal_read(s->journal, &grew);
    if (err) {
        err_line(s->path, strerror(err), NULL);
        return EX_IOERR;
    }
    return EX_OK;
}

/* --- show, get */

struct table {
    struct {
        const char *key, *value;
    } * rows;
    size_t count;
};

static void add_row(void *arg, const char *key, const char *value)
{
    struct table *t = arg;
    t->rows = mem_grow(t->rows, t->count + 1, sizeof *t->rows);
    t->rows[t->count].key = key;
    t->rows[t->count++].value = value;
}

static int by_key(const void *a, const void *b)
{
    const char *const *x = a;
    const char *const *y = b;
    return strcmp(*x, *y); /* the key is the first member */
}

static void print_value(const char *value)
{
    for (; *value; value++)
        (void)putchar((unsigned char)*value < ' ' || *value == 0x7f ? '?' : *value);
    (void)putchar('\n');
}

static int show(struct session *s, char **operands)
{
    struct table t = {0};
    size_t width = 0;
    (void)operands;
    journal_each(s->journal, add_row, &t);
    if (t.count > 0)
        qsort(t.rows, t.count, sizeof *t.rows, by_key);
    for (size_t i = 0; i < t.count; i++)
        width = strlen(t.rows[i].key) > width ? strlen(t.rows[i].key) : width;
    printf("%-*s  %s\n", (int)width, "attempt", journal_sid(s->journal));
    for (size_t i = 0; i < t.count; i++) {
        printf("%-*s  ", (int)width, t.rows[i].key);
        print_value(t.rows[i].value);
    }
    free(t.rows);
    return finish_stdout();
}

static int get(struct session *s, char **operands)
{
    const char *value = journal_get(s->journal, operands[2]);
    if (!value)
        return NOT_THERE;
    printf("%s\n", value);
    return finish_stdout();
}

/* --- ladder */

static size_t terminal_columns(void)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0)
        return w.ws_col;
    return LADDER_COLUMNS;
}

static int draw(struct session *s, char **operands)
{
    struct buf out = BUF_UP_TO(LADDER_SVG_MAX);
    const struct ladder_options options = {0};
    const struct ladder_look look = {.columns = terminal_columns(), .utf8 = true};
    struct ladder *l = ladder_new(&options);
    bool grew;
    (void)operands;
    journal_close(s->journal);
    s->journal = NULL;
    if (journal_open(&s->journal, s->path, JOURNAL_READ) == 0) {
        journal_on_line(s->journal, ladder_line, l);
        if (journal_read(s->journal, &grew) != 0)
            err_warn("%s: read only in part", s->path);
    }
    const struct ladder_svg how = {0};
    if (s->svg ? ladder_svg(l, &how, &out) : ladder_text(l, &look, &out))
        err_warn("%s: the ladder is cut", s->path);
    (void)fwrite(out.p, 1, out.n, stdout);
    ladder_free(l);
    buf_free(&out);
    return finish_stdout();
}

/* --- wait */

struct waiting {
    struct session *s;
    struct loop *loop;
    const char *event;
    int64_t deadline;
    struct loop_timer timer, appears;
    int status;
};

static void stop(struct waiting *w, int status)
{
    w->status = status;
    loop_stop(w->loop);
}

static void on_change(void *arg)
{
    struct waiting *w = arg;
    bool grew;
    if (journal_read(w->s->journal, &grew) != 0)
        stop(w, EX_IOERR);
    else if (journal_has(w->s->journal, w->event))
        stop(w, EX_OK);
}

/* With no time to wait at all, what is there counts. */
static void on_timeout(void *arg)
{
    struct waiting *w = arg;
    w->status = EX_TEMPFAIL;
    if (w->s->journal)
        on_change(w);
    loop_stop(w->loop);
}

/* A file that is not there yet is waited for: the stage that makes it may be slower than we are. */
static void on_appear(void *arg)
{
    struct waiting *w = arg;
    int status = w->s->journal ? EX_OK : open_and_read(w->s, true);
    if (status)
        stop(w, status);
    else if (!w->s->journal)
        loop_at(w->loop, &w->appears, clock_ms() + APPEARS_MS, on_appear, w);
    else
        journal_watch(w->s->journal, w->loop, JOURNAL_LINES, on_change, w);
}

static int wait_for(struct session *s, char **operands)
{
    struct waiting w = {.s = s, .loop = loop_new(), .event = operands[2]};
    if (s->timeout_ms >= 0)
        loop_at(w.loop, &w.timer, clock_ms() + s->timeout_ms, on_timeout, &w);
    on_appear(&w);
    if (w.status == 0)
        loop_run(w.loop);
    if (w.status == EX_TEMPFAIL)
        err_linef(s->path, NULL, "%s did not come in time", w.event);
    journal_close(s->journal);
    s->journal = NULL;
    loop_free(w.loop);
    return w.status;
}

static const struct command {
    const char *name;
    int operands; /* with the name */
    bool opens;
    int (*run)(struct session *s, char **operands);
} commands[] = {
    {"show", 2, true, show},
    {"get", 3, true, get},
    {"ladder", 2, true, draw},
    {"wait", 3, false, wait_for},
};

static int run(struct session *s, const struct opt_result *r)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        if (r->count == 0 || strcmp(c->name, r->operands[0]) != 0)
            continue;
        if (r->count != c->operands)
            break;
        s->path = r->operands[1];
        int status = c->opens ? open_and_read(s, false) : EX_OK;
        if (!status)
            status = c->run(s, r->operands);
        journal_close(s->journal);
        return status;
    }
    err_line("usage", "show FILE | get FILE KEY | wait FILE EVENT | ladder FILE",
             "see cpm-session --help");
    return EX_USAGE;
}

int main(int argc, char **argv)
{
    err_program("cpm-session");
    struct session s = {.timeout_ms = -1};
    static const char *const known[] = OPTION_NAMES;
    const struct opt own[] = {
        {.name = "timeout",
         .kind = OPT_DURATION,
         .arg = "S",
         .help = "wait: the most that is waited, then 75; else as long as it takes",
         .to = &s.timeout_ms},
        {.name = "svg", .kind = OPT_FLAG, .help = "ladder: as SVG", .to = &s.svg},
        {0},
    };
    const struct opt *const tables[] = {own, NULL};
    const struct opt_program program = {
        .name = "cpm-session",
        .usage = "show FILE\nget FILE KEY\nwait FILE EVENT [--timeout S]\nladder FILE [--svg]",
        .about = "Reads a session file.",
        .tables = tables,
        .known = known,
        .after = "get exits with 1 where there is no such key. See cpm-session(1).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    return run(&s, &operands);
}
