/* Which programs run with which arguments, and the same as a shell pipeline. */
#include "bin/deliver/deliver.h"

#include "base/argv.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
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
static const struct opt trace_table[] = {TRACE_OPTIONS(KEPT){0}};
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
const struct opt *const plan_tables[] = {address_table, compose_table, sip_table,
                                         msrp_table,    dns_table,     trace_table,
                                         common_table,  watch_table,   NULL};

static bool begin(struct argv *c, const char *program, const char *variable)
{
    char *path = spawn_find(program, variable);
    if (!path) {
        err_linef(program, "install it beside cpm-deliver, or set the variable",
                  "not found (%s, beside cpm-deliver, PATH)", variable);
        return false;
    }
    argv_own(c, path);
    return true;
}

static void begin_session(struct plan *p, struct argv *c, const char *sid)
{
    argv_add(c, "-s");
    argv_add(c, p->session ? p->session : p->own_session);
    if (sid)
        argv_own(c, mem_format("--attempt=%s", sid));
    argv_given(c, common_table);
    argv_common(c);
}

static void push_compose(struct plan *p)
{
    struct argv *c = &p->compose;
    argv_given(c, address_table);
    argv_given(c, compose_table);
    struct opt_list id;
    if (p->known_id && !opt_given("message-id", &id))
        argv_own(c, mem_format("--message-id=%s", p->known_id));
    argv_common(c);
    argv_add(c, "--");
    argv_add(c, p->content);
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
    for (int i = 0; i < STAGES; i++) {
        argv_given(&p->stage[i], dns_table);
        argv_given(&p->stage[i], trace_table);
    }
    argv_given(&p->stage[INVITE], address_table);
    argv_given(&p->stage[INVITE], sip_table);
    argv_given(&p->stage[BYE], sip_table);
    argv_given(&p->stage[SERVE], msrp_table);
    argv_add(&p->stage[SERVE], "--");
    argv_add(&p->stage[SERVE], message);
    return true;
}

void plan_clear(struct plan *p)
{
    argv_clear(&p->compose);
    for (int i = 0; i < STAGES; i++)
        argv_clear(&p->stage[i]);
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

static void print_command(const struct argv *c)
{
    for (size_t i = 0; i < c->n; i++) {
        if (i > 0)
            (void)putchar(' ');
        print_word(c->v[i]);
    }
}

/* A name that nobody has: the shell would empty what stands there. */
static char *composed_name(const struct plan *p)
{
    char token[9];
    rand_token(token, sizeof token - 1);
    return mem_format("%s.%s.cpim", p->session ? p->session : p->own_session, token);
}

int plan_print(struct plan *p)
{
    if (!p->content && strcmp(p->message, "-") == 0) {
        err_line("-", "a message on standard input is nothing that can be pasted", "name a file");
        return EX_USAGE;
    }
    char *message = p->content ? composed_name(p) : mem_dup(p->message);
    int status = EX_OK;
    if (!plan_make(p, message, p->attempt)) {
        status = EX_CONFIG;
    } else {
        if (p->content) {
            (void)fputs("(umask 077 && ", stdout);
            print_command(&p->compose);
            (void)fputs(" > ", stdout);
            print_word(message);
            (void)fputs(") &&\n", stdout);
        }
        for (int i = 0; i < STAGES; i++) {
            print_command(&p->stage[i]);
            (void)fputs(i + 1 < STAGES ? " |\n" : "\n", stdout);
        }
        status = err_output();
    }
    free(message);
    return status;
}
