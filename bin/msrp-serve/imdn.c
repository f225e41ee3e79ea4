#include "bin/msrp-serve/imdn.h"

#include "cpim/cpim.h"

#include <string.h>

#define IMDN_TYPE "message/imdn+xml"

/* What follows the first `tag`, or nothing. */
static struct slice behind(struct slice xml, const char *tag)
{
    const char *found = xml.n ? memmem(xml.p, xml.n, tag, strlen(tag)) : NULL;
    if (!found)
        return (struct slice){NULL, 0};
    found += strlen(tag);
    return (struct slice){found, xml.n - (size_t)(found - xml.p)};
}

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

/* <status><delivered/></status>: the name of the element. */
static struct slice status_of(struct slice xml)
{
    struct slice s = without_space(behind(xml, "<status>"));
    if (s.n == 0 || s.p[0] != '<')
        return (struct slice){NULL, 0};
    s = (struct slice){s.p + 1, s.n - 1};
    size_t n = 0;
    while (n < s.n && s.p[n] != '/' && s.p[n] != '>' && !is_space(s.p[n]))
        n++;
    return (struct slice){s.p, n};
}

static void read_xml(struct slice xml, struct imdn *n)
{
    struct slice id = behind(xml, "<message-id>");
    n->message_id = without_space(slice_cut(&id, '<'));
    n->status = status_of(xml);
}

bool imdn_read(struct slice content_type, struct slice content, struct imdn *n)
{
    struct cpim c;
    *n = (struct imdn){{NULL, 0}, {NULL, 0}};
    if (slice_is_nocase(cpim_media_type(content_type), "message/cpim")) {
        if (cpim_parse(content, true, &c) != CPIM_OK)
            return false;
        content_type = c.content_type;
        content = (struct slice){content.p + c.content_at, content.n - c.content_at};
    }
    if (!slice_is_nocase(cpim_media_type(content_type), IMDN_TYPE))
        return false;
    read_xml(content, n);
    return true;
}
