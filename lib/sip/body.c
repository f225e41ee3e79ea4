/* A body that may be one part among others (RFC 2046 5.1, 5621 3): what a message says of its
 * session stands alone as a rule, and sometimes in multipart/mixed. */
#include "sip/agent.h"

#include <osipparser2/osip_parser.h>
#include <string.h>
#include <strings.h>

#define BOUNDARY_MAX 70

bool type_is(const char *type, const char *wanted)
{
    struct slice rest = slice_of(type);

    return slice_is_nocase(slice_trim(slice_cut(&rest, ';')), wanted);
}

/* The boundary with its two hyphens, as it stands at the beginning of a line. */
static struct slice boundary_of(const char *type, char room[BOUNDARY_MAX + 3])
{
    struct slice rest = slice_of(type);

    (void)slice_cut(&rest, ';');
    while (rest.p != NULL) {
        struct slice value = slice_cut(&rest, ';');
        struct slice name = slice_trim(slice_cut(&value, '='));
        value = slice_trim(value);
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"')
            value = (struct slice){value.p + 1, value.n - 2};
        if (!slice_is_nocase(name, "boundary") || value.n == 0 || value.n > BOUNDARY_MAX)
            continue;
        memcpy(room, "--", 2);
        memcpy(room + 2, value.p, value.n);
        return (struct slice){room, value.n + 2};
    }
    return (struct slice){NULL, 0};
}

/* The offset of the next line that begins with the boundary; `from` is the beginning of a line. */
static size_t find_boundary(struct slice body, size_t from, struct slice boundary)
{
    while (from < body.n) {
        const char *lf;
        if (body.n - from >= boundary.n && memcmp(body.p + from, boundary.p, boundary.n) == 0)
            return from;
        lf = memchr(body.p + from, '\n', body.n - from);
        from = lf != NULL ? (size_t)(lf + 1 - body.p) : body.n;
    }
    return body.n;
}

/* Its content, if the head of the part names the type. */
static bool take_part(struct slice part, const char *wanted, struct slice *content)
{
    struct slice rest = part;
    bool right = false;

    while (rest.p != NULL) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice value = line;
        struct slice name;
        if (line.n > 0 && line.p[line.n - 1] == '\r')
            line.n--;
        if (line.n == 0)
            break;
        value = line;
        name = slice_trim(slice_cut(&value, ':'));
        if (slice_is_nocase(name, "Content-Type"))
            right = slice_is_nocase(slice_trim(slice_cut(&value, ';')), wanted);
    }
    *content = rest;
    return right && rest.p != NULL;
}

bool body_of(const struct osip_message *m, const char *wanted, struct slice *content)
{
    char room[BOUNDARY_MAX + 3];
    const char *type;
    struct slice body = sip_body(m, &type), boundary;
    size_t at;

    *content = body;
    if (type == NULL || type_is(type, wanted))
        return body.n > 0;
    *content = (struct slice){NULL, 0};
    boundary = boundary_of(type, room);
    if (strncasecmp(type, "multipart/", 10) != 0 || boundary.n == 0)
        return false;
    at = find_boundary(body, 0, boundary);
    while (at < body.n) {
        size_t end = find_boundary(body, at + boundary.n, boundary);
        struct slice part = {body.p + at, end - at};
        (void)slice_cut(&part, '\n'); /* what is left of the boundary's line */
        if (part.p != NULL && take_part(part, wanted, content))
            return true;
        at = end;
    }
    *content = (struct slice){NULL, 0};
    return false;
}
