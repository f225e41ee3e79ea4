#include "sip/fence.h"

#include "base/mem.h"
#include "sip/head.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <osip2/osip.h>

/* What libosip2 gets to see. Their values are kept as text too, under a name that no header on the
 * wire can have. */
static const char *const parsed_names[] = {
    "Via", "From", "To", "Call-ID", "CSeq", "Contact", "Route", "Record-Route", NULL,
};

/* Comma-separated headers that are read value by value. */
static const char *const list_names[] = {
    "Via",
    "Contact",
    "Route",
    "Record-Route",
    "Allow",
    "Supported",
    "Require",
    "Proxy-Require",
    "Unsupported",
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Allow-Events",
    "P-Asserted-Identity",
    "P-Asserted-Service",
    "Path",
    "Service-Route",
    NULL,
};

static bool among(const char *const *names, struct slice name)
{
    for (; *names; names++) {
        if (slice_is_nocase(name, *names))
            return true;
    }
    return false;
}

/* --- What a message says of itself. */

struct start {
    struct slice method, uri; /* of a request */
    int status;               /* of a response, else 0 */
    struct slice reason;
};

static bool refuse(struct fence_fault *fault, int code, const char *why)
{
    *fault = (struct fence_fault){code, why};
    return false;
}

static bool is_version(struct slice s)
{
    return s.n > 4 && slice_is_nocase((struct slice){s.p, 4}, "SIP/");
}

/* libosip2 takes the next line for the reason where the blank before it is missing. */
static bool read_status_line(struct slice line, struct start *st, struct fence_fault *fault)
{
    uint64_t status;
    struct slice rest = line;
    struct slice version = slice_cut(&rest, ' ');
    struct slice code = slice_cut(&rest, ' ');
    if (!slice_is_nocase(version, "SIP/2.0"))
        return refuse(fault, 0, "another version of SIP");
    if (code.n != 3 || !slice_number(code, 699, &status) || status < 100)
        return refuse(fault, 0, "no status code");
    st->status = (int)status;
    st->reason = rest;
    return true;
}

static bool read_request_line(struct slice line, struct start *st, struct fence_fault *fault)
{
    struct slice rest = line;
    st->method = slice_cut(&rest, ' ');
    st->uri = slice_cut(&rest, ' ');
    if (!head_is_token(st->method) || st->method.n > 32 || st->uri.n == 0 || !rest.p)
        return refuse(fault, 400, "malformed request line");
    if (is_version(rest) && !slice_is_nocase(rest, "SIP/2.0"))
        return refuse(fault, memchr(rest.p, ' ', rest.n) ? 400 : 505, "another version of SIP");
    if (!is_version(rest))
        return refuse(fault, 400, "malformed request line");
    if (memchr(st->uri.p, '<', st->uri.n) || memchr(st->uri.p, '"', st->uri.n) ||
        !memchr(st->uri.p, ':', st->uri.n))
        return refuse(fault, 400, "malformed Request-URI");
    return true;
}

static bool read_start(struct slice line, struct start *st, struct fence_fault *fault)
{
    memset(st, 0, sizeof *st);
    return is_version(line) ? read_status_line(line, st, fault)
                            : read_request_line(line, st, fault);
}

static const struct {
    const char *name;
    bool once;
} mandatory[] = {{"Via", false}, {"From", true}, {"To", true}, {"Call-ID", true}, {"CSeq", true}};

static bool check_mandatory(const struct head *h, struct fence_fault *fault)
{
    for (size_t i = 0; i < sizeof mandatory / sizeof *mandatory; i++) {
        struct slice value = {NULL, 0};
        size_t n = head_count(h, mandatory[i].name, &value);
        if (n == 0 || value.n == 0)
            return refuse(fault, 400, "a mandatory header is missing");
        if (mandatory[i].once && n > 1)
            return refuse(fault, 400, "a header occurs twice");
    }
    return true;
}

/* Each becomes a member of one of libosip2's lists, which it walks from the beginning for each. */
static bool check_values(const struct head *h, struct fence_fault *fault)
{
    size_t n = 0;
    for (size_t i = 0; i < h->n; i++) {
        struct slice rest = h->f[i].value;
        if (!among(list_names, h->f[i].name))
            continue;
        while (rest.p && n <= SIP_HEADERS_MAX) {
            (void)head_value(&rest);
            n++;
        }
    }
    return n <= SIP_HEADERS_MAX || refuse(fault, 400, "too many values");
}

/* RFC 3261 8.1.1.5: below 2^31, and the method of the request. */
static bool read_cseq(struct slice value, uint64_t *number, struct slice *method)
{
    size_t digits = 0;
    while (digits < value.n && value.p[digits] >= '0' && value.p[digits] <= '9')
        digits++;
    *method = slice_trim((struct slice){value.p + digits, value.n - digits});
    return slice_number((struct slice){value.p, digits}, INT32_MAX, number) &&
           method->n < value.n - digits && head_is_token(*method) && method->n <= 32;
}

/* How long the body is; `there` is what follows the head. */
static bool read_length(const struct head *h, size_t there, bool stream, size_t *length,
                        struct fence_fault *fault)
{
    struct slice value = {NULL, 0};
    uint64_t told;
    size_t n = head_count(h, "Content-Length", &value);
    *length = there;
    if (n > 1)
        return refuse(fault, 400, "Content-Length occurs twice");
    if (n == 0)
        return stream ? refuse(fault, 400, "no Content-Length on a stream") : true;
    if (!slice_number(value, there, &told))
        return refuse(fault, 400, "a Content-Length that is not true");
    *length = (size_t)told;
    return true;
}

/* --- The clean text for libosip2. */

static int add_line(struct buf *b, struct slice name, struct slice value)
{
    int err = buf_add_slice(b, name);
    if (!err)
        err = buf_add(b, ": ", 2);
    if (!err)
        err = buf_add_slice(b, value);
    return err ? err : buf_add(b, "\r\n", 2);
}

static int add_start(struct buf *b, const struct start *st)
{
    if (st->status) /* a reason, so that there is one */
        return buf_format(b, "SIP/2.0 %d %.*s\r\n", st->status,
                          st->reason.n ? (int)st->reason.n : 1, st->reason.n ? st->reason.p : "-");
    return buf_format(b, "%.*s %.*s SIP/2.0\r\n", (int)st->method.n, st->method.p, (int)st->uri.n,
                      st->uri.p);
}

static int add_values(struct buf *b, struct slice name, struct slice value)
{
    int err = 0;
    if (!among(list_names, name))
        return add_line(b, name, value);
    while (value.p && !err) {
        struct slice one = head_value(&value);
        if (one.n > 0)
            err = add_line(b, name, one);
    }
    return err;
}

static int clean_text(const struct head *h, const struct start *st, struct buf *b)
{
    int err = add_start(b, st);
    for (size_t i = 0; i < h->n && !err; i++) {
        uint64_t number;
        struct slice method;
        if (!among(parsed_names, h->f[i].name))
            continue;
        if (slice_is_nocase(h->f[i].name, "CSeq") && read_cseq(h->f[i].value, &number, &method))
            err = buf_format(b, "CSeq: %u %.*s\r\n", (unsigned)number, (int)method.n, method.p);
        else
            err = add_values(b, h->f[i].name, h->f[i].value);
    }
    return err ? err : buf_add_text(b, "Content-Length: 0\r\n\r\n");
}

/* --- Everything else, hung into the struct. */

static int hang(osip_message_t *m, struct slice name, struct slice value)
{
    const char *before = among(parsed_names, name) ? SHADOW : "";
    char *n = mem_format("%s%.*s", before, (int)name.n, name.p);
    char *v = slice_dup(value);
    int err = osip_message_set_header(m, n, v) ? EINVAL : 0;
    free(n);
    free(v);
    return err;
}

static int hang_all(osip_message_t *m, const struct head *h)
{
    int err = 0;
    for (size_t i = 0; i < h->n && !err; i++) {
        struct slice rest = h->f[i].value;
        bool list = among(list_names, h->f[i].name);
        if (slice_is_nocase(h->f[i].name, "Content-Length"))
            continue;
        do {
            struct slice value = list ? head_value(&rest) : rest;
            if (!list || value.n > 0)
                err = hang(m, h->f[i].name, value);
        } while (list && rest.p && !err);
    }
    return err;
}

void fence_drop(struct osip_event *event)
{
    osip_message_t *m = event->sip;
    event->sip = NULL; /* whether osip_event_free takes it along depends on its version */
    osip_event_free(event);
    osip_message_free(m);
}

static bool parse(const struct head *h, const struct start *st, struct slice body,
                  osip_event_t **event)
{
    struct buf text = BUF_UP_TO(2 * SIP_MESSAGE_MAX);
    *event = NULL;
    int err = clean_text(h, st, &text);
    if (!err)
        *event = osip_parse(text.p, text.n);
    buf_free(&text);
    if (!*event)
        return false;
    osip_message_t *m = (*event)->sip;
    err = hang_all(m, h);
    /* Its own parser for multipart bodies is never entered this way. */
    if (!err && body.n > 0 && osip_message_set_body(m, body.p, body.n) != 0)
        err = EINVAL;
    bool whole = m->from && m->to && m->call_id && m->call_id->number && m->cseq &&
                 m->cseq->method && osip_list_size(&m->vias) > 0;
    if (!err && whole)
        return true;
    fence_drop(*event);
    *event = NULL;
    return false;
}

static bool known_scheme(struct slice uri)
{
    struct slice scheme = slice_cut(&uri, ':');
    return slice_is_nocase(scheme, "sip") || slice_is_nocase(scheme, "sips") ||
           slice_is_nocase(scheme, "tel");
}

static bool check_cseq(const struct head *h, const struct start *st, struct fence_fault *fault)
{
    struct slice value = {NULL, 0}, method;
    uint64_t number;
    (void)head_count(h, "CSeq", &value);
    if (!read_cseq(value, &number, &method))
        return refuse(fault, 400, "malformed CSeq");
    if (!st->status && !slice_eq(method, st->method))
        return refuse(fault, 400, "the CSeq names another method");
    return true;
}

int fence_read(struct slice raw, bool stream, struct osip_event **event, struct fence_fault *fault)
{
    struct start st;
    size_t body = 0, length = raw.n <= SIP_MESSAGE_MAX ? head_length(raw) : 0;
    *event = NULL;
    *fault = (struct fence_fault){0, "the head does not end"};
    if (length == 0)
        return EBADMSG;
    struct head *h = head_new((struct slice){raw.p, length});
    bool good = read_start(h->start, &st, fault);
    if (good && h->fault)
        good = refuse(fault, 400, h->fault);
    good = good && check_values(h, fault) && check_mandatory(h, fault) &&
           check_cseq(h, &st, fault) && read_length(h, raw.n - length, stream, &body, fault);
    if (good && !st.status && !known_scheme(st.uri))
        good = refuse(fault, 416, "an unknown scheme in the Request-URI");
    if (good && !parse(h, &st, (struct slice){raw.p + length, body}, event))
        good = refuse(fault, 400, "malformed header");
    head_free(h);
    return good ? 0 : EBADMSG;
}

/* --- Streams. */

/* Is this the beginning of a start line? As early as possible, so that a peer that speaks
 * something else is not listened to for long. */
static bool may_be_sip(struct slice in)
{
    const char *lf = memchr(in.p, '\n', in.n);
    struct slice line = {in.p, lf ? (size_t)(lf - in.p) : in.n};
    while (line.n > 0 && strchr("\r ", line.p[line.n - 1]) && line.p[line.n - 1] != '\0')
        line.n--;
    for (size_t i = 0; i < line.n && i < 32; i++) {
        if (line.p[i] == ' ')
            break;
        if (!head_is_token((struct slice){line.p + i, 1}) && line.p[i] != '/')
            return false;
    }
    if (!lf)
        return true;
    bool tail = line.n > 8 && slice_is_nocase((struct slice){line.p + line.n - 8, 5}, " SIP/");
    return is_version(line) || tail;
}

static int frame_of(const struct head *h, size_t length, size_t *whole)
{
    struct slice value = {NULL, 0};
    uint64_t body;
    if (head_count(h, "Content-Length", &value) != 1 ||
        !slice_number(value, SIP_MESSAGE_MAX, &body) || length + body > SIP_MESSAGE_MAX)
        return EBADMSG;
    *whole = length + (size_t)body;
    return 0;
}

int fence_frame(struct slice in, size_t *whole)
{
    *whole = 0;
    if (in.n > 0 && !may_be_sip(in))
        return EBADMSG;
    size_t length = head_length(in);
    if (length == 0)
        return in.n >= SIP_MESSAGE_MAX ? EBADMSG : EAGAIN;
    *whole = length;
    struct head *h = head_new((struct slice){in.p, length});
    int err = frame_of(h, length, whole);
    head_free(h);
    if (!err && *whole > in.n)
        err = EAGAIN;
    return err;
}

/* --- Refusals. */

static const char *reason_of(int code)
{
    const char *reason = osip_message_get_reason(code);
    return reason ? reason : "Refused";
}

static int add_all(struct buf *b, const struct head *h, const char *name, bool tag)
{
    int err = 0;
    for (size_t i = 0; i < h->n && !err; i++) {
        if (!slice_is_nocase(h->f[i].name, name))
            continue;
        err = buf_format(b, "%s: %.*s%s\r\n", name, (int)h->f[i].value.n, h->f[i].value.p,
                         tag ? ";tag=malformed" : "");
    }
    return err;
}

static bool has_tag(struct slice to)
{
    char *text = slice_dup(to);
    bool has = strstr(text, "tag=") != NULL;
    free(text);
    return has;
}

/* A request is answered when its start line is a request's in any way: an ACK or a response, even a
 * bad one, never is. */
static bool answerable(const struct head *h, struct slice *to)
{
    struct slice ignored, rest = h->start, method = slice_cut(&rest, ' ');
    return rest.p && head_is_token(method) && !slice_is(method, "ACK") &&
           head_count(h, "Via", &ignored) > 0 && head_count(h, "From", &ignored) == 1 &&
           head_count(h, "To", to) == 1 && head_count(h, "Call-ID", &ignored) == 1 &&
           head_count(h, "CSeq", &ignored) == 1;
}

int fence_refuse(struct slice raw, const struct fence_fault *fault, struct buf *out)
{
    size_t length = head_length(raw);
    if (fault->code == 0 || length == 0)
        return ENOENT;
    struct head *h = head_new((struct slice){raw.p, length});
    struct slice to = {NULL, 0};
    int err = answerable(h, &to) ? 0 : ENOENT;
    if (!err)
        err = buf_format(out, "SIP/2.0 %d %s\r\n", fault->code, reason_of(fault->code));
    if (!err)
        err = add_all(out, h, "Via", false);
    if (!err)
        err = add_all(out, h, "From", false);
    if (!err)
        err = add_all(out, h, "To", !has_tag(to));
    if (!err)
        err = add_all(out, h, "Call-ID", false);
    if (!err)
        err = add_all(out, h, "CSeq", false);
    if (!err)
        err = buf_format(out, "Warning: 399 cpm \"%s\"\r\nContent-Length: 0\r\n\r\n", fault->why);
    head_free(h);
    return err;
}
