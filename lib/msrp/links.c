/* Connections: held until the answer chooses, refused, or the session's; and what comes in on them.
 */
#include "msrp/session_int.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- The set of connections. */

void msrp_link_drop(struct link *l)
{
    struct msrp_session *s = l->session;
    if (l->state == LINK_FREE)
        return;
    if (s->bound == l)
        s->bound = NULL;
    msrp_conn_free(l->conn);
    free(l->from_path);
    buf_free(&l->body);
    *l = (struct link){.session = s};
}

static struct link *free_link(struct msrp_session *s)
{
    struct link *oldest = NULL;
    for (size_t i = 0; i < MSRP_LINKS; i++) {
        struct link *l = &s->links[i];
        if (l->state == LINK_FREE)
            return l;
        bool useless = l->state == LINK_SILENT || l->state == LINK_LEAVING;
        if (useless && (!oldest || l->since < oldest->since))
            oldest = l;
    }
    if (oldest)
        msrp_link_drop(oldest);
    return oldest;
}

struct link *msrp_link_add(struct msrp_session *s, enum link_state state)
{
    struct link *l = free_link(s);
    if (!l)
        return NULL;
    *l = (struct link){.session = s, .state = state, .since = clock_ms()};
    l->body = BUF_UP_TO(MSRP_INCOMING_MAX);
    return l;
}

/* The message has its connection: those that others hold, and our own further attempts, end. Those
 * that did not speak yet hear a 506 when they do. */
void msrp_links_close_others(struct msrp_session *s)
{
    for (size_t i = 0; i < MSRP_LINKS; i++) {
        struct link *l = &s->links[i];
        if (l != s->bound && (l->state == LINK_PRESENTED || l->state == LINK_DIALLING))
            msrp_link_drop(l);
    }
}

static void refuse(struct link *l)
{
    l->state = LINK_LEAVING;
    msrp_conn_leave(l->conn);
}

void msrp_links_leave(struct msrp_session *s)
{
    for (size_t i = 0; i < MSRP_LINKS; i++) {
        struct link *l = &s->links[i];
        if (l->state == LINK_BOUND || l->state == LINK_LEAVING)
            msrp_conn_leave(l->conn);
        else
            msrp_link_drop(l);
    }
}

bool msrp_links_any(const struct msrp_session *s)
{
    for (size_t i = 0; i < MSRP_LINKS; i++) {
        if (s->links[i].state != LINK_FREE)
            return true;
    }
    return false;
}

/* --- Which one is the peer that the answer speaks of? */

static bool is_peer(const struct msrp_session *s, const char *from_path)
{
    struct msrp_uri from;
    struct msrp_uri peer;
    if (msrp_uri_parse(msrp_path_last(slice_of(from_path)), &from) != 0 ||
        msrp_uri_parse(msrp_path_last(slice_of(s->peer_path)), &peer) != 0)
        return false;
    return msrp_uri_same(&from, &peer) || msrp_uri_same_session(&from, &peer);
}

void msrp_links_choose(struct msrp_session *s)
{
    if (!s->answered || s->bound || s->done)
        return;
    for (size_t i = 0; i < MSRP_LINKS; i++) {
        struct link *l = &s->links[i];
        if (l->state != LINK_PRESENTED)
            continue;
        if (is_peer(s, l->from_path)) {
            msrp_session_bind(s, l, "passive");
            return;
        }
        refuse(l);
    }
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
        answer_with(l, 481, NULL, l->state != LINK_BOUND);
        return false;
    }
    if (l->state != LINK_SILENT)
        return true;
    l->from_path = slice_dup(h->from_path);
    if (s->bound || (s->answered && !is_peer(s, l->from_path))) {
        answer_with(l, 506, NULL, true);
        return false;
    }
    return true;
}

static void take_head(struct link *l, const struct msrp_head *h)
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
    } else {
        const char *why = NULL;
        int code = msrp_receipt_head(&l->receipt, h, &why);
        if (code)
            answer_with(l, code, why, false);
        if (l->receipt.chunks == 1)
            buf_clear(&l->body);
    }
}

/* Puts octets where they belong in the message; what is too large is refused. */
static void take_data(struct link *l, struct slice data)
{
    const char *why = NULL;
    uint64_t at = l->receipt.next - 1;
    int code = msrp_receipt_data(&l->receipt, data.n, &why);
    if (!code && (at > MSRP_INCOMING_MAX || data.n > MSRP_INCOMING_MAX - at)) {
        code = 413;
        why = NULL;
    }
    if (code) {
        answer_with(l, code, why, false);
        return;
    }
    size_t end = (size_t)at + data.n;
    size_t room;
    if (end > l->body.n) {
        size_t more = end - l->body.n;
        char *p = buf_room(&l->body, more, &room);
        memset(p, 0, more);
        buf_wrote(&l->body, more);
    }
    if (data.n)
        memcpy(l->body.p + at, data.p, data.n);
}

static void take_message(struct link *l, const struct msrp_event *ev)
{
    struct msrp_session *s = l->session;
    const char *why = NULL;
    int code = msrp_receipt_end(&l->receipt, ev, &why);
    if (code)
        answer_with(l, code, why, false);
    if (l->code != 200 || !l->receipt.complete)
        return;
    struct slice body = {l->body.p, (size_t)l->receipt.total};
    if (l->state == LINK_BOUND && body.n > 0 && body.n <= l->body.n)
        s->ops->received(s->arg, ev->head->content_type, body);
    l->receipt = (struct msrp_receipt){.total = MSRP_ANY};
}

static void end_request(struct link *l, const struct msrp_event *ev)
{
    if (l->code == 200 && msrp_head_is(ev->head, "SEND"))
        take_message(l, ev);
    if (msrp_answer_wanted(ev->head, l->code))
        msrp_conn_answer(l->conn, ev->head, l->code, l->why);
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
        take_head(l, ev->head);
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
    if (ev->head->request)
        on_request(l, ev);
    else if (ev->kind == MSRP_HEAD && l->state == LINK_BOUND)
        msrp_sender_response(s->sender, ev->head, clock_ms());
    if (l->state == LINK_BOUND && ev->kind != MSRP_DATA)
        msrp_session_look(s);
}

static void on_connected(void *arg, struct msrp_conn *c)
{
    struct link *l = arg;
    (void)c;
    msrp_session_bind(l->session, l, "active");
}

static void on_lost(void *arg, struct msrp_conn *c, int error, const char *why)
{
    struct link *l = arg;
    struct msrp_session *s = l->session;
    char peer[NET_TEXT_SIZE];
    bool was_bound = s->bound == l;
    bool was_dialling = l->state == LINK_DIALLING;
    net_addr_text(peer, msrp_conn_peer(c));
    if (was_dialling)
        msrp_dial_failed(s, msrp_conn_peer(c), error);
    if (l->state != LINK_LEAVING)
        err_step("connection with %s: %s", peer, why);
    msrp_link_drop(l);
    if (was_bound) {
        msrp_session_lost(s, error);
    } else if (was_dialling && !s->bound && !s->done) {
        msrp_dial_next(s);
    }
    msrp_session_is_closed(s);
}

const struct msrp_conn_ops msrp_link_ops = {on_connected, on_event, on_lost};
