#include "sip/head.h"

#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

/* RFC 3261 7.3.3, RFC 3515, 3841, 3892, 4028, 4474, 6665. */
static const struct {
    char compact;
    const char *name;
} compact_forms[] = {
    {'a', "Accept-Contact"},
    {'b', "Referred-By"},
    {'c', "Content-Type"},
    {'d', "Request-Disposition"},
    {'e', "Content-Encoding"},
    {'f', "From"},
    {'i', "Call-ID"},
    {'j', "Reject-Contact"},
    {'k', "Supported"},
    {'l', "Content-Length"},
    {'m', "Contact"},
    {'n', "Identity-Info"},
    {'o', "Event"},
    {'r', "Refer-To"},
    {'s', "Subject"},
    {'t', "To"},
    {'u', "Allow-Events"},
    {'v', "Via"},
    {'x', "Session-Expires"},
    {'y', "Identity"},
};

static struct slice long_name(struct slice name)
{
    if (name.n != 1)
        return name;
    char c = (char)(name.p[0] | 0x20);
    for (size_t i = 0; i < sizeof compact_forms / sizeof *compact_forms; i++) {
        if (compact_forms[i].compact == c)
            return slice_of(compact_forms[i].name);
    }
    return name;
}

bool head_is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == '\0' || !strchr("-.!%*_+`'~", c)))
            return false;
    }
    return s.n > 0;
}

size_t head_length(struct slice in)
{
    for (size_t line = 0; line < in.n;) {
        const char *lf = memchr(in.p + line, '\n', in.n - line);
        if (!lf)
            return 0;
        size_t end = (size_t)(lf - in.p);
        if (end == line || (end == line + 1 && in.p[line] == '\r'))
            return end + 1;
        line = end + 1;
    }
    return 0;
}

/* Makes one line of a folded one, and blanks of what must not be in a head at all (with the fault):
 * libosip2 would take a lone CR for the end of a line, a NUL for the end of everything. */
static void clean(struct head *h, size_t n)
{
    char *p = h->copy;
    for (size_t i = 0; i < n; i++) {
        bool ends = p[i] == '\n' || (p[i] == '\r' && p[i + 1] == '\n');
        size_t after = i + (p[i] == '\r' ? 2 : 1);
        if (ends && i > 0 && (p[after] == ' ' || p[after] == '\t')) {
            memset(p + i, ' ', after - i);
        } else if (!ends && (p[i] == '\r' || p[i] == '\0')) {
            h->fault = p[i] == '\0' ? "NUL in a header" : "CR without LF";
            p[i] = ' ';
        }
    }
}

static struct slice next_line(struct slice *rest)
{
    struct slice line = slice_cut(rest, '\n');
    if (line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

static void add_field(struct head *h, struct slice line)
{
    struct slice value = line;
    struct slice name = slice_trim(slice_cut(&value, ':'));
    if (!value.p || !head_is_token(name)) {
        h->fault = "a line that is no header";
        return;
    }
    if (h->n == SIP_HEADERS_MAX) {
        h->fault = "too many headers";
        return;
    }
    h->f[h->n].name = long_name(name);
    h->f[h->n++].value = slice_trim(value);
}

struct head *head_new(struct slice head)
{
    struct head *h = mem_new_part(sizeof *h, offsetof(struct head, f));
    h->copy = mem_new(head.n + 2); /* clean looks two past a line's end */
    memcpy(h->copy, head.p, head.n);
    clean(h, head.n);
    struct slice rest = {h->copy, head.n};
    h->start = next_line(&rest);
    while (rest.p) {
        struct slice line = next_line(&rest);
        if (line.n == 0)
            break;
        add_field(h, line);
    }
    return h;
}

void head_free(struct head *h)
{
    if (!h)
        return;
    free(h->copy);
    free(h);
}

size_t head_count(const struct head *h, const char *name, struct slice *value)
{
    size_t count = 0;
    for (size_t i = 0; i < h->n; i++) {
        if (!slice_is_nocase(h->f[i].name, name))
            continue;
        if (count++ == 0)
            *value = h->f[i].value;
    }
    return count;
}

struct slice head_value(struct slice *rest)
{
    bool quoted = false;
    int angle = 0;
    for (size_t i = 0; i < rest->n; i++) {
        char c = rest->p[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted && (c == '<' || c == '>')) {
            angle = c == '<';
        } else if (!quoted && !angle && c == ',') {
            struct slice value = {rest->p, i};
            *rest = (struct slice){rest->p + i + 1, rest->n - i - 1};
            return slice_trim(value);
        }
    }
    struct slice value = *rest;
    *rest = (struct slice){NULL, 0};
    return slice_trim(value);
}
