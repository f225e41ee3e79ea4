/* cpm-msrp-serve: the media side of a delivery. It listens, lets the recipient connect, sends the
 * message in MSRP SENDs and collects the answers. */
#include "base/err.h"
#include "base/mem.h"
#include "base/net.h"
#include "base/opt.h"
#include "base/spawn.h"
#include "bin/options.h"
#include "cpim/cpim.h"
#include "cpim/imdn.h"
#include "msrp/serve.h"
#include "stage/stage.h"
#include "trace/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct config {
    const char *msrp_listen, *msrp_advertise, *setup;
    bool msrps;
    const char *msrp_tls_cert, *msrp_tls_key, *msrp_tls_ca;
    int64_t chunk_size;
    bool msrp_share, cema, stop_and_wait, success_report, require_report;
    const char *failure_report, *size_of;
    int64_t report_timeout, accept_timeout, stall_timeout, dial_after, speak_first;
    const char *dns_server;
    int64_t dns_timeout;
};

struct program {
    struct loop *loop;
    struct config config;
    struct stage_options stage;
    const char *path; /* of the message */
    struct net_addr share;
    struct tls_context *tls;
    struct stage *s;
    struct msrp_file file;
    struct msrp_serve *serve;
    char *from, *type, *message_id; /* of the message */
};

/* --- What the media side wants to know and to tell. */

static const char *get_sid(void *arg)
{
    return stage_sid(((struct program *)arg)->s);
}

static struct journal *get_journal(void *arg)
{
    return stage_journal(((struct program *)arg)->s);
}

static int emit(void *arg, struct line_out *o, enum msrp_line how)
{
    static const enum stage_how hows[] = {STAGE_FACT, STAGE_DURABLE, STAGE_PROGRESS};
    return stage_emit(((struct program *)arg)->s, o, hows[how]);
}

static bool invite_lost(void *arg)
{
    return stage_partner(((struct program *)arg)->s, ROLE_INVITE) == PARTNER_LOST;
}

/* Once everything is transferred there is no need to stay for a cpm-bye that is lost: our end tells
 * cpm-invite that nobody will ask for the BYE. */
static bool over(void *arg)
{
    struct stage *s = ((struct program *)arg)->s;
    return stage_over(s) || (journal_has(stage_journal(s), "msrp.transferred") &&
                             stage_partner(s, ROLE_BYE) == PARTNER_LOST);
}

static void ended(void *arg, int status)
{
    stage_end(((struct program *)arg)->s, status);
}

static void received(void *arg, struct slice content_type, struct slice body)
{
    struct line_out o;
    struct imdn n;
    struct buf decoded;
    if (!imdn_read(content_type, body, &decoded, &n)) {
        err_step("the recipient sent %zu octets that are no notification", body.n);
        buf_free(&decoded);
        return;
    }
    line_begin(&o, "imdn.received", get_sid(arg));
    line_text(&o, "content-type", IMDN_TYPE);
    line_number(&o, "size", (int64_t)body.n);
    line_free_text(&o, "status", n.status); /* the peer's words last: they may fill the line */
    line_free_text(&o, "message-id", n.message_id);
    (void)emit(arg, &o, MSRP_LINE_FACT);
    buf_free(&decoded);
}

static void meter(void *arg, uint64_t octets, uint64_t total, int64_t ms, bool last)
{
    char text[128];
    (void)arg;
    msrp_meter_text(text, sizeof text, octets, total, ms);
    err_meter(last ? "" : text);
    if (last)
        err_step("%s", text);
}

static const struct msrp_serve_ops serve_ops = {
    get_sid, get_journal, emit, invite_lost, over, received, meter, ended,
};

/* --- The message. */

static void refuse(struct program *p, int status, const char *why, const char *hint)
{
    msrp_serve_refuse(&serve_ops, p, status, p->path, why, hint);
}

/* What is short here says nothing about the message. */
static int input_status(int err)
{
    return err == EMFILE || err == ENFILE || err == ENOMEM ? EX_OSERR : EX_NOINPUT;
}

/* Opens it and reads what the offer needs. False: refused. */
static bool read_message(struct program *p, uint64_t *content)
{
    struct cpim c;
    enum cpim_error verdict;
    uint64_t octets;
    char *head = NULL;
    int err = msrp_file_open(&p->file, p->path);
    if (!err)
        err = cpim_read_head(p->file.fd, &head, &c, &octets, &verdict);
    if (err) {
        refuse(p, input_status(err), err == ESPIPE ? "not a regular file" : strerror(err), NULL);
    } else if (verdict != CPIM_OK) {
        refuse(p, EX_DATAERR, cpim_error_text(verdict), "cpm-compose makes a message of any file");
        err = EBADMSG;
    } else if ((err = cpim_identity(p->file.fd, &c, &p->message_id)) != 0) {
        refuse(p, input_status(err), strerror(err), NULL);
    } else {
        *content = p->file.size - c.content_at;
        p->from = slice_dup(c.from_uri);
        p->type = slice_dup(cpim_media_type(c.content_type));
    }
    free(head);
    return err == 0;
}

/* A session file belongs to one message. */
static bool bind_message(struct program *p)
{
    const char *bound = NULL;
    int err = stage_bind(p->s, "message", p->message_id, &bound);
    if (err == EEXIST)
        refuse(p, EX_USAGE, "another message than the session file's", "give it its own -s FILE");
    else if (err == EMSGSIZE)
        refuse(p, EX_DATAERR, "its Message-ID is too long", NULL);
    else if (err)
        stage_end(p->s, EX_IOERR);
    return err == 0;
}

/* --- The stage. */

/* Only a run that needs it loads TLS. */
static bool start_tls(struct program *p)
{
    const struct tls_plan plan = {.ca = p->config.msrp_tls_ca,
                                  .cert = p->config.msrp_tls_cert,
                                  .key = p->config.msrp_tls_key,
                                  .make_cert = true,
                                  .kernel = true};
    char why[TLS_WHY_SIZE];
    if (plan.key && !plan.cert) {
        msrp_serve_refuse(&serve_ops, p, EX_USAGE, "--msrp-tls-cert", "is missing",
                          "the key belongs to it");
        return false;
    }
    int err = p->config.msrps ? tls_context_new(&p->tls, &plan, why) : 0;
    if (err)
        msrp_serve_refuse(&serve_ops, p, err == EKEYREJECTED ? EX_NOPERM : EX_CONFIG,
                          "MSRP over TLS", why,
                          err == EKEYREJECTED ? "see --msrp-tls-cert, --msrp-tls-key" : NULL);
    return err == 0;
}

static int choice(const char *word, const char *const *words)
{
    int i = 0;
    while (words[i + 1] && strcmp(word, words[i]) != 0)
        i++;
    return i;
}

/* What an attempt learned goes before what was asked for. */
static bool takes_either(const struct program *p)
{
    const char *learnt = journal_get(stage_journal(p->s), "learnt.setup");
    return strcmp(p->config.setup, "active") == 0 && learnt && strcmp(learnt, "actpass") == 0;
}

static struct msrp_serve_plan plan_of(struct program *p, uint64_t content)
{
    static const char *const setups[] = {"passive", "actpass", "active", NULL};
    static const char *const reports[] = {"yes", "partial", "no", NULL};
    const struct config *c = &p->config;
    struct msrp_serve_plan plan = {
        .listen = c->msrp_listen,
        .advertise = c->msrp_advertise,
        .share = c->msrp_share ? &p->share : NULL,
        .file = &p->file,
        .size = strcmp(c->size_of, "content") == 0 ? content : p->file.size,
        .wrapped_type = p->type,
        .cpim_from = p->from,
        .cpim_message_id = p->message_id,
        .setup_learnt = takes_either(p),
        .cema = c->cema,
        .meter = err_verbosity >= ERR_NORMAL && isatty(STDERR_FILENO),
    };
    plan.session = (struct msrp_session_plan){
        .loop = p->loop,
        .tls = p->tls,
        .setup = plan.setup_learnt ? MSRP_ACTPASS : (enum msrp_setup)choice(c->setup, setups),
        .accept_timeout_ms = c->accept_timeout,
        .stall_timeout_ms = c->stall_timeout,
        .dial_after_ms = c->dial_after,
        .speak_first_ms = c->speak_first,
        .dns = {.servers = c->dns_server, .timeout_ms = c->dns_timeout},
    };
    plan.session.sending = (struct msrp_sending){
        .failure_report = (enum msrp_failure_report)choice(c->failure_report, reports),
        .success_report = c->success_report,
        .require_report = c->require_report,
        .report_timeout_ms = c->report_timeout,
        .chunk = (uint64_t)c->chunk_size,
        .window_max = (uint64_t)journal_number(stage_journal(p->s), "learnt.window", 0),
        .stop_and_wait = c->stop_and_wait,
    };
    return plan;
}

/* One port, by number; no address is any. */
static bool read_shared(const char *text, struct net_addr *at)
{
    struct net_bind b;
    if (!text || net_parse_bind(text, &b) != 0 || b.port_low == 0 || b.port_low != b.port_high)
        return false;
    bool six = strchr(b.host, ':') != NULL;
    char *one = mem_format("%s%s%s:%u", six ? "[" : "", b.host[0] ? b.host : "0.0.0.0",
                           six ? "]" : "", (unsigned)b.port_low);
    int err = net_parse(one, at);
    free(one);
    return err == 0;
}

/* Options that do not go together. NULL: they do; else what is wrong, and why. */
static const char *option_fault(struct program *p, const char **why, const char **hint)
{
    const struct config *c = &p->config;
    *hint = "leave out --msrp-share";
    if (c->dns_server && dns_servers_check(c->dns_server) != 0) {
        *why = "not a list of addresses";
        *hint = "ADDR[:PORT][,ADDR[:PORT]]...";
        return "--dns-server";
    }
    if (c->require_report && !c->success_report) {
        *why = "no report is asked for";
        *hint = "add --success-report";
        return "--require-report";
    }
    if (!c->msrp_share)
        return NULL;
    if (!read_shared(c->msrp_listen, &p->share)) {
        *why = "not one port of a numeric address to share";
        *hint = "give --msrp-listen ADDR:PORT";
        return "--msrp-share";
    }
    *why = c->msrps ? "what a shared port is asked for is hidden by TLS"
                    : "on a shared port nobody knows whom a silent peer wants";
    return c->msrps ? "--msrps" : c->speak_first ? "--speak-first" : NULL;
}

static void joined(struct stage *s, void *arg)
{
    struct program *p = arg;
    uint64_t content = 0;
    p->s = s;
    const char *why, *hint;
    const char *what = option_fault(p, &why, &hint);
    if (what) {
        msrp_serve_refuse(&serve_ops, p, EX_USAGE, what, why, hint);
        return;
    }
    if (!read_message(p, &content) || !bind_message(p) || !start_tls(p))
        return;
    struct msrp_serve_plan plan = plan_of(p, content);
    p->serve = msrp_serve_new(&plan, &serve_ops, p);
    msrp_serve_start(p->serve);
}

static void look(struct stage *s, void *arg)
{
    struct program *p = arg;
    (void)s;
    if (p->serve)
        msrp_serve_look(p->serve);
}

static void stop(struct stage *s, void *arg, int signal)
{
    struct program *p = arg;
    if (p->serve)
        msrp_serve_stop(p->serve, signal);
    else
        stage_end(s, 128 + signal);
}

static void take_options(struct program *p, int argc, char **argv)
{
#define STAGE_TO(field) &p->stage.field
#define TRACE_TO(field) &trace.field
#define MSRP_TO(field)  &p->config.field
    static const char *const known[] = OPTION_NAMES;
    static const char *const headings[] = {"The session", "MSRP", "DNS", "The trace"};
    struct trace_options trace = {0};
    const struct opt shown[] = {TRACE_OPTIONS(TRACE_TO){0}};
    const struct opt stage[] = {SESSION_OPTIONS(STAGE_TO) STAGE_OPTIONS(STAGE_TO){0}};
    const struct opt msrp[] = {MSRP_OPTIONS(MSRP_TO){0}};
    const struct opt dns[] = {DNS_OPTIONS(MSRP_TO){0}};
    const struct opt *const tables[] = {stage, msrp, dns, shown, NULL};
    const struct opt_program program = {
        .name = "cpm-msrp-serve",
        .usage = "-s FILE [options] m.cpim",
        .about = "Sends a message to the recipient, who connects to it by MSRP.",
        .tables = tables,
        .headings = headings,
        .known = known,
        .after = "See cpm-msrp-serve(1).\n",
    };
    struct opt_result operands;
    opt_parse(&program, argc, argv, &operands);
    trace_open(&trace);
    if (operands.count != 1)
        err_die(EX_USAGE, "operands", "one message file is wanted", "see cpm-msrp-serve --help");
    p->path = operands.operands[0];
}

/* Started by a person, who shall hear of wrong options at once; the stages of a pipeline, and those
 * that were started for an attempt, find them in the session file. */
static bool is_by_hand(const struct program *p)
{
    struct stat st;
    bool pipe = fstat(STDIN_FILENO, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode));
    return !p->stage.attempt && (p->stage.alone || !pipe);
}

static void refuse_options(struct program *p)
{
    const char *why, *hint;
    const char *what = option_fault(p, &why, &hint);
    if (what)
        err_die(EX_USAGE, what, why, hint);
}

SPAWN_LOADABLE int main(int argc, char **argv)
{
    static const struct stage_ops ops = {joined, look, stop};
    struct program p = {
        .config = {.setup = "passive",
                   .failure_report = "yes",
                   .size_of = "message",
                   .report_timeout = 30000,
                   .accept_timeout = 30000,
                   .stall_timeout = 60000,
                   .dial_after = 2000,
                   .dns_timeout = DNS_TIMEOUT_MS},
        .file.fd = -1,
    };
    err_program("cpm-msrp-serve");
    take_options(&p, argc, argv);
    if (is_by_hand(&p))
        refuse_options(&p);
    p.loop = loop_new();
    int status = stage_run(p.loop, ROLE_SERVE, &p.stage, &ops, &p);
    msrp_serve_free(p.serve);
    tls_context_free(p.tls);
    msrp_file_close(&p.file);
    loop_free(p.loop);
    trace_close();
    free(p.from);
    free(p.type);
    free(p.message_id);
    return status;
}
