/* Does the peer's certificate pass? */
#include "openssl/openssl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* --- The chain. */

static void subject_text(const X509_NAME *name, char *text, size_t room)
{
    char *line = name ? X509_NAME_oneline(name, NULL, 0) : NULL;
    (void)snprintf(text, room, "%s", line ? line : "?");
    OPENSSL_free(line);
}

static void say_chain(struct tls *t, int error, const X509 *cert)
{
    char subject[160], issuer[160], date[16] = "";
    subject_text(cert ? X509_get_subject_name(cert) : NULL, subject, sizeof(subject));
    subject_text(cert ? X509_get_issuer_name(cert) : NULL, issuer, sizeof(issuer));
    switch (error) {
    case X509_V_ERR_CERT_HAS_EXPIRED:
        if (cert)
            openssl_date(date, X509_get0_notAfter(cert));
        (void)snprintf(t->chain_why, sizeof(t->chain_why), "the certificate of %s expired on %s",
                       subject, date);
        break;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        if (cert)
            openssl_date(date, X509_get0_notBefore(cert));
        (void)snprintf(t->chain_why, sizeof(t->chain_why),
                       "the certificate of %s is not valid before %s", subject, date);
        break;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        (void)snprintf(t->chain_why, sizeof(t->chain_why),
                       "the certificate of %s is self-signed and not among the trusted ones",
                       subject);
        break;
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        (void)snprintf(t->chain_why, sizeof(t->chain_why),
                       "the certificate of %s comes from an unknown CA, %s", subject, issuer);
        break;
    default:
        (void)snprintf(t->chain_why, sizeof(t->chain_why), "the certificate of %s: %s", subject,
                       X509_verify_cert_error_string(error));
    }
}

/* RFC 5924: where uses are named, one of them has to be SIP, or the usual ones of TLS. Which end of
 * the connection it is for does not matter: SIP servers and MSRP endpoints are both. */
static bool may_be_used(const X509 *cert)
{
    static const char *const uses[] = {"1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2",
                                       "1.3.6.1.5.5.7.3.20", "2.5.29.37.0"};
    EXTENDED_KEY_USAGE *list = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    bool good = !list;
    for (int i = 0; !good && i < sk_ASN1_OBJECT_num(list); i++) {
        char oid[64];
        int n = OBJ_obj2txt(oid, sizeof(oid), sk_ASN1_OBJECT_value(list, i), 1);
        for (size_t k = 0; n > 0 && k < sizeof(uses) / sizeof(*uses); k++)
            good = good || strcmp(oid, uses[k]) == 0;
    }
    EXTENDED_KEY_USAGE_free(list);
    return good;
}

static void look_at_chain(struct tls *t, X509_STORE_CTX *store, const X509 *cert)
{
    (void)X509_VERIFY_PARAM_set_purpose(X509_STORE_CTX_get0_param(store), X509_PURPOSE_ANY);
    t->trusted = X509_verify_cert(store) == 1;
    if (!t->trusted) {
        say_chain(t, X509_STORE_CTX_get_error(store), X509_STORE_CTX_get_current_cert(store));
    } else if (!may_be_used(cert)) {
        t->trusted = false;
        (void)snprintf(t->chain_why, sizeof(t->chain_why),
                       "the certificate is for neither SIP nor TLS (extendedKeyUsage)");
        X509_STORE_CTX_set_error(store, X509_V_ERR_INVALID_PURPOSE);
    }
    ERR_clear_error();
}

/* --- The peer. */

static bool say_names(struct tls *t, const X509 *cert, const char *wanted)
{
    char names[256];
    openssl_names_text(cert, names, sizeof(names));
    (void)snprintf(t->why, sizeof(t->why), "the certificate is for %s, not for %s", names, wanted);
    return false;
}

static bool has_fingerprint(struct tls *t, const X509 *cert, const char *fingerprint)
{
    bool usable;
    if (openssl_has_fingerprint(cert, fingerprint, &usable))
        return true;
    (void)snprintf(t->why, sizeof(t->why),
                   usable ? "the certificate does not have the fingerprint %s"
                          : "a fingerprint that cannot be used: %s",
                   fingerprint);
    return false;
}

static bool passes(struct tls *t, X509 *cert, enum tls_check check, const char *value)
{
    if (check == TLS_CHECK_LATER)
        return true;
    if (check == TLS_CHECK_FINGERPRINT)
        return has_fingerprint(t, cert, value);
    if (!t->trusted) {
        (void)snprintf(t->why, sizeof(t->why), "%s", t->chain_why);
        return false;
    }
    if (check == TLS_CHECK_SIP)
        return openssl_names_domain(cert, value) || say_names(t, cert, value);
    return check == TLS_CHECK_CHAIN || openssl_names_host(cert, value) || say_names(t, cert, value);
}

int openssl_verify(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    struct tls *t = SSL_get_app_data(ssl);
    X509 *cert = X509_STORE_CTX_get0_cert(store);
    (void)arg;
    if (t->check != TLS_CHECK_FINGERPRINT)
        look_at_chain(t, store, cert);
    bool good = passes(t, cert, t->check, t->value);
    if (good)
        X509_STORE_CTX_set_error(store, X509_V_OK);
    else if (X509_STORE_CTX_get_error(store) == X509_V_OK) /* chooses the alert */
        X509_STORE_CTX_set_error(store, X509_V_ERR_HOSTNAME_MISMATCH);
    return good;
}

int openssl_check_peer(struct tls *t, const struct tls_peer *peer)
{
    X509 *cert = SSL_get0_peer_certificate(t->ssl);
    t->why[0] = '\0';
    if (cert)
        return passes(t, cert, peer->check, peer->value) ? 0 : EKEYREJECTED;
    if (peer->check == TLS_CHECK_LATER)
        return 0;
    (void)snprintf(t->why, sizeof(t->why), "the peer shows no certificate");
    return EKEYREJECTED;
}
