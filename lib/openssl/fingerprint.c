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

bool openssl_has_fingerprint(const X509 *cert, const char *fingerprint, bool *usable)
{
    unsigned char wanted[EVP_MAX_MD_SIZE], sum[EVP_MAX_MD_SIZE];
    struct slice rest = slice_trim(slice_of(fingerprint));
    const EVP_MD *md = hash_named(slice_cut(&rest, ' '));
    size_t length = read_hex(slice_trim(rest), wanted);
    unsigned n = 0;
    *usable = md && length == (size_t)EVP_MD_get_size(md);
    return *usable && X509_digest(cert, md, sum, &n) == 1 && n == length &&
           memcmp(sum, wanted, length) == 0;
}
