/* The MSRP parser and what is done with its events at once. The first octet of an input chooses how
 * the rest is split; whatever the split, the events are the same. */
#include "msrp/msrp.h"
#include "test/fuzz/fuzz.h"

#include <string.h>

/* A digest of all events, and of the octets of the bodies: where a body is cut makes no
 * difference. */
struct record {
    uint64_t digest;
    uint64_t body; /* octets of the body so far */
    bool in_message;
    struct msrp_receipt receipt;
};

static void note(struct record *r, const void *bytes, size_t n)
{
    const unsigned char *p = bytes;
    for (size_t i = 0; i < n; i++)
        r->digest = (r->digest ^ p[i]) * 0x100000001b3u;
}

static void note_number(struct record *r, uint64_t n)
{
    note(r, &n, sizeof(n));
}

static void note_slice(struct record *r, struct slice s)
{
    note_number(r, s.n);
    note(r, s.p, s.n);
}

/* An answer to any request is one response with its id, whatever the request was. */
static void answer(const struct msrp_head *h)
{
    struct buf out = BUF_UP_TO(3 * MSRP_HEAD_MAX);
    struct msrp_event ev;
    HOLDS(msrp_frame_response(&out, h, 200, NULL) == 0);
    struct slice in = buf_slice(&out);
    struct msrp_parser *p = msrp_parser_new();
    HOLDS(msrp_parse(p, &in, &ev) == MSRP_HEAD);
    HOLDS(!ev.head->request && ev.head->code == 200 && slice_eq(ev.head->id, h->id));
    HOLDS(msrp_parse(p, &in, &ev) == MSRP_END && !ev.has_body && ev.flag == '$');
    HOLDS(in.n == 0 && msrp_parse(p, &in, &ev) == MSRP_MORE && msrp_parser_idle(p));
    msrp_parser_free(p);
    buf_free(&out);
}

static void check_path(struct slice path)
{
    struct msrp_uri u;
    if (msrp_path_check(path) != 0)
        return;
    HOLDS(msrp_uri_parse(msrp_path_first(path), &u) == 0);
    HOLDS(msrp_uri_parse(msrp_path_last(path), &u) == 0);
}

static void take_head(struct record *r, const struct msrp_head *h)
{
    const char *why;
    HOLDS(!r->in_message);
    r->in_message = true;
    r->body = 0;
    note_slice(r, h->id);
    note_slice(r, h->method);
    note_number(r, (uint64_t)h->code);
    note_slice(r, h->all);
    note_slice(r, h->fault ? slice_of(h->fault) : (struct slice){0});
    HOLDS(h->range.start > 0);
    check_path(h->to_path);
    check_path(h->from_path);
    if (h->request && !h->fault)
        answer(h);
    if (msrp_head_is(h, "SEND"))
        (void)msrp_receipt_head(&r->receipt, h, &why);
}

static void take_data(struct record *r, const struct msrp_event *ev)
{
    const char *why;
    HOLDS(r->in_message && ev->data.n > 0);
    r->body += ev->data.n;
    note(r, ev->data.p, ev->data.n);
    if (msrp_head_is(ev->head, "SEND") && !ev->head->fault)
        (void)msrp_receipt_data(&r->receipt, ev->data.n, &why);
    else if (!msrp_head_is(ev->head, "SEND"))
        HOLDS(r->body <= MSRP_OTHER_BODY_MAX);
}

static void take_end(struct record *r, const struct msrp_event *ev)
{
    const char *why;
    HOLDS(r->in_message && ev->body == r->body && (ev->has_body || ev->body == 0));
    r->in_message = false;
    note(r, &ev->flag, 1);
    note_number(r, ev->has_body);
    note_number(r, ev->body);
    if (msrp_head_is(ev->head, "SEND") && !ev->head->fault)
        (void)msrp_receipt_end(&r->receipt, ev, &why);
    HOLDS(r->receipt.have.n <= MSRP_RANGES_MAX);
}

static void take(struct record *r, const struct msrp_event *ev)
{
    if (ev->kind == MSRP_HEAD)
        take_head(r, ev->head);
    else if (ev->kind == MSRP_DATA)
        take_data(r, ev);
    else if (ev->kind == MSRP_END)
        take_end(r, ev);
    else if (ev->kind == MSRP_BAD)
        note_slice(r, slice_of(ev->why));
}

/* False after MSRP_BAD. */
static bool feed(struct msrp_parser *p, struct record *r, const uint8_t *bytes, size_t n)
{
    char *copy = malloc(n ? n : 1);
    struct msrp_event ev;
    enum msrp_kind kind;
    HOLDS(copy);
    if (n)
        memcpy(copy, bytes, n);
    struct slice in = {copy, n};
    while ((kind = msrp_parse(p, &in, &ev)) != MSRP_MORE && kind != MSRP_BAD)
        take(r, &ev);
    take(r, &ev);
    HOLDS(kind == MSRP_BAD || in.n == 0);
    free(copy);
    return kind == MSRP_MORE;
}

/* In pieces whose lengths go up and down with the seed; 0: all at once. */
static uint64_t run(const uint8_t *bytes, size_t n, unsigned seed)
{
    struct msrp_parser *p = msrp_parser_new();
    struct record *r = calloc(1, sizeof(*r));
    HOLDS(r);
    r->digest = 0xcbf29ce484222325u;
    bool good = true;
    for (size_t at = 0; good && at < n;) {
        size_t piece = seed ? 1 + seed % 61 : n;
        if (piece > n - at)
            piece = n - at;
        good = feed(p, r, bytes + at, piece);
        at += piece;
        seed = seed ? (seed * 1103515245 + 12345) % 0x7fffffff + 1 : 0;
    }
    note_number(r, good ? msrp_parser_idle(p) : 2);
    uint64_t digest = r->digest;
    free(r);
    msrp_parser_free(p);
    return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    if (n < 1)
        return 0;
    uint64_t whole = run(bytes + 1, n - 1, 0);
    HOLDS(run(bytes + 1, n - 1, bytes[0] + 1u) == whole);
    return 0;
}
