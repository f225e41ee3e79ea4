#include "journal/line.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/num.h"
#include "base/utf8.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* --- Reading. */

static bool is_alnum(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Besides letters and digits. */
enum { IN_NAME = 1, IN_BARE = 2 };
static const unsigned char marks[256] = {
    ['.'] = IN_NAME | IN_BARE, ['-'] = IN_NAME | IN_BARE, ['_'] = IN_NAME | IN_BARE,
    ['~'] = IN_BARE,           [':'] = IN_BARE,           ['/'] = IN_BARE,
    ['@'] = IN_BARE,           ['+'] = IN_BARE,           [';'] = IN_BARE,
    [','] = IN_BARE,           ['%'] = IN_BARE,           ['*'] = IN_BARE,
};

static bool is_bare(char c)
{
    return is_alnum(c) || (marks[(unsigned char)c] & IN_BARE);
}

/* Names of programs, events and keys. */
static bool is_name(struct slice s)
{
    if (s.n == 0 || s.n > LINE_NAME_MAX || !is_alnum(s.p[0]))
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!is_alnum(s.p[i]) && !(marks[(unsigned char)s.p[i]] & IN_NAME))
            return false;
    }
    return true;
}

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* Decodes after the opening quote; *rest is left behind the closing one. */
static int quoted(struct slice *rest, char *out, size_t *n)
{
    size_t i = 0;
    *n = 0;
    for (; i < rest->n && rest->p[i] != '"'; i++) {
        char c = rest->p[i];
        if (c == '\\') {
            if (++i >= rest->n)
                return EBADMSG;
            c = rest->p[i];
            if (c == 'x') {
                if (i + 2 >= rest->n || hex(rest->p[i + 1]) < 0 || hex(rest->p[i + 2]) < 0)
                    return EBADMSG;
                c = (char)(hex(rest->p[i + 1]) << 4 | hex(rest->p[i + 2]));
                i += 2;
            } else if (c != '"' && c != '\\') {
                return EBADMSG;
            }
        }
        out[(*n)++] = c;
    }
    if (i >= rest->n)
        return EBADMSG;
    *rest = (struct slice){rest->p + i + 1, rest->n - i - 1};
    return 0;
}

static int bare(struct slice *rest, char *out, size_t *n)
{
    size_t i = 0;
    while (i < rest->n && is_bare(rest->p[i]))
        i++;
    if (i == 0)
        return EBADMSG;
    memcpy(out, rest->p, i);
    *n = i;
    *rest = (struct slice){rest->p + i, rest->n - i};
    return 0;
}

static int take_pairs(struct slice rest, struct line *l, size_t used)
{
    while (rest.n > 0) {
        struct slice key = slice_cut(&rest, '=');
        size_t n;
        if (!rest.p || !is_name(key) || l->count == LINE_MAX_KEYS)
            return EBADMSG;
        char *to = l->store + used;
        memcpy(to, key.p, key.n);
        struct line_pair pair = {{to, key.n}, {to + key.n, 0}};
        used += key.n;
        int err;
        if (rest.n > 0 && rest.p[0] == '"') {
            rest = (struct slice){rest.p + 1, rest.n - 1};
            err = quoted(&rest, l->store + used, &n);
        } else {
            err = bare(&rest, l->store + used, &n);
        }
        if (err || (rest.n > 0 && rest.p[0] != ' '))
            return EBADMSG;
        pair.value.n = n;
        used += n;
        if (slice_is(pair.key, "sid"))
            l->sid = pair.value;
        l->pairs[l->count++] = pair;
        if (rest.n == 1)
            return EBADMSG; /* a blank at the end: something is missing behind it */
        if (rest.n > 0)
            rest = (struct slice){rest.p + 1, rest.n - 1};
    }
    return 0;
}

/* "program[pid]" */
static int take_program(struct slice word, struct line *l, size_t *used)
{
    struct slice name = slice_cut(&word, '[');
    uint64_t pid;
    if (!word.p || word.n < 2 || word.p[word.n - 1] != ']' || !is_name(name) ||
        !slice_number((struct slice){word.p, word.n - 1}, INT32_MAX, &pid))
        return EBADMSG;
    memcpy(l->store + *used, name.p, name.n);
    l->program = (struct slice){l->store + *used, name.n};
    *used += name.n;
    l->pid = (pid_t)pid;
    return 0;
}

int line_parse(struct slice text, struct line *l)
{
    size_t used = 0;
    l->wall_ms = 0;
    l->pid = 0;
    l->program = l->sid = (struct slice){"", 0};
    l->count = 0;
    if (text.n == 0 || text.n >= LINE_MAX_SIZE || memchr(text.p, '\0', text.n) ||
        (text.n >= 2 && memcmp(text.p + text.n - 2, " !", 2) == 0))
        return EBADMSG;
    struct slice rest = text;
    struct slice word = slice_cut(&rest, ' ');
    if (clock_parse(word.p, word.n, &l->wall_ms) == 0) {
        word = slice_cut(&rest, ' ');
        if (!rest.p || take_program(word, l, &used) != 0)
            return EBADMSG;
        word = slice_cut(&rest, ' ');
    }
    if (!is_name(word) || (rest.p && rest.n == 0))
        return EBADMSG;
    memcpy(l->store + used, word.p, word.n);
    l->event = (struct slice){l->store + used, word.n};
    return take_pairs(rest, l, used + word.n);
}

struct slice line_get(const struct line *l, const char *key)
{
    for (size_t i = l->count; i-- > 0;) {
        if (slice_is(l->pairs[i].key, key))
            return l->pairs[i].value;
    }
    return (struct slice){NULL, 0};
}

/* --- Writing. The text before line_end begins with the event; the head is put before it then. */

#define HEAD_ROOM (CLOCK_TEXT_SIZE + LINE_NAME_MAX + 16)
#define BODY_MAX  (LINE_MAX_SIZE - HEAD_ROOM - 1)

static void add(struct line_out *o, const char *p, size_t n)
{
    if (o->error || n > BODY_MAX - o->n) {
        o->error = EMSGSIZE;
        return;
    }
    memcpy(o->text + o->n, p, n);
    o->n += n;
}

/* One octet of a quoted value: as it stands, or escaped. */
static size_t escape(char c, char out[4])
{
    static const char digits[] = "0123456789abcdef";
    unsigned char u = (unsigned char)c;
    if (c == '"' || c == '\\') {
        out[0] = '\\';
        out[1] = c;
        return 2;
    }
    if (u < ' ' || u == 0x7f) {
        memcpy(out, (char[]){'\\', 'x', digits[u >> 4], digits[u & 15]}, 4);
        return 4;
    }
    out[0] = c;
    return 1;
}

static bool all_bare(struct slice v)
{
    for (size_t i = 0; i < v.n; i++) {
        if (!is_bare(v.p[i]))
            return false;
    }
    return v.n > 0;
}

static void add_key(struct line_out *o, const char *key)
{
    add(o, " ", 1);
    add(o, key, strlen(key));
    add(o, "=", 1);
}

void line_begin(struct line_out *o, const char *event, const char *sid)
{
    o->n = 0;
    o->error = 0;
    add(o, event, strlen(event));
    line_text(o, "sid", sid);
}

static void add_pair(struct line_out *o, const char *key, struct slice value)
{
    char piece[4];
    if (!value.p)
        return;
    add_key(o, key);
    if (all_bare(value)) {
        add(o, value.p, value.n);
        return;
    }
    add(o, "\"", 1);
    for (size_t i = 0; i < value.n; i++)
        add(o, piece, escape(value.p[i], piece));
    add(o, "\"", 1);
}

void line_text(struct line_out *o, const char *key, const char *value)
{
    add_pair(o, key, slice_of(value));
}

void line_number(struct line_out *o, const char *key, int64_t value)
{
    char text[NUM_DIGITS + 1] = "-";
    size_t n = value < 0;
    n += num_digits(text + n, value < 0 ? -(uint64_t)value : (uint64_t)value);
    add_pair(o, key, (struct slice){text, n});
}

#define ELLIPSIS "\xe2\x80\xa6"

void line_free_text(struct line_out *o, const char *key, struct slice value)
{
    if (!value.p || o->error)
        return;
    size_t frame = strlen(key) + 4 + sizeof ELLIPSIS; /* blank, =, two quotes, the ellipsis */
    size_t left = BODY_MAX - o->n;
    if (left < frame)
        return;
    left -= frame;
    size_t fits = 0, used = 0;
    char piece[4];
    for (; fits < value.n; fits++) {
        used += escape(value.p[fits], piece);
        if (used > left)
            break;
    }
    if (fits == value.n) {
        add_pair(o, key, value);
        return;
    }
    fits = utf8_whole(value.p, fits);
    char cut[LINE_MAX_SIZE];
    memcpy(cut, value.p, fits);
    memcpy(cut + fits, ELLIPSIS, sizeof ELLIPSIS - 1);
    add_pair(o, key, (struct slice){cut, fits + sizeof ELLIPSIS - 1});
}

int line_end(struct line_out *o)
{
    char head[HEAD_ROOM];
    const char *name = err_name();
    size_t length = strlen(name);
    if (o->error || length > LINE_NAME_MAX)
        return o->error ? o->error : EMSGSIZE;
    clock_text(head, clock_wall_ms());
    char *p = head + CLOCK_TEXT_SIZE - 1;
    *p++ = ' ';
    memcpy(p, name, length);
    p += length;
    *p++ = '[';
    p += num_digits(p, (uint64_t)getpid());
    memcpy(p, "] ", 2);
    size_t n = (size_t)(p + 2 - head);
    memmove(o->text + n, o->text, o->n);
    memcpy(o->text, head, n);
    o->n += n;
    o->text[o->n++] = '\n';
    o->text[o->n] = '\0';
    return 0;
}

int line_complete(struct slice text, struct line_out *o)
{
    o->n = 0;
    o->error = 0;
    add(o, text.p, text.n);
    return line_end(o);
}
