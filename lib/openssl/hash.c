#include "openssl/openssl.h"

#include <stdio.h>

#include <openssl/evp.h>

static const char *const names[] = {
    [HASH_MD5] = "MD5", [HASH_SHA_256] = "SHA2-256", [HASH_SHA_512_256] = "SHA2-512/256"};

static void write_hex(char hex[HASH_HEX_SIZE], const unsigned char *sum, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", sum[i]);
}

static bool add_up(EVP_MD_CTX *context, const EVP_MD *md, const struct slice *parts, size_t n,
                   unsigned char *sum, unsigned *length)
{
    if (EVP_DigestInit_ex2(context, md, NULL) != 1)
        return false;
    for (size_t i = 0; i < n; i++) {
        if (EVP_DigestUpdate(context, parts[i].p, parts[i].n) != 1)
            return false;
    }
    return EVP_DigestFinal_ex(context, sum, length) == 1;
}

bool openssl_hash_hex(enum hash algorithm, const struct slice *parts, size_t n,
                      char hex[HASH_HEX_SIZE], char why[MODULE_WHY_SIZE])
{
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_MD *md = EVP_MD_fetch(NULL, names[algorithm], NULL);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool good =
        md && context && add_up(context, md, parts, n, sum, &length) && 2 * length < HASH_HEX_SIZE;
    if (good)
        write_hex(hex, sum, length);
    else
        openssl_why(why, names[algorithm]);
    EVP_MD_CTX_free(context);
    EVP_MD_free(md);
    return good;
}
