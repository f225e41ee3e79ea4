#include "base/opt_int.h"

#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH  80
#define COLUMN 30 /* where the explanations begin */

/* --- Values as text. */

/* In the largest unit that leaves no rest, as it can be typed: "7d", "90s", "250ms". */
static char *duration_text(int64_t ms)
{
    static const struct {
        int64_t ms;
        const char *name;
    } units[] = {{86400000, "d"}, {3600000, "h"}, {60000, "m"}, {1000, "s"}};
    for (size_t i = 0; ms && i < sizeof units / sizeof units[0]; i++) {
        if (ms % units[i].ms == 0)
            return mem_format("%" PRId64 "%s", ms / units[i].ms, units[i].name);
    }
    return ms ? mem_format("%" PRId64 "ms", ms) : mem_dup("0");
}

static char *size_text(int64_t octets)
{
    static const char units[] = {'\0', 'k', 'M', 'G'};
    size_t i = 0;
    while (octets && octets % 1024 == 0 && i + 1 < sizeof units) {
        octets /= 1024;
        i++;
    }
    return units[i] ? mem_format("%" PRId64 "%c", octets, units[i])
                    : mem_format("%" PRId64, octets);
}

char *opt_number_text(enum opt_kind kind, int64_t value)
{
    if (kind == OPT_DURATION)
        return duration_text(value);
    return kind == OPT_SIZE ? size_text(value) : mem_format("%" PRId64, value);
}

char *opt_value_text(const struct opt *o)
{
    if (!o->to)
        return NULL;
    switch (o->kind) {
    case OPT_FLAG:
        return mem_dup(*(const bool *)o->to ? "yes" : "no");
    case OPT_TEXT:
    case OPT_CHOICE:
        return mem_dup(*(const char *const *)o->to);
    case OPT_LIST:
        return NULL;
    default: /* below its range a number stands for none */
        return *(const int64_t *)o->to < o->min ? NULL
                                                : opt_number_text(o->kind, *(const int64_t *)o->to);
    }
}

/* Is this default worth a word? A flag that is off is not. */
static char *default_text(const struct opt *o)
{
    char *text = opt_value_text(o);
    if (!text || o->kind != OPT_FLAG || strcmp(text, "no") != 0)
        return text;
    free(text);
    return NULL;
}

/* --- Help. */

/* Prints words from the current column on, and goes on under COLUMN where a line is full. */
static void print_wrapped(const char *text, size_t column)
{
    while (*text) {
        size_t word = strcspn(text, " ");
        if (column + 1 + word > WIDTH && column > COLUMN) {
            (void)printf("\n%*s", COLUMN, "");
            column = COLUMN;
        } else if (column > COLUMN) {
            (void)putchar(' ');
            column++;
        }
        (void)printf("%.*s", (int)word, text);
        column += word;
        text += word;
        text += strspn(text, " ");
    }
    (void)putchar('\n');
}

static void print_option(const struct opt *o)
{
    char letter[] = {'-', o->letter, ',', ' ', '\0'};
    bool has_arg = o->kind != OPT_FLAG && o->arg;
    int n =
        printf("  %s--%s%s%s%s", o->letter ? letter : "    ", opt_can_be_undone(o) ? "[no-]" : "",
               o->name, has_arg ? " " : "", has_arg ? o->arg : "");
    size_t column = n > 0 ? (size_t)n : 0;
    if (column + 2 > COLUMN) {
        (void)putchar('\n');
        column = 0;
    }
    (void)printf("%*s", (int)(COLUMN - column), "");
    char *otherwise = default_text(o);
    char *text =
        otherwise && *otherwise ? mem_format("%s [%s]", o->help, otherwise) : mem_dup(o->help);
    print_wrapped(text, COLUMN);
    free(text);
    free(otherwise);
}

static void print_usage(const struct opt_program *p)
{
    const char *line = p->usage;
    for (const char *lead = "Usage:"; *line; lead = "      ") {
        size_t n = strcspn(line, "\n");
        (void)printf("%s %s %.*s\n", lead, p->name, (int)n, line);
        line += n + (line[n] ? 1 : 0);
    }
    (void)printf("\n%s\n", p->about);
}

void opt_print_help(const struct opt_settings *all)
{
    const struct opt_program *p = all->program;
    size_t at = 0;
    print_usage(p);
    for (size_t t = 0; p->tables[t]; t++) {
        const char *heading = p->headings ? p->headings[t] : NULL;
        (void)printf("\n%s:\n", heading ? heading : "Options");
        for (const struct opt *o = p->tables[t]; o->name; o++, at++)
            print_option(o);
    }
    (void)printf("\nEvery program:\n");
    for (; at < all->n; at++)
        print_option(all->v[at].o);
    if (p->after)
        (void)printf("\n%s%s", p->after, p->after[strlen(p->after) - 1] == '\n' ? "" : "\n");
}

/* --- Where values came from. */

static void print_setting(const struct opt_setting *s, const char *value, const char *origin)
{
    static const char *const sources[] = {"default", "", "", "environment ", "command line"};
    (void)printf("%s=", s->o->name);
    for (const char *p = value ? value : ""; *p; p++)
        (void)putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
    (void)printf("  # from: %s%s\n", sources[s->source], origin ? origin : "");
}

void opt_print_settings(const struct opt_settings *all)
{
    static const char *const acts[] = {"help", "version", "show-config"};
    for (size_t i = 0; i < all->n; i++) {
        const struct opt_setting *s = &all->v[i];
        bool act = false;
        for (size_t a = 0; a < sizeof acts / sizeof *acts; a++)
            act = act || strcmp(s->o->name, acts[a]) == 0;
        for (size_t v = 0; v < s->values.n && !act; v++)
            print_setting(s, s->values.v[v], s->origins.v[v]);
        if (s->values.n == 0 && !act) {
            char *text = opt_value_text(s->o);
            print_setting(s, text, NULL);
            free(text);
        }
    }
}

void opt_finish_output(void)
{
    exit(err_output());
}
