/* What a receiver keeps: octet ranges and the state of one message (RFC 4975 sections 7.2, 7.3). */
#include "msrp/msrp_int.h"

#include <errno.h>
#include <string.h>

bool msrp_answer_wanted(const struct msrp_head *h, int code)
{
    if (!h->request || msrp_head_is(h, "REPORT"))
        return false;
    switch (h->failure_report) {
    case MSRP_FAILURE_NO:
        return false;
    case MSRP_FAILURE_PARTIAL:
        return code < 200 || code > 299;
    case MSRP_FAILURE_YES:
        break;
    }
    return true;
}

/* Takes k ranges out at i. */
static void take_out(struct msrp_ranges *s, size_t i, size_t k)
{
    memmove(&s->r[i], &s->r[i + k], (s->n - i - k) * sizeof(s->r[0]));
    s->n -= k;
}

int msrp_ranges_add(struct msrp_ranges *s, uint64_t start, uint64_t end)
{
    if (start == 0 || end < start)
        return 0;
    size_t i = 0;
    while (i < s->n && s->r[i].end < start - 1)
        i++;
    size_t k = 0; /* ranges from i on that touch the new one */
    while (i + k < s->n && (end == UINT64_MAX || s->r[i + k].start <= end + 1))
        k++;
    if (k == 0) {
        if (s->n == MSRP_RANGES_MAX)
            return ENOSPC;
        memmove(&s->r[i + 1], &s->r[i], (s->n - i) * sizeof(s->r[0]));
        s->n++;
        s->r[i].start = start;
        s->r[i].end = end;
        return 0;
    }
    if (s->r[i].start > start)
        s->r[i].start = start;
    if (s->r[i + k - 1].end > end)
        end = s->r[i + k - 1].end;
    s->r[i].end = end;
    take_out(s, i + 1, k - 1);
    return 0;
}

bool msrp_ranges_cover(const struct msrp_ranges *s, uint64_t total)
{
    return total == 0 || (s->n > 0 && s->r[0].start == 1 && s->r[0].end >= total);
}

static bool same_message(const struct msrp_receipt *r, struct slice id)
{
    return slice_is(id, r->message_id);
}

int msrp_receipt_head(struct msrp_receipt *r, const struct msrp_head *h, const char **why)
{
    *why = h->fault;
    if (h->fault)
        return 400;
    if (!same_message(r, h->message_id)) {
        *r = (struct msrp_receipt){.total = MSRP_ANY};
        memcpy(r->message_id, h->message_id.p, h->message_id.n);
    }
    if (r->total != MSRP_ANY && h->range.total != MSRP_ANY && h->range.total != r->total) {
        *why = "another total than the chunks before";
        return 400;
    }
    if (h->range.total != MSRP_ANY)
        r->total = h->range.total;
    r->chunk_start = r->next = h->range.start;
    r->chunks++;
    r->aborted = false;
    return 0;
}

int msrp_receipt_data(struct msrp_receipt *r, size_t n, const char **why)
{
    if (r->total != MSRP_ANY && (r->next > r->total + 1 || n > r->total + 1 - r->next)) {
        *why = "more octets than the total";
        return 413;
    }
    r->next += n;
    return 0;
}

int msrp_receipt_end(struct msrp_receipt *r, const struct msrp_event *ev, const char **why)
{
    if (!ev->has_body) { /* a sign of life, no message */
        *r = (struct msrp_receipt){.total = MSRP_ANY};
        return 0;
    }
    r->aborted = ev->flag == '#';
    if (msrp_ranges_add(&r->have, r->chunk_start, r->next - 1) != 0) {
        *why = "too many gaps";
        return 413;
    }
    if (ev->flag == '$') /* the last chunk tells the length, RFC 4975 7.3.1 */
        r->total = r->next - 1;
    r->complete = !r->aborted && r->total != MSRP_ANY && msrp_ranges_cover(&r->have, r->total);
    return 0;
}
