/* What the peer sends: its messages, each until all of its octets are there. */
#include "msrp/session_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

struct msrp_incoming {
    struct msrp_receipt receipt;
    struct buf body;
};

static void forget(struct msrp_inbox *in)
{
    struct msrp_incoming *m = in->all[in->now];
    in->octets -= m->body.n;
    buf_free(&m->body);
    free(m);
    in->all[in->now] = NULL;
}

void msrp_inbox_free(struct msrp_inbox *in)
{
    for (in->now = 0; in->now < MSRP_INBOX; in->now++) {
        if (in->all[in->now])
            forget(in);
    }
}

/* The place of this message, or a free one; MSRP_INBOX: neither. */
static size_t place_of(const struct msrp_inbox *in, struct slice message_id)
{
    size_t empty = MSRP_INBOX;
    for (size_t i = 0; i < MSRP_INBOX; i++) {
        if (in->all[i] && slice_is(message_id, in->all[i]->receipt.message_id))
            return i;
        if (!in->all[i] && empty == MSRP_INBOX)
            empty = i;
    }
    return empty;
}

int msrp_inbox_head(struct msrp_inbox *in, const struct msrp_head *h, const char **why)
{
    in->now = place_of(in, h->message_id);
    if (in->now == MSRP_INBOX) {
        *why = "too many messages at once";
        return 413;
    }
    bool first = !in->all[in->now];
    if (first) {
        in->all[in->now] = mem_new(sizeof(struct msrp_incoming));
        in->all[in->now]->body = BUF_UP_TO(MSRP_INCOMING_MAX);
    }
    int code = msrp_receipt_head(&in->all[in->now]->receipt, h, why);
    if (code && first)
        forget(in);
    return code;
}

void msrp_inbox_abort(struct msrp_inbox *in, struct slice message_id)
{
    in->now = place_of(in, message_id);
    if (in->now < MSRP_INBOX && in->all[in->now])
        forget(in);
}

/* Zeros up to the end of what came. False: that would be too much of all messages. */
static bool stretch(struct msrp_inbox *in, struct buf *body, size_t end)
{
    size_t room;
    if (end <= body->n)
        return true;
    size_t more = end - body->n;
    if (more > MSRP_INBOX_MAX - in->octets)
        return false;
    memset(buf_room(body, more, &room), 0, more);
    buf_wrote(body, more);
    in->octets += more;
    return true;
}

int msrp_inbox_data(struct msrp_inbox *in, struct slice data, const char **why)
{
    struct msrp_incoming *m = in->all[in->now];
    uint64_t at = m->receipt.next - 1;
    int code = msrp_receipt_data(&m->receipt, data.n, why);
    if (!code && (at > MSRP_INCOMING_MAX || data.n > MSRP_INCOMING_MAX - at ||
                  !stretch(in, &m->body, (size_t)at + data.n))) {
        code = 413;
        *why = NULL;
    }
    if (code) {
        forget(in);
        return code;
    }
    if (data.n)
        memcpy(m->body.p + at, data.p, data.n);
    return 0;
}

int msrp_inbox_end(struct msrp_inbox *in, const struct msrp_event *ev, const char **why,
                   struct buf *whole)
{
    struct msrp_incoming *m = in->all[in->now];
    int code = msrp_receipt_end(&m->receipt, ev, why);
    if (!code && m->receipt.complete && m->receipt.total <= m->body.n) {
        in->octets -= m->body.n;
        *whole = m->body;
        whole->n = (size_t)m->receipt.total;
        m->body = BUF_UP_TO(0);
    }
    if (code || m->receipt.complete || m->receipt.aborted)
        forget(in);
    return code;
}

/* --- Kept until the answer chooses. */

static void forget_kept(struct msrp_kept *k)
{
    free(k->from_path);
    free(k->type);
    buf_free(&k->body);
}

void msrp_links_forget_kept(struct msrp_session *s)
{
    while (s->kept_n)
        forget_kept(&s->kept[--s->kept_n]);
}

void msrp_link_forget_kept(const struct link *l)
{
    struct msrp_session *s = l->session;
    size_t n = 0;
    for (size_t i = 0; i < s->kept_n; i++) {
        if (s->kept[i].link == l)
            forget_kept(&s->kept[i]);
        else
            s->kept[n++] = s->kept[i];
    }
    s->kept_n = n;
}
