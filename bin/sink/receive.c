/* What comes on an MSRP connection, and the responses, REPORTs and SENDs that go back. */
#include "base/clock.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bin/sink/sink.h"
#include "cpim/cpim.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define FRAME_MAX ((size_t)16 * 1024)
#define ID_CHARS  12 /* 71 bits, RFC 4975 7.1 asks for 64 */

/* --- Our own SENDs. */

/* A relay stands before us in the path when the answer said so. */
static struct slice own_path(const struct call *c)
{
    return slice_of(behave_is(c->behave.path, "relay") ? c->answer_path : c->path);
}

/* The offer's path with another session id. */
static char *strange_path(const struct call *c)
{
    struct msrp_uri u;
    struct buf b = BUF_UP_TO(FRAME_MAX);
    char id[ID_CHARS + 1];
    rand_token(id, ID_CHARS);
    if (msrp_uri_parse(msrp_path_last(slice_of(c->offer_path)), &u))
        return mem_dup(c->offer_path);
    u.session = slice_of(id);
    if (msrp_uri_format(&b, &u))
        return mem_dup(c->offer_path);
    return b.p;
}

static void send_frame(struct conn *k, const char *to_path, const char *type, struct slice body,
                       char id[ID_CHARS + 1])
{
    struct buf b = BUF_UP_TO(FRAME_MAX);
    char message_id[17];
    rand_token(id, ID_CHARS);
    rand_token(message_id, 16);
    struct msrp_send s = {.id = id,
                          .to_path = slice_of(to_path),
                          .from_path = own_path(k->call),
                          .message_id = slice_of(message_id),
                          .range = {1, body.n, body.n},
                          .content_type = type};
    int error = msrp_frame_send(&b, &s);
    if (!error && type)
        error = buf_add_slice(&b, body);
    if (!error)
        error = msrp_frame_end(&b, id, type, '$');
    if (error)
        call_error(k->call, "a SEND of ours does not fit");
    k->call->sends_open++;
    media_send(k, buf_slice(&b));
    buf_free(&b);
}

void receive_send_empty(struct conn *k)
{
    char id[ID_CHARS + 1];
    send_frame(k, k->call->offer_path, NULL, (struct slice){NULL, 0}, id);
}

void receive_connected(struct conn *k)
{
    struct call *c = k->call;
    const char *first = c->behave.first_send;
    if (strcmp(first, "none") != 0) {
        bool wrong = strcmp(first, "wrong-session") == 0;
        bool body = strcmp(first, "body") == 0;
        char *to = wrong ? strange_path(c) : mem_dup(c->offer_path);
        send_frame(k, to, body ? "text/plain" : NULL, body ? SLICE("hello") : (struct slice){0},
                   k->first_id);
        k->first_waits = true;
        free(to);
    }
    if (c->behave.garbage)
        media_send(k, SLICE("\r\n\001\002 this is not MSRP\r\n\r\n"));
    if (strcmp(first, "none") == 0 && behave_is(c->behave.connect, "early"))
        invite_answer(c);
}

static struct buf imdn_for(const struct call *c)
{
    struct cpim m;
    struct buf b = BUF_UP_TO(FRAME_MAX);
    char id[CPIM_MESSAGE_ID_SIZE];
    const char *field, *why;
    if (cpim_parse(buf_slice(&c->head), true, &m) != CPIM_OK)
        return b;
    char *from = slice_dup(m.to_uri), *to = slice_dup(m.from_uri), *about = slice_dup(m.message_id);
    cpim_new_message_id(id);
    struct cpim_draft d = {.from = from,
                           .to = to,
                           .message_id = id,
                           .type = "message/imdn+xml",
                           .wall_ms = clock_wall_ms(),
                           .octets = -1};
    int error = cpim_compose(&d, &b, &field, &why);
    if (!error)
        error = buf_format(&b,
                           "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n"
                           "<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\"><message-id>%s</message-id>"
                           "<delivery-notification><status><delivered/></status>"
                           "</delivery-notification></imdn>\r\n",
                           about);
    if (error)
        buf_clear(&b);
    free(from);
    free(to);
    free(about);
    return b;
}

static void send_imdn(struct conn *k)
{
    char id[ID_CHARS + 1];
    struct buf b = imdn_for(k->call);
    if (b.n)
        send_frame(k, k->call->offer_path, SINK_TYPE, buf_slice(&b), id);
    else
        call_error(k->call, "no IMDN can be made for this message");
    buf_free(&b);
}

/* --- Responses and REPORTs. */

static bool is_silent(const struct call *c)
{
    return c && c->behave.msrp_silent >= 0 && c->chunks >= (uint64_t)c->behave.msrp_silent;
}

static void answer(struct conn *k, const struct msrp_head *h, int code)
{
    struct buf b = BUF_UP_TO(FRAME_MAX);
    if (k->answered || !msrp_answer_wanted(h, code) || is_silent(k->call))
        return;
    k->answered = true;
    int error = msrp_frame_response(&b, h, code, NULL);
    if (!error && k->call && k->call->behave.msrp_twice)
        error = msrp_frame_response(&b, h, code, NULL);
    if (error)
        sink_error("a response does not fit");
    else
        media_answer(k, buf_slice(&b));
    buf_free(&b);
}

static void report(struct conn *k, const struct msrp_head *h)
{
    const struct call *c = k->call;
    const char *wish = c->behave.report;
    struct buf b = BUF_UP_TO(FRAME_MAX);
    char id[ID_CHARS + 1];
    struct msrp_range range = {1, c->receipt.total, c->receipt.total};
    if (behave_is(wish, "none") || (!wish && !h->success_report))
        return;
    if (behave_is(wish, "partial"))
        range.end = range.total / 2;
    rand_token(id, ID_CHARS);
    if (!msrp_frame_report(&b, id, h, range, behave_is(wish, "failure") ? 413 : 200, NULL))
        media_answer(k, buf_slice(&b));
    buf_free(&b);
}

/* --- The message. */

static void say_stored(struct call *c, const char *file)
{
    struct line_out o;
    event_begin(&o, c, "sink.stored");
    event_peer(&o, "file", file);
    line_number(&o, "octets", (int64_t)c->receipt.total);
    line_number(&o, "chunks", (int64_t)c->receipt.chunks);
    line_text(&o, "message-id", c->receipt.message_id);
    line_text(&o, "complete", "yes");
    check_cpim(c, &o);
    event_end(&o);
}

static void store_message(struct call *c)
{
    char *file = NULL;
    int error = 0;
    c->complete = true;
    if (c->sink->store)
        error = store_finish(&c->store, c->sink->store, slice_of(c->receipt.message_id),
                             (off_t)c->receipt.total, &file);
    if (error)
        call_error(c, "the message cannot be kept: %s", strerror(error));
    say_stored(c, file);
    free(file);
}

/* The head of the message is kept for its check, in whatever order it comes. */
static void keep_head(struct call *c, uint64_t at, struct slice data)
{
    if (at > CPIM_HEAD_MAX)
        return;
    size_t skip = (size_t)at - 1, room;
    if (data.n > CPIM_HEAD_MAX - skip)
        data.n = CPIM_HEAD_MAX - skip;
    if (c->head.n < skip + data.n) {
        size_t more = skip + data.n - c->head.n;
        char *to = buf_room(&c->head, more, &room);
        memset(to, 0, more);
        buf_wrote(&c->head, more);
    }
    memcpy(c->head.p + skip, data.p, data.n);
}

static void take_data(struct conn *k, struct slice data)
{
    struct call *c = k->call;
    const char *why;
    uint64_t at = c->receipt.next;
    k->code = msrp_receipt_data(&c->receipt, data.n, &why);
    if (k->code) {
        call_error(c, "chunk %" PRIu64 ": %s", c->chunks, why);
        k->take = false;
        return;
    }
    keep_head(c, at, data);
    int error = 0;
    if (c->sink->store)
        error = store_write(&c->store, c->sink->store, c->sid, (off_t)at - 1, data);
    if (error) {
        call_error(c, "the message cannot be written: %s", strerror(error));
        k->code = 413;
        k->take = false;
    }
}

static void on_data(struct conn *k, struct slice data)
{
    struct call *c = k->call;
    if (!k->take)
        return;
    take_data(k, data);
    c->octets += data.n;
    call_octets(c);
}

/* --- Heads. */

static void say_bound(struct conn *k)
{
    struct line_out o;
    char text[NET_TEXT_SIZE];
    event_begin(&o, k->call, "sink.connected");
    net_addr_text(text, &k->peer);
    line_text(&o, "peer", text);
    line_text(&o, "role", "passive");
    line_text(&o, "tls", k->sock.tls ? tls_version(k->sock.tls) : NULL);
    event_end(&o);
}

/* The first request on an accepted connection names its session (RFC 4975 5.4). */
static void bind_conn(struct conn *k, const struct msrp_head *h)
{
    struct msrp_uri u;
    struct call *c = NULL;
    if (!msrp_uri_parse(msrp_path_last(h->to_path), &u))
        c = call_of_session(k->sink, u.session);
    k->second = c && c->conns;
    if (!c || k->second)
        return;
    struct conn **at = &k->sink->strangers;
    while (*at != k)
        at = &(*at)->next;
    *at = k->next;
    k->call = c;
    k->next = NULL;
    c->conns = k;
    say_bound(k);
    secure_check(k);
}

static bool wants_error(const struct call *c)
{
    return c->behave.msrp_code && c->chunks >= (uint64_t)c->behave.msrp_at;
}

static int content_head(struct conn *k, const struct msrp_head *h)
{
    struct call *c = k->call;
    const char *why;
    if (c->complete) {
        call_error(c, "a further SEND with content after the complete message");
        return 0;
    }
    c->chunks++;
    c->carrier = k;
    check_send(k, h);
    if (wants_error(c)) {
        c->refused = true;
        return c->behave.msrp_code;
    }
    int code = msrp_receipt_head(&c->receipt, h, &why);
    if (code)
        call_error(c, "chunk %" PRIu64 ": %s", c->chunks, why);
    k->take = !code;
    return code;
}

static void on_head(struct conn *k, const struct msrp_head *h)
{
    k->take = k->answered = false;
    k->code = 0;
    if (!h->request)
        return;
    if (!k->call)
        bind_conn(k, h);
    if (!k->call)
        k->code = k->second ? 506 : 481;
    else if (!msrp_head_is(h, "SEND"))
        k->code = 501;
    else if (h->content_type.n)
        k->code = content_head(k, h);
    if (k->code && k->call && k->call->behave.msrp_early)
        answer(k, h, k->code);
}

/* --- Ends. */

static void on_response(struct conn *k, const struct msrp_head *h)
{
    struct line_out o;
    struct call *c = k->call;
    if (!c)
        return;
    if (c->sends_open)
        c->sends_open--;
    else
        call_error(c, "a response to nothing that we sent");
    if (k->first_waits && slice_is(h->id, k->first_id))
        k->first_waits = false;
    event_begin(&o, c, "sink.response");
    line_text(&o, "method", "SEND");
    line_number(&o, "code", h->code);
    event_end(&o);
    if (behave_is(c->behave.connect, "early"))
        invite_answer(c);
    if (c->state == CALL_DRAINING && call_is_drained(c))
        call_end(c);
}

static void content_end(struct conn *k, const struct msrp_event *ev)
{
    struct call *c = k->call;
    const char *why;
    check_chunk_end(k, ev);
    k->code = msrp_receipt_end(&c->receipt, ev, &why);
    if (k->code)
        call_error(c, "chunk %" PRIu64 ": %s", c->chunks, why);
    else if (c->receipt.complete)
        store_message(c);
}

static void on_end(struct conn *k, const struct msrp_event *ev)
{
    if (!ev->head->request) {
        on_response(k, ev->head);
        return;
    }
    bool was_complete = k->call && k->call->complete;
    if (k->take)
        content_end(k, ev);
    bool done = k->call && k->call->complete && !was_complete;
    bool failure = done && behave_is(k->call->behave.report, "failure");
    if (failure) /* before the last response, which could end all */
        report(k, ev->head);
    answer(k, ev->head, k->code ? k->code : 200);
    if (done && !failure)
        report(k, ev->head);
    if (done && k->call->behave.send_imdn)
        send_imdn(k);
}

void receive_event(struct conn *k, const struct msrp_event *ev)
{
    switch (ev->kind) {
    case MSRP_HEAD:
        on_head(k, ev->head);
        break;
    case MSRP_DATA:
        on_data(k, ev->data);
        break;
    case MSRP_END:
        on_end(k, ev);
        break;
    case MSRP_BAD:
        if (k->call)
            call_error(k->call, "no MSRP: %s", ev->why);
        else
            sink_error(ev->why);
        conn_close(k);
        break;
    case MSRP_MORE:
        break;
    }
}

void receive_call_over(struct call *c)
{
    if (c->complete && c->sends_open && !c->refused)
        call_error(c, "%" PRIu64 " of our SENDs got no response", c->sends_open);
    if (c->complete && c->acks < (uint64_t)(c->behave.repeat_200 - c->repeats) + 1)
        call_error(c, "a 200 to the INVITE got no ACK");
}
