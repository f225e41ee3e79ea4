/* Reading a description and judging an answer (RFC 4975 8, RFC 6135 4.2). */
#include "base/mem.h"
#include "sdp/sdp_int.h"

#include <ctype.h>
#include <errno.h>
#include <osipparser2/osip_port.h>
#include <osipparser2/sdp_message.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#define SESSION_LEVEL (-1)

static const char *attribute_at(sdp_message_t *sdp, int level, const char *name)
{
    const sdp_attribute_t *a;

    for (int i = 0; (a = sdp_message_attribute_get(sdp, level, i)) != NULL; i++)
        if (strcasecmp(a->a_att_field, name) == 0)
            return a->a_att_value != NULL ? a->a_att_value : "";
    return NULL;
}

static const char *attribute(sdp_message_t *sdp, int media, const char *name)
{
    const char *value = attribute_at(sdp, media, name);

    return value != NULL ? value : attribute_at(sdp, SESSION_LEVEL, name);
}

/* A copy with the blanks between words reduced to one each. */
static char *words(const char *text)
{
    struct slice rest = slice_of(text);
    char *copy = mem_new(rest.n + 1);
    size_t n = 0;

    while (rest.p != NULL) {
        struct slice word = slice_trim(slice_cut(&rest, ' '));
        if (word.n == 0)
            continue;
        if (n > 0)
            copy[n++] = ' ';
        memcpy(copy + n, word.p, word.n);
        n += word.n;
    }
    return copy;
}

static int add_all(sdp_message_t *sdp, int level, const char *name, struct buf *out)
{
    const sdp_attribute_t *a;
    int err = 0;

    for (int i = 0; err == 0 && (a = sdp_message_attribute_get(sdp, level, i)) != NULL; i++)
        if (strcasecmp(a->a_att_field, name) == 0 && a->a_att_value != NULL)
            err = buf_format(out, " %s", a->a_att_value);
    return err;
}

/* There may be one for each hash and each certificate (RFC 8122 5). */
static char *fingerprints(sdp_message_t *sdp, int media)
{
    struct buf all = BUF_UP_TO(SDP_MAX_SIZE);
    int err = add_all(sdp, media, "fingerprint", &all);

    if (err == 0 && all.n == 0)
        err = add_all(sdp, SESSION_LEVEL, "fingerprint", &all);
    char *list = words(err == 0 && all.n > 0 ? all.p : "");
    buf_free(&all);
    return list;
}

static char *lower(char *text)
{
    for (char *p = text; *p != '\0'; p++)
        *p = (char)tolower((unsigned char)*p);
    return text;
}

static int64_t octets(struct slice text)
{
    uint64_t n;

    return slice_number(slice_trim(text), INT64_MAX, &n) ? (int64_t)n : -1;
}

/* The size selector, also beside others: name:"a b" type:text/plain size:17 (RFC 5547 6). */
static int64_t selector_size(const char *value)
{
    struct slice rest = slice_of(value);

    while (rest.p != NULL) {
        struct slice word = slice_cut(&rest, ' ');
        if (slice_starts(word, "size:"))
            return octets((struct slice){word.p + 5, word.n - 5});
    }
    return -1;
}

static const char *direction(sdp_message_t *sdp, int media)
{
    static const char *const all[] = {"sendonly", "recvonly", "inactive", "sendrecv"};

    for (int level = media;; level = SESSION_LEVEL) {
        for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
            if (attribute_at(sdp, level, all[i]) != NULL)
                return all[i];
        if (level == SESSION_LEVEL)
            return "sendrecv";
    }
}

static const char *address(sdp_message_t *sdp, int media)
{
    const char *addr = sdp_message_c_addr_get(sdp, media, 0);

    return addr != NULL ? addr : sdp_message_c_addr_get(sdp, SESSION_LEVEL, 0);
}

static int message_media(sdp_message_t *sdp)
{
    for (int i = 0; !sdp_message_endof_media(sdp, i); i++) {
        const char *media = sdp_message_m_media_get(sdp, i);
        if (media != NULL && strcasecmp(media, "message") == 0)
            return i;
    }
    return -1;
}

static void take_media(sdp_message_t *sdp, struct sdp_view *m)
{
    int i = message_media(sdp);
    uint64_t port;

    m->found = i >= 0;
    while (!sdp_message_endof_media(sdp, m->count))
        m->count++;
    m->max_size = m->size = -1;
    if (m->found) {
        if (slice_number(slice_of(sdp_message_m_port_get(sdp, i)), 65535, &port))
            m->port = (unsigned)port;
        m->max_size = octets(slice_of(attribute(sdp, i, "max-size")));
        m->size = selector_size(attribute(sdp, i, "file-selector"));
        m->cema = attribute(sdp, i, "msrp-cema") != NULL;
    }
    m->proto = words(m->found ? sdp_message_m_proto_get(sdp, i) : NULL);
    m->address = words(m->found ? address(sdp, i) : NULL);
    m->path = words(m->found ? attribute(sdp, i, "path") : NULL);
    m->setup = lower(words(m->found ? attribute(sdp, i, "setup") : NULL));
    m->accept_types = words(m->found ? attribute(sdp, i, "accept-types") : NULL);
    m->wrapped_types = words(m->found ? attribute(sdp, i, "accept-wrapped-types") : NULL);
    m->direction = words(m->found ? direction(sdp, i) : NULL);
    m->fingerprint = m->found ? fingerprints(sdp, i) : words("");
}

int sdp_read(struct slice body, struct sdp_view *m)
{
    /* The tidied copy is longer than the body by a few made-up lines and line ends. */
    struct buf text = BUF_UP_TO(2 * SDP_MAX_SIZE + 512);
    sdp_message_t *sdp = NULL;
    int err = body.n <= SDP_MAX_SIZE ? sdp_tidy(body, &text) : EBADMSG;

    *m = (struct sdp_view){.port = 0};
    if (err != 0)
        goto out;
    err = EBADMSG;
    /* Spare zero bytes: the parser may look one past the end. */
    if (buf_add(&text, "\0\0\0\0", 4) != 0 || sdp_message_init(&sdp) != 0)
        goto out;
    if (sdp_message_parse(sdp, text.p) != 0)
        goto out;
    take_media(sdp, m);
    err = 0;
out:
    sdp_message_free(sdp);
    buf_free(&text);
    return err;
}

void sdp_view_free(struct sdp_view *m)
{
    free(m->proto);
    free(m->address);
    free(m->path);
    free(m->setup);
    free(m->accept_types);
    free(m->wrapped_types);
    free(m->direction);
    free(m->fingerprint);
    *m = (struct sdp_view){.port = 0};
}

static bool type_matches(struct slice pattern, struct slice type)
{
    if (slice_is(pattern, "*"))
        return true;
    if (pattern.n >= 2 && pattern.p[pattern.n - 1] == '*' && pattern.p[pattern.n - 2] == '/')
        return type.n >= pattern.n && strncasecmp(pattern.p, type.p, pattern.n - 1) == 0;
    return pattern.n == type.n && strncasecmp(pattern.p, type.p, type.n) == 0;
}

bool sdp_accepts(const char *types, const char *type)
{
    struct slice rest = slice_of(types);
    struct slice wanted_rest = slice_of(type);
    struct slice wanted = slice_trim(slice_cut(&wanted_rest, ';'));

    while (rest.p != NULL) {
        struct slice word = slice_cut(&rest, ' ');
        struct slice pattern = slice_trim(slice_cut(&word, ';'));
        if (pattern.n > 0 && type_matches(pattern, wanted))
            return true;
    }
    return false;
}

/* A type in neither list must not be sent (RFC 4975 8.6). Where nothing is said of what may be
 * wrapped, the recipient judges when it comes. */
static bool takes_wrapped(const struct sdp_view *a, const char *type)
{
    return type == NULL || a->wrapped_types[0] == '\0' || sdp_accepts(a->wrapped_types, type) ||
           sdp_accepts(a->accept_types, type);
}

struct sdp_refusal sdp_answer_check(const struct sdp_view *a, int64_t octets_to_send,
                                    const char *type)
{
    if (!a->found)
        return (struct sdp_refusal){EX_PROTOCOL, "no-media", "the answer has no message media"};
    if (a->port == 0)
        return (struct sdp_refusal){EX_UNAVAILABLE, "media-refused",
                                    "the answer refuses the message media (port 0)"};
    if (strcmp(a->direction, "inactive") == 0)
        return (struct sdp_refusal){EX_UNAVAILABLE, "inactive",
                                    "the answer puts the message media on hold (inactive)"};
    if (strcmp(a->direction, "sendonly") == 0)
        return (struct sdp_refusal){EX_UNAVAILABLE, "sendonly",
                                    "the recipient would only send (a=sendonly in the answer)"};
    if (a->path[0] == '\0')
        return (struct sdp_refusal){EX_PROTOCOL, "no-path", "the answer has no a=path"};
    if (a->accept_types[0] != '\0' && !sdp_accepts(a->accept_types, "message/cpim"))
        return (struct sdp_refusal){EX_UNAVAILABLE, "types",
                                    "the recipient does not accept message/cpim"};
    if (!takes_wrapped(a, type))
        return (struct sdp_refusal){EX_UNAVAILABLE, "types",
                                    "the recipient does not accept the content's type"};
    if (a->max_size >= 0 && octets_to_send > a->max_size)
        return (struct sdp_refusal){EX_UNAVAILABLE, "too-large",
                                    "the message is larger than the recipient's a=max-size"};
    return (struct sdp_refusal){0, NULL, NULL};
}

struct sdp_refusal sdp_read_refusal(int error)
{
    if (error == ENOMSG)
        return (struct sdp_refusal){EX_PROTOCOL, "no-answer-sdp",
                                    "the 200 carries no session description"};
    return (struct sdp_refusal){EX_PROTOCOL, "bad-sdp",
                                "the answer's session description cannot be read"};
}

const char *sdp_answer_setup(const struct sdp_view *a)
{
    if (strcmp(a->setup, "active") == 0)
        return "active";
    return strcmp(a->setup, "passive") == 0 ? "passive" : "";
}
