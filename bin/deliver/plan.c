/* Which programs run with which arguments, and the same as a shell pipeline. */
#include "bin/deliver/deliver.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/spawn.h"
#include "bin/options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* We only keep these as they were given, and hand them on. */
#define KEPT(field) NULL
static const struct opt address_table[] = {ADDRESS_OPTIONS(KEPT){0}};
static const struct opt sip_table[] = {SIP_OPTIONS(KEPT){0}};
static const struct opt dns_table[] = {DNS_OPTIONS(KEPT){0}};
static const struct opt msrp_table[] = {MSRP_OPTIONS(KEPT){0}};
static const struct opt compose_table[] = {COMPOSE_OPTIONS(KEPT){0}};
static const struct opt common_table[] = {
    {.name = "start-timeout",
     .kind = OPT_DURATION,
     .arg = "S",
     .help = "how long a stage waits for the others",
     .min = 1,
     .max = 365 * DAY_MS},
    {0},
};
const struct opt *const plan_tables[] = {address_table, compose_table, sip_table, msrp_table,
                                         dns_table,     common_table,  NULL};

static void push_own(struct command *c, char *word)
{
    c->argv = mem_grow(c->argv, c->count + 2, sizeof *c->argv);
    c->argv[c->count++] = word;
    c->argv[c->count] = NULL;
}

static void push(struct command *c, const char *word)
{
    push_own(c, mem_dup(word));
}

/* Hands on what the command line gave; environment and files reach the stages by themselves. */
static void push_given(struct command *c, const struct opt *table)
{
    for (; table->name; table++) {
        struct opt_list given;
        if (!opt_given(table->name, &given))
            continue;
        for (size_t i = 0; i < given.n; i++) {
            if (table->kind == OPT_FLAG)
                push_own(c, mem_format("--%s%s", strcmp(given.v[i], "no") == 0 ? "no-" : "",
                                       table->name));
            else
                push_own(c, mem_format("--%s=%s", table->name, given.v[i]));
        }
    }
}

static void push_common(struct command *c)
{
    struct opt_list config;
    if (err_verbosity == ERR_QUIET)
        push(c, "-q");
    for (int v = ERR_NORMAL; v < err_verbosity; v++)
        push(c, "-v");
    if (opt_given("config", &config)) {
        push(c, "-c");
        push(c, config.v[config.n - 1]);
    }
}

static bool begin(struct command *c, const char *program, const char *variable)
{
    char *path = spawn_find(program, variable);
    if (!path) {
        err_linef(program, "install it beside cpm-deliver, or set the variable",
                  "not found (%s, beside cpm-deliver, PATH)", variable);
        return false;
    }
    push_own(c, path);
    return true;
}

static void begin_session(struct plan *p, struct command *c, const char *sid)
{
    push(c, "-s");
    push(c, p->session ? p->session : p->own_session);
    if (sid)
        push_own(c, mem_format("--attempt=%s", sid));
    push_given(c, common_table);
    push_common(c);
}

static void push_compose(struct plan *p)
{
    struct command *c = &p->compose;
    push_given(c, address_table);
    push_given(c, compose_table);
    push_common(c);
    push(c, "--");
    push(c, p->content);
}

bool plan_make(struct plan *p, const char *message, const char *sid)
{
    static const char *const names[STAGES][2] = {{"cpm-invite", "CPM_EXEC_INVITE"},
                                                 {"cpm-msrp-serve", "CPM_EXEC_MSRP_SERVE"},
                                                 {"cpm-bye", "CPM_EXEC_BYE"}};
    plan_clear(p);
    if (p->content) {
        if (!begin(&p->compose, "cpm-compose", "CPM_EXEC_COMPOSE"))
            return false;
        push_compose(p);
    }
    for (int i = 0; i < STAGES; i++) {
        if (!begin(&p->stage[i], names[i][0], names[i][1]))
            return false;
        begin_session(p, &p->stage[i], sid);
    }
    for (int i = 0; i < STAGES; i++)
        push_given(&p->stage[i], dns_table);
    push_given(&p->stage[INVITE], address_table);
    push_given(&p->stage[INVITE], sip_table);
    push_given(&p->stage[BYE], sip_table);
    push_given(&p->stage[SERVE], msrp_table);
    push(&p->stage[SERVE], "--");
    push(&p->stage[SERVE], message);
    return true;
}

static void clear(struct command *c)
{
    for (size_t i = 0; i < c->count; i++)
        free(c->argv[i]);
    free(c->argv);
    *c = (struct command){0};
}

void plan_clear(struct plan *p)
{
    clear(&p->compose);
    for (int i = 0; i < STAGES; i++)
        clear(&p->stage[i]);
}

/* --- As a shell pipeline. */

/* In single quotes nothing is special to a shell but the single quote itself. */
static void print_word(const char *word)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._/:@%+,-";
    if (*word && strspn(word, plain) == strlen(word)) {
        (void)fputs(word, stdout);
        return;
    }
    (void)putchar('\'');
    for (; *word; word++) {
        if (*word == '\'')
            (void)fputs("'\\''", stdout);
        else
            (void)putchar(*word);
    }
    (void)putchar('\'');
}

static void print_command(const struct command *c)
{
    for (size_t i = 0; i < c->count; i++) {
        if (i > 0)
            (void)putchar(' ');
        print_word(c->argv[i]);
    }
}

int plan_print(struct plan *p)
{
    char *message = p->content ? mem_format("%s.cpim", p->session ? p->session : p->own_session)
                               : mem_dup(p->message);
    int status = EX_OK;
    if (!plan_make(p, message, p->attempt)) {
        status = EX_CONFIG;
    } else {
        if (p->content) {
            print_command(&p->compose);
            (void)fputs(" > ", stdout);
            print_word(message);
            (void)fputs(" &&\n", stdout);
        }
        for (int i = 0; i < STAGES; i++) {
            print_command(&p->stage[i]);
            (void)fputs(i + 1 < STAGES ? " |\n" : "\n", stdout);
        }
        if (fflush(stdout) != 0 || ferror(stdout)) {
            err_line("stdout", strerror(errno), NULL);
            status = EX_IOERR;
        }
    }
    free(message);
    return status;
}
