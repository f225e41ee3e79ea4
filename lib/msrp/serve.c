#include "msrp/serve.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#define SESSION_ID    20   /* characters, 119 bits; RFC 4975 14.1 asks for 80 */
#define PIPE_MS       1000 /* progress lines */
#define FILE_MS       60000
#define METER_MS      200
#define AFTERWARDS_MS 10000 /* for the BYE, once everything is transferred */

struct msrp_serve {
    struct msrp_serve_plan plan;
    const struct msrp_serve_ops *ops;
    void *arg;
    struct msrp_session *session;
    char message_id[MSRP_IDENT_MAX + 1];
    char session_id[SESSION_ID + 1];
    char *path;
    const char *addrtype; /* of the host in it, where that is a name; NULL: IPv4 */

    bool answered;
    bool quiet;       /* the failure did not arise here: somebody else says why */
    bool transferred; /* and only the end of the session is waited for */
    bool ended;
    int status; /* of a failure, while the connections are being closed */
    int64_t connected_ms;
    int64_t last_pipe_ms;
    int64_t last_file_ms;
    uint64_t last_octets;
    struct loop_timer timer; /* progress, then the wait for the BYE */
};

static const struct msrp_session_ops session_ops;

struct msrp_serve *msrp_serve_new(const struct msrp_serve_plan *plan,
                                  const struct msrp_serve_ops *ops, void *arg)
{
    struct msrp_serve *s = mem_new(sizeof(*s));
    s->plan = *plan;
    s->ops = ops;
    s->arg = arg;
    msrp_message_id(s->message_id, slice_of(plan->cpim_message_id));
    struct msrp_session_plan *p = &s->plan.session;
    p->file = plan->file->fd;
    p->sending.message_id = slice_of(s->message_id);
    p->sending.content_type = "message/cpim";
    p->sending.total = plan->file->size;
    p->sending.octets = msrp_file_octets(plan->file);
    s->session = msrp_session_new(p, &session_ops, s);
    return s;
}

void msrp_serve_free(struct msrp_serve *s)
{
    if (!s)
        return;
    loop_cancel(s->plan.session.loop, &s->timer);
    msrp_session_free(s->session);
    free(s->path);
    free(s);
}

/* --- The end. */

static void end(struct msrp_serve *s, int status)
{
    if (s->ended)
        return;
    s->ended = true;
    loop_cancel(s->plan.session.loop, &s->timer);
    s->ops->end(s->arg, status);
}

/* A line that cannot be written is the stage's own business: it exits 74 by itself. */
static int emit(struct msrp_serve *s, struct line_out *o, enum msrp_line how)
{
    return s->ops->emit(s->arg, o, how);
}

void msrp_serve_refuse(const struct msrp_serve_ops *ops, void *arg, int status, const char *what,
                       const char *why, const char *hint)
{
    struct line_out o;
    line_begin(&o, "msrp.failed", ops->sid(arg));
    line_number(&o, "status", status);
    line_free_text(&o, "why", slice_of(why));
    err_line(what, why, hint);
    (void)ops->emit(arg, &o, MSRP_LINE_FACT);
    ops->end(arg, status);
}

static void refuse(struct msrp_serve *s, int status, const char *what, const char *why,
                   const char *hint)
{
    s->ended = true;
    msrp_serve_refuse(s->ops, s->arg, status, what, why, hint);
}

static uint64_t octets_so_far(const struct msrp_serve *s)
{
    return msrp_session_progress(s->session).confirmed;
}

static void meter(struct msrp_serve *s, bool last)
{
    if (s->plan.meter && s->connected_ms)
        s->ops->meter(s->arg, octets_so_far(s), s->plan.file->size, clock_ms() - s->connected_ms,
                      last);
}

static void say_failure(const struct msrp_outcome *o)
{
    if (o->code)
        err_linef("MSRP", NULL, "%d%s%s: %s", o->code, o->reason[0] ? " " : "", o->reason, o->why);
    else
        err_line("MSRP", o->why, NULL);
}

/* The end comes when what the recipient sent until now is answered: on_closed. */
static void close_session(struct msrp_serve *s)
{
    loop_cancel(s->plan.session.loop, &s->timer);
    msrp_session_close(s->session);
}

static void failed(struct msrp_serve *s, const struct msrp_outcome *o)
{
    struct line_out line;
    line_begin(&line, "msrp.failed", s->ops->sid(s->arg));
    line_number(&line, "status", o->status);
    if (o->code)
        line_number(&line, "code", o->code);
    if (o->reason[0])
        line_free_text(&line, "reason", slice_of(o->reason));
    line_number(&line, "octets", (int64_t)octets_so_far(s));
    line_free_text(&line, "why", slice_of(o->why));
    if (!s->quiet)
        say_failure(o);
    msrp_serve_learn(&s->plan, s->ops, s->arg, msrp_session_lesson(s->session));
    (void)emit(s, &line, MSRP_LINE_FACT);
    s->status = o->status;
    close_session(s);
}

static void on_closed(void *arg)
{
    struct msrp_serve *s = arg;
    end(s, s->status);
}

/* Nobody has to wait for the BYE: it is the recipient who should not see the connection end before
 * it. */
static void on_afterwards(void *arg)
{
    close_session(arg);
}

static void transferred(struct msrp_serve *s, const struct msrp_outcome *o)
{
    struct line_out line;
    struct msrp_progress p = msrp_session_progress(s->session);
    int64_t now = clock_ms();
    line_begin(&line, "msrp.transferred", s->ops->sid(s->arg));
    line_number(&line, "octets", (int64_t)p.gone);
    line_number(&line, "chunks", (int64_t)p.chunks);
    line_number(&line, "ms", now - s->connected_ms);
    line_text(&line, "report", o->report);
    line_text(&line, "message-id", s->plan.cpim_message_id);
    if (emit(s, &line, MSRP_LINE_DURABLE) != 0) {
        refuse(s, EX_IOERR, "the transfer", "was confirmed, and that cannot be written down",
               "whoever tries again repeats it");
        return;
    }
    s->transferred = true;
    loop_at(s->plan.session.loop, &s->timer, now + AFTERWARDS_MS, on_afterwards, s);
    msrp_serve_look(s);
}

static void on_done(void *arg, const struct msrp_outcome *o)
{
    struct msrp_serve *s = arg;
    loop_cancel(s->plan.session.loop, &s->timer);
    meter(s, true);
    if (o->status == EX_OK)
        transferred(s, o);
    else
        failed(s, o);
}

/* --- On the way. */

static void progress_line(struct msrp_serve *s, int64_t now)
{
    struct line_out o;
    uint64_t octets = octets_so_far(s);
    /* After 1, 2, 4, ... s, so that who looks early sees it move, and then once a minute. */
    int64_t so_far = s->last_file_ms - s->connected_ms;
    bool file = now - s->last_file_ms >= (so_far < FILE_MS ? so_far : FILE_MS);
    uint64_t ms = (uint64_t)(now - s->last_pipe_ms);
    line_begin(&o, "msrp.progress", s->ops->sid(s->arg));
    line_number(&o, "octets", (int64_t)octets);
    line_number(&o, "total", (int64_t)s->plan.file->size);
    line_number(&o, "rate", (int64_t)((octets - s->last_octets) * 1000 / (ms ? ms : 1)));
    s->last_pipe_ms = now;
    s->last_octets = octets;
    if (file)
        s->last_file_ms = now;
    (void)emit(s, &o, file ? MSRP_LINE_FACT : MSRP_LINE_PROGRESS);
}

static void on_timer(void *arg)
{
    struct msrp_serve *s = arg;
    int64_t now = clock_ms();
    meter(s, false);
    if (now - s->last_pipe_ms >= PIPE_MS)
        progress_line(s, now);
    loop_at(s->plan.session.loop, &s->timer, now + (s->plan.meter ? METER_MS : PIPE_MS), on_timer,
            s);
}

static void on_connected(void *arg, const struct msrp_connected *c)
{
    struct msrp_serve *s = arg;
    struct line_out o;
    int64_t now = clock_ms();
    s->connected_ms = s->last_pipe_ms = now;
    s->last_file_ms = now; /* so the first figure goes there too */
    line_begin(&o, "msrp.connected", s->ops->sid(s->arg));
    line_text(&o, "peer", c->peer);
    line_text(&o, "local", c->local);
    line_text(&o, "role", c->role);
    line_text(&o, "tls", c->tls);
    if (c->tls)
        line_text(&o, "ktls", c->kernel ? "yes" : "no");
    (void)emit(s, &o, MSRP_LINE_FACT);
    loop_at(s->plan.session.loop, &s->timer, now + (s->plan.meter ? METER_MS : PIPE_MS), on_timer,
            s);
}

static void on_received(void *arg, struct slice content_type, struct slice body)
{
    struct msrp_serve *s = arg;
    s->ops->received(s->arg, content_type, body);
}

/* --- The beginning. */

/* Any address: the first IP version that works here. */
static int listen_somewhere(struct msrp_serve *s, struct net_addr *bound)
{
    struct net_bind b = {.host = ""};
    if (s->plan.listen && net_parse_bind(s->plan.listen, &b) != 0)
        return EINVAL;
    int err = msrp_session_listen(s->session, &b, AF_UNSPEC, bound);
    if (err == EAFNOSUPPORT && !b.host[0])
        err = msrp_session_listen(s->session, &b, AF_INET6, bound);
    return err;
}

/* msrp://host:port/session;tcp, with a host that others reach. */
static int make_path(struct msrp_serve *s, const struct net_addr *bound)
{
    char host[NET_TEXT_SIZE];
    const char *name = s->plan.advertise ? s->plan.advertise : host;
    if (net_is_any(bound))
        msrp_own_host(bound->ss.ss_family, host);
    else
        net_host_text(host, bound, false);
    struct slice h = slice_of(name);
    struct net_addr a;
    bool numeric = net_parse_host(name, 0, &a) == 0;
    if (!numeric && !dns_is_name(name))
        return EINVAL;
    s->addrtype = !numeric && bound->ss.ss_family == AF_INET6 ? "IP6" : NULL;
    if (h.n > 2 && h.p[0] == '[' && h.p[h.n - 1] == ']')
        h = (struct slice){h.p + 1, h.n - 2};
    struct msrp_uri u = {.secure = s->plan.session.tls != NULL,
                         .host = h,
                         .has_port = true,
                         .port = net_port(bound),
                         .session = slice_of(s->session_id),
                         .transport = SLICE("tcp")};
    struct buf text = BUF_UP_TO(1024);
    int err = msrp_uri_format(&text, &u);
    if (!err)
        err = msrp_session_name(s->session, text.p);
    s->path = err ? NULL : mem_dup(text.p);
    buf_free(&text);
    return err;
}

static const char *setup_text(enum msrp_setup setup)
{
    static const char *const texts[] = {"passive", "actpass", "active"};
    return texts[setup];
}

static int tell_listening(struct msrp_serve *s)
{
    struct line_out o;
    const struct tls_context *tls = s->plan.session.tls;
    static const char imdn[] = "message/imdn+xml";
    const char *type = s->plan.wrapped_type;
    bool more = *type && strcmp(type, imdn) != 0;
    char *types = more ? mem_format("%s %s", type, imdn) : mem_dup(imdn);
    line_begin(&o, "msrp.listening", s->ops->sid(s->arg));
    line_text(&o, "path", s->path);
    line_text(&o, "addrtype", s->addrtype);
    line_text(&o, "proto", tls ? "TCP/TLS/MSRP" : "TCP/MSRP");
    line_text(&o, "setup", setup_text(s->plan.session.setup));
    line_text(&o, "cema", s->plan.cema ? "yes" : NULL);
    line_number(&o, "size", (int64_t)s->plan.size);
    line_number(&o, "octets", (int64_t)s->plan.file->size);
    line_text(&o, "accept-types", "message/cpim");
    line_text(&o, "wrapped-types", types);
    line_text(&o, "fingerprint", tls ? tls_context_fingerprint(tls) : NULL);
    line_text(&o, "cpim-from", s->plan.cpim_from);
    line_text(&o, "message-id", s->plan.cpim_message_id);
    free(types);
    return emit(s, &o, MSRP_LINE_FACT);
}

static void cannot_listen(struct msrp_serve *s, int err)
{
    const char *what = s->plan.listen ? s->plan.listen : "listening for MSRP";
    if (err == EADDRINUSE && s->plan.share)
        refuse(s, EX_OSERR, what, "the port is in use, and nobody in our run folder shares it",
               "choose another --msrp-listen, or the run folder of the others");
    else if (err == EPERM && s->plan.share)
        refuse(s, EX_NOPERM, what, "its folder in the run folder is not ours alone",
               "make it 0700, or give another XDG_RUNTIME_DIR");
    else if (err == EADDRINUSE)
        refuse(s, EX_OSERR, what, "the port is in use", "choose another --msrp-listen, or a range");
    else if (err == EADDRNOTAVAIL || err == ENOENT)
        refuse(s, EX_CONFIG, what, "no address of this host", "choose another --msrp-listen");
    else if (err == EACCES || err == EPERM)
        refuse(s, EX_NOPERM, what, strerror(err), "choose another port");
    else if (err == EINVAL)
        refuse(s, EX_USAGE, what, "not ADDR[:PORT[-PORT]]", "a port alone is :PORT");
    else
        refuse(s, EX_OSERR, what, strerror(err), NULL);
}

static void listens(struct msrp_serve *s, const struct net_addr *bound)
{
    if (make_path(s, bound) != 0) {
        refuse(s, EX_USAGE, s->plan.advertise, "cannot stand in an MSRP URI",
               "give a host name or an address to --msrp-advertise");
        return;
    }
    int err = tell_listening(s);
    if (err == EMSGSIZE)
        refuse(s, EX_USAGE, "the message's headers", "too long for an event line", NULL);
    else if (err)
        end(s, EX_IOERR);
}

static void on_shared(void *arg, int err)
{
    struct msrp_serve *s = arg;
    if (s->ended || s->status)
        return;
    if (err)
        cannot_listen(s, err);
    else
        listens(s, s->plan.share);
}

static const struct msrp_session_ops session_ops = {on_shared, on_connected, on_received, on_done,
                                                    on_closed};

void msrp_serve_start(struct msrp_serve *s)
{
    struct net_addr bound;
    rand_token(s->session_id, SESSION_ID);
    if (s->plan.share) {
        msrp_session_share(s->session, s->plan.share, s->session_id);
        return;
    }
    int err = listen_somewhere(s, &bound);
    if (err)
        cannot_listen(s, err);
    else
        listens(s, &bound);
}

/* --- The session file. */

/* Why no more of the message is wanted; NULL: go on. */
static const char *reason_to_stop(struct msrp_serve *s, struct journal *j, bool lost, bool *quiet)
{
    *quiet = true;
    if (s->ops->over(s->arg))
        return "the attempt is over";
    if (journal_has(j, "bye.request") || journal_has(j, "bye.sent"))
        return "the session is being ended";
    *quiet = false;
    if (journal_has(j, "session.ended"))
        return "the session ended before everything was confirmed";
    return lost ? "nobody speaks SIP for this delivery any more" : NULL;
}

/* After the transfer: is there still a session whose connection has to be held? */
static bool session_is_over(struct msrp_serve *s, struct journal *j)
{
    return journal_has(j, "session.ended") || journal_has(j, "bye.answered") ||
           journal_has(j, "bye.failed") || s->ops->over(s->arg) || s->ops->invite_lost(s->arg);
}

static void invite_failed(struct msrp_serve *s, struct journal *j)
{
    int64_t status = journal_number(j, "invite.failed.status", EX_TEMPFAIL);
    s->quiet = true;
    msrp_session_stop(s->session, (int)status, "the invitation failed");
}

static void answered(struct msrp_serve *s, struct journal *j)
{
    const struct msrp_answer answer = {.path = journal_get(j, "invite.answered.peer-path"),
                                       .setup = journal_get(j, "invite.answered.peer-setup"),
                                       .address = journal_get(j, "invite.answered.peer-address"),
                                       .cema = journal_get(j, "invite.answered.cema") != NULL,
                                       .fingerprint =
                                           journal_get(j, "invite.answered.fingerprint")};
    int64_t most = journal_number(j, "invite.answered.max-size", 0);
    s->answered = true;
    if (most > 0 && (uint64_t)most < s->plan.file->size) {
        msrp_session_stop(s->session, EX_UNAVAILABLE,
                          "the message is larger than the recipient's max-size");
        return;
    }
    int err = msrp_session_answered(s->session, &answer);
    if (err == EPROTO)
        msrp_session_stop(s->session, EX_PROTOCOL,
                          s->plan.session.tls ? "the answer's path is not msrps:"
                                              : "the answer's path is msrps:, the offer's is not");
    else if (err)
        msrp_session_stop(s->session, EX_PROTOCOL, "the answer has no sound a=path");
}

void msrp_serve_look(struct msrp_serve *s)
{
    struct journal *j = s->ops->journal(s->arg);
    if (s->ended || s->status)
        return;
    if (s->transferred) {
        if (session_is_over(s, j))
            close_session(s);
        return;
    }
    /* Asked first, as it reads the file: why cpm-invite is gone may be its last line. */
    bool lost = s->ops->invite_lost(s->arg);
    if (journal_has(j, "invite.failed")) {
        invite_failed(s, j);
        return;
    }
    if (!s->answered && journal_has(j, "invite.answered"))
        answered(s, j);
    bool quiet;
    const char *why = reason_to_stop(s, j, lost, &quiet);
    if (why && !s->ended && !s->transferred) {
        s->quiet = s->quiet || quiet;
        msrp_session_stop(s->session, EX_TEMPFAIL, why);
    }
}

void msrp_serve_stop(struct msrp_serve *s, int signal)
{
    if (s->transferred) {
        close_session(s);
        return;
    }
    s->quiet = true;
    msrp_session_stop(s->session, 128 + signal, "signal");
}
