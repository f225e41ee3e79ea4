/* a=fingerprint (RFC 8122 5, RFC 4572 5). */
#include "openssl/openssl.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <openssl/x509.h>

#include "base/slice.h"

void openssl_fingerprint(const X509 *cert, char text[FINGERPRINT_SIZE])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    text[0] = '\0';
    if (X509_digest(cert, EVP_sha256(), sum, &n) != 1 || n != 32)
        return;
    int at = snprintf(text, FINGERPRINT_SIZE, "sha-256 ");
    for (unsigned i = 0; i < n; i++)
        at += snprintf(text + at, FINGERPRINT_SIZE - (size_t)at, i ? ":%02X" : "%02X", sum[i]);
}

/* MD2 and MD5 are forbidden (RFC 8122 5). */
static const EVP_MD *hash_named(struct slice name)
{
    static const struct {
        const char *name;
        const EVP_MD *(*md)(void);
    } known[] = {{"sha-1", EVP_sha1},
                 {"sha-224", EVP_sha224},
                 {"sha-256", EVP_sha256},
                 {"sha-384", EVP_sha384},
                 {"sha-512", EVP_sha512}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (slice_is_nocase(name, known[i].name))
            return known[i].md();
    }
    return NULL;
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, c >= 'A' && c <= 'F' ? c - 'A' + 'a' : c) : NULL;
    return at ? (int)(at - digits) : -1;
}

/* "AB:CD:..": gives how many octets there are, 0 where it is not that. */
static size_t read_hex(struct slice text, unsigned char sum[EVP_MAX_MD_SIZE])
{
    size_t n = 0;
    if (text.n % 3 != 2 || text.n / 3 >= EVP_MAX_MD_SIZE)
        return 0;
    for (size_t i = 0; i < text.n; i += 3) {
        int high = hex_digit(text.p[i]);
        int low = hex_digit(text.p[i + 1]);
        if (high < 0 || low < 0 || (i + 2 < text.n && text.p[i + 2] != ':'))
            return 0;
        sum[n++] = (unsigned char)(high << 4 | low);
    }
    return n;
}

struct fingerprint {
    const EVP_MD *md; /* NULL: of no use */
    size_t n;
    unsigned char sum[EVP_MAX_MD_SIZE];
};

/* The next of the list. False: there is none. */
static bool take(struct slice *list, struct fingerprint *f)
{
    *list = slice_trim(*list);
    if (list->n == 0)
        return false;
    f->md = hash_named(slice_cut(list, ' '));
    *list = slice_trim(*list);
    f->n = read_hex(slice_cut(list, ' '), f->sum);
    if (f->md && f->n != (size_t)EVP_MD_get_size(f->md))
        f->md = NULL;
    return true;
}

/* Of the hashes in the list the one with the most bits; NULL: none is of use. */
static const EVP_MD *preferred(struct slice list)
{
    const EVP_MD *best = NULL;
    struct fingerprint f;
    while (take(&list, &f)) {
        if (f.md && (!best || EVP_MD_get_size(f.md) > EVP_MD_get_size(best)))
            best = f.md;
    }
    return best;
}

bool openssl_has_fingerprint(const X509 *cert, const char *fingerprints, bool *usable)
{
    struct slice list = slice_of(fingerprints);
    const EVP_MD *md = preferred(list);
    unsigned char sum[EVP_MAX_MD_SIZE];
    struct fingerprint f;
    unsigned n = 0;
    bool same = false;
    *usable = md != NULL;
    if (!md || X509_digest(cert, md, sum, &n) != 1)
        return false;
    while (take(&list, &f))
        same = same || (f.md == md && f.n == n && memcmp(sum, f.sum, n) == 0);
    return same;
}
