/* cpm-session: reads a session file. Never writes, never takes a lock. */
#include "base/err.h"
#include "base/opt.h"
#include "bin/options.h"
#include "bin/session/session.h"

#include <stdio.h>
#include <string.h>

static int get(struct session *s, char **operands)
{
    int status = session_read(s, NULL, NULL);
    if (status)
        return status;
    const char *value = journal_get(s->journal, operands[2]);
    if (!value)
        return SESSION_NOT_THERE;
    printf("%s\n", value);
    return err_output();
}

/* Which of the options that not all of them know belong to which command. */
static const struct command {
    const char *name;
    int operands; /* with the name */
    int (*run)(struct session *s, char **operands);
    const char *options;
} commands[] = {
    {"show", 2, session_show, " json follow timeout "},
    {"get", 3, get, " "},
    {"ladder", 2, session_ladder, " svg color mask attempt follow timeout "},
    {"wait", 3, session_wait, " timeout "},
};

static bool takes_options(const struct command *c)
{
    static const char *const names[] = {"json",  "follow", "timeout", "svg",
                                        "color", "mask",   "attempt"};
    struct opt_list values;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char word[16];
        (void)snprintf(word, sizeof word, " %s ", names[i]);
        if (strstr(c->options, word) || !opt_given(names[i], &values))
            continue;
        err_linef(c->name, "see cpm-session --help", "--%s has no meaning here", names[i]);
        return false;
    }
    return true;
}

static int run(struct session *s, const struct opt_result *r)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        const struct command *c = &commands[i];
        if (r->count == 0 || strcmp(c->name, r->operands[0]) != 0)
            continue;
        if (r->count != c->operands)
            break;
        if (!takes_options(c))
            return EX_USAGE;
        s->path = r->operands[1];
        int status = c->run(s, r->operands);
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
    struct session s = {.timeout_ms = -1, .color = "auto"};
    static const char *const known[] = OPTION_NAMES;
    const struct opt own[] = {
        {.name = "timeout",
         .kind = OPT_DURATION,
         .arg = "S",
         .help = "wait, --follow: the most that is waited, then 75; else as long as it takes",
         .to = &s.timeout_ms},
        {.name = "follow",
         .letter = 'f',
         .kind = OPT_FLAG,
         .help = "show, ladder: go on as the file grows, until the outcome is there",
         .to = &s.follow,
         .where = OPT_COMMAND_LINE},
        {.name = "json",
         .kind = OPT_FLAG,
         .help = "show: one JSON object",
         .to = &s.json,
         .where = OPT_COMMAND_LINE},
        {.name = "svg",
         .kind = OPT_FLAG,
         .help = "ladder: as SVG",
         .to = &s.svg,
         .where = OPT_COMMAND_LINE},
        {.name = "attempt",
         .kind = OPT_TEXT,
         .arg = "SID",
         .help = "ladder: this attempt alone, by its sid or its number",
         .to = &s.attempt,
         .where = OPT_COMMAND_LINE},
        {.name = "mask",
         .kind = OPT_FLAG,
         .help = "ladder: name nobody: no users, names or numbers",
         .to = &s.mask},
        {.name = "color",
         .kind = OPT_CHOICE,
         .arg = "WHEN",
         .choices = "auto|always|never",
         .help = "ladder: colours; auto on a terminal, unless NO_COLOR is set",
         .to = &s.color},
        {0},
    };
    const struct opt *const tables[] = {own, NULL};
    const struct opt_program program = {
        .name = "cpm-session",
        .usage = "show [--json] [--follow] FILE\nget FILE KEY\nwait [--timeout S] FILE EVENT\n"
                 "ladder [--svg] [--mask] [--color WHEN] [--attempt SID] [--follow] FILE",
        .about = "Reads a session file.",
        .tables = tables,
        .known = known,
        .after = "get exits with 1 where there is no such key. See cpm-session(1).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    return run(&s, &operands);
}
