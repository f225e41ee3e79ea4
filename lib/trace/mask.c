/* Who knows a session id of MSRP can take the recipient's place (RFC 4975 14.1). So many characters
 * of it stay that it can be told from others. */
#include "trace/trace_int.h"

#include <string.h>

#define SHOWN 4

static bool ends_session(char c)
{
    return (unsigned char)c <= ' ' || strchr(";\"<>,", c) != NULL;
}

/* From behind msrp:// or msrps://. */
static char *mask_one(char *at, const char *end)
{
    while (at < end && *at != '/' && !ends_session(*at))
        at++;
    if (at == end || *at != '/')
        return at;
    char *session = ++at;
    while (at < end && !ends_session(*at))
        at++;
    size_t n = (size_t)(at - session);
    size_t shown = n / 4 < SHOWN ? n / 4 : SHOWN;
    memset(session + shown, '*', n - shown);
    return at;
}

static bool is_scheme(const char *at, const char *end)
{
    return end - at >= 5 &&
           (memcmp(at, "msrp:", 5) == 0 || (end - at >= 6 && memcmp(at, "msrps:", 6) == 0));
}

void mask_sessions(char *text, size_t n)
{
    const char *end = text + n;
    char *at = text;
    while ((at = memmem(at, (size_t)(end - at), "://", 3)) != NULL) {
        bool msrp = (at - text >= 4 && is_scheme(at - 4, end)) ||
                    (at - text >= 5 && is_scheme(at - 5, end));
        at += 3;
        if (msrp)
            at = mask_one(at, end);
    }
}
