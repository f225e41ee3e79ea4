/* Who asks for credentials, and what they get (RFC 3261 22, RFC 7616 3.3 to 3.6, RFC 8760 2). */
#include "sip/auth.h"

#include "base/err.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/rand.h"
#include "sip/agent.h"
#include "sip/digest.h"
#include "sip/parts.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CHALLENGES_MAX 16 /* that are looked at in one response */
#define CNONCE_SIZE    24

struct realm {
    bool proxy;
    struct challenge challenge;
    char a1[HASH_HEX_SIZE];
    char cnonce[CNONCE_SIZE + 1]; /* one for each nonce */
    uint32_t nc;
};

struct auth {
    const struct sip_config *config;
    char *password; /* NULL: none */
    struct realm v[AUTH_REALMS_MAX];
    size_t n;
};

static const char *const asks[] = {"WWW-Authenticate", "Proxy-Authenticate"};
static const char *const tells[] = {"Authorization", "Proxy-Authorization"};

/* --- Life. */

int auth_new(struct auth **out, const struct sip_config *config, struct sip_fault *f)
{
    struct auth *a = mem_new(sizeof(*a));
    int err = 0;

    a->config = config;
    *out = a;
    if (config->auth_password_file != NULL && config->auth_user != NULL)
        err = file_read_secret(config->auth_password_file, &a->password);
    return err == 0 ? 0
                    : fault_set(f, EX_NOPERM, config->auth_password_file, file_secret_error(err),
                                "one line, in a file with mode 600");
}

static void realm_free(struct realm *r)
{
    challenge_free(&r->challenge);
    explicit_bzero(r, sizeof(*r));
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    auth_forget(a, false);
    file_forget_secret(a->password);
    free(a);
}

void auth_forget(struct auth *a, bool proxies_stay)
{
    size_t kept = 0;

    for (size_t i = 0; i < a->n; i++) {
        if (proxies_stay && a->v[i].proxy)
            a->v[kept++] = a->v[i];
        else
            realm_free(&a->v[i]);
    }
    explicit_bzero(&a->v[kept],
                   (a->n - kept) * sizeof(a->v[0])); /* also of what moved to the front */
    a->n = kept;
}

static struct realm *realm_find(struct auth *a, bool proxy, const char *realm)
{
    for (size_t i = 0; i < a->n; i++)
        if (a->v[i].proxy == proxy && strcmp(a->v[i].challenge.realm, realm) == 0)
            return &a->v[i];
    return NULL;
}

/* --- Challenges. */

/* The nonce that the request used for this realm; p == NULL: it had no credentials for it. */
static struct slice nonce_used(const struct osip_message *request, bool proxy, const char *realm)
{
    const char *value;

    for (int i = 0; (value = sip_header(request, tells[proxy], i)) != NULL; i++) {
        struct slice rest = digest_params(slice_of(value)), name, text;
        struct slice nonce = {"", 0};
        bool same = false;
        while (rest.n > 0 && digest_param(&rest, &name, &text)) {
            same = same || (slice_is_nocase(name, "realm") && slice_is(text, realm));
            if (slice_is_nocase(name, "nonce"))
                nonce = text;
        }
        if (same)
            return nonce;
    }
    return (struct slice){NULL, 0};
}

/* Was this realm answered, and the answer found wrong? What was sent unasked, with a nonce of
 * before, may have been too old also where the peer does not say so. */
static bool is_refusal(const struct challenge *c, const struct osip_message *request, bool proxy,
                       unsigned tries)
{
    struct slice nonce = nonce_used(request, proxy, c->realm);

    if (nonce.p == NULL || c->stale)
        return false;
    return tries > 0 || slice_is(nonce, c->nonce);
}

/* Takes over the challenge. */
static bool answer_with(struct auth *a, bool proxy, struct challenge *c, struct sip_fault *f)
{
    struct realm *r = realm_find(a, proxy, c->realm), fresh = {.proxy = proxy, .challenge = *c};
    char why[MODULE_WHY_SIZE];
    int err;

    rand_token(fresh.cnonce, CNONCE_SIZE);
    err = digest_a1(c, a->config->auth_user, a->password, fresh.cnonce, fresh.a1, why);
    if (r == NULL && a->n < AUTH_REALMS_MAX)
        r = &a->v[a->n];
    if (err != 0 || r == NULL) {
        (void)fault_set(f, EX_NOPERM, c->realm, err != 0 ? why : "too many realms", NULL);
        challenge_free(c);
        r = NULL;
    } else if (r == &a->v[a->n]) {
        a->n++;
    } else {
        realm_free(r);
    }
    if (r != NULL)
        *r = fresh;
    explicit_bzero(&fresh, sizeof(fresh));
    return r != NULL;
}

struct asked {
    bool proxy;
    bool done; /* looked at with another one of its realm */
    struct challenge challenge;
};

static size_t read_challenges(const struct osip_message *response, struct asked *list)
{
    const char *value;
    size_t n = 0;

    for (int k = 0; k < 2; k++)
        for (int i = 0; (value = sip_header(response, asks[k], i)) != NULL; i++)
            if (n < CHALLENGES_MAX && challenge_parse(slice_of(value), &list[n].challenge) == 0) {
                list[n].proxy = k == 1;
                list[n++].done = false;
            }
    return n;
}

static bool of_one_realm(const struct asked *a, const struct asked *b)
{
    return a->proxy == b->proxy && strcmp(a->challenge.realm, b->challenge.realm) == 0;
}

/* The first of a realm that is not MD5, else its first: the order is the server's (RFC 8760 2.4),
 * but nobody on the way shall be able to talk us down. */
static struct asked *best_of(struct asked *list, size_t n, struct asked *first)
{
    struct asked *best = first;

    for (struct asked *k = first; k < list + n; k++)
        if (of_one_realm(k, first)) {
            k->done = true;
            if (best->challenge.hash == HASH_MD5 && k->challenge.hash != HASH_MD5)
                best = k;
        }
    return best;
}

static bool take_all(struct auth *a, const struct osip_message *request, struct asked *list,
                     size_t n, unsigned tries, struct sip_fault *f)
{
    bool any = false;

    for (size_t i = 0; i < n; i++) {
        struct asked *best = list[i].done ? NULL : best_of(list, n, &list[i]);
        if (best == NULL)
            continue;
        if (is_refusal(&best->challenge, request, best->proxy, tries)) {
            (void)fault_set(f, EX_NOPERM, best->challenge.realm, "does not take the credentials",
                            "look at --auth-user and the password file");
            return false;
        }
        any = answer_with(a, best->proxy, &best->challenge, f) || any;
        best->challenge = (struct challenge){.realm = NULL}; /* taken over */
    }
    return any;
}

bool auth_challenged(struct auth *a, const struct osip_message *request,
                     const struct osip_message *response, unsigned *tries, struct sip_fault *f)
{
    struct asked list[CHALLENGES_MAX];
    size_t n = read_challenges(response, list);
    bool again = false;

    (void)fault_set(f, EX_NOPERM, n > 0 ? list[0].challenge.realm : "", "wants credentials",
                    "give --auth-user and --auth-password-file");
    if (n == 0)
        (void)fault_set(f, EX_NOPERM, "", "no challenge that is understood here", NULL);
    else if (*tries >= AUTH_TRIES_MAX)
        (void)fault_set(f, EX_NOPERM, list[0].challenge.realm, "asks again and again", NULL);
    else if (a->password != NULL)
        again = take_all(a, request, list, n, *tries, f);
    for (size_t i = 0; i < n; i++)
        challenge_free(&list[i].challenge);
    ++*tries;
    return again;
}

/* --- Credentials. */

static void add_one(const struct auth *a, struct realm *r, struct osip_message *m, const char *uri)
{
    struct digest d = {.challenge = &r->challenge,
                       .a1 = r->a1,
                       .user = a->config->auth_user,
                       .method = sip_method(m),
                       .uri = uri,
                       .cnonce = r->cnonce,
                       .nc = ++r->nc};
    char why[MODULE_WHY_SIZE];
    char *value;

    if (digest_value(&d, &value, why) != 0) {
        err_warn("no credentials for \"%s\": %s", r->challenge.realm, why);
        return;
    }
    if (sip_header_add(m, tells[r->proxy], value) != 0)
        err_warn("no credentials for \"%s\": they would make no header", r->challenge.realm);
    free(value);
}

void auth_add(struct auth *a, struct osip_message *request)
{
    char *uri = a->n > 0 ? sip_request_uri(request) : NULL;

    for (size_t i = 0; uri != NULL && i < a->n; i++)
        add_one(a, &a->v[i], request, uri);
    free(uri);
}

/* It names no realm, so it counts where only one can be meant. */
void auth_note(struct auth *a, const struct osip_message *response)
{
    static const char *const infos[] = {"Authentication-Info", "Proxy-Authentication-Info"};

    for (int k = 0; k < 2; k++) {
        struct slice rest = slice_of(sip_header(response, infos[k], 0)), name, value;
        struct realm *one = NULL;
        size_t count = 0;
        for (size_t i = 0; i < a->n; i++)
            if (a->v[i].proxy == (k == 1)) {
                one = &a->v[i];
                count++;
            }
        while (count == 1 && rest.n > 0 && digest_param(&rest, &name, &value))
            if (slice_is_nocase(name, "nextnonce") && value.n > 0 && digest_quotable(value)) {
                free(one->challenge.nonce);
                one->challenge.nonce = slice_dup(value);
                one->nc = 0;
            }
    }
}

/* --- Those of an INVITE, for its ACK. */

void credentials_free(struct credentials *c)
{
    for (size_t i = 0; i < c->n; i++)
        free(c->v[i].value);
    c->n = 0;
}

void credentials_take(struct credentials *c, const struct osip_message *request)
{
    const char *value;

    credentials_free(c);
    for (int k = 0; k < 2; k++)
        for (int i = 0; (value = sip_header(request, tells[k], i)) != NULL; i++)
            if (c->n < AUTH_REALMS_MAX) {
                c->v[c->n].proxy = k == 1;
                c->v[c->n++].value = mem_dup(value);
            }
}

void credentials_copy(struct credentials *c, const struct credentials *from)
{
    c->n = from->n;
    for (size_t i = 0; i < from->n; i++) {
        c->v[i].proxy = from->v[i].proxy;
        c->v[i].value = mem_dup(from->v[i].value);
    }
}

void credentials_add(const struct credentials *c, struct osip_message *request)
{
    for (size_t i = 0; i < c->n; i++)
        (void)sip_header_add(request, tells[c->v[i].proxy], c->v[i].value); /* it was one before */
}
