/* The head of a message/cpim (RFC 3862 2, RFC 5438 6). */
#include "cpim/cpim.h"

#include <string.h>

#define IMDN_URN "urn:ietf:params:imdn"

const char *cpim_error_text(enum cpim_error e)
{
    static const char *const texts[] = {
        [CPIM_OK] = "is valid CPIM",
        [CPIM_MORE] = "is not complete",
        [CPIM_EMPTY] = "is empty",
        [CPIM_NOT_CPIM] = "is not message/cpim (does not begin with a header)",
        [CPIM_OUTER_HEADERS] = "begins with MIME headers, where message/cpim begins with From",
        [CPIM_BAD_HEADER] = "has a malformed header line",
        [CPIM_NO_FROM] = "has no From header (names are case-sensitive)",
        [CPIM_BAD_FROM] = "has a From header without one URI",
        [CPIM_TWO_FROMS] = "has more than one From header",
        [CPIM_NO_TO] = "has no To header (names are case-sensitive)",
        [CPIM_BAD_TO] = "has a To header without a URI",
        [CPIM_NO_CONTENT_HEADERS] = "has no content headers after the message headers",
        [CPIM_CUT] = "ends within its headers",
        [CPIM_HEAD_TOO_LONG] = "has more than 64 KiB of headers",
    };
    return texts[e];
}

/* --- Lines. */

/* Takes a line off *rest, without its CRLF or LF. False: there is no whole line. */
static bool next_line(struct slice *rest, struct slice *line)
{
    if (rest->n == 0 || !memchr(rest->p, '\n', rest->n))
        return false;
    *line = slice_cut(rest, '\n');
    if (line->n > 0 && line->p[line->n - 1] == '\r')
        line->n--;
    return true;
}

/* NAMECHAR of RFC 3862 3.6 and the dot between prefix and name; MIME's tokens are within it but for
 * a few that no header name has. */
static bool is_name_char(char c)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'))
        return true;
    return c != '\0' && strchr("!#$%&'*+-.^_`|~", c) != NULL;
}

static bool has_control(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if ((c < 0x20 && c != '\t') || c == 0x7f)
            return true;
    }
    return false;
}

/* The parameters between the colon and the space before the value; blanks may stand in quotes. */
static struct slice cut_parameters(struct slice *rest)
{
    struct slice s = *rest;
    bool quoted = false;
    size_t i = 0;
    if (s.n == 0 || s.p[0] != ';')
        return (struct slice){s.p, 0};
    for (; i < s.n && (quoted || s.p[i] != ' '); i++) {
        if (s.p[i] == '\\' && quoted && i + 1 < s.n)
            i++;
        else if (s.p[i] == '"')
            quoted = !quoted;
    }
    *rest = (struct slice){s.p + i, s.n - i};
    return (struct slice){s.p, i};
}

static bool parse_header(struct slice line, struct cpim_header *h)
{
    struct slice rest = line;
    struct slice name = slice_cut(&rest, ':');
    if (!rest.p || name.n == 0 || has_control(line))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        if (!is_name_char(name.p[i]))
            return false;
    }
    h->name = name;
    h->parameters = cut_parameters(&rest);
    h->value = slice_trim(rest);
    return true;
}

static bool is_content_name(struct slice name)
{
    return name.n > 8 && slice_is_nocase((struct slice){name.p, 8}, "content-");
}

static bool starts_blank(struct slice s)
{
    return s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t');
}

/* MIME lets content headers go on in the next line: the value then ends where the last one ends. */
static enum cpim_error unfold(struct slice *rest, struct cpim_header *h)
{
    struct slice line;
    while (starts_blank(*rest)) {
        if (!next_line(rest, &line))
            return CPIM_MORE;
        if (has_control(line))
            return CPIM_BAD_HEADER;
        line = slice_trim(line);
        if (line.n > 0)
            h->value.n = (size_t)(line.p + line.n - h->value.p);
    }
    return CPIM_OK;
}

/* CPIM_OK, CPIM_MORE (the line has no end yet) or CPIM_BAD_HEADER. */
static enum cpim_error take_header(struct slice *rest, struct cpim_header *h)
{
    struct slice line;
    if (!next_line(rest, &line))
        return CPIM_MORE;
    if (!parse_header(line, h))
        return CPIM_BAD_HEADER;
    return is_content_name(h->name) ? unfold(rest, h) : CPIM_OK;
}

bool cpim_next(struct slice *rest, struct cpim_header *h)
{
    return take_header(rest, h) == CPIM_OK;
}

/* --- Values. */

static bool is_uri_start(struct slice s)
{
    struct slice rest = s;
    struct slice scheme = slice_cut(&rest, ':');
    if (rest.n == 0 || scheme.n == 0)
        return false;
    for (size_t i = 0; i < scheme.n; i++) {
        char c = scheme.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && (i == 0 || !strchr("0123456789+-.", c)))
            return false;
    }
    return true;
}

/* Where the < of a value stands: the first that is not in a quoted name. */
static size_t find_angle(struct slice v)
{
    bool quoted = false;
    for (size_t i = 0; i < v.n; i++) {
        if (v.p[i] == '\\')
            i++;
        else if (v.p[i] == '"')
            quoted = !quoted;
        else if (v.p[i] == '<' && !quoted)
            return i;
    }
    return v.n;
}

struct slice cpim_uri_of(struct slice value)
{
    const struct slice none = {NULL, 0};
    struct slice v = slice_trim(value);
    size_t at = find_angle(v);
    if (at < v.n) {
        struct slice rest = {v.p + at + 1, v.n - at - 1};
        v = slice_cut(&rest, '>');
        if (!rest.p)
            return none;
    }
    for (size_t i = 0; i < v.n; i++) {
        if ((unsigned char)v.p[i] <= ' ' || strchr("<>\"\\", v.p[i]))
            return none;
    }
    return v.n > 0 && is_uri_start(v) ? v : none;
}

struct slice cpim_media_type(struct slice content_type)
{
    struct slice rest = content_type;
    struct slice type = slice_trim(slice_cut(&rest, ';'));
    size_t slashes = 0;
    if (!content_type.p)
        return SLICE("text/plain");
    for (size_t i = 0; i < type.n; i++) {
        if (type.p[i] == '/')
            slashes++;
        else if (!is_name_char(type.p[i]))
            return (struct slice){content_type.p, 0};
    }
    bool sound = slashes == 1 && type.p[0] != '/' && type.p[type.n - 1] != '/';
    return sound ? type : (struct slice){content_type.p, 0};
}

/* --- The head. */

struct reader {
    struct cpim *c;
    struct slice imdn_prefix; /* bound by NS; p == NULL: not yet. Empty: the default namespace */
    size_t froms;
    bool whole;
};

static void keep_first(struct slice *slot, struct slice value)
{
    if (!slot->p)
        *slot = value;
}

/* NS: [prefix SP] <URI> (RFC 3862 4.6): the binding holds for the headers after it. */
static void read_ns(struct reader *r, struct slice value)
{
    struct slice prefix = slice_trim((struct slice){value.p, find_angle(value)});
    if (slice_is(cpim_uri_of(value), IMDN_URN))
        r->imdn_prefix = prefix;
    else if (r->imdn_prefix.p && slice_eq(prefix, r->imdn_prefix))
        r->imdn_prefix = (struct slice){NULL, 0};
}

/* The name behind the IMDN prefix; p == NULL: of another namespace. The prefix as everybody writes
 * it counts without NS too, since clients compare it literally. */
static struct slice imdn_name(const struct reader *r, struct slice name)
{
    struct slice rest = name;
    struct slice prefix = slice_cut(&rest, '.');
    if (!rest.p)
        return r->imdn_prefix.p && r->imdn_prefix.n == 0 ? name : (struct slice){NULL, 0};
    if (slice_is(prefix, "imdn") || (r->imdn_prefix.p && slice_eq(prefix, r->imdn_prefix)))
        return rest;
    return (struct slice){NULL, 0};
}

static void read_imdn(struct reader *r, const struct cpim_header *h)
{
    struct slice name = imdn_name(r, h->name);
    if (slice_is(name, "Message-ID"))
        keep_first(&r->c->message_id, h->value);
    else if (slice_is(name, "Disposition-Notification"))
        keep_first(&r->c->dispositions, h->value);
}

static void read_message_header(struct reader *r, const struct cpim_header *h)
{
    struct cpim *c = r->c;
    if (slice_is(h->name, "From")) {
        keep_first(&c->from, h->value);
        r->froms++;
    } else if (slice_is(h->name, "To")) {
        keep_first(&c->to, h->value);
    } else if (slice_is(h->name, "cc")) {
        keep_first(&c->cc, h->value);
    } else if (slice_is(h->name, "DateTime")) {
        keep_first(&c->date_time, h->value);
    } else if (slice_is(h->name, "Subject")) {
        keep_first(&c->subject, h->value);
    } else if (slice_is(h->name, "Require")) {
        keep_first(&c->require, h->value);
    } else if (slice_is(h->name, "NS")) {
        read_ns(r, h->value);
    } else {
        read_imdn(r, h);
    }
}

static void read_content_header(struct cpim *c, const struct cpim_header *h)
{
    if (slice_is_nocase(h->name, "Content-Type"))
        keep_first(&c->content_type, h->value);
    else if (slice_is_nocase(h->name, "Content-Length"))
        keep_first(&c->content_length, h->value);
    else if (slice_is_nocase(h->name, "Content-Disposition"))
        keep_first(&c->content_disposition, h->value);
    else if (slice_is_nocase(h->name, "Content-Transfer-Encoding"))
        keep_first(&c->content_transfer_encoding, h->value);
}

/* Takes the blank line off *rest, if it is there. */
static bool take_blank_line(struct slice *rest)
{
    struct slice after = *rest;
    struct slice line;
    if (!next_line(&after, &line) || line.n > 0)
        return false;
    *rest = after;
    return true;
}

/* Up to the blank line, or up to the first content header where the blank line is missing. */
static enum cpim_error read_message_headers(struct reader *r, struct slice *rest)
{
    const char *begin = rest->p;
    for (;;) {
        struct slice after = *rest;
        struct cpim_header h;
        r->c->headers = (struct slice){begin, (size_t)(rest->p - begin)};
        if (take_blank_line(rest))
            return CPIM_OK;
        enum cpim_error e = take_header(&after, &h);
        if (e || is_content_name(h.name))
            return e;
        read_message_header(r, &h);
        *rest = after;
    }
}

static enum cpim_error read_content_headers(struct reader *r, struct slice *rest)
{
    const char *begin = rest->p;
    for (;;) {
        struct cpim_header h;
        r->c->content_headers = (struct slice){begin, (size_t)(rest->p - begin)};
        if (take_blank_line(rest))
            return CPIM_OK;
        enum cpim_error e = take_header(rest, &h);
        if (e)
            return e == CPIM_BAD_HEADER && r->c->content_headers.n == 0 ? CPIM_NO_CONTENT_HEADERS
                                                                        : e;
        read_content_header(r->c, &h);
    }
}

static enum cpim_error check_people(struct reader *r)
{
    struct cpim *c = r->c;
    if (!c->from.p)
        return CPIM_NO_FROM;
    if (r->froms > 1)
        return CPIM_TWO_FROMS;
    c->from_uri = cpim_uri_of(c->from);
    if (!c->from_uri.p)
        return CPIM_BAD_FROM;
    if (!c->to.p)
        return CPIM_NO_TO;
    c->to_uri = cpim_uri_of(c->to);
    return c->to_uri.p ? CPIM_OK : CPIM_BAD_TO;
}

/* A look at the first line tells files that were never CPIM. */
static enum cpim_error check_start(const struct reader *r, struct slice start)
{
    struct cpim_header h;
    struct slice line;
    struct slice rest = start;
    if (start.n == 0)
        return r->whole ? CPIM_EMPTY : CPIM_MORE;
    if (!next_line(&rest, &line)) {
        if (start.n > 1 && start.p[start.n - 1] == '\r')
            start.n--;
        bool plausible = is_name_char(start.p[0]) && !has_control(start);
        return plausible && !r->whole ? CPIM_MORE : CPIM_NOT_CPIM;
    }
    if (!parse_header(line, &h))
        return CPIM_NOT_CPIM;
    return is_content_name(h.name) ? CPIM_OUTER_HEADERS : CPIM_OK;
}

static enum cpim_error parse_head(struct reader *r, struct slice start)
{
    struct slice rest = start;
    enum cpim_error e = check_start(r, start);
    if (!e)
        e = read_message_headers(r, &rest);
    if (!e)
        e = check_people(r);
    if (!e)
        e = read_content_headers(r, &rest);
    r->c->content_at = start.n - rest.n;
    return e == CPIM_MORE && r->whole ? CPIM_CUT : e;
}

enum cpim_error cpim_parse(struct slice start, bool whole, struct cpim *c)
{
    bool beyond = start.n > CPIM_HEAD_MAX || (start.n == CPIM_HEAD_MAX && !whole);
    struct reader r = {.c = c, .whole = whole && !beyond};
    if (start.n > CPIM_HEAD_MAX)
        start.n = CPIM_HEAD_MAX;
    *c = (struct cpim){0};
    enum cpim_error e = parse_head(&r, start);
    return e == CPIM_MORE && beyond ? CPIM_HEAD_TOO_LONG : e;
}
