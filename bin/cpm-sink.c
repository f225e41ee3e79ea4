/* cpm-sink: a recipient for tests, demos and load. It answers INVITEs, takes messages over MSRP,
 * checks all that it gets, and misbehaves on request. */
#include "base/err.h"
#include "base/limit.h"
#include "base/mem.h"
#include "base/opt.h"
#include "bin/options.h"
#include "bin/sink/sink.h"
#include "trace/trace.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define SIP_DEFAULT "udp:127.0.0.1:5070"
#define HELP_MAX    ((size_t)16 * 1024)

struct config {
    struct opt_list sip, behave;
    const char *store, *msrp_listen;
    struct tls_plan sip_tls, msrp_tls;
    int64_t count, t1;
    struct trace_options trace;
};

static void read_options(struct config *c, int argc, char **argv)
{
    struct opt_result r;
    struct buf help = BUF_UP_TO(HELP_MAX);
#define TRACE_TO(field) &c->trace.field
    const struct opt table[] = {
        {.name = "sip",
         .kind = OPT_LIST,
         .arg = "PROTO:ADDR:PORT",
         .help = "where to take SIP: udp, tcp or tls, port 0 for any (" SIP_DEFAULT ")",
         .to = &c->sip,
         .where = OPT_COMMAND_LINE},
        {.name = "sip-tls-ca",
         .kind = OPT_TEXT,
         .arg = "FILE",
         .help = "CAs to trust for SIP: a PEM file, or a folder by openssl rehash",
         .to = &c->sip_tls.ca,
         .where = OPT_COMMAND_LINE},
        {.name = "sip-tls-cert",
         .kind = OPT_TEXT,
         .arg = "FILE",
         .help = "our certificate for SIP (PEM), however bad",
         .to = &c->sip_tls.cert,
         .where = OPT_COMMAND_LINE},
        {.name = "sip-tls-key",
         .kind = OPT_TEXT,
         .arg = "FILE",
         .help = "its private key (PEM), if it is not in the same file",
         .to = &c->sip_tls.key,
         .where = OPT_COMMAND_LINE},
        {.name = "msrp-listen",
         .kind = OPT_TEXT,
         .arg = "ADDR[:PORT[-PORT]]",
         .help = "where to take MSRP when the peer connects (the SIP address, any port)",
         .to = &c->msrp_listen,
         .where = OPT_COMMAND_LINE},
        {.name = "msrp-tls-cert",
         .kind = OPT_TEXT,
         .arg = "FILE",
         .help = "our certificate for MSRP (PEM), however bad, instead of one made for this run",
         .to = &c->msrp_tls.cert,
         .where = OPT_COMMAND_LINE},
        {.name = "msrp-tls-key",
         .kind = OPT_TEXT,
         .arg = "FILE",
         .help = "its private key (PEM), if it is not in the same file",
         .to = &c->msrp_tls.key,
         .where = OPT_COMMAND_LINE},
        {.name = "store",
         .kind = OPT_TEXT,
         .arg = "DIR",
         .help = "keep each message in this folder",
         .to = &c->store,
         .where = OPT_COMMAND_LINE},
        {.name = "behave",
         .kind = OPT_LIST,
         .arg = "[N:]KEY=VALUE",
         .help = "misbehave, in every call or only in the N-th",
         .to = &c->behave,
         .where = OPT_COMMAND_LINE},
        {.name = "count",
         .kind = OPT_INT,
         .arg = "N",
         .help = "exit after N calls",
         .to = &c->count,
         .min = 1,
         .max = INT64_MAX,
         .where = OPT_COMMAND_LINE},
        {.name = "t1",
         .kind = OPT_MS,
         .arg = "MS",
         .help = "SIP's timer T1",
         .to = &c->t1,
         .min = 10,
         .max = 60000,
         .where = OPT_COMMAND_LINE},
        TRACE_OPTIONS(TRACE_TO){0}};
    int error = buf_add_text(&help, "What --behave knows (see cpm-sink(1)):\n");
    if (error || behave_help(&help))
        abort(); /* the table is constant and fits */
    const struct opt_program program = {
        .name = "cpm-sink",
        .usage = "[--sip udp:127.0.0.1:5070]... [--store DIR] [--behave KEY=VALUE]...",
        .about = "A recipient for tests: takes messages over SIP and MSRP and checks them.",
        .tables = (const struct opt *const[]){table, NULL},
        .after = help.p,
        .argv_only = true};
    opt_parse(&program, argc, argv, &r);
    buf_free(&help);
    if (r.count)
        err_die(EX_USAGE, r.operands[0], "no operand is expected", NULL);
}

static void check_config(const struct config *c)
{
    size_t which;
    const char *why;
    struct stat st;
    if (behave_check(c->behave.v, c->behave.n, &which, &why))
        err_die(EX_USAGE, c->behave.v[which], why, "cpm-sink --help lists the behaviours");
    if (!c->store || mkdir(c->store, 0700) == 0)
        return;
    if (stat(c->store, &st) != 0)
        err_die(EX_CANTCREAT, c->store, strerror(errno), NULL);
    if (!S_ISDIR(st.st_mode))
        err_die(EX_CANTCREAT, c->store, "not a folder", NULL);
}

static bool is_transport(struct slice name, enum sip_transport *t)
{
    for (*t = SIP_UDP; *t <= SIP_TLS; ++*t)
        if (slice_is(name, sip_transport_name(*t)))
            return true;
    return false;
}

static void start_tls(struct sink *s, const struct tls_plan *plan)
{
    char why[TLS_WHY_SIZE];
    if (s->sip_tls)
        return;
    if (!plan->cert)
        err_die(EX_USAGE, "--sip-tls-cert", "is missing", "a server of TLS needs a certificate");
    if (tls_context_new(&s->sip_tls, plan, why))
        err_die(EX_NOPERM, "SIP over TLS", why, NULL);
    sip_stack_tls(s->stack, s->sip_tls);
}

static void listen_sip(struct sink *s, const char *text, const struct tls_plan *tls)
{
    struct line_out o;
    struct net_bind b;
    struct net_addr bound;
    char at[NET_TEXT_SIZE], uri[NET_TEXT_SIZE + 32];
    struct slice rest = slice_of(text);
    struct slice proto = slice_cut(&rest, ':');
    enum sip_transport t;
    if (!is_transport(proto, &t) || !rest.p || net_parse_bind(rest.p, &b))
        err_die(EX_USAGE, text, "not of the form udp:ADDR:PORT, tcp:... or tls:...", NULL);
    if (t == SIP_TLS)
        start_tls(s, tls);
    /* With SO_REUSEADDR two sinks could share a UDP port, and each get what is the other's. */
    int error = sip_stack_listen(s->stack, t, &b, AF_UNSPEC, t != SIP_UDP, &bound);
    if (error)
        err_die(EX_UNAVAILABLE, text, strerror(error), NULL);
    net_addr_text(at, &bound);
    (void)snprintf(uri, sizeof uri, "sip:%s;transport=%s", at, sip_transport_name(t));
    event_begin(&o, NULL, "sink.listening");
    line_text(&o, "uri", uri);
    event_end(&o);
}

static void listen_msrp(struct sink *s, const char *text)
{
    if (!text)
        return;
    if (net_parse_bind(text, &s->msrp_bind))
        err_die(EX_USAGE, text, "not of the form ADDR[:PORT[-PORT]]", NULL);
    int error = media_open(s, &s->msrp_bind);
    if (error)
        err_die(EX_UNAVAILABLE, text, strerror(error), NULL);
    s->has_msrp_bind = true;
}

static void on_signal(void *arg, int signal)
{
    struct sink *s = arg;
    (void)signal;
    loop_stop(s->loop);
}

static struct sink *start(const struct config *c)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, 0};
    struct sink *s = mem_new(sizeof *s);
    struct sip_timers timers = SIP_TIMERS_DEFAULT;
    timers.t1 = s->t1 = c->t1;
    if (timers.t2 < timers.t1)
        timers.t2 = timers.t1;
    s->loop = loop_new();
    s->store = c->store;
    s->msrp_plan = c->msrp_tls;
    s->rules = c->behave.v;
    s->n_rules = c->behave.n;
    s->until = (uint64_t)c->count;
    int error = sip_stack_new(&s->stack, s->loop, timers, &dialog_ops, s);
    if (!error)
        error = loop_signals(s->loop, signals, on_signal, s);
    if (error)
        err_die(EX_OSERR, "start", strerror(error), NULL);
    listen_msrp(s, c->msrp_listen);
    for (size_t i = 0; i < c->sip.n; i++)
        listen_sip(s, c->sip.v[i], &c->sip_tls);
    if (!c->sip.n)
        listen_sip(s, SIP_DEFAULT, &c->sip_tls);
    return s;
}

static int verdict(const struct sink *s)
{
    err_step("%" PRIu64 " calls, %" PRIu64 " messages complete, %" PRIu64 " calls with errors",
             s->ended, s->complete, s->faulty);
    return s->until && s->unfit ? EX_DATAERR : EX_OK;
}

int main(int argc, char **argv)
{
    struct config c = {
        .t1 = 500, .sip_tls.expired = true, .msrp_tls = {.expired = true, .make_cert = true}};
    err_program("cpm-sink");
    read_options(&c, argc, argv);
    check_config(&c);
    trace_open(&c.trace);
    (void)limit_descriptors(UINT64_MAX); /* a call takes one or two */
    struct sink *s = start(&c);
    loop_run(s->loop);
    bool reached = s->until && s->ended >= s->until;
    int status = reached ? verdict(s) : EX_OK;
    if (!reached)
        (void)verdict(s);
    sink_clear(s);
    sip_stack_free(s->stack);
    tls_context_free(s->sip_tls);
    secure_close(s);
    loop_free(s->loop);
    free(s);
    trace_close();
    return status;
}
