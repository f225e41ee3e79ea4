/* The session: bound or not, the verdict, the times. */
#include "msrp/session_int.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

/* How exactly "taken by the peer's TCP" is known: nothing tells it by itself. Where no answers come
 * it is all that there is to wait for. */
#define TICK_MS      1000
#define TICK_FAST_MS 100
#define CLOSE_MS     500
#define STOP_WAIT_MS 1000

struct msrp_session *msrp_session_new(const struct msrp_session_plan *plan,
                                      const struct msrp_session_ops *ops, void *arg)
{
    struct msrp_session *s = mem_new(sizeof(*s));
    s->plan = *plan;
    s->ops = ops;
    s->arg = arg;
    s->listener.fd = -1;
    return s;
}

static void close_listener(struct msrp_session *s)
{
    msrp_share_close(s->share);
    s->share = NULL;
    if (s->listener.fd < 0)
        return;
    loop_unwatch(s->plan.loop, &s->listener);
    loop_cancel(s->plan.loop, &s->listen_timer);
    (void)close(s->listener.fd);
    s->listener.fd = -1;
}

static void cancel_waits(struct msrp_session *s)
{
    loop_cancel(s->plan.loop, &s->accept_timer);
    loop_cancel(s->plan.loop, &s->dial_timer);
    loop_cancel(s->plan.loop, &s->speak_timer);
    if (s->lookup)
        dns_forget(s->lookup);
    s->lookup = NULL;
}

void msrp_session_free(struct msrp_session *s)
{
    if (!s)
        return;
    close_listener(s);
    cancel_waits(s);
    loop_cancel(s->plan.loop, &s->tick);
    loop_cancel(s->plan.loop, &s->stop_timer);
    loop_cancel(s->plan.loop, &s->close_timer);
    for (size_t i = 0; i < s->links_used; i++) {
        msrp_link_drop(s->links[i]);
        free(s->links[i]);
    }
    msrp_links_forget_kept(s);
    msrp_sender_free(s->sender);
    dns_free(s->dns);
    msrp_secure_free(s);
    free(s->own_path);
    free(s->peer_path);
    free(s);
}

int msrp_session_name(struct msrp_session *s, const char *path)
{
    free(s->own_path);
    s->own_path = mem_dup(path);
    return msrp_uri_parse(slice_of(s->own_path), &s->own);
}

/* --- Listening. */

static void speak_later(struct msrp_session *s, int64_t since);
static void on_listener(void *arg, uint32_t events);

static void listen_again(void *arg)
{
    struct msrp_session *s = arg;
    if (loop_watch(s->plan.loop, &s->listener, s->listener.fd, EPOLLIN, on_listener, s) != 0)
        loop_at(s->plan.loop, &s->listen_timer, clock_ms() + TICK_MS, listen_again, s);
}

static void take_connection(void *arg, int fd, const struct net_addr *peer)
{
    struct msrp_session *s = arg;
    struct link *l = msrp_link_add(s, LINK_SILENT);
    if (!l) {
        (void)close(fd);
        return;
    }
    l->conn = msrp_conn_take(s->plan.loop, fd, peer, s->plan.tls, &msrp_link_ops, l);
    if (s->speak_timer.place == 0)
        speak_later(s, l->since);
}

static void on_listener(void *arg, uint32_t events)
{
    struct msrp_session *s = arg;
    struct net_addr peer;
    int fd;
    (void)events;
    int err = net_accept(s->listener.fd, &fd, &peer);
    if (err == EAGAIN)
        return;
    if (err) { /* no descriptors: whoever waits will not be told again before some are free */
        loop_unwatch(s->plan.loop, &s->listener);
        loop_at(s->plan.loop, &s->listen_timer, clock_ms() + TICK_MS, listen_again, s);
        return;
    }
    take_connection(s, fd, &peer);
}

int msrp_session_listen(struct msrp_session *s, const struct net_bind *b, int family,
                        struct net_addr *bound)
{
    int fd;
    int err = net_open(SOCK_STREAM, b, family, true, &fd, bound);
    if (err)
        return err;
    s->listener.fd = fd;
    return loop_watch(s->plan.loop, &s->listener, fd, EPOLLIN, on_listener, s);
}

static void on_shared(void *arg, int err)
{
    struct msrp_session *s = arg;
    s->ops->shared(s->arg, err);
}

void msrp_session_share(struct msrp_session *s, const struct net_addr *at, const char *session_id)
{
    static const struct msrp_share_ops ops = {on_shared, take_connection};
    const struct msrp_share_plan plan = {.loop = s->plan.loop,
                                         .session_id = session_id,
                                         .at = *at,
                                         .request_ms = s->plan.accept_timeout_ms};
    s->share = msrp_share_open(&plan, &ops, s);
}

/* --- The verdict. */

static void finish(struct msrp_session *s, const struct msrp_outcome *o)
{
    if (s->done)
        return;
    s->done = true;
    cancel_waits(s);
    loop_cancel(s->plan.loop, &s->tick);
    loop_cancel(s->plan.loop, &s->stop_timer);
    s->ops->done(s->arg, o);
}

void msrp_session_fail(struct msrp_session *s, int status, const char *why)
{
    struct msrp_outcome o = {.status = status, .why = why, .report = "none"};
    if (!s->sender) {
        finish(s, &o);
        return;
    }
    msrp_sender_give_up(s->sender, status, why);
    msrp_session_look(s);
}

static void on_tick(void *arg);

void msrp_session_look(struct msrp_session *s)
{
    if (s->done || !s->sender)
        return;
    if (s->stopping && !msrp_sender_waits(s->sender))
        msrp_sender_give_up(s->sender, s->stop_status, s->stop_why);
    const struct msrp_outcome *o = msrp_sender_outcome(s->sender);
    if (o) {
        finish(s, o);
        return;
    }
    int64_t due = msrp_sender_due(s->sender);
    bool answers = s->plan.sending.failure_report == MSRP_FAILURE_YES;
    int64_t tick = clock_ms() + (answers ? TICK_MS : TICK_FAST_MS);
    if (s->tick.place == 0 || due < s->tick.due)
        loop_at(s->plan.loop, &s->tick, due < tick ? due : tick, on_tick, s);
}

/* What the peer's TCP took starts the chunks' times. The peer has stalled when its TCP takes
 * nothing, or when it took all that may be unanswered and no answer comes. */
static void look_at_stream(struct msrp_session *s, int64_t now)
{
    uint64_t taken = msrp_conn_taken(s->bound->conn);
    uint64_t confirmed = msrp_sender_progress(s->sender).confirmed;
    bool all_taken = taken == msrp_conn_written(s->bound->conn);
    bool blocked = msrp_sender_blocked(s->sender);
    if (taken != s->taken || confirmed != s->confirmed || (all_taken && !blocked))
        s->taken_since = now;
    s->taken = taken;
    s->confirmed = confirmed;
    msrp_sender_taken(s->sender, now, taken);
    if (now - s->taken_since < s->plan.stall_timeout_ms)
        return;
    if (blocked)
        msrp_sender_hung_up(s->sender);
    msrp_sender_fail(s->sender, EX_TEMPFAIL,
                     blocked ? "the recipient answers no more chunks"
                             : "the recipient takes no more octets");
}

static void on_tick(void *arg)
{
    struct msrp_session *s = arg;
    int64_t now = clock_ms();
    if (s->bound)
        look_at_stream(s, now);
    msrp_sender_time(s->sender, now);
    if (s->bound)
        msrp_conn_pump(s->bound->conn);
    msrp_session_look(s);
}

/* --- Bound. */

static void tell_connected(struct msrp_session *s, const struct link *l, const char *role)
{
    char peer[NET_TEXT_SIZE];
    char local[NET_TEXT_SIZE];
    const struct tls *tls = msrp_conn_tls(l->conn);
    net_addr_text(peer, msrp_conn_peer(l->conn));
    msrp_conn_local(l->conn, local);
    s->ops->connected(s->arg,
                      &(struct msrp_connected){peer, local, role, tls ? tls_version(tls) : NULL,
                                               tls && tls_kernel_sends(tls)});
}

void msrp_session_bind(struct msrp_session *s, struct link *l, const char *role)
{
    if (!msrp_secure_is_peer(s, l)) {
        msrp_link_drop(l);
        msrp_session_fail(s, s->tls_status, s->tls_error);
        return;
    }
    l->state = LINK_BOUND;
    s->bound = l;
    cancel_waits(s);
    msrp_links_close_others(s);
    tell_connected(s, l, role);
    msrp_link_hand_on(l);
    s->plan.sending.to_path = slice_of(s->peer_path);
    s->plan.sending.from_path = slice_of(s->own_path);
    s->sender = msrp_sender_new(&s->plan.sending);
    s->taken_since = clock_ms();
    if (s->stopping)
        msrp_sender_stop(s->sender);
    msrp_conn_send(l->conn, s->sender, s->plan.file);
    msrp_session_look(s);
}

/* The bound connection is gone. What was not confirmed is lost, and an error is no good end where
 * answers were not asked for. */
void msrp_session_lost(struct msrp_session *s, int error)
{
    bool nonsense = error == EPROTO;
    int status = nonsense ? EX_PROTOCOL : EX_TEMPFAIL;
    const char *why =
        nonsense ? s->lost_why : "the connection was lost before everything was confirmed";
    s->bound = NULL;
    if (s->done)
        return;
    if (!error || error == ECONNRESET || error == EPIPE || error == EPROTO)
        msrp_sender_hung_up(s->sender);
    if (error && s->plan.sending.failure_report != MSRP_FAILURE_YES)
        msrp_sender_fail(s->sender, status, why);
    else
        msrp_sender_give_up(s->sender, status, why);
    msrp_session_look(s);
}

/* --- From outside. */

static void on_accept_timeout(void *arg)
{
    struct msrp_session *s = arg;
    msrp_links_note_silent(s);
    const char *why = s->tls_error[0]    ? s->tls_error
                      : s->unfit_theirs  ? s->unfit /* a stranger's tells less */
                      : s->dial_error[0] ? s->dial_error
                      : s->unfit[0]      ? s->unfit
                                         : "no connection of the recipient in time";
    int status = msrp_secure_status(s);
    msrp_session_fail(s, status == EX_TEMPFAIL && s->unfit_status ? s->unfit_status : status, why);
}

static void on_speak_first(void *arg);

/* A connection came, or the answer, or a look was too early. */
static void speak_later(struct msrp_session *s, int64_t since)
{
    if (s->plan.speak_first_ms && s->answered && !s->bound && !s->done)
        loop_at(s->plan.loop, &s->speak_timer, since + s->plan.speak_first_ms, on_speak_first, s);
}

/* The only one from where the answer points that stays silent is spoken to; where there are two,
 * nobody knows which. */
static void on_speak_first(void *arg)
{
    struct msrp_session *s = arg;
    struct link *silent = NULL;
    int64_t now = clock_ms();
    size_t n = 0;
    for (size_t i = 0; i < s->links_used; i++) {
        struct link *l = s->links[i];
        if (l->state == LINK_SILENT && !l->spoke && msrp_conn_is_open(l->conn) &&
            msrp_link_expected(l)) {
            silent = l;
            n++;
        }
    }
    if (n == 0)
        return;
    if (n > 1)
        speak_later(s, now);
    else if (now - silent->since < s->plan.speak_first_ms)
        speak_later(s, silent->since);
    else
        msrp_session_bind(s, silent, "passive");
}

/* Who connects, by what was offered and answered (RFC 6135 4.2, RFC 4975 5.4). Without an a=setup
 * the peer may be of either kind, and so it may where both want to be active. */
static void begin_connecting(struct msrp_session *s, const char *setup)
{
    bool peer_connects = setup && strcmp(setup, "active") == 0;
    bool peer_waits = setup && strcmp(setup, "passive") == 0;
    bool we_connect = s->plan.setup == MSRP_ACTIVE;
    if (peer_waits || (we_connect && !peer_connects)) {
        s->only_dialled = true;
        msrp_dial_next(s);
    } else if (we_connect || !peer_connects) {
        msrp_dial_later(s, s->plan.dial_after_ms);
    }
}

/* Behind the next hop it may go on in other ways (RFC 7977), to it only by TCP (RFC 4975 6). */
static bool is_path(struct slice path)
{
    struct msrp_uri hop;
    return msrp_path_check(path) == 0 && msrp_uri_parse(msrp_path_first(path), &hop) == 0 &&
           slice_is_nocase(hop.transport, "tcp");
}

int msrp_session_answered(struct msrp_session *s, const struct msrp_answer *answer)
{
    if (s->answered || s->done)
        return 0;
    int err = is_path(slice_of(answer->path)) ? msrp_secure_learn(s, answer) : EINVAL;
    if (err)
        return err;
    int64_t now = clock_ms();
    s->answered = true;
    s->peer_path = mem_dup(answer->path);
    err = msrp_dial_learn(s, answer);
    if (err)
        err_step("the answer's path names no address that could be dialled");
    loop_at(s->plan.loop, &s->accept_timer, now + s->plan.accept_timeout_ms, on_accept_timeout, s);
    msrp_links_choose(s);
    if (s->bound || s->done)
        return 0;
    speak_later(s, now);
    begin_connecting(s, answer->setup);
    return 0;
}

static void on_stop_timeout(void *arg)
{
    struct msrp_session *s = arg;
    msrp_session_fail(s, s->stop_status, s->stop_why);
}

void msrp_session_stop(struct msrp_session *s, int status, const char *why)
{
    if (s->done || s->stopping)
        return;
    s->stopping = true;
    s->stop_status = status;
    s->stop_why = why;
    cancel_waits(s);
    if (!s->sender) {
        msrp_session_fail(s, status, why);
        return;
    }
    msrp_sender_stop(s->sender);
    loop_at(s->plan.loop, &s->stop_timer, clock_ms() + STOP_WAIT_MS, on_stop_timeout, s);
    if (s->bound) {
        msrp_conn_pump(s->bound->conn);
        if (s->bound)
            msrp_sender_taken(s->sender, clock_ms(), msrp_conn_taken(s->bound->conn));
    }
    msrp_session_look(s);
}

static void on_close_timer(void *arg)
{
    struct msrp_session *s = arg;
    s->closing = false;
    s->ops->closed(s->arg);
}

void msrp_session_is_closed(struct msrp_session *s)
{
    if (s->closing && !msrp_links_any(s))
        loop_at(s->plan.loop, &s->close_timer, clock_ms(), on_close_timer, s);
}

/* A recipient that has everything has nobody to wait for either. */
static bool is_delivered(const struct msrp_session *s)
{
    const struct msrp_outcome *o = s->sender ? msrp_sender_outcome(s->sender) : NULL;
    return o && o->status == EX_OK;
}

void msrp_session_close(struct msrp_session *s)
{
    if (s->closing)
        return;
    s->closing = true;
    close_listener(s);
    loop_at(s->plan.loop, &s->close_timer, clock_ms() + CLOSE_MS, on_close_timer, s);
    msrp_links_leave(s, is_delivered(s));
    msrp_session_is_closed(s);
}

struct msrp_progress msrp_session_progress(const struct msrp_session *s)
{
    return s->sender ? msrp_sender_progress(s->sender) : (struct msrp_progress){0, 0, 0, 0};
}

uint64_t msrp_session_lesson(const struct msrp_session *s)
{
    return s->sender ? msrp_sender_lesson(s->sender) : 0;
}
