/* Which requests are for us, and who may make them. */
#include "http/http_int.h"

#include "base/mem.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

/* --- Host. */

/* Splits "name", "name:port", "[v6]", "[v6]:port". False: nothing of the kind. */
static bool split(struct slice host, struct slice *name)
{
    const char *colon;
    if (host.n > 0 && host.p[0] == '[') {
        const char *end = memchr(host.p, ']', host.n);
        if (!end)
            return false;
        *name = (struct slice){host.p, (size_t)(end + 1 - host.p)};
        colon = end + 1 < host.p + host.n ? end + 1 : NULL;
    } else {
        colon = memchr(host.p, ':', host.n);
        *name = (struct slice){host.p, colon ? (size_t)(colon - host.p) : host.n};
    }
    if (name->n > 0 && name->p[name->n - 1] == '.')
        name->n--;
    uint64_t port;
    struct slice rest = {colon, colon ? host.n - (size_t)(colon - host.p) : 0};
    return name->n > 0 &&
           (rest.n == 0 || (rest.p[0] == ':' && slice_number((struct slice){rest.p + 1, rest.n - 1},
                                                             UINT16_MAX, &port)));
}

bool http_host_is_ours(struct slice host, const struct net_addr *local, const char *const *names,
                       size_t n)
{
    char text[256];
    struct slice name;
    struct net_addr address;
    if (host.n == 0 || host.n >= sizeof text || !split(host, &name))
        return false;
    memcpy(text, name.p, name.n);
    text[name.n] = '\0';
    bool here = local->ss.ss_family == AF_UNIX || net_is_loopback(local);
    bool ours = here && slice_is_nocase(name, "localhost");
    if (net_parse_host(text, 0, &address) == 0)
        ours = net_same_host(&address, local);
    for (size_t i = 0; i < n && !ours; i++)
        ours = slice_is_nocase(name, names[i]);
    return ours;
}

/* --- Authorization. */

char *http_basic(const char *user_password)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    size_t n = strlen(user_password);
    char *text = mem_new((n + 2) / 3 * 4 + 1), *to = text;
    for (size_t i = 0; i < n; i += 3) {
        unsigned bits = 0;
        for (size_t k = 0; k < 3; k++)
            bits = bits << 8 | (i + k < n ? (unsigned char)user_password[i + k] : 0u);
        *to++ = digits[bits >> 18 & 63];
        *to++ = digits[bits >> 12 & 63];
        *to++ = i + 1 < n ? digits[bits >> 6 & 63] : '=';
        *to++ = i + 2 < n ? digits[bits & 63] : '=';
    }
    return text;
}

static bool is_secret(struct slice given, const char *secret)
{
    size_t n = strlen(secret);
    volatile unsigned char differs = given.n != n;
    for (size_t i = 0; i < given.n; i++)
        differs |= (unsigned char)(given.p[i] ^ secret[n ? i % n : 0]);
    return !differs;
}

bool http_is_authorized(struct slice value, const char *token, const char *basic)
{
    struct slice rest = value;
    struct slice scheme = slice_cut(&rest, ' ');
    struct slice given = slice_trim(rest);
    if (!given.p || given.n == 0)
        return false;
    if (token && slice_is_nocase(scheme, "Bearer"))
        return is_secret(given, token);
    return basic && slice_is_nocase(scheme, "Basic") && is_secret(given, basic);
}
