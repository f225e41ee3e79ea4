/* MSRP URIs and paths, RFC 4975 section 6. */
#include "msrp/msrp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

static bool all_visible(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] <= ' ' || s.p[i] >= 0x7f)
            return false;
    }
    return true;
}

static bool take_scheme(struct slice *rest, bool *secure)
{
    static const char *const schemes[] = {"msrp://", "msrps://"};
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(schemes[i]);
        if (rest->n > n && strncasecmp(rest->p, schemes[i], n) == 0) {
            *secure = i == 1;
            *rest = (struct slice){rest->p + n, rest->n - n};
            return true;
        }
    }
    return false;
}

/* What stands before the first of these characters; it is left at the front of *rest. */
static struct slice take_until(struct slice *rest, const char *stops)
{
    size_t n = 0;
    while (n < rest->n && !strchr(stops, rest->p[n]))
        n++;
    struct slice got = {rest->p, n};
    *rest = (struct slice){rest->p + n, rest->n - n};
    return got;
}

/* Letters and digits, and these. The host goes to the resolver, and back onto the wire. */
static bool is_host(struct slice s, const char *others)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && !strchr(others, c))
            return false;
    }
    return s.n > 0;
}

/* host [":" port], the host of an IPv6 literal in brackets. */
static int parse_host_port(struct slice s, struct msrp_uri *u)
{
    bool bracket = s.n && s.p[0] == '[';
    if (bracket) {
        s = (struct slice){s.p + 1, s.n - 1};
        u->host = take_until(&s, "]");
        if (s.n == 0)
            return EINVAL;
        s = (struct slice){s.p + 1, s.n - 1};
    } else {
        u->host = take_until(&s, ":");
    }
    if (!is_host(u->host, bracket ? ":.%" : ".-_~%"))
        return EINVAL;
    if (s.n == 0)
        return 0;
    uint64_t port;
    if (s.p[0] != ':' || !slice_number((struct slice){s.p + 1, s.n - 1}, UINT16_MAX, &port))
        return EINVAL;
    u->has_port = true;
    u->port = (uint16_t)port;
    return 0;
}

int msrp_uri_parse(struct slice text, struct msrp_uri *u)
{
    *u = (struct msrp_uri){0};
    struct slice rest = slice_trim(text);
    if (!all_visible(rest) || !take_scheme(&rest, &u->secure))
        return EINVAL;
    struct slice authority = take_until(&rest, "/;");
    const char *at = authority.n ? memrchr(authority.p, '@', authority.n) : NULL;
    if (at) /* userinfo identifies nothing here and takes no part in comparing */
        authority = (struct slice){at + 1, authority.n - (size_t)(at + 1 - authority.p)};
    if (parse_host_port(authority, u) != 0)
        return EINVAL;
    if (rest.n && rest.p[0] == '/') {
        rest = (struct slice){rest.p + 1, rest.n - 1};
        u->session = take_until(&rest, ";");
    }
    if (rest.n < 2)
        return EINVAL; /* the transport is mandatory */
    rest = (struct slice){rest.p + 1, rest.n - 1};
    u->transport = take_until(&rest, ";");
    return u->transport.n ? 0 : EINVAL;
}

int msrp_uri_format(struct buf *b, const struct msrp_uri *u)
{
    size_t before = b->n;
    bool bracket = u->host.n && memchr(u->host.p, ':', u->host.n);
    int err = buf_format(b, "msrp%s://%s%.*s%s", u->secure ? "s" : "", bracket ? "[" : "",
                         (int)u->host.n, u->host.p, bracket ? "]" : "");
    if (!err && u->has_port)
        err = buf_format(b, ":%u", (unsigned)u->port);
    if (!err && u->session.n)
        err = buf_format(b, "/%.*s", (int)u->session.n, u->session.p);
    if (!err)
        err = buf_format(b, ";%.*s", (int)u->transport.n, u->transport.p);
    if (err)
        b->n = before;
    return err;
}

static bool same_nocase(struct slice a, struct slice b)
{
    return a.n == b.n && (a.n == 0 || strncasecmp(a.p, b.p, a.n) == 0);
}

/* The octets of an IP literal: 4, 16, or 0 when it is a name. */
static size_t literal(struct slice host, unsigned char octets[16])
{
    char text[INET6_ADDRSTRLEN];
    if (host.n >= sizeof(text))
        return 0;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    if (inet_pton(AF_INET, text, octets) == 1)
        return 4;
    return inet_pton(AF_INET6, text, octets) == 1 ? 16 : 0;
}

static bool same_host(struct slice a, struct slice b)
{
    unsigned char one[16];
    unsigned char two[16];
    size_t n = literal(a, one);
    if (n != literal(b, two))
        return false;
    return n ? memcmp(one, two, n) == 0 : same_nocase(a, b);
}

bool msrp_uri_same(const struct msrp_uri *a, const struct msrp_uri *b)
{
    return a->secure == b->secure && same_host(a->host, b->host) && a->has_port == b->has_port &&
           a->port == b->port && slice_eq(a->session, b->session) &&
           same_nocase(a->transport, b->transport);
}

bool msrp_uri_same_session(const struct msrp_uri *a, const struct msrp_uri *b)
{
    return a->session.n > 0 && slice_eq(a->session, b->session);
}

struct slice msrp_path_first(struct slice path)
{
    path = slice_trim(path);
    return slice_cut(&path, ' ');
}

struct slice msrp_path_last(struct slice path)
{
    path = slice_trim(path);
    const char *blank = path.n ? memrchr(path.p, ' ', path.n) : NULL;
    if (!blank)
        return path;
    return (struct slice){blank + 1, path.n - (size_t)(blank + 1 - path.p)};
}

int msrp_path_check(struct slice path)
{
    path = slice_trim(path);
    if (path.n == 0)
        return EINVAL;
    while (path.p) {
        struct msrp_uri u;
        struct slice one = slice_cut(&path, ' ');
        if (one.n && msrp_uri_parse(one, &u) != 0)
            return EINVAL;
    }
    return 0;
}
