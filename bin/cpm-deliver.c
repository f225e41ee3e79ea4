/* cpm-deliver: delivers one message by starting cpm-invite, cpm-msrp-serve and cpm-bye as one
 * pipeline. It speaks no protocol itself. */
#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bin/deliver/deliver.h"
#include "bin/options.h"

#include <stdlib.h>
#include <string.h>

static int own_session(struct plan *p)
{
    char name[13], *folder;
    int err = file_run_folder(&folder);
    if (err) {
        err_line("run folder", strerror(err), "set XDG_RUNTIME_DIR, or give -s FILE");
        return EX_OSERR;
    }
    rand_token(name, sizeof name - 1);
    p->own_session = mem_format("%s/%s.session", folder, name);
    free(folder);
    return EX_OK;
}

/* The last value that the command line gave. */
static const char *given(const char *name)
{
    struct opt_list values;
    return opt_given(name, &values) ? values.v[values.n - 1] : NULL;
}

/* A slip of the pen costs no attempt, whose outcome would hide the last real one. The rest is
 * looked at by the stages. */
static void check_given(const char *option, const char *uri)
{
    if (!uri)
        err_die(EX_USAGE, option, "is missing", "see cpm-deliver --help");
}

/* A message is composed of the operand when an option of the composer asks for it. */
static bool wants_compose(void)
{
    return given("type") || given("subject") || given("message-id") || given("imdn");
}

int main(int argc, char **argv)
{
    err_program("cpm-deliver");
    struct plan p = {0};
    bool dry_run = false;
    static const char *const known[] = OPTION_NAMES;
    const struct opt own[] = {
        {.name = "session",
         .letter = 's',
         .kind = OPT_TEXT,
         .arg = "FILE",
         .help = "the session file; else one for this run alone",
         .to = &p.session,
         .where = OPT_COMMAND_LINE},
        {.name = "attempt",
         .kind = OPT_TEXT,
         .arg = "SID",
         .help = "an attempt that was started already",
         .to = &p.attempt,
         .where = OPT_COMMAND_LINE},
        {.name = "keep-session",
         .kind = OPT_FLAG,
         .help = "do not remove the session file of this run",
         .to = &p.keep_session},
        {.name = "timeout",
         .kind = OPT_DURATION,
         .arg = "S",
         .help = "give up after so long",
         .to = &p.timeout_ms},
        {.name = "dry-run",
         .letter = 'n',
         .kind = OPT_FLAG,
         .help = "print the shell pipeline that would run",
         .to = &dry_run,
         .where = OPT_COMMAND_LINE},
        {0},
    };
    const struct opt *const tables[] = {own,
                                        plan_tables[0],
                                        plan_tables[1],
                                        plan_tables[2],
                                        plan_tables[3],
                                        plan_tables[4],
                                        plan_tables[5],
                                        plan_tables[6],
                                        plan_tables[7],
                                        NULL};
    const char *const headings[] = {"The delivery",
                                    "Who",
                                    "Composing (message-id, type ...: the operand is content)",
                                    "SIP (cpm-invite, cpm-bye)",
                                    "MSRP (cpm-msrp-serve)",
                                    "DNS",
                                    "The trace",
                                    "All",
                                    "Watching (cpm-status)"};
    const struct opt_program program = {
        .name = "cpm-deliver",
        .usage = "--from URI --to URI [options] m.cpim\n"
                 "--from URI --to URI [options] --type image/jpeg photo.jpg",
        .about = "Delivers one message to one recipient.",
        .tables = tables,
        .headings = headings,
        .known = known,
        .after = "Exit status: 0 delivered; 64 to 78 as in sysexits.h, 75: try again later.\n"
                 "See cpm-deliver(1).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    if (operands.count != 1)
        err_die(EX_USAGE, "message", operands.count ? "more than one file" : "no file given",
                "see cpm-deliver --help");
    p.to = given("to");
    check_given("--from", given("from"));
    check_given("--to", p.to);
    if (wants_compose())
        p.content = operands.operands[0];
    else
        p.message = operands.operands[0];
    int status = p.session ? EX_OK : own_session(&p);
    if (!status)
        status = dry_run ? plan_print(&p) : plan_run(&p);
    plan_clear(&p);
    free(p.own_session);
    return status;
}
