#include "sip/uri.h"

#include "base/mem.h"
#include "sip/sip.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static int bad(const char **why, const char *text)
{
    if (why != NULL)
        *why = text;
    return EINVAL;
}

static bool all_of(struct slice s, const char *marks)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) && (s.p[i] == '\0' || strchr(marks, s.p[i]) == NULL))
            return false;
    return true;
}

static bool is_ipv6(struct slice host)
{
    char text[INET6_ADDRSTRLEN];
    struct in6_addr a;

    if (host.n == 0 || host.n >= sizeof(text) || memchr(host.p, ':', host.n) == NULL)
        return false;
    memcpy(text, host.p, host.n);
    text[host.n] = '\0';
    return inet_pton(AF_INET6, text, &a) == 1;
}

static int parse_port(struct slice text, struct uri *u, const char **why)
{
    uint64_t port;

    if (!slice_number(text, 65535, &port) || port == 0)
        return bad(why, "not a port");
    u->port = (uint16_t)port;
    return 0;
}

static int parse_bracketed(struct slice text, struct uri *u, const char **why)
{
    const char *close = memchr(text.p, ']', text.n);

    if (close == NULL)
        return bad(why, "']' is missing");
    u->host = (struct slice){text.p + 1, (size_t)(close - text.p - 1)};
    if (!is_ipv6(u->host))
        return bad(why, "not an IPv6 address");
    text = (struct slice){close + 1, (size_t)(text.p + text.n - close - 1)};
    if (text.n == 0)
        return 0;
    if (text.p[0] != ':')
        return bad(why, "only a port may follow the address");
    return parse_port((struct slice){text.p + 1, text.n - 1}, u, why);
}

static int parse_hostport(struct slice text, struct uri *u, const char **why)
{
    struct slice rest = text;

    if (text.n == 0)
        return bad(why, "the host is missing");
    if (text.p[0] == '[')
        return parse_bracketed(text, u, why);
    if (is_ipv6(text)) {
        u->host = text;
        return 0;
    }
    u->host = slice_cut(&rest, ':');
    if (u->host.n == 0 || u->host.n > 255 || !all_of(u->host, "-._"))
        return bad(why, "not a host name");
    return rest.p != NULL ? parse_port(rest, u, why) : 0;
}

static int parse_sip(struct slice rest, struct uri *u, const char **why)
{
    const char *at = memrchr(rest.p, '@', rest.n);
    struct slice hostport;

    if (at != NULL) {
        u->user = (struct slice){rest.p, (size_t)(at - rest.p)};
        rest = (struct slice){at + 1, (size_t)(rest.p + rest.n - at - 1)};
        if (u->user.n == 0)
            return bad(why, "the user is missing");
        if (memchr(u->user.p, '@', u->user.n) != NULL)
            return bad(why, "more than one '@'");
    }
    if (memchr(rest.p, '?', rest.n) != NULL)
        return bad(why, "headers in a URI are not allowed here");
    hostport = slice_cut(&rest, ';');
    if (rest.p != NULL)
        u->params = rest;
    return parse_hostport(hostport, u, why);
}

static int parse_tel(struct slice rest, struct uri *u, const char **why)
{
    u->user = slice_cut(&rest, ';');
    if (rest.p != NULL)
        u->params = rest;
    for (size_t i = 0; i < u->user.n; i++) {
        char c = u->user.p[i];
        if (!isxdigit((unsigned char)c) && strchr("*-.()", c) == NULL && !(c == '+' && i == 0))
            return bad(why, "not a telephone number");
    }
    return u->user.n > 1 ? 0 : bad(why, "the number is missing");
}

int uri_parse(struct slice text, struct uri *u, const char **why)
{
    struct slice rest = text;
    struct slice scheme;

    *u = (struct uri){.scheme = URI_SIP};
    if (!all_of(text, "-_.!~*'()&=+$,;?/:@%[]"))
        return bad(why, "holds a character that no URI may have");
    scheme = slice_cut(&rest, ':');
    if (rest.p == NULL || rest.n == 0)
        return bad(why, "not a sip:, sips: or tel: URI");
    if (slice_is_nocase(scheme, "tel")) {
        u->scheme = URI_TEL;
        return parse_tel(rest, u, why);
    }
    if (slice_is_nocase(scheme, "sips"))
        u->scheme = URI_SIPS;
    else if (!slice_is_nocase(scheme, "sip"))
        return bad(why, "not a sip:, sips: or tel: URI");
    return parse_sip(rest, u, why);
}

struct slice uri_param(const struct uri *u, const char *name)
{
    struct slice rest = u->params;

    while (rest.p != NULL) {
        struct slice value = slice_cut(&rest, ';');
        struct slice key = slice_cut(&value, '=');
        if (slice_is_nocase(key, name))
            return value.p != NULL ? value : (struct slice){"", 0};
    }
    return (struct slice){NULL, 0};
}

char *uri_text(const struct uri *u)
{
    static const char *const schemes[] = {"sip", "sips", "tel"};
    bool v6 = memchr(u->host.p != NULL ? u->host.p : "", ':', u->host.n) != NULL;
    char port[8] = "";

    if (u->port != 0)
        (void)snprintf(port, sizeof(port), ":%u", u->port);
    return mem_format(
        "%s:%.*s%s%s%.*s%s%s%s%.*s", schemes[u->scheme], (int)u->user.n,
        u->user.n > 0 ? u->user.p : "", u->scheme != URI_TEL && u->user.n > 0 ? "@" : "",
        v6 ? "[" : "", (int)u->host.n, u->host.n > 0 ? u->host.p : "", v6 ? "]" : "", port,
        u->params.n > 0 ? ";" : "", (int)u->params.n, u->params.n > 0 ? u->params.p : "");
}

/* Where the display name ends: '<' outside quotes, or the end. */
static size_t name_size(struct slice value)
{
    bool quoted = false;
    size_t i;

    for (i = 0; i < value.n; i++) {
        if (quoted && value.p[i] == '\\')
            i++;
        else if (value.p[i] == '"')
            quoted = !quoted;
        else if (value.p[i] == '<' && !quoted)
            break;
    }
    return i < value.n ? i : value.n;
}

struct slice uri_of_name_addr(struct slice value)
{
    size_t open = name_size(value);
    struct slice rest = value;

    if (open == value.n)
        return slice_trim(slice_cut(&rest, ';')); /* a bare URI: parameters are the header's */
    rest = (struct slice){value.p + open + 1, value.n - open - 1};
    return slice_trim(slice_cut(&rest, '>'));
}

/* --- Comparing originators. */

/* The digits of a telephone number, with a leading '+'; false where the URI is none. */
static bool number_of(const struct uri *u, char number[64])
{
    struct slice rest = u->user;
    struct slice user = slice_cut(&rest, ';');
    size_t n = 0;

    for (size_t i = 0; i < user.n; i++) {
        char c = user.p[i];
        if (strchr("-.()", c) != NULL && c != '\0')
            continue;
        if (n == 63 || !(isdigit((unsigned char)c) || (c == '+' && n == 0)))
            return false;
        number[n++] = c;
    }
    number[n] = '\0';
    return n >= 2;
}

static bool same_number(const struct uri *a, const struct uri *b)
{
    char x[64], y[64];

    if (!number_of(a, x) || !number_of(b, y) || strcmp(x, y) != 0)
        return false;
    /* A local number means something only beside its host. */
    return x[0] == '+' || a->scheme == URI_TEL || b->scheme == URI_TEL;
}

bool sip_same_originator(const char *cpim_from, const char *from)
{
    struct uri a, b;

    if (uri_parse(uri_of_name_addr(slice_of(cpim_from)), &a, NULL) != 0 ||
        uri_parse(uri_of_name_addr(slice_of(from)), &b, NULL) != 0)
        return false;
    if (same_number(&a, &b))
        return true;
    if (a.scheme == URI_TEL || b.scheme == URI_TEL)
        return false;
    return slice_eq(a.user, b.user) && a.host.n == b.host.n &&
           strncasecmp(a.host.p, b.host.p, a.host.n) == 0 && a.port == b.port;
}

bool uri_is_secure(const char *text)
{
    return text != NULL && strncasecmp(text, "sips:", 5) == 0;
}
