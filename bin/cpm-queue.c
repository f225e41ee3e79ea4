/* cpm-queue: the store. It accepts messages, delivers them by cpm-deliver, again and again where
 * that is of use, and tells when it gives one up. */
#include "base/err.h"
#include "bin/options.h"
#include "bin/queue/queue.h"

#include <stdio.h>
#include <string.h>

#define KEPT(field) NULL
const struct opt sip_table[] = {SIP_OPTIONS(KEPT){0}};
const struct opt msrp_table[] = {MSRP_OPTIONS(KEPT){0}};
const struct opt dns_table[] = {DNS_OPTIONS(KEPT){0}};
const struct opt deliver_table[] = {{.name = "timeout",
                                     .kind = OPT_DURATION,
                                     .arg = "S",
                                     .help = "the longest that one delivery may take",
                                     .where = OPT_COMMAND_LINE},
                                    {0}};

enum {
    TABLE_ADD = 1,
    TABLE_TO = 2,
    TABLE_LIST = 4,
    TABLE_RUN = 8,
    TABLE_CHECK = 16,
    TABLE_JSON = 32
};

static const struct command {
    const char *name;
    unsigned tables;
    int (*run)(const struct config *c, char **operands, int count);
} commands[] = {
    {"add", TABLE_ADD | TABLE_TO, add}, {"list", TABLE_LIST | TABLE_TO | TABLE_JSON, list},
    {"show", TABLE_JSON, show},         {"run", TABLE_RUN | TABLE_TO, run},
    {"retry", TABLE_TO, retry},         {"hold", TABLE_TO, hold},
    {"release", TABLE_TO, release},     {"remove", TABLE_TO, remove_entries},
    {"expire", TABLE_TO, expire},       {"check", TABLE_CHECK, check},
};

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (name && strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    err_die(EX_USAGE, name ? name : "command", name ? "no such command" : "none given",
            "add, list, show, run, retry, hold, release, remove, expire, check");
}

/* An option on the command line that the command does not know is a mistake. */
static void refuse_others(const struct command *c, const struct opt *table, unsigned bit)
{
    if (c->tables & bit)
        return;
    for (; table->name; table++) {
        char option[64];
        if (!opt_given(table->name, NULL))
            continue;
        (void)snprintf(option, sizeof option, "--%s", table->name);
        err_die(EX_USAGE, option, "is no option of this command", "see cpm-queue --help");
    }
}

int main(int argc, char **argv)
{
    err_program("cpm-queue");
    struct config c = {.expires = "72h",
                       .jobs = 4,
                       .per_recipient = 1,
                       .policy = {60000, 4 * 3600000LL, 2, 20},
                       .notify_timeout_ms = 60000,
                       .keep_ms = 7 * DAY_MS,
                       .keep_failed_ms = 30 * DAY_MS};
    static const char *const known[] = OPTION_NAMES;
#define TO(field) &c.field
    const struct opt all[] = {{.name = "queue",
                               .letter = 'Q',
                               .kind = OPT_TEXT,
                               .arg = "DIR",
                               .help = "the queue; add makes it if it is missing",
                               .to = &c.folder},
                              {0}};
    const struct opt to[] = {{.name = "to",
                              .kind = OPT_LIST,
                              .arg = "URI",
                              .help = "recipient; repeatable. run: this one now, whatever is due",
                              .to = &c.to,
                              .where = OPT_COMMAND_LINE},
                             {0}};
    const struct opt adding[] = {{.name = "from",
                                  .kind = OPT_TEXT,
                                  .arg = "URI",
                                  .help = "authenticated originator (sip:, tel:)",
                                  .to = &c.from,
                                  .where = OPT_COMMAND_LINE},
                                 {.name = "expires",
                                  .kind = OPT_TEXT,
                                  .arg = "WHEN",
                                  .help = "given up after so long, or at that time (RFC 3339, UTC)",
                                  .to = &c.expires},
                                 {.name = "no-notify",
                                  .kind = OPT_FLAG,
                                  .help = "nobody is told when it fails",
                                  .to = &c.no_notify,
                                  .where = OPT_COMMAND_LINE},
                                 {.name = "many",
                                  .kind = OPT_FLAG,
                                  .help = "read \"RECIPIENT FILE\" lines from standard input",
                                  .to = &c.many,
                                  .where = OPT_COMMAND_LINE},
                                 COMPOSE_OPTIONS(TO){0}};
    const struct opt listing[] = {{.name = "tsv",
                                   .kind = OPT_FLAG,
                                   .help = "tab-separated, for scripts",
                                   .to = &c.tsv,
                                   .where = OPT_COMMAND_LINE},
                                  {.name = "state",
                                   .kind = OPT_CHOICE,
                                   .arg = "waiting|delivering|held|done|failed",
                                   .choices = "waiting|delivering|held|done|failed",
                                   .help = "only these",
                                   .to = &c.state,
                                   .where = OPT_COMMAND_LINE},
                                  {.name = "older",
                                   .kind = OPT_DURATION,
                                   .arg = "S",
                                   .help = "only what was added so long ago or longer",
                                   .to = &c.older_ms,
                                   .where = OPT_COMMAND_LINE},
                                  {.name = "newer",
                                   .kind = OPT_DURATION,
                                   .arg = "S",
                                   .help = "only what was added less long ago",
                                   .to = &c.newer_ms,
                                   .where = OPT_COMMAND_LINE},
                                  {0}};
    const struct opt json[] = {{.name = "json",
                                .kind = OPT_FLAG,
                                .help = "JSON, for scripts",
                                .to = &c.json,
                                .where = OPT_COMMAND_LINE},
                               {0}};
    const struct opt running[] = {{.name = "jobs",
                                   .letter = 'j',
                                   .kind = OPT_INT,
                                   .arg = "N",
                                   .help = "deliveries at once",
                                   .to = &c.jobs,
                                   .min = 1,
                                   .max = 100000},
                                  {.name = "per-recipient",
                                   .kind = OPT_INT,
                                   .arg = "N",
                                   .help = "deliveries to one recipient at once",
                                   .to = &c.per_recipient,
                                   .min = 1,
                                   .max = 100000},
                                  {.name = "watch",
                                   .kind = OPT_FLAG,
                                   .help = "go on as entries come and become due",
                                   .to = &c.watch,
                                   .where = OPT_COMMAND_LINE},
                                  {.name = "retry-first",
                                   .kind = OPT_DURATION,
                                   .arg = "S",
                                   .help = "back-off after the first failure",
                                   .to = &c.policy.first_ms,
                                   .max = 365 * DAY_MS},
                                  {.name = "retry-most",
                                   .kind = OPT_DURATION,
                                   .arg = "S",
                                   .help = "longest back-off",
                                   .to = &c.policy.most_ms,
                                   .max = 365 * DAY_MS},
                                  {.name = "retry-factor",
                                   .kind = OPT_INT,
                                   .arg = "N",
                                   .help = "growth of the back-off with each failure",
                                   .to = &c.policy.factor,
                                   .min = 1,
                                   .max = 100},
                                  {.name = "retry-jitter",
                                   .kind = OPT_INT,
                                   .arg = "PERCENT",
                                   .help = "how far a back-off may differ, to both sides",
                                   .to = &c.policy.jitter,
                                   .max = 100},
                                  {.name = "notify",
                                   .kind = OPT_TEXT,
                                   .arg = "COMMAND",
                                   .help = "shell command to tell when a message is given up",
                                   .to = &c.notify},
                                  {.name = "notify-timeout",
                                   .kind = OPT_DURATION,
                                   .arg = "S",
                                   .help = "the longest that the command may take",
                                   .to = &c.notify_timeout_ms,
                                   .min = 1,
                                   .max = DAY_MS},
                                  {.name = "keep",
                                   .kind = OPT_DURATION,
                                   .arg = "S",
                                   .help = "how long done entries stay",
                                   .to = &c.keep_ms},
                                  {.name = "keep-failed",
                                   .kind = OPT_DURATION,
                                   .arg = "S",
                                   .help = "how long failed entries stay, with their messages",
                                   .to = &c.keep_failed_ms},
                                  {0}};
    const struct opt checking[] = {{.name = "repair",
                                    .kind = OPT_FLAG,
                                    .help = "mend what is found",
                                    .to = &c.repair,
                                    .where = OPT_COMMAND_LINE},
                                   {0}};
    const struct opt *const tables[] = {all,       to,         adding,    listing,
                                        json,      running,    checking,  deliver_table,
                                        sip_table, msrp_table, dns_table, NULL};
    static const unsigned bits[] = {~0u,        TABLE_TO,  TABLE_ADD,   TABLE_LIST,
                                    TABLE_JSON, TABLE_RUN, TABLE_CHECK, TABLE_RUN,
                                    TABLE_RUN,  TABLE_RUN, TABLE_RUN};
    const char *const headings[] = {"All commands",
                                    "Recipients",
                                    "add",
                                    "list",
                                    "list, show",
                                    "run",
                                    "check",
                                    "run, handed on to cpm-deliver",
                                    "SIP (cpm-invite)",
                                    "MSRP (cpm-msrp-serve)",
                                    "DNS"};
    const struct opt_program program = {
        .name = "cpm-queue",
        .usage = "-Q DIR add --from URI --to URI... [options] m.cpim|-\n"
                 "-Q DIR add --from URI --to URI... --type MIME [options] FILE|-\n"
                 "-Q DIR add --from URI --many [options] < list\n"
                 "-Q DIR list|show ID... [options]\n"
                 "-Q DIR run [--jobs N] [--watch] [--to URI]... [options]\n"
                 "-Q DIR retry|hold|release|remove|expire ID...|--to URI\n"
                 "-Q DIR check [--repair]",
        .about = "Keeps messages until they are delivered.",
        .tables = tables,
        .headings = headings,
        .known = known,
        .after = "See cpm-queue(1) and cpm-queue(5).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    const struct command *command = find_command(operands.count > 0 ? operands.operands[0] : NULL);
    for (size_t i = 0; tables[i]; i++)
        refuse_others(command, tables[i], bits[i]);
    return command->run(&c, operands.operands + 1, operands.count - 1);
}
