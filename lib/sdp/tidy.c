/* Puts a description into the shape that libosip2's parser wants: it is strict about the order of
 * lines, about line ends and about empty attributes, while real peers are not. */
#include "sdp/sdp_int.h"

#include <errno.h>
#include <string.h>

/* The order of RFC 4566 5. Lines of other types are left out: nothing here needs them. */
static const char session_order[] = "vosiuepcbtrzka";
static const char media_order[] = "micbka";
static const char must[] = "vost"; /* once in every description, made up where missing */

static bool attribute_sound(struct slice value)
{
    struct slice rest = value;
    struct slice name = slice_cut(&rest, ':');

    return name.n > 0 && (rest.p == NULL || slice_trim(rest).n > 0);
}

/* One line without blanks around it. */
static struct slice cut_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');

    while (line.n > 0 && (line.p[line.n - 1] == '\r' || line.p[line.n - 1] == ' '))
        line.n--;
    return slice_trim(line);
}

/* Its value; *type is 0 where it is none that can be used. */
static struct slice value_of(struct slice line, char *type)
{
    struct slice value;

    *type = 0;
    if (line.n < 3 || line.p[1] != '=')
        return line;
    value = slice_trim((struct slice){line.p + 2, line.n - 2});
    if (value.n == 0 || memchr(value.p, '\0', value.n) != NULL ||
        memchr(value.p, '\r', value.n) != NULL)
        return line;
    if (line.p[0] != 'a' || attribute_sound(value))
        *type = line.p[0];
    return value;
}

/* The length of the first section: up to the next m= line. */
static size_t section_size(struct slice text)
{
    struct slice rest = text;
    char type;

    (void)cut_line(&rest);
    while (rest.p != NULL) {
        const char *at = rest.p;
        (void)value_of(cut_line(&rest), &type);
        if (type == 'm')
            return (size_t)(at - text.p);
    }
    return text.n;
}

/* A media line without format list makes the parser read past its end. */
static bool lacks_format(char type, struct slice value)
{
    struct slice rest = value;
    int words = 0;

    while (rest.p != NULL)
        words += slice_cut(&rest, ' ').n > 0;
    return type == 'm' && words == 3;
}

static int add_line(struct buf *out, char type, struct slice value)
{
    return buf_format(out, "%c=%.*s%s\r\n", type, (int)value.n, value.p,
                      lacks_format(type, value) ? " *" : "");
}

/* Adds the lines of one type in their order; *count tells how many. */
static int add_type(struct slice section, char wanted, struct buf *out, int *count)
{
    struct slice rest = section;
    int err = 0;

    *count = 0;
    while (rest.p != NULL && err == 0) {
        char type;
        struct slice line = cut_line(&rest);
        struct slice value;
        if (line.n == 0 || line.p[0] != wanted)
            continue;
        value = value_of(line, &type);
        if (type == wanted && (strchr(must, wanted) == NULL || *count == 0)) {
            err = add_line(out, type, value);
            ++*count;
        }
    }
    return err;
}

static int add_session(struct slice section, struct buf *out)
{
    static const char *const missing[] = {"v=0\r\n", "o=- 0 0 IN IP4 0.0.0.0\r\n", "s=-\r\n",
                                          "t=0 0\r\n"};
    int err = 0;

    for (const char *t = session_order; *t != '\0' && err == 0; t++) {
        int count;
        const char *needed = strchr(must, *t);
        err = add_type(section, *t, out, &count);
        if (err == 0 && needed != NULL && count == 0)
            err = buf_add_text(out, missing[needed - must]);
    }
    return err;
}

static int add_media(struct slice section, struct buf *out)
{
    int err = 0;

    for (const char *t = media_order; *t != '\0' && err == 0; t++) {
        int count;
        err = add_type(section, *t, out, &count);
    }
    return err;
}

static bool blank(struct slice body)
{
    for (size_t i = 0; i < body.n; i++)
        if (strchr(" \t\r\n", body.p[i]) == NULL || body.p[i] == '\0')
            return false;
    return true;
}

int sdp_tidy(struct slice body, struct buf *out)
{
    struct slice rest = body;
    size_t n;
    int err;

    if (blank(body))
        return ENOMSG;
    n = section_size(rest);
    err = add_session((struct slice){rest.p, n}, out);
    while (err == 0 && n < rest.n) {
        rest = (struct slice){rest.p + n, rest.n - n};
        n = section_size(rest);
        err = add_media((struct slice){rest.p, n}, out);
    }
    return err;
}
