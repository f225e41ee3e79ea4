/* Connections: held until the answer chooses, refused, or the session's; and what comes in on them.
 */
#include "msrp/session_int.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

/* --- The set of connections. */

void msrp_link_drop(struct link *l)
{
    struct msrp_session *s = l->session;
    if (l->state == LINK_FREE)
        return;
    if (s->bound == l)
        s->bound = NULL;
    loop_cancel(s->plan.loop, &l->silent);
    msrp_conn_free(l->conn);
    free(l->from_path);
    if (s->plan.tls)
        msrp_link_forget_kept(l);
    msrp_inbox_free(&l->inbox);
    *l = (struct link){.session = s};
}

/* Nobody loses by its end: it never named the session, or was refused. */
static bool is_useless(const struct link *l)
{
    return l->state == LINK_SILENT || l->state == LINK_LEAVING;
}

bool msrp_link_expected(const struct link *l)
{
    const struct msrp_session *s = l->session;
    for (size_t i = 0; i < s->n_targets; i++) {
        if (net_same_host(&s->targets[i], msrp_conn_peer(l->conn)))
            return true;
    }
    return false;
}

static size_t useless_of_same_site(const struct link *l)
{
    size_t n = 0;
    for (size_t i = 0; i < l->session->links_used; i++) {
        const struct link *other = l->session->links[i];
        n += is_useless(other) &&
             net_same_site(msrp_conn_peer(other->conn), msrp_conn_peer(l->conn));
    }
    return n;
}

/* Which of two has to go for a newcomer? Hosts that the answer names go last, then those with the
 * fewest such connections: a flood from one place pushes out its own. */
static bool goes_before(const struct link *a, const struct link *b)
{
    bool one = msrp_link_expected(a);
    bool two = msrp_link_expected(b);
    if (one != two)
        return two;
    size_t of_one = useless_of_same_site(a);
    size_t of_two = useless_of_same_site(b);
    return of_one != of_two ? of_one > of_two : a->since < b->since;
}

static struct link *free_link(struct msrp_session *s)
{
    struct link *first = NULL;
    for (size_t i = 0; i < MSRP_LINKS; i++) {
        if (i == s->links_used)
            s->links[s->links_used++] = mem_new(sizeof(struct link));
        struct link *l = s->links[i];
        if (l->state == LINK_FREE)
            return l;
        if (is_useless(l) && (!first || goes_before(l, first)))
            first = l;
    }
    if (first)
        msrp_link_drop(first);
    return first;
}

/* Why this connection is not the session's; said where no other comes. A stranger's nonsense is no
 * verdict. */
static void note(const struct link *l, const char *what, const char *more)
{
    struct msrp_session *s = l->session;
    char peer[NET_TEXT_SIZE];
    bool theirs = l->from_path || msrp_link_expected(l);
    if (s->unfit_theirs && !theirs)
        return;
    s->unfit_theirs = theirs;
    net_addr_text(peer, msrp_conn_peer(l->conn));
    (void)snprintf(s->unfit, sizeof(s->unfit), "the connection from %s %s%s", peer, what, more);
    s->unfit_status = 0;
}

static void note_silence(const struct link *l)
{
    if (l->passed_over)
        return;
    if (!l->spoke && !l->from_path)
        note(l, "was silent", " (see --speak-first)");
    else if (!l->from_path)
        note(l, "never named the session", "");
}

void msrp_links_note_silent(struct msrp_session *s)
{
    for (size_t i = 0; i < s->links_used; i++) {
        if (s->links[i]->state == LINK_SILENT && !s->unfit[0])
            note_silence(s->links[i]);
    }
}

static void on_silent(void *arg)
{
    struct link *l = arg;
    if (l->state != LINK_SILENT)
        return;
    note_silence(l);
    err_step("a connection that never named the session is closed");
    msrp_link_drop(l);
    msrp_session_is_closed(l->session);
}

static void wait_for_name(struct link *l)
{
    struct msrp_session *s = l->session;
    loop_at(s->plan.loop, &l->silent, clock_ms() + s->plan.accept_timeout_ms, on_silent, l);
}

struct link *msrp_link_add(struct msrp_session *s, enum link_state state)
{
    struct link *l = free_link(s);
    if (!l)
        return NULL;
    *l = (struct link){.session = s, .state = state, .since = clock_ms()};
    if (state == LINK_SILENT)
        wait_for_name(l);
    return l;
}

/* The message has its connection: those that others hold, and our own further attempts, end. Those
 * that did not speak yet hear a 506 when they do. */
void msrp_links_close_others(struct msrp_session *s)
{
    for (size_t i = 0; i < s->links_used; i++) {
        struct link *l = s->links[i];
        if (l != s->bound && (l->state == LINK_PRESENTED || l->state == LINK_DIALLING))
            msrp_link_drop(l);
    }
}

static void refuse(struct link *l)
{
    l->state = LINK_LEAVING;
    msrp_conn_leave(l->conn, false);
}

void msrp_links_leave(struct msrp_session *s, bool hasty)
{
    for (size_t i = 0; i < s->links_used; i++) {
        struct link *l = s->links[i];
        if (l->state == LINK_BOUND || l->state == LINK_LEAVING)
            msrp_conn_leave(l->conn, hasty);
        else
            msrp_link_drop(l);
    }
}

bool msrp_links_any(const struct msrp_session *s)
{
    for (size_t i = 0; i < s->links_used; i++) {
        if (s->links[i]->state != LINK_FREE)
            return true;
    }
    return false;
}

/* --- Which one is the peer that the answer speaks of? */

/* The whole From-Path, or its session id alone: boxes on the way may rewrite the authority (RFC
 * 6714 5). */
static bool is_peer(const struct msrp_session *s, const char *from_path, bool whole)
{
    struct msrp_uri from;
    struct msrp_uri peer;
    if (msrp_uri_parse(msrp_path_last(slice_of(from_path)), &from) != 0 ||
        msrp_uri_parse(msrp_path_last(slice_of(s->peer_path)), &peer) != 0)
        return false;
    return whole ? msrp_uri_same(&from, &peer) : msrp_uri_same_session(&from, &peer);
}

/* Its SEND was answered with 200 before the answer chose another: it hears a 506 to its next one,
 * and has as much time for that as for its first. */
static void pass_over(struct link *l)
{
    note(l, "has another path than the answer", "");
    l->passed_over = true;
    free(l->from_path);
    l->from_path = NULL;
    l->state = LINK_SILENT;
    wait_for_name(l);
}

static struct link *presented_by_peer(struct msrp_session *s, bool whole)
{
    for (size_t i = 0; i < s->links_used; i++) {
        struct link *l = s->links[i];
        if (l->state == LINK_PRESENTED && is_peer(s, l->from_path, whole))
            return l;
    }
    return NULL;
}

void msrp_links_choose(struct msrp_session *s)
{
    if (!s->answered || s->bound || s->done)
        return;
    struct link *peer = presented_by_peer(s, true);
    if (!peer)
        peer = presented_by_peer(s, false);
    for (size_t i = 0; i < s->links_used; i++) {
        if (s->links[i]->state == LINK_PRESENTED && s->links[i] != peer)
            pass_over(s->links[i]);
    }
    if (peer)
        msrp_session_bind(s, peer, "passive");
}

/* --- Requests of the peer. */

static void answer_with(struct link *l, int code, const char *why, bool close)
{
    l->code = code;
    l->why = why;
    l->refuse = close;
}

/* Is this link one that may speak in this session? Sets the refusal if not (RFC 4975 5.4). */
static bool presents(struct link *l, const struct msrp_head *h)
{
    struct msrp_session *s = l->session;
    struct msrp_uri to;
    if (msrp_uri_parse(msrp_path_last(h->to_path), &to) != 0 ||
        !msrp_uri_same_session(&to, &s->own)) {
        answer_with(l, 481, NULL, l->state == LINK_SILENT);
        if (l->state == LINK_SILENT)
            note(l, "named another session", "");
        return false;
    }
    if (l->state != LINK_SILENT)
        return true;
    l->from_path = slice_dup(h->from_path);
    if (s->bound || (s->answered && !is_peer(s, l->from_path, false))) {
        answer_with(l, 506, NULL, true);
        note(l, "has another path than the answer", "");
        return false;
    }
    return true;
}

static void take_head(struct link *l, const struct msrp_head *h, bool content)
{
    struct msrp_session *s = l->session;
    answer_with(l, 200, NULL, false);
    if (h->fault && msrp_path_check(h->to_path) != 0) {
        answer_with(l, 400, h->fault, l->state == LINK_SILENT);
    } else if (!presents(l, h)) {
        return;
    } else if (msrp_head_is(h, "REPORT")) {
        if (l->state == LINK_BOUND)
            msrp_sender_report(s->sender, h, clock_ms());
    } else if (h->fault) {
        answer_with(l, 400, h->fault, false);
    } else if (!msrp_head_is(h, "SEND")) {
        answer_with(l, 501, NULL, false);
    } else if (content) {
        const char *why = NULL;
        int code = msrp_inbox_head(&l->inbox, h, &why);
        if (code)
            answer_with(l, code, why, false);
    }
}

static void take_data(struct link *l, struct slice data)
{
    const char *why = NULL;
    int code = msrp_inbox_data(&l->inbox, data, &why);
    if (code)
        answer_with(l, code, why, false);
}

/* 200 is said only of what will be told, or may be when the answer comes. False: it is refused. */
static bool may_be_told(struct link *l)
{
    struct msrp_session *s = l->session;
    if (l->state != LINK_BOUND && !l->from_path)
        answer_with(l, 506, NULL, true); /* while it came the answer chose another */
    else if (l->state != LINK_BOUND && s->kept_n == MSRP_INBOX)
        answer_with(l, 413, "too many messages before the answer", false);
    else if (!pace_allows(&s->received, clock_ms()))
        answer_with(l, 413, "too many messages", false);
    return l->code == 200;
}

/* Until the answer chooses. */
static void keep(struct link *l, struct slice content_type, struct buf body)
{
    struct msrp_session *s = l->session;
    s->kept[s->kept_n++] =
        (struct msrp_kept){l, mem_dup(l->from_path), slice_dup(content_type), body};
}

/* Of the link's peer, who may have connected anew since. */
static bool is_of(const struct msrp_kept *k, const struct link *l)
{
    if (l->session->plan.tls)
        return k->link == l;
    return l->from_path ? strcmp(k->from_path, l->from_path) == 0
                        : is_peer(l->session, k->from_path, true);
}

void msrp_link_hand_on(struct link *l)
{
    struct msrp_session *s = l->session;
    for (size_t i = 0; i < s->kept_n; i++) {
        const struct msrp_kept *k = &s->kept[i];
        if (is_of(k, l))
            s->ops->received(s->arg, slice_of(k->type), buf_slice(&k->body));
    }
    msrp_links_forget_kept(s);
}

/* Gives how many octets the message has that is there now as a whole; 0: none is, or it is refused.
 */
static size_t take_message(struct link *l, const struct msrp_event *ev)
{
    struct msrp_session *s = l->session;
    struct buf whole = BUF_UP_TO(0);
    const char *why = NULL;
    int code = msrp_inbox_end(&l->inbox, ev, &why, &whole);
    size_t n = whole.n;
    if (code)
        answer_with(l, code, why, false);
    if (n && !may_be_told(l)) {
        n = 0;
    } else if (n && l->state != LINK_BOUND) {
        keep(l, ev->head->content_type, whole);
        return n;
    } else if (n) {
        s->ops->received(s->arg, ev->head->content_type, buf_slice(&whole));
    }
    buf_free(&whole);
    return n;
}

static size_t take_end(struct link *l, const struct msrp_event *ev)
{
    if (l->code != 200 || !msrp_head_is(ev->head, "SEND"))
        return 0;
    if (ev->has_body)
        return take_message(l, ev);
    if (ev->flag == '#')
        msrp_inbox_abort(&l->inbox, ev->head->message_id);
    return 0;
}

static void end_request(struct link *l, const struct msrp_event *ev)
{
    size_t whole = take_end(l, ev);
    if (msrp_answer_wanted(ev->head, l->code))
        msrp_conn_answer(l->conn, ev->head, l->code, l->why);
    if (l->state != LINK_FREE && whole && ev->head->success_report)
        msrp_conn_report(l->conn, ev->head, whole);
    if (l->state == LINK_FREE)
        return;
    if (l->refuse) {
        refuse(l);
    } else if (l->state == LINK_SILENT && l->from_path) {
        l->state = LINK_PRESENTED;
        msrp_links_choose(l->session);
    }
}

/* --- Events of a connection. */

static void on_request(struct link *l, const struct msrp_event *ev)
{
    if (ev->kind == MSRP_HEAD)
        take_head(l, ev->head, ev->has_body);
    else if (ev->kind == MSRP_DATA && l->code == 200 && msrp_head_is(ev->head, "SEND"))
        take_data(l, ev->data);
    else if (ev->kind == MSRP_END)
        end_request(l, ev);
}

static void on_event(void *arg, struct msrp_conn *c, const struct msrp_event *ev)
{
    struct link *l = arg;
    struct msrp_session *s = l->session;
    (void)c;
    l->spoke = true;
    if (l->state == LINK_LEAVING)
        return; /* it was refused */
    if (ev->head->request)
        on_request(l, ev);
    else if (ev->kind == MSRP_HEAD && l->state == LINK_BOUND)
        msrp_sender_response(s->sender, ev->head, clock_ms());
}

static void on_handled(void *arg, struct msrp_conn *c)
{
    struct link *l = arg;
    (void)c;
    if (l->state == LINK_BOUND)
        msrp_session_look(l->session);
}

static void on_connected(void *arg, struct msrp_conn *c)
{
    struct link *l = arg;
    (void)c;
    msrp_session_bind(l->session, l, "active");
}

static void note_loss(struct link *l, int error, const char *why)
{
    bool presented = l->state == LINK_PRESENTED;
    bool nonsense = error == EPROTO && msrp_conn_is_open(l->conn);
    if (l->state != LINK_SILENT && !presented)
        return;
    if (nonsense)
        note(l, "broke the protocol: ", why);
    else if (presented)
        note(l, "was lost: ", why);
    else
        note_silence(l);
    if (nonsense && (presented || msrp_link_expected(l)))
        l->session->unfit_status = EX_PROTOCOL;
}

static void on_lost(void *arg, struct msrp_conn *c, int error, const char *why)
{
    struct link *l = arg;
    struct msrp_session *s = l->session;
    char peer[NET_TEXT_SIZE];
    bool was_bound = s->bound == l;
    bool was_dialling = l->state == LINK_DIALLING;
    bool ends = msrp_secure_lost(s, l, error, why);
    net_addr_text(peer, msrp_conn_peer(c));
    note_loss(l, error, why);
    if (was_dialling)
        msrp_dial_failed(s, msrp_conn_peer(c), why);
    if (l->state != LINK_LEAVING)
        err_step("connection with %s: %s", peer, why);
    if (was_bound)
        msrp_sender_taken(s->sender, clock_ms(), msrp_conn_taken(c));
    if (was_bound && error == EPROTO)
        (void)snprintf(s->lost_why, sizeof(s->lost_why), "the recipient broke the protocol: %s",
                       why);
    msrp_link_drop(l);
    if (ends) {
        msrp_session_fail(s, s->tls_status, s->tls_error);
    } else if (was_bound) {
        msrp_session_lost(s, error);
    } else if (was_dialling && !s->bound && !s->done) {
        msrp_dial_next(s);
    }
    msrp_session_is_closed(s);
}

const struct msrp_conn_ops msrp_link_ops = {on_connected, on_event, on_handled, on_lost};
