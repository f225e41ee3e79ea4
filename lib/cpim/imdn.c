#include "cpim/imdn.h"

#include "cpim/cpim.h"

#include <string.h>

static bool is_space(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static struct slice without_space(struct slice s)
{
    while (s.n && is_space(s.p[0]))
        s = (struct slice){s.p + 1, s.n - 1};
    while (s.n && is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

/* --- XML, whose elements alone are looked at. */

/* What stands behind the first of these, or nothing. */
static struct slice behind(struct slice xml, const char *text)
{
    const char *found = xml.n ? memmem(xml.p, xml.n, text, strlen(text)) : NULL;
    if (!found)
        return (struct slice){NULL, 0};
    found += strlen(text);
    return (struct slice){found, xml.n - (size_t)(found - xml.p)};
}

/* The name of an element without its prefix: of <imdn:status a="b"> it is "status". */
static struct slice local_name(struct slice tag)
{
    size_t n = 0;
    while (n < tag.n && !is_space(tag.p[n]) && tag.p[n] != '/')
        n++;
    struct slice name = {tag.p, n};
    const char *colon = n ? memrchr(tag.p, ':', n) : NULL;
    return colon ? (struct slice){colon + 1, n - (size_t)(colon + 1 - tag.p)} : name;
}

/* Takes the next tag off *xml; of one that closes an element the name is empty. False: there is
 * none. */
static bool next_tag(struct slice *xml, struct slice *name)
{
    for (;;) {
        *xml = behind(*xml, "<");
        if (slice_starts(*xml, "!--")) {
            *xml = behind(*xml, "-->");
            continue;
        }
        if (!xml->p)
            return false;
        *name = local_name(slice_cut(xml, '>'));
        return true;
    }
}

static void read_xml(struct slice xml, struct imdn *n)
{
    struct slice name;
    while (next_tag(&xml, &name)) {
        struct slice rest = xml;
        if (slice_is(name, "message-id") && !n->message_id.p)
            n->message_id = without_space(slice_cut(&rest, '<'));
        else if (slice_is(name, "status") && !n->status.p && next_tag(&rest, &name) && name.n)
            n->status = name;
    }
}

/* --- Base64 (RFC 2045 6.8). */

static int digit_of(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* What is no digit is left out; "=" ends it. */
static int decode(struct slice text, struct buf *out)
{
    unsigned bits = 0, n = 0;
    int err = 0;
    for (size_t i = 0; i < text.n && text.p[i] != '=' && !err; i++) {
        int digit = digit_of(text.p[i]);
        if (digit < 0)
            continue;
        bits = (bits << 6 | (unsigned)digit) & 0xffffff;
        n += 6;
        if (n >= 8) {
            n -= 8;
            char octet = (char)(bits >> n & 0xff);
            err = buf_add(out, &octet, 1);
        }
    }
    return err;
}

/* --- The wrapper. */

static bool unwrap(struct slice *type, struct slice *content, struct buf *decoded)
{
    struct cpim c;
    if (cpim_parse(*content, true, &c) != CPIM_OK) { /* it is not a message that we deliver */
        *type = SLICE(IMDN_TYPE);
        return behind(*content, IMDN_TYPE).p != NULL;
    }
    *type = c.content_type;
    *content = (struct slice){content->p + c.content_at, content->n - c.content_at};
    if (!slice_is_nocase(c.content_transfer_encoding, "base64"))
        return true;
    *decoded = BUF_UP_TO(IMDN_MAX);
    if (decode(*content, decoded) != 0)
        return false;
    *content = buf_slice(decoded);
    return true;
}

bool imdn_read(struct slice content_type, struct slice content, struct buf *decoded, struct imdn *n)
{
    *n = (struct imdn){{NULL, 0}, {NULL, 0}};
    *decoded = BUF_UP_TO(0);
    if (slice_is_nocase(cpim_media_type(content_type), "message/cpim") &&
        !unwrap(&content_type, &content, decoded))
        return false;
    if (!slice_is_nocase(cpim_media_type(content_type), IMDN_TYPE))
        return false;
    read_xml(content, n);
    return true;
}
