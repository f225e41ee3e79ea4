/* The head of a request or response, once it is complete. */
#include "msrp/msrp_int.h"

#include <errno.h>
#include <string.h>

static struct slice after(struct slice s, size_t n)
{
    return (struct slice){s.p + n, s.n - n};
}

static bool is_visible(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    }
    return s.n > 0;
}

/* May this stand for a transact-id or Message-ID of a peer? */
static bool ident_taken(struct slice id)
{
    return id.n <= MSRP_IDENT_TAKEN_MAX && is_visible(id);
}

static bool three_digits(struct slice s, int *code)
{
    uint64_t value;
    if (s.n != 3 || !slice_number(s, 999, &value))
        return false;
    *code = (int)value;
    return true;
}

/* "MSRP" SP transact-id SP (method / status-code [SP comment]) */
const char *msrp_head_start(struct msrp_head *h, struct slice line)
{
    if (!slice_starts(line, "MSRP "))
        return "not MSRP";
    struct slice rest = after(line, strlen("MSRP "));
    h->id = slice_cut(&rest, ' ');
    if (!ident_taken(h->id))
        return "bad transaction id";
    if (!rest.p)
        return "start line without method or status";
    struct slice word = slice_cut(&rest, ' ');
    if (three_digits(word, &h->code)) {
        h->comment = rest;
        return NULL;
    }
    if (!is_visible(word) || rest.p)
        return "bad start line";
    h->request = true;
    h->method = word;
    return NULL;
}

static bool number_or_any(struct slice s, uint64_t *value)
{
    if (slice_is(s, "*")) {
        *value = MSRP_ANY;
        return true;
    }
    return slice_number(s, INT64_MAX, value);
}

/* range-start "-" range-end "/" total. What contradicts itself is refused here and leaves *range as
 * it was, so that nobody computes with it later. */
static bool parse_range(struct slice s, struct msrp_range *range)
{
    struct slice start = slice_cut(&s, '-');
    struct slice end = slice_cut(&s, '/');
    struct slice total = s;
    struct msrp_range r;
    if (!slice_number(start, INT64_MAX, &r.start) || !number_or_any(end, &r.end) ||
        !number_or_any(total, &r.total))
        return false;
    if (r.start == 0 || (r.end != MSRP_ANY && r.end + 1 < r.start))
        return false;
    if (r.end != MSRP_ANY && r.total != MSRP_ANY && r.end > r.total)
        return false;
    *range = r;
    return true;
}

static bool parse_failure_report(struct slice s, enum msrp_failure_report *f)
{
    static const char *const words[] = {"yes", "partial", "no"};
    for (int i = 0; i < 3; i++) {
        if (slice_is_nocase(s, words[i])) {
            *f = (enum msrp_failure_report)i;
            return true;
        }
    }
    return false;
}

/* Status: namespace SP status-code [SP text]; only namespace 000 is known. */
static bool parse_status(struct slice s, struct msrp_head *h)
{
    struct slice space = slice_cut(&s, ' ');
    if (!slice_is(space, "000"))
        return false;
    struct slice code = slice_cut(&s, ' ');
    h->status_text = s;
    return three_digits(code, &h->status);
}

static const char *take_header(struct msrp_head *h, struct slice name, struct slice value)
{
    if (slice_is_nocase(name, "To-Path"))
        h->to_path = value;
    else if (slice_is_nocase(name, "From-Path"))
        h->from_path = value;
    else if (slice_is_nocase(name, "Message-ID"))
        h->message_id = value;
    else if (slice_is_nocase(name, "Content-Type"))
        h->content_type = value;
    else if (slice_is_nocase(name, "Success-Report"))
        h->success_report = slice_is_nocase(value, "yes");
    else if (slice_is_nocase(name, "Failure-Report"))
        return parse_failure_report(value, &h->failure_report) ? NULL : "bad Failure-Report";
    else if (slice_is_nocase(name, "Status"))
        return parse_status(value, h) ? NULL : "bad Status";
    else if (slice_is_nocase(name, "Byte-Range")) {
        h->has_range = true;
        return parse_range(value, &h->range) ? NULL : "bad Byte-Range";
    }
    return NULL; /* unknown headers are ignored, RFC 4975 section 9 */
}

static void find_missing(struct msrp_head *h)
{
    if (h->fault || !h->request)
        return;
    if (msrp_path_check(h->to_path) != 0)
        h->fault = "no sound To-Path";
    else if (msrp_path_check(h->from_path) != 0)
        h->fault = "no sound From-Path";
    else if ((msrp_head_is(h, "SEND") || msrp_head_is(h, "REPORT")) && !ident_taken(h->message_id))
        h->fault = "no sound Message-ID";
}

void msrp_head_lines(struct msrp_head *h, struct slice all)
{
    h->all = all;
    h->range = (struct msrp_range){1, MSRP_ANY, MSRP_ANY};
    struct slice rest = all;
    (void)slice_cut(&rest, '\n'); /* the start line was read when it came */
    while (rest.n) {
        struct slice line = slice_cut(&rest, '\n');
        if (line.n && line.p[line.n - 1] == '\r')
            line.n--;
        struct slice value = line;
        struct slice name = slice_cut(&value, ':');
        const char *fault = is_visible(name) && value.p ? take_header(h, name, slice_trim(value))
                                                        : "a line that is no header";
        if (fault && !h->fault)
            h->fault = fault;
    }
    find_missing(h);
}

bool msrp_head_is(const struct msrp_head *h, const char *method)
{
    return h->request && slice_is(h->method, method);
}
