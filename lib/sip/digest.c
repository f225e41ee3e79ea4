/* Digest authentication, its pure part: a challenge, and the credentials that answer it (RFC 7616,
 * RFC 8760, RFC 3261 22.4). */
#include "sip/digest.h"
#include "base/buf.h"
#include "base/mem.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define VALUE_MAX 8192

/* --- A list of name=value, quoted or not. */

/* The end of a quoted string that begins at text.p[0]; 0: it does not end. */
static size_t quoted_length(struct slice text)
{
    for (size_t i = 1; i < text.n; i++) {
        if (text.p[i] == '\\')
            i++;
        else if (text.p[i] == '"')
            return i + 1;
    }
    return 0;
}

static struct slice skip(struct slice s, const char *these)
{
    while (s.n > 0 && *s.p != '\0' && strchr(these, *s.p) != NULL) {
        s.p++;
        s.n--;
    }
    return s;
}

/* The value at the start of `s`, and what follows it. What stands between quotes is not unescaped:
 * it goes back as it came, and is hashed so. Quotes that do not end take all. */
static struct slice cut_value(struct slice *s)
{
    struct slice value = {"", 0};
    bool quoted = s->n > 0 && *s->p == '"';
    size_t n = quoted ? quoted_length(*s) : 0;

    if (quoted)
        value = n > 0 ? (struct slice){s->p + 1, n - 2} : (struct slice){s->p + 1, s->n - 1};
    if (quoted && n == 0)
        n = s->n;
    while (n < s->n && s->p[n] != ',')
        n++;
    if (!quoted)
        value = slice_trim((struct slice){s->p, n});
    *s = (struct slice){s->p + n, s->n - n};
    return value;
}

bool digest_param(struct slice *rest, struct slice *name, struct slice *value)
{
    size_t n = 0;
    struct slice s = skip(*rest, " \t\r\n,");

    while (n < s.n && s.p[n] != '=' && s.p[n] != ',')
        n++;
    *name = slice_trim((struct slice){s.p, n});
    *value = (struct slice){"", 0};
    s = (struct slice){s.p + n, s.n - n};
    if (s.n > 0 && *s.p == '=') {
        s = skip((struct slice){s.p + 1, s.n - 1}, " \t");
        *value = cut_value(&s);
    }
    *rest = s;
    return name->n > 0;
}

struct slice digest_params(struct slice value)
{
    struct slice rest = value;

    if (!slice_is_nocase(slice_cut(&rest, ' '), "Digest"))
        return (struct slice){NULL, 0};
    return rest;
}

/* --- Challenges. */

static const struct {
    const char *name;
    enum hash hash;
    bool session;
} algorithms[] = {
    {"MD5", HASH_MD5, false},
    {"MD5-sess", HASH_MD5, true},
    {"SHA-256", HASH_SHA_256, false},
    {"SHA-256-sess", HASH_SHA_256, true},
    {"SHA-512-256", HASH_SHA_512_256, false},
    {"SHA-512-256-sess", HASH_SHA_512_256, true},
};

static bool read_algorithm(struct challenge *c, struct slice value)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (slice_is_nocase(value, algorithms[i].name)) {
            c->algorithm = algorithms[i].name;
            c->hash = algorithms[i].hash;
            c->session = algorithms[i].session;
            return true;
        }
    return false;
}

static bool lists(struct slice list, const char *word)
{
    while (list.p != NULL)
        if (slice_is_nocase(slice_trim(slice_cut(&list, ',')), word))
            return true;
    return false;
}

static void keep(char **text, struct slice value)
{
    free(*text);
    *text = slice_dup(value);
}

/* False: what is asked for is not known here. */
static bool read_param(struct challenge *c, struct slice name, struct slice value)
{
    if (slice_is_nocase(name, "realm"))
        keep(&c->realm, value);
    else if (slice_is_nocase(name, "nonce"))
        keep(&c->nonce, value);
    else if (slice_is_nocase(name, "opaque"))
        keep(&c->opaque, value);
    else if (slice_is_nocase(name, "stale"))
        c->stale = slice_is_nocase(value, "true");
    else if (slice_is_nocase(name, "algorithm"))
        return read_algorithm(c, value);
    else if (slice_is_nocase(name, "qop"))
        return (c->qop = lists(value, "auth"));
    return true;
}

/* What came without quotes may hold what cannot stand between them. */
bool digest_quotable(struct slice text)
{
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"' || (text.p[i] == '\\' && ++i == text.n))
            return false;
    }
    return true;
}

int challenge_parse(struct slice value, struct challenge *c)
{
    struct slice rest = digest_params(value), name, text;
    int err = rest.p != NULL ? 0 : EPROTONOSUPPORT;

    *c = (struct challenge){.hash = HASH_MD5};
    while (err == 0 && rest.n > 0 && digest_param(&rest, &name, &text))
        if (!read_param(c, name, text))
            err = EPROTONOSUPPORT;
    if (err == 0 && (c->realm == NULL || c->nonce == NULL || !digest_quotable(slice_of(c->realm)) ||
                     !digest_quotable(slice_of(c->nonce)) || !digest_quotable(slice_of(c->opaque))))
        err = EBADMSG;
    if (err != 0)
        challenge_free(c);
    return err;
}

void challenge_free(struct challenge *c)
{
    free(c->realm);
    free(c->nonce);
    free(c->opaque);
    *c = (struct challenge){.realm = NULL};
}

/* --- Credentials. */

#define COLON SLICE(":")

int digest_a1(const struct challenge *c, const char *user, const char *password, const char *cnonce,
              char a1[HASH_HEX_SIZE], char why[MODULE_WHY_SIZE])
{
    const struct slice once[] = {slice_of(user), COLON, slice_of(c->realm), COLON,
                                 slice_of(password)};
    struct slice again[] = {{a1, 0}, COLON, slice_of(c->nonce), COLON, slice_of(cnonce)};
    char first[HASH_HEX_SIZE];
    int err = hash_hex(c->hash, once, 5, c->session ? first : a1, why);

    if (err != 0 || !c->session)
        return err;
    again[0] = slice_of(first);
    err = hash_hex(c->hash, again, 5, a1, why);
    explicit_bzero(first, sizeof(first));
    return err;
}

static int response(const struct digest *d, const char *nc, char hex[HASH_HEX_SIZE],
                    char why[MODULE_WHY_SIZE])
{
    const struct challenge *c = d->challenge;
    const struct slice what[] = {slice_of(d->method), COLON, slice_of(d->uri)};
    char a2[HASH_HEX_SIZE];
    int err = hash_hex(c->hash, what, 3, a2, why);
    const struct slice plain[] = {slice_of(d->a1), COLON, slice_of(c->nonce), COLON, slice_of(a2)};
    const struct slice counted[] = {slice_of(d->a1), COLON, slice_of(c->nonce),  COLON,
                                    slice_of(nc),    COLON, slice_of(d->cnonce), COLON,
                                    SLICE("auth"),   COLON, slice_of(a2)};

    if (err != 0)
        return err;
    return c->qop ? hash_hex(c->hash, counted, 11, hex, why)
                  : hash_hex(c->hash, plain, 5, hex, why);
}

static int add_escaped(struct buf *b, const char *text)
{
    int err = 0;

    for (; *text != '\0' && err == 0; text++) {
        if (*text == '"' || *text == '\\')
            err = buf_add(b, "\\", 1);
        if (err == 0)
            err = buf_add(b, text, 1);
    }
    return err;
}

int digest_value(const struct digest *d, char **value, char why[MODULE_WHY_SIZE])
{
    const struct challenge *c = d->challenge;
    struct buf b = BUF_UP_TO(VALUE_MAX);
    char hex[HASH_HEX_SIZE], nc[9];
    int err;

    (void)snprintf(nc, sizeof(nc), "%08x", (unsigned)d->nc);
    err = response(d, nc, hex, why);
    if (err != 0)
        return err;
    err = buf_add_text(&b, "Digest username=\"");
    err = err != 0 ? err : add_escaped(&b, d->user);
    err = err != 0 ? err
                   : buf_format(&b, "\", realm=\"%s\", nonce=\"%s\", uri=\"%s\", response=\"%s\"",
                                c->realm, c->nonce, d->uri, hex);
    if (err == 0 && c->algorithm != NULL)
        err = buf_format(&b, ", algorithm=%s", c->algorithm);
    if (err == 0 && (c->qop || c->session))
        err = buf_format(&b, ", cnonce=\"%s\"", d->cnonce);
    if (err == 0 && c->qop)
        err = buf_format(&b, ", qop=auth, nc=%s", nc);
    if (err == 0 && c->opaque != NULL)
        err = buf_format(&b, ", opaque=\"%s\"", c->opaque);
    if (err != 0) {
        (void)snprintf(why, MODULE_WHY_SIZE, "the challenge is too long");
        buf_free(&b);
        return err;
    }
    *value = b.p;
    return 0;
}
