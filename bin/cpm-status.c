/* cpm-status: shows over HTTP what a queue or a session is doing. It only reads, and gives up the
 * right to do anything else before it hears the first request. */
#include "base/err.h"
#include "base/file.h"
#include "base/limit.h"
#include "base/systemd.h"
#include "bin/options.h"
#include "bin/options_http.h"
#include "bin/status/status.h"
#include "confine/confine.h"
#include "http/http.h"
#include "journal/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define END_MS    1000 /* for the answers that are under way */
#define OTHER_FDS 64   /* descriptors beside connections */
#define PRIORITY  5    /* deliveries come first */

struct server {
    struct status_config config;
    struct loop *loop;
    struct http *http;
    struct content *content;
    struct journal *journal; /* with --attempt */
    struct listeners listeners;
    struct secrets secrets;
    int signal;
};

/* --- The end. */

static void on_stopped(void *arg)
{
    struct server *s = arg;
    loop_stop(s->loop);
}

static void on_signal(void *arg, int signal)
{
    struct server *s = arg;
    if (s->signal)
        loop_stop(s->loop); /* the second one */
    s->signal = signal;
    http_stop(s->http, END_MS, on_stopped, s);
}

/* The attempt is over when nobody holds the claim any more, in whatever way they went. */
static void on_journal(void *arg)
{
    struct server *s = arg;
    bool grew;
    int err = journal_read(s->journal, &grew);
    if ((err && err != ESTALE) || strcmp(journal_sid(s->journal), s->config.attempt) != 0 ||
        !journal_claimed(s->journal))
        http_stop(s->http, END_MS, on_stopped, s);
}

static int watch_attempt(struct server *s)
{
    const char *hint;
    int status;
    if (!s->config.attempt)
        return EX_OK;
    int err = journal_open(&s->journal, s->config.session, JOURNAL_READ);
    if (err) {
        const char *why = journal_open_error(err, &hint, &status);
        err_line(s->config.session, why, hint);
        return err == ENOENT ? EX_NOINPUT : status;
    }
    journal_watch(s->journal, s->loop, JOURNAL_LINES, on_journal, s);
    return EX_OK;
}

/* --- The beginning. */

static int open_content(struct server *s)
{
    const struct status_config *c = &s->config;
    int err = content_open(&s->content, s->loop, c);
    if (err)
        err_line(c->folder,
                 err == EPERM    ? "belongs to another user, or others may write to it"
                 : err == ENOENT ? "there is no queue"
                                 : strerror(err),
                 err == ENOENT  ? "cpm-queue add makes one"
                 : err == EPERM ? "run as its owner; chmod go-w"
                                : NULL);
    return !err ? EX_OK : err == ENOENT ? EX_NOINPUT : EX_NOPERM;
}

/* Room for the connections, and what else is opened. */
static void make_room(struct status_config *c)
{
    uint64_t want = (uint64_t)c->connections + OTHER_FDS;
    uint64_t there = limit_descriptors(want);
    if (there >= want)
        return;
    c->connections = (int64_t)(there > 2 * OTHER_FDS ? there - OTHER_FDS : there / 4 + 1);
    err_step("descriptors for %lld connections only", (long long)c->connections);
}

static int start_http(struct server *s)
{
    const struct status_config *c = &s->config;
    struct http_plan p = {.ask = content_answer,
                          .arg = s->content,
                          .realm = "cpm-status",
                          .hosts = c->http_host.v,
                          .host_count = c->http_host.n,
                          .token = s->secrets.token,
                          .user_password = s->secrets.user_password,
                          .cert = s->secrets.cert,
                          .key = s->secrets.key,
                          .connections = (unsigned)c->connections,
                          .per_address = (unsigned)c->per_address,
                          .timeout_ms = c->timeout_ms,
                          .memory = (size_t)c->memory};
    int err = http_start(&s->http, s->loop, &p);
    if (err == EKEYREJECTED) {
        err_line(c->http_tls_cert, "certificate or key cannot be used",
                 "PEM, and the key of this certificate");
        return EX_CONFIG;
    }
    for (int i = 0; i < s->listeners.n && !err; i++)
        err = http_listen(s->http, s->listeners.fd[i]);
    if (err)
        err_line("HTTP", strerror(err), NULL);
    return err ? EX_OSERR : EX_OK;
}

static int confine(const struct status_config *c)
{
    char missing[CONFINE_WHY_SIZE];
    if (!c->confine)
        return EX_OK;
    char *folder = c->session ? file_folder_of(c->session) : NULL;
    bool there = c->session && access(c->session, F_OK) == 0;
    const char *paths[] = {!c->session ? c->folder : there ? c->session : folder, NULL};
    int err = confine_to_reading(paths, missing);
    free(folder);
    if (err)
        err_line(missing, strerror(err), "--no-confine does without");
    else if (missing[0])
        err_step("this kernel cannot confine by %s", missing);
    return err ? EX_OSERR : EX_OK;
}

static int prepare(struct server *s)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    struct status_config *c = &s->config;
    int status;
    if (!secrets_read(c, &s->secrets, &status) || !listeners_open(c, &s->listeners, &status))
        return status;
    make_room(c);
    status = open_content(s);
    if (!status)
        status = start_http(s);
    if (!status)
        status = watch_attempt(s);
    if (!status && loop_signals(s->loop, signals, on_signal, s) != 0)
        status = EX_OSERR;
    int err = status ? 0 : systemd_ready();
    if (err)
        err_warn("systemd cannot be told: %s", strerror(err));
    (void)setpriority(PRIO_PROCESS, 0, PRIORITY); /* lower is always allowed */
    return status ? status : confine(c);
}

static int serve(struct server *s)
{
    s->loop = loop_new();
    int status = prepare(s);
    if (!status && !listeners_print(&s->listeners, s->secrets.cert))
        err_warn(ERR_OUTPUT " does not take the address");
    if (!status)
        loop_run(s->loop);
    http_free(s->http);
    journal_close(s->journal);
    content_close(s->content);
    loop_free(s->loop);
    secrets_forget(&s->secrets);
    return status;
}

static void check_use(struct server *s, const struct opt_result *r)
{
    struct status_config *c = &s->config;
    if (r->count > 0)
        err_die(EX_USAGE, r->operands[0], "no operand is wanted", "see cpm-status --help");
    if (c->session && opt_given("queue", NULL))
        err_die(EX_USAGE, "--session", "does not go with --queue", "give one of them");
    if (!c->session && !c->folder)
        err_die(EX_USAGE, "queue", "none given", "-Q DIR, or -s FILE for one session");
    if (c->attempt && !c->session)
        err_die(EX_USAGE, "--attempt", "of which session?", "give -s FILE too");
}

int main(int argc, char **argv)
{
    err_program("cpm-status");
    struct server s = {.config = {.confine = true,
                                  .connections = 128,
                                  .per_address = 32,
                                  .timeout_ms = 30000,
                                  .memory = 16384,
                                  .stuck_after_ms = 15 * 60000}};
    struct status_config *c = &s.config;
    static const char *const known[] = OPTION_NAMES;
#define TO(field) &c->field
    const struct opt what[] = {{.name = "queue",
                                .letter = 'Q',
                                .kind = OPT_TEXT,
                                .arg = "DIR",
                                .help = "the queue",
                                .to = &c->folder},
                               {.name = "session",
                                .letter = 's',
                                .kind = OPT_TEXT,
                                .arg = "FILE",
                                .help = "one session file instead",
                                .to = &c->session,
                                .where = OPT_COMMAND_LINE},
                               {.name = "attempt",
                                .kind = OPT_TEXT,
                                .arg = "SID",
                                .help = "end with this attempt",
                                .to = &c->attempt,
                                .where = OPT_COMMAND_LINE},
                               {.name = "mask",
                                .kind = OPT_FLAG,
                                .help = "name nobody: no users, names or numbers",
                                .to = &c->mask},
                               {.name = "stuck-after",
                                .kind = OPT_DURATION,
                                .arg = "S",
                                .help = "so long overdue is unhealthy",
                                .to = &c->stuck_after_ms,
                                .min = 1000,
                                .max = 365 * DAY_MS},
                               {0}};
    const struct opt http[] = {HTTP_OPTIONS(TO){0}};
    const struct opt limits[] = {{.name = "http-connections",
                                  .kind = OPT_INT,
                                  .arg = "N",
                                  .help = "connections in all",
                                  .to = &c->connections,
                                  .min = 1,
                                  .max = 4096},
                                 {.name = "http-per-address",
                                  .kind = OPT_INT,
                                  .arg = "N",
                                  .help = "connections from one address",
                                  .to = &c->per_address,
                                  .min = 1,
                                  .max = 4096},
                                 {.name = "http-timeout",
                                  .kind = OPT_DURATION,
                                  .arg = "S",
                                  .help = "the longest for a request, and for taking its answer",
                                  .to = &c->timeout_ms,
                                  .min = 100,
                                  .max = 3600000},
                                 {.name = "http-memory",
                                  .kind = OPT_SIZE,
                                  .arg = "N",
                                  .help = "octets for request line and headers of a connection",
                                  .to = &c->memory,
                                  .min = 4096,
                                  .max = 1 << 20},
                                 {.name = "confine",
                                  .kind = OPT_FLAG,
                                  .help = "give up all rights but to read and to serve",
                                  .to = &c->confine},
                                 {0}};
    const struct opt *const tables[] = {what, http, limits, NULL};
    const char *const headings[] = {"What to show", "HTTP", "Limits"};
    const struct opt_program program = {
        .name = "cpm-status",
        .usage = "-Q DIR [--http-listen 127.0.0.1:8099] [options]\n"
                 "-s FILE [--http-listen 127.0.0.1:8099] [options]",
        .about = "Shows over HTTP what a queue or a session is doing.",
        .tables = tables,
        .headings = headings,
        .known = known,
        .after = "See cpm-status(1).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    check_use(&s, &operands);
    int status = serve(&s);
    if (!status && s.signal)
        err_die_by(s.signal);
    return status;
}
