/* Our certificate, whom we trust, and what is spoken. */
#include "openssl/openssl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509err.h>

#include "base/mem.h"

/* --- Files. */

/* A key with a passphrase is refused: nobody is there to be asked. */
static int no_passphrase(char *buffer, int size, int writing, void *asked)
{
    (void)buffer;
    (void)size;
    (void)writing;
    *(bool *)asked = true;
    return -1;
}

static bool refuse(char why[TLS_WHY_SIZE], const char *path, const char *cause)
{
    (void)snprintf(why, TLS_WHY_SIZE, "%s: %s", path, cause);
    ERR_clear_error();
    return false;
}

static bool refuse_file(char why[TLS_WHY_SIZE], const char *path, const char *cause)
{
    unsigned long error = ERR_peek_error();
    if (access(path, R_OK) < 0)
        return refuse(why, path, strerror(errno));
    if (ERR_GET_LIB(error) == ERR_LIB_X509 && ERR_GET_REASON(error) == X509_R_KEY_VALUES_MISMATCH)
        return refuse(why, path, "is not the key of the certificate");
    return refuse(why, path, cause);
}

static bool trust(SSL_CTX *ctx, const char *ca, char why[TLS_WHY_SIZE])
{
    struct stat st;
    if (!ca)
        return SSL_CTX_load_verify_dir(ctx, TLS_CA_FOLDER) == 1 ||
               refuse(why, TLS_CA_FOLDER, "cannot be used");
    if (stat(ca, &st) < 0)
        return refuse(why, ca, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return SSL_CTX_load_verify_dir(ctx, ca) == 1 || refuse(why, ca, "cannot be used");
    return SSL_CTX_load_verify_file(ctx, ca) == 1 ||
           refuse_file(why, ca, "no certificates in it (PEM)");
}

static bool is_in_time(const char *path, const X509 *cert, char why[TLS_WHY_SIZE])
{
    char date[16], cause[64];
    if (X509_cmp_current_time(X509_get0_notAfter(cert)) > 0)
        return true;
    openssl_date(date, X509_get0_notAfter(cert));
    (void)snprintf(cause, sizeof(cause), "the certificate expired on %s", date);
    return refuse(why, path, cause);
}

static bool use_files(SSL_CTX *ctx, const struct tls_plan *p, char why[TLS_WHY_SIZE])
{
    const char *key = p->key ? p->key : p->cert;
    bool asked = false;
    SSL_CTX_set_default_passwd_cb(ctx, no_passphrase);
    SSL_CTX_set_default_passwd_cb_userdata(ctx, &asked);
    if (SSL_CTX_use_certificate_chain_file(ctx, p->cert) != 1)
        return refuse_file(why, p->cert, "no certificate in it (PEM)");
    if (!p->expired && !is_in_time(p->cert, SSL_CTX_get0_certificate(ctx), why))
        return false;
    bool good = SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1;
    SSL_CTX_set_default_passwd_cb_userdata(ctx, NULL);
    return good ||
           refuse_file(why, key, asked ? "the key has a passphrase" : "no private key in it (PEM)");
}

static bool use_made(SSL_CTX *ctx, char why[TLS_WHY_SIZE])
{
    EVP_PKEY *key = NULL;
    X509 *cert = NULL;
    bool good = openssl_make_cert(&key, &cert) && SSL_CTX_use_certificate(ctx, cert) == 1 &&
                SSL_CTX_use_PrivateKey(ctx, key) == 1;
    if (!good)
        openssl_why(why, "a certificate for this run cannot be made");
    EVP_PKEY_free(key);
    X509_free(cert);
    return good;
}

static bool identify(SSL_CTX *ctx, const struct tls_plan *p, char why[TLS_WHY_SIZE])
{
    if (p->cert)
        return use_files(ctx, p, why);
    return !p->make_cert || use_made(ctx, why);
}

/* --- What is spoken. */

static int on_asked(SSL *ssl, void *arg)
{
    struct tls *t = SSL_get_app_data(ssl);
    (void)arg;
    t->asked = true;
    return 1;
}

static void speak(SSL_CTX *ctx, bool kernel)
{
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
                                       (kernel ? SSL_OP_ENABLE_KTLS : 0));
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_NO_AUTO_CHAIN);
    /* No session is ever resumed. */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    (void)SSL_CTX_set_num_tickets(ctx, 0);
    SSL_CTX_set_cert_cb(ctx, on_asked, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, openssl_verify, NULL);
    /* A certificate that the user trusts is trusted, whoever signed it. */
    (void)X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(ctx), X509_V_FLAG_PARTIAL_CHAIN);
}

/* --- The context. */

int openssl_context_new(struct tls_context **out, const struct tls_plan *plan,
                        char why[TLS_WHY_SIZE])
{
    struct tls_context *c = mem_new(sizeof(*c));
    c->ctx = SSL_CTX_new(TLS_method());
    if (!c->ctx || SSL_CTX_set_min_proto_version(c->ctx, TLS1_2_VERSION) != 1) {
        openssl_why(why, "OpenSSL");
        goto fail;
    }
    speak(c->ctx, plan->kernel);
    if (!trust(c->ctx, plan->ca, why) || !identify(c->ctx, plan, why))
        goto fail;
    if (SSL_CTX_get0_certificate(c->ctx))
        openssl_fingerprint(SSL_CTX_get0_certificate(c->ctx), c->fingerprint);
    *out = c;
    return 0;
fail:
    openssl_context_free(c);
    return EKEYREJECTED;
}

void openssl_context_free(struct tls_context *c)
{
    SSL_CTX_free(c->ctx);
    free(c);
}

const char *openssl_context_fingerprint(const struct tls_context *c)
{
    return c->fingerprint;
}
