/* The incremental parser, RFC 4975 sections 7.1, 7.3.1 and 9. The length of a body comes from its
 * end-line alone; Byte-Range is never used for framing. */
#include "msrp/msrp_int.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define HYPHENS   "-------"
#define MARK_SIZE (2 + 7 + MSRP_IDENT_TAKEN_MAX + 1 + 2)

enum state {
    IN_HEAD,
    IN_BODY,
    AT_END,   /* bodiless: the end-line came together with the head */
    FINISHED, /* MSRP_END was given; the head lives until the next call */
    BROKEN,
};

struct msrp_parser {
    enum state state;
    struct buf text; /* the head's lines */
    size_t line;     /* where its last line begins */
    struct msrp_head head;
    bool has_body;
    char flag;
    uint64_t body;
    const char *why;

    /* CR LF, seven hyphens, the transact-id; behind them the flag and CR as they came. Of it the
     * first `matched` octets were seen at the end of the input so far, and those before `from` are
     * no data (the CR LF of the blank line, RFC 4975 section 9: an empty body may do without its
     * own). No octets need to be kept to know what they were. */
    char mark[MARK_SIZE];
    size_t mark_n;
    size_t matched;
    size_t from;
};

struct msrp_parser *msrp_parser_new(void)
{
    struct msrp_parser *p = mem_new(sizeof(*p));
    p->text = BUF_UP_TO(MSRP_HEAD_MAX);
    return p;
}

void msrp_parser_free(struct msrp_parser *p)
{
    if (!p)
        return;
    buf_free(&p->text);
    free(p);
}

bool msrp_parser_idle(const struct msrp_parser *p)
{
    return p->state == FINISHED || (p->state == IN_HEAD && p->text.n == 0);
}

static enum msrp_kind broken(struct msrp_parser *p, struct msrp_event *ev, const char *why)
{
    p->state = BROKEN;
    p->why = why;
    ev->why = why;
    return ev->kind = MSRP_BAD;
}

static void begin_anew(struct msrp_parser *p)
{
    p->state = IN_HEAD;
    buf_clear(&p->text);
    p->line = 0;
    p->head = (struct msrp_head){0};
    p->body = 0;
}

static void skip(struct slice *in, size_t n)
{
    *in = (struct slice){in->p + n, in->n - n};
}

/* Octets of the body; what passes the limit for anything but SEND is held back and ends it all. */
static enum msrp_kind data(struct msrp_parser *p, struct slice s, struct msrp_event *ev)
{
    if (!msrp_head_is(&p->head, "SEND") && s.n > MSRP_OTHER_BODY_MAX - p->body) {
        s.n = (size_t)(MSRP_OTHER_BODY_MAX - p->body);
        p->why = "a body of more than 10240 octets where only SEND may have one";
        if (s.n == 0)
            return broken(p, ev, p->why);
    }
    p->body += s.n;
    ev->data = s;
    return ev->kind = MSRP_DATA;
}

static enum msrp_kind finish(struct msrp_parser *p, struct msrp_event *ev)
{
    p->state = FINISHED;
    ev->flag = p->flag;
    ev->has_body = p->has_body;
    ev->body = p->body;
    return ev->kind = MSRP_END;
}

static void begin_body(struct msrp_parser *p)
{
    memcpy(p->mark, "\r\n" HYPHENS, 9);
    memcpy(p->mark + 9, p->head.id.p, p->head.id.n);
    p->mark_n = 9 + p->head.id.n;
    p->matched = p->from = 2;
}

/* The head's lines are all there. */
static enum msrp_kind head_done(struct msrp_parser *p, bool has_body, struct msrp_event *ev)
{
    struct slice all = buf_slice(&p->text);
    struct slice rest = all;
    struct slice first = slice_cut(&rest, '\n');
    first.n--; /* its CR */
    (void)msrp_head_start(&p->head, first);
    msrp_head_lines(&p->head, all);
    p->has_body = ev->has_body = has_body;
    p->state = has_body ? IN_BODY : AT_END;
    if (has_body)
        begin_body(p);
    return ev->kind = MSRP_HEAD;
}

/* "-------" transact-id flag, in the place of a header: the request or response has no body. */
static bool is_end_line(struct msrp_parser *p, struct slice line)
{
    struct slice first = buf_slice(&p->text);
    struct msrp_head h = {0};
    struct slice start = slice_cut(&first, '\n');
    start.n--;
    if (!slice_starts(line, HYPHENS) || msrp_head_start(&h, start) != NULL)
        return false;
    if (line.n != 7 + h.id.n + 1 || memcmp(line.p + 7, h.id.p, h.id.n) != 0)
        return false;
    p->flag = line.p[line.n - 1];
    return p->flag == '$' || p->flag == '+' || p->flag == '#';
}

/* One whole line was added to p->text. MSRP_MORE: the head goes on. */
static enum msrp_kind head_line(struct msrp_parser *p, struct msrp_event *ev)
{
    size_t begin = p->line;
    struct slice line = {p->text.p + begin, p->text.n - begin - 1};
    if (line.n == 0 || line.p[line.n - 1] != '\r')
        return broken(p, ev, "a line of a head that does not end in CR LF");
    line.n--;
    if (memchr(line.p, '\0', line.n) || memchr(line.p, '\r', line.n))
        return broken(p, ev, "a NUL or CR in a head");
    p->line = p->text.n;
    if (begin == 0 && line.n == 0) { /* an empty line between messages keeps something alive */
        begin_anew(p);
        return MSRP_MORE;
    }
    if (begin == 0) {
        struct msrp_head probe = {0};
        const char *why = msrp_head_start(&probe, line);
        return why ? broken(p, ev, why) : MSRP_MORE;
    }
    if (line.n == 0 || is_end_line(p, line)) {
        p->text.n = begin;
        return head_done(p, line.n == 0, ev);
    }
    return MSRP_MORE;
}

/* A stranger is told apart by his first octets, before anything is kept. */
static bool may_be_msrp(const struct msrp_parser *p)
{
    static const char word[] = "MSRP ";
    size_t n = p->text.n < 5 ? p->text.n : 5;
    return memcmp(p->text.p, word, n) == 0 || p->text.p[0] == '\r';
}

static enum msrp_kind in_head(struct msrp_parser *p, struct slice *in, struct msrp_event *ev)
{
    while (in->n) {
        const char *lf = memchr(in->p, '\n', in->n);
        size_t want = lf ? (size_t)(lf - in->p) + 1 : in->n;
        size_t room = p->text.max - p->text.n;
        size_t n = want < room ? want : room;
        if (buf_add(&p->text, in->p, n) != 0)
            return broken(p, ev, "no room for a head");
        skip(in, n);
        if (p->line == 0 && !may_be_msrp(p))
            return broken(p, ev, "not MSRP");
        if (n < want)
            return broken(p, ev, "a head of more than 8192 octets");
        if (lf) {
            enum msrp_kind kind = head_line(p, ev);
            if (kind != MSRP_MORE)
                return kind;
        }
    }
    return ev->kind = MSRP_MORE;
}

/* How many octets at the end of the input may be the beginning of the mark. CR is only its first
 * octet, so the last CR tells. */
static size_t tail_match(const struct msrp_parser *p, struct slice in)
{
    size_t reach = in.n < p->mark_n - 1 ? in.n : p->mark_n - 1;
    const char *tail = in.p + in.n - reach;
    const char *cr = reach ? memrchr(tail, '\r', reach) : NULL;
    if (!cr)
        return 0;
    size_t n = (size_t)(in.p + in.n - cr);
    return memcmp(cr, p->mark, n) == 0 ? n : 0;
}

/* Nothing of the mark was seen yet: looks through the whole input at once. */
static enum msrp_kind search(struct msrp_parser *p, struct slice *in, struct msrp_event *ev)
{
    struct slice got = *in;
    const char *found = memmem(in->p, in->n, p->mark, p->mark_n);
    if (found) {
        got.n = (size_t)(found - in->p);
        p->matched = p->mark_n;
        skip(in, got.n + p->mark_n);
    } else {
        p->matched = tail_match(p, *in);
        got.n -= p->matched;
        skip(in, in->n);
    }
    return got.n ? data(p, got, ev) : MSRP_MORE;
}

/* Does the next octet go on with the mark, its flag and its CR LF? */
static bool goes_on(struct msrp_parser *p, char c)
{
    if (p->matched < p->mark_n)
        return c == p->mark[p->matched];
    bool fits = p->matched == p->mark_n       ? c == '$' || c == '+' || c == '#'
                : p->matched == p->mark_n + 1 ? c == '\r'
                                              : c == '\n';
    if (fits && p->matched < p->mark_n + 2)
        p->mark[p->matched] = c;
    return fits;
}

/* It was no end-line: what seemed to be its beginning is data, but for a CR that may begin another.
 */
static enum msrp_kind was_data(struct msrp_parser *p, struct msrp_event *ev)
{
    bool again = p->matched == p->mark_n + 2;
    size_t n = p->matched - (again ? 1 : 0);
    struct slice got = {p->mark + p->from, n - p->from};
    p->matched = again ? 1 : 0;
    p->from = 0;
    return got.n ? data(p, got, ev) : MSRP_MORE;
}

static enum msrp_kind in_body(struct msrp_parser *p, struct slice *in, struct msrp_event *ev)
{
    while (in->n) {
        enum msrp_kind kind = MSRP_MORE;
        if (p->matched == 0) {
            kind = search(p, in, ev);
        } else if (!goes_on(p, in->p[0])) {
            kind = was_data(p, ev);
        } else {
            skip(in, 1);
            if (p->matched++ == p->mark_n + 2) {
                p->flag = p->mark[p->mark_n];
                return finish(p, ev);
            }
        }
        if (kind != MSRP_MORE)
            return kind;
    }
    return ev->kind = MSRP_MORE;
}

enum msrp_kind msrp_parse(struct msrp_parser *p, struct slice *in, struct msrp_event *ev)
{
    *ev = (struct msrp_event){.head = &p->head};
    if (p->why)
        return broken(p, ev, p->why);
    if (p->state == FINISHED)
        begin_anew(p);
    if (p->state == AT_END)
        return finish(p, ev);
    return p->state == IN_BODY ? in_body(p, in, ev) : in_head(p, in, ev);
}
