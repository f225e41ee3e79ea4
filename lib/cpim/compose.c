/* Writes the head of a message/cpim: by the letter of RFC 3862 and RFC 5438. */
#include "cpim/cpim.h"

#include "base/clock.h"
#include "base/rand.h"
#include "cpim/imdn.h"

#include <errno.h>
#include <stdint.h>
#include <string.h>

void cpim_new_message_id(char text[CPIM_MESSAGE_ID_SIZE])
{
    char uuid[RAND_UUID_SIZE];
    size_t n = 0;
    rand_uuid(uuid);
    for (const char *p = uuid; *p && n < CPIM_MESSAGE_ID_SIZE - 1; p++) {
        if (*p != '-')
            text[n++] = *p;
    }
    text[n] = '\0';
}

/* --- What may be written. */

static bool is_alnum(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool all_of(const char *text, const char *others)
{
    for (; *text; text++) {
        if (!is_alnum(*text) && !strchr(others, *text))
            return false;
    }
    return true;
}

#define TOKEN_CHARS      "!#$%&'*+-.^_`|~"              /* RFC 3862 3.6 */
#define URI_CHARS        "-._~:/?#[]@!$&'()*+,;=%"      /* RFC 3986 2 */
#define MIME_TOKEN_CHARS "!#$%&'*+-.^_`{|}~"            /* RFC 2045 5.1 */
#define PARAMETER_CHARS  MIME_TOKEN_CHARS " ;=\"()/:?@" /* also what stands in quotes */

/* The scheme's end, or NULL. */
static const char *after_scheme(const char *uri)
{
    const char *colon = strchr(uri, ':');
    bool letter = (*uri >= 'a' && *uri <= 'z') || (*uri >= 'A' && *uri <= 'Z');
    if (!colon || !letter)
        return NULL;
    for (const char *p = uri; p < colon; p++) {
        if (!is_alnum(*p) && !strchr("+-.", *p))
            return NULL;
    }
    return colon + 1;
}

static bool sound_host(const char *after)
{
    const char *at = strchr(after, '@');
    const char *host = at ? at + 1 : after;
    return at != after && (is_alnum(*host) || *host == '[') && !strchr(host, '@');
}

const char *cpim_uri_fault(const char *uri)
{
    const char *after = after_scheme(uri);
    if (!after)
        return "not a URI";
    if (!all_of(uri, URI_CHARS))
        return "holds a character that no URI has";
    struct slice scheme = {uri, (size_t)(after - uri) - 1};
    bool sip = slice_is_nocase(scheme, "sip") || slice_is_nocase(scheme, "sips");
    if (sip && !sound_host(after))
        return "a SIP URI without a sound user and host";
    if (slice_is_nocase(scheme, "tel") && !strchr("+0123456789*#(", *after))
        return "a tel URI without a number";
    return *after ? NULL : "not a URI";
}

/* The length of the UTF-8 character (RFC 3629) at p; 0: there is none. */
static size_t utf8_length(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;
    size_t n = u[0] < 0x80 ? 1 : u[0] < 0xc2 ? 0 : u[0] < 0xe0 ? 2 : u[0] < 0xf0 ? 3 : 4;
    if (n == 0 || u[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++) {
        if ((u[i] & 0xc0) != 0x80)
            return 0;
    }
    bool overlong = (u[0] == 0xe0 && u[1] < 0xa0) || (u[0] == 0xf0 && u[1] < 0x90);
    bool beyond = (u[0] == 0xed && u[1] > 0x9f) || (u[0] == 0xf4 && u[1] > 0x8f);
    return overlong || beyond ? 0 : n;
}

static const char *subject_fault(const char *subject)
{
    if (strpbrk(subject, "\r\n"))
        return "holds a line end";
    for (const char *p = subject; *p;) {
        size_t n = utf8_length(p);
        if (n == 0)
            return "not UTF-8";
        p += n;
    }
    return NULL;
}

static const char *message_id_fault(const char *id)
{
    if (*id == '\0' || !all_of(id, TOKEN_CHARS))
        return "not a token (letters, digits, - . _ + and the like)";
    return strlen(id) > 255 ? "longer than 255 characters" : NULL;
}

static const char *dispositions_fault(const char *list)
{
    static const char *const known[] = {"positive-delivery", "negative-delivery", "processing",
                                        "display", "interworking"};
    struct slice rest = slice_of(list);
    while (rest.p) {
        struct slice one = slice_trim(slice_cut(&rest, ','));
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            found = found || slice_is(one, known[i]);
        if (!found)
            return "not a list of positive-delivery, negative-delivery, processing, display, "
                   "interworking; nor none";
    }
    return NULL;
}

static const char *type_fault(const char *type)
{
    struct slice media = cpim_media_type(slice_of(type));
    if (media.n == 0 || media.p != type || !all_of(type, PARAMETER_CHARS))
        return "not a media type like image/jpeg";
    return NULL;
}

static bool is_notification(const struct cpim_draft *d)
{
    return slice_is_nocase(cpim_media_type(slice_of(d->type)), IMDN_TYPE);
}

static bool asks_for_notifications(const struct cpim_draft *d)
{
    return d->dispositions && strcmp(d->dispositions, "none") != 0;
}

static const char *find_fault(const struct cpim_draft *d, const char **field)
{
    const char *why;
    *field = "from";
    if ((why = cpim_uri_fault(d->from)))
        return why;
    *field = "to";
    if ((why = cpim_uri_fault(d->to)))
        return why;
    for (size_t i = 0; i < d->also_count; i++) {
        if ((why = cpim_uri_fault(d->also_to[i])))
            return why;
    }
    *field = "subject";
    if (d->subject && (why = subject_fault(d->subject)))
        return why;
    *field = "message-id";
    if ((why = message_id_fault(d->message_id)))
        return why;
    *field = "type";
    if ((why = type_fault(d->type)))
        return why;
    *field = "imdn";
    if (!asks_for_notifications(d))
        return NULL;
    return is_notification(d) ? "a notification asks for none"
                              : dispositions_fault(d->dispositions);
}

/* --- Writing it. Errors of the buffer are the limit's: they stick in *err. */

static void put(struct buf *b, int *err, const char *name, const char *value)
{
    if (*err == 0)
        *err = buf_format(b, "%s: %s\r\n", name, value);
}

static void put_uri(struct buf *b, int *err, const char *name, const char *uri)
{
    if (*err == 0)
        *err = buf_format(b, "%s: <%s>\r\n", name, uri);
}

/* RFC 3862 2.3: controls and the backslash itself have escapes, all else stands for itself. */
static int add_escaped(struct buf *b, const char *text)
{
    int err = 0;
    for (const char *p = text; *p && !err; p++) {
        unsigned char c = (unsigned char)*p;
        if (c == '\\')
            err = buf_add_text(b, "\\\\");
        else if (c == '\t')
            err = buf_add_text(b, "\\t");
        else if (c < 0x20 || c == 0x7f)
            err = buf_format(b, "\\u%04X", c);
        else
            err = buf_add(b, p, 1);
    }
    return err;
}

static void put_subject(struct buf *b, int *err, const char *subject)
{
    if (!subject || *err)
        return;
    *err = buf_add_text(b, "Subject: ");
    if (!*err)
        *err = add_escaped(b, subject);
    if (!*err)
        *err = buf_add_text(b, "\r\n");
}

/* The NS line stands last among its kind and before the first header that needs it: receivers that
 * keep headers in a hash table forget all but the last. */
static void put_imdn(struct buf *b, int *err, const struct cpim_draft *d)
{
    put(b, err, "NS", "imdn <urn:ietf:params:imdn>");
    put(b, err, "imdn.Message-ID", d->message_id);
    if (asks_for_notifications(d))
        put(b, err, "imdn.Disposition-Notification", d->dispositions);
}

static void put_content_headers(struct buf *b, int *err, const struct cpim_draft *d)
{
    put(b, err, "Content-Type", d->type);
    if (is_notification(d))
        put(b, err, "Content-Disposition", "notification"); /* RFC 5438 7.2.1.1 */
    if (d->octets >= 0 && *err == 0)
        *err = buf_format(b, "Content-Length: %lld\r\n", (long long)d->octets);
}

int cpim_compose(const struct cpim_draft *d, struct buf *head, const char **field, const char **why)
{
    char when[CLOCK_TEXT_SIZE];
    struct buf b = BUF_UP_TO(CPIM_HEAD_MAX);
    int err = 0;
    *why = find_fault(d, field);
    if (*why)
        return EINVAL;
    clock_text(when, d->wall_ms);
    put_uri(&b, &err, "From", d->from);
    put_uri(&b, &err, "To", d->to);
    for (size_t i = 0; i < d->also_count; i++)
        put_uri(&b, &err, "To", d->also_to[i]);
    put(&b, &err, "DateTime", when);
    put_subject(&b, &err, d->subject);
    put_imdn(&b, &err, d);
    if (!err)
        err = buf_add_text(&b, "\r\n");
    put_content_headers(&b, &err, d);
    if (!err)
        err = buf_add_text(&b, "\r\n");
    if (!err)
        err = buf_add_slice(head, buf_slice(&b));
    buf_free(&b);
    return err;
}
