/* Is an INVITE, an offer, a chunk, a message what the specification and the RFCs demand? */
#include "base/mem.h"
#include "bin/sink/sink.h"
#include "cpim/cpim.h"
#include "sdp/sdp.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SESSION_ID_MIN 14 /* characters for 80 bits, RFC 4975 14.1 */
#define CHUNK_FIXED    2048

/* --- The INVITE. */

static const struct {
    const char *name, *holds, *clause;
} wanted[] = {
    {"Accept-Contact", "+g.3gpp.icsi-ref=\"urn%3Aurn-7%3A", "I1"},
    {"P-Asserted-Identity", "", "I2"},
    {"Referred-By", "", "I4"},
    {"User-Agent", "/OMA", "I5"},
    {"Supported", "timer", "I6"},
    {"Session-Expires", "refresher=uac", "I7"},
    {"Content-Type", "application/sdp", "I8"},
    {"Conversation-ID", "-", "C1"},
    {"Contribution-ID", "-", "C1"},
    {"P-Asserted-Service", "urn:urn-7:", "C1"},
    {"Contact", "", "C1"},
    {"Allow", "", "C1"},
    {"Max-Forwards", "", "RFC 3261"},
};

void check_invite(struct call *c, const struct osip_message *m)
{
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        const char *value = sip_header(m, wanted[i].name, 0);
        if (!value)
            call_error(c, "%s: the INVITE has no %s", wanted[i].clause, wanted[i].name);
        else if (!strstr(value, wanted[i].holds))
            call_error(c, "%s: %s is %s", wanted[i].clause, wanted[i].name, value);
    }
    if (sip_header(m, "P-Asserted-Service", 1))
        call_error(c, "C1: more than one P-Asserted-Service");
}

/* --- The offer. The lines are looked at as they are, the values by the tolerant reader. */

static void check_lines(struct call *c, struct slice body)
{
    static const char *const once[] = {"v=",
                                       "o=",
                                       "s=",
                                       "t=",
                                       "c=",
                                       "m=",
                                       "a=path:",
                                       "a=setup:",
                                       "a=accept-types:",
                                       "a=sendonly",
                                       "a=file-selector:"};
    unsigned seen[sizeof once / sizeof *once] = {0};
    if (body.n < 2 || memcmp(body.p + body.n - 2, "\r\n", 2) != 0)
        call_error(c, "I8: the last line of the offer has no CR LF");
    for (struct slice rest = body; rest.p && rest.n;) {
        struct slice line = slice_cut(&rest, '\n');
        if (!line.n || line.p[line.n - 1] != '\r')
            call_error(c, "I8: a line of the offer without CR LF");
        if (slice_starts(line, "a=connection"))
            call_error(c, "I8: a=connection in the offer (RFC 6135 4.4)");
        for (size_t i = 0; i < sizeof once / sizeof *once; i++)
            seen[i] += slice_starts(line, once[i]);
    }
    for (size_t i = 0; i < sizeof once / sizeof *once; i++)
        if (seen[i] != 1)
            call_error(c, "I8: %u lines %s in the offer", seen[i], once[i]);
}

static bool same_host(const char *address, struct slice host)
{
    struct net_addr a, b;
    char *text = slice_dup(host);
    size_t n;
    const char *why;
    bool same =
        strcmp(address, text) == 0 ||
        (!net_resolve(address, 1, AF_UNSPEC, SOCK_STREAM, &a, 1, &n, &why) &&
         !net_resolve(text, 1, AF_UNSPEC, SOCK_STREAM, &b, 1, &n, &why) && net_same_host(&a, &b));
    free(text);
    return same;
}

static void check_path(struct call *c, const struct sdp_view *v)
{
    struct msrp_uri first, last;
    struct slice path = slice_of(v->path);
    if (msrp_path_check(path) || msrp_uri_parse(msrp_path_first(path), &first) ||
        msrp_uri_parse(msrp_path_last(path), &last)) {
        call_error(c, "I8c: a=path is %s", v->path);
        return;
    }
    c->secure = first.secure;
    if (!first.has_port || (first.port != v->port && strcmp(v->setup, "active") != 0))
        call_error(c, "I8: the port of m= is not the path's");
    if (!same_host(v->address, first.host))
        call_error(c, "I8: the host of c= is not the path's");
    if (last.session.n < SESSION_ID_MIN)
        call_error(c, "I8c: a session id of %zu characters", last.session.n);
}

static void check_media(struct call *c, const struct sdp_view *v)
{
    if (strcmp(v->direction, "sendonly") != 0)
        call_error(c, "I8a: the direction is %s", v->direction);
    if (!sdp_accepts(v->accept_types, SINK_TYPE))
        call_error(c, "I8b: accept-types is %s", v->accept_types);
    if (v->size <= 0)
        call_error(c, "I8d: no size in a=file-selector");
    if (strcmp(v->setup, "passive") != 0 && strcmp(v->setup, "actpass") != 0 &&
        strcmp(v->setup, "active") != 0)
        call_error(c, "I8e: setup is '%s'", v->setup);
    if (strcmp(v->proto, c->secure ? "TCP/TLS/MSRP" : "TCP/MSRP") != 0)
        call_error(c, "I8: the protocol is %s", v->proto);
    if (c->secure != (v->fingerprint[0] != '\0'))
        call_error(c, "I8: the fingerprint is '%s'", v->fingerprint);
}

static void say_offer(const struct call *c, const struct sdp_view *v)
{
    struct line_out o;
    event_begin(&o, c, "sink.offer");
    event_peer(&o, "path", v->path);
    event_peer(&o, "proto", v->proto);
    event_peer(&o, "setup", v->setup);
    event_peer(&o, "direction", v->direction);
    event_peer(&o, "accept-types", v->accept_types);
    event_peer(&o, "wrapped-types", v->wrapped_types);
    event_peer(&o, "fingerprint", v->fingerprint[0] ? v->fingerprint : NULL);
    line_number(&o, "size", v->size);
    line_number(&o, "port", v->port);
    event_end(&o);
}

void check_offer(struct call *c, struct slice body)
{
    struct sdp_view v;
    if (sdp_read(body, &v) != 0) {
        call_error(c, "I8: no offer that can be read");
        return;
    }
    c->offer = slice_dup(body);
    if (v.found) {
        say_offer(c, &v);
        check_lines(c, body);
        check_path(c, &v);
        check_media(c, &v);
    } else {
        call_error(c, "I8: the offer has no m=message line");
    }
    if (v.found && v.port && !msrp_path_check(slice_of(v.path)))
        c->offer_path = mem_dup(v.path);
    if (v.fingerprint[0])
        c->offer_fingerprint = mem_dup(v.fingerprint);
    c->offer_size = v.size > 0 ? (uint64_t)v.size : 0;
    sdp_view_free(&v);
}

/* --- A chunk. */

static void bad_chunk(struct call *c, const char *what)
{
    call_error(c, "chunk %" PRIu64 ": %s", c->chunks, what);
}

static bool same_path(struct slice a, struct slice b)
{
    while (a.p && b.p) {
        struct msrp_uri x, y;
        if (msrp_uri_parse(slice_cut(&a, ' '), &x) || msrp_uri_parse(slice_cut(&b, ' '), &y) ||
            !msrp_uri_same(&x, &y))
            return false;
    }
    return !a.p && !b.p;
}

static void check_paths(struct call *c, const struct msrp_head *h)
{
    if (!same_path(h->to_path, slice_of(c->answer_path ? c->answer_path : c->path)))
        bad_chunk(c, "To-Path is not the answer's a=path");
    if (!same_path(h->from_path, slice_of(c->offer_path)))
        bad_chunk(c, "From-Path is not the offer's a=path");
}

/* The line before the blank one; the head's text ends with its CR LF. */
static bool is_last_header(const struct msrp_head *h, const char *name)
{
    struct slice rest = h->all, line = {NULL, 0};
    while (rest.p && rest.n)
        line = slice_cut(&rest, '\n');
    struct slice own = slice_cut(&line, ':');
    return slice_is_nocase(own, name);
}

static void check_range(struct call *c, const struct msrp_head *h)
{
    const struct msrp_receipt *r = &c->receipt;
    if (!h->has_range) {
        bad_chunk(c, "no Byte-Range");
        return;
    }
    if (h->range.total == MSRP_ANY)
        bad_chunk(c, "no total in the Byte-Range");
    else if (c->offer_size && h->range.total != c->offer_size)
        bad_chunk(c, "the total is not the size in the offer's file-selector");
    if (h->range.start != (r->chunks ? r->next : 1) && !c->refused)
        bad_chunk(c, "it does not begin where the one before ended");
}

static void check_reports(struct call *c, const struct msrp_head *h)
{
    if (c->chunks == 1) {
        c->success_report = h->success_report;
        c->failure_report = h->failure_report;
    } else if (c->success_report != h->success_report || c->failure_report != h->failure_report) {
        bad_chunk(c, "other report headers than the first chunk's");
    }
}

void check_send(struct conn *k, const struct msrp_head *h)
{
    struct call *c = k->call;
    if (k->first_waits)
        bad_chunk(c, "content before the response to our first SEND");
    if (c->state == CALL_RINGING)
        bad_chunk(c, "content before the answer");
    if (h->message_id.n < 4 || h->message_id.n > MSRP_IDENT_MAX)
        bad_chunk(c, "Message-ID is no ident of 4 to 32 characters");
    else if (c->receipt.chunks && !slice_is(h->message_id, c->receipt.message_id))
        bad_chunk(c, "another Message-ID than the first chunk's");
    if (h->id.n < 4 || h->id.n > MSRP_IDENT_MAX)
        bad_chunk(c, "the transaction id is no ident of 4 to 32 characters");
    if (!slice_is_nocase(h->content_type, SINK_TYPE))
        bad_chunk(c, "Content-Type is not message/cpim");
    if (!is_last_header(h, "Content-Type"))
        bad_chunk(c, "Content-Type is not the last header");
    check_paths(c, h);
    check_range(c, h);
    check_reports(c, h);
}

void check_chunk_end(struct conn *k, const struct msrp_event *ev)
{
    struct call *c = k->call;
    const struct msrp_range *r = &ev->head->range;
    bool last = r->total != MSRP_ANY && r->start + ev->body - 1 >= r->total;
    if (!ev->has_body)
        bad_chunk(c, "a Content-Type without a body");
    if (r->end != MSRP_ANY && ev->body > CHUNK_FIXED)
        bad_chunk(c, "more than 2048 octets with a fixed range-end (RFC 4975 7.1.1)");
    if (r->end != MSRP_ANY && ev->flag != '#' && r->start + ev->body - 1 != r->end)
        bad_chunk(c, "another length than its Byte-Range says");
    if (ev->flag == '$' && !last)
        bad_chunk(c, "the flag $ before the end of the message");
    if (ev->flag == '+' && last)
        bad_chunk(c, "the flag + at the end of the message");
}

/* --- The message. */

void check_cpim(struct call *c, struct line_out *o)
{
    struct cpim m;
    bool whole = c->receipt.total <= c->head.n;
    enum cpim_error verdict = cpim_parse(buf_slice(&c->head), whole, &m);
    if (verdict == CPIM_OK) {
        event_peer_slice(o, "from", m.from);
        event_peer_slice(o, "to", m.to);
        event_peer_slice(o, "cpim-id", m.message_id);
        event_peer_slice(o, "content-type", m.content_type);
    } else {
        call_error(c, "A4: %s", cpim_error_text(verdict));
    }
    if (c->offer_size && c->receipt.total != c->offer_size)
        call_error(c, "I8d: %" PRIu64 " octets came, file-selector said %" PRIu64, c->receipt.total,
                   c->offer_size);
}
