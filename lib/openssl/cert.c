/* A certificate for one run: self-signed, ECDSA on P-256 (signing costs a tenth of RSA's). */
#include "openssl/openssl.h"

#include <time.h>

#include <openssl/bn.h>
#include <openssl/x509.h>

#define DAY_S         86400
#define VALID_DAYS    30 /* a peer looks at it once, when it connects */
#define SERIAL_BITS   127
#define X509_VERSION3 2

void openssl_date(char text[16], const ASN1_TIME *when)
{
    struct tm tm;
    text[0] = '\0';
    if (ASN1_TIME_to_tm(when, &tm) == 1)
        (void)strftime(text, 16, "%Y-%m-%d", &tm);
}

static bool set_serial(X509 *cert)
{
    BIGNUM *n = BN_new();
    bool good = n && BN_rand(n, SERIAL_BITS, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
                BN_to_ASN1_INTEGER(n, X509_get_serialNumber(cert)) != NULL;
    BN_free(n);
    return good;
}

static bool fill(X509 *cert, EVP_PKEY *key)
{
    static const unsigned char name[] = "cpm-delivery";
    X509_NAME *subject = X509_get_subject_name(cert);
    return X509_set_version(cert, X509_VERSION3) == 1 && set_serial(cert) &&
           X509_gmtime_adj(X509_getm_notBefore(cert), -DAY_S) &&
           X509_gmtime_adj(X509_getm_notAfter(cert), (long)VALID_DAYS * DAY_S) &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, name, -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, subject) == 1 && X509_set_pubkey(cert, key) == 1 &&
           X509_sign(cert, key, EVP_sha256()) > 0;
}

bool openssl_make_cert(EVP_PKEY **key, X509 **cert)
{
    *key = EVP_EC_gen("P-256");
    *cert = X509_new();
    return *key && *cert && fill(*cert, *key);
}
