#include "msrp/shown.h"

#include "trace/trace.h"

#define NONSENSE_MAX 1024

/* "MSRP id SEND" or "MSRP id 200 OK", else it is the rest of a message. */
static void set_kind(struct trace_message *m)
{
    struct slice rest = m->text;
    struct slice line = slice_cut(&rest, '\n');
    uint64_t code;
    m->kind = TRACE_PART;
    if (!slice_starts(line, "MSRP "))
        return;
    (void)slice_cut(&line, ' ');
    m->key = slice_cut(&line, ' ');
    struct slice what = slice_cut(&line, ' ');
    if (what.n > 0 && what.p[what.n - 1] == '\r')
        what.n--;
    bool response = slice_number(what, 999, &code);
    m->kind = response ? TRACE_FINAL : TRACE_REQUEST;
    m->failure = response && code >= 300;
}

static struct trace_message message(const struct net_addr *peer, bool tls, bool sent)
{
    return (struct trace_message){
        .over = tls ? "MSRP/TLS" : "MSRP/TCP", .encrypted = tls, .sent = sent, .peer = peer};
}

/* Up to the next end-line. */
static struct slice next_frame(struct slice *rest)
{
    struct slice frame = {rest->p, 0};
    bool last = false;
    while (rest->n > 0 && !last) {
        struct slice line = slice_cut(rest, '\n');
        last = slice_starts(line, "-------");
        frame.n = (size_t)(line.p + line.n - frame.p) + (rest->p ? 1 : 0);
    }
    return frame;
}

void msrp_show_sent(const struct net_addr *peer, bool tls, struct slice text, uint64_t content)
{
    struct trace_message m = message(peer, tls, true);
    if (!trace_shows())
        return;
    while (text.n > 0) {
        m.text = next_frame(&text);
        m.key = (struct slice){0};
        m.content = text.n == 0 ? content : 0;
        set_kind(&m);
        trace_message(&m);
    }
}

/* A message without a body is shown as a whole when it ends. */
static void show_end(struct trace_message *m, const struct msrp_event *ev)
{
    struct buf b = BUF_UP_TO(2 * MSRP_HEAD_MAX);
    if (ev->has_body)
        (void)buf_format(&b, "(%llu octets)\r\n", (unsigned long long)ev->body);
    else
        (void)buf_add_slice(&b, ev->head->all);
    (void)buf_format(&b, "-------%.*s%c\r\n", (int)ev->head->id.n, ev->head->id.p, ev->flag);
    m->text = buf_slice(&b);
    set_kind(m);
    trace_message(m);
    buf_free(&b);
}

void msrp_show_event(const struct net_addr *peer, bool tls, const struct msrp_event *ev,
                     struct slice in)
{
    struct trace_message m = message(peer, tls, false);
    if (!trace_shows())
        return;
    if (ev->kind == MSRP_END) {
        show_end(&m, ev);
    } else if (ev->kind == MSRP_HEAD && ev->has_body) {
        m.text = ev->head->all;
        set_kind(&m);
        trace_message(&m);
    } else if (ev->kind == MSRP_BAD) {
        m.text = (struct slice){in.p, in.n < NONSENSE_MAX ? in.n : NONSENSE_MAX};
        m.kind = TRACE_PART;
        m.failure = true;
        trace_message(&m);
    }
}
