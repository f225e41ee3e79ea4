/* What the files of the module share. Its table is base/openssl_module.h. */
#ifndef OPENSSL_OPENSSL_H
#define OPENSSL_OPENSSL_H

#include "base/openssl_module.h"

#include <openssl/ssl.h>

#define FINGERPRINT_SIZE (sizeof("sha-256 ") + (size_t)3 * 32)

struct tls_context {
    SSL_CTX *ctx;
    char fingerprint[FINGERPRINT_SIZE];
};

struct tls {
    SSL *ssl;
    enum tls_check check;
    char *value;
    bool asked;   /* the peer wants our certificate */
    bool done;    /* the handshake */
    bool broken;  /* nothing more may be said on it */
    bool trusted; /* the peer's chain leads to a root of ours */
    uint32_t events;
    char chain_why[TLS_WHY_SIZE]; /* while not trusted */
    char why[TLS_WHY_SIZE];
};

/* Writes "WHAT: " and what OpenSSL has to say of its first error, and forgets all of them. */
void openssl_why(char why[MODULE_WHY_SIZE], const char *what);

/* hash.c */
bool openssl_hash_hex(enum hash algorithm, const struct slice *parts, size_t n,
                      char hex[HASH_HEX_SIZE], char why[MODULE_WHY_SIZE]);

/* context.c */
int openssl_context_new(struct tls_context **out, const struct tls_plan *plan,
                        char why[TLS_WHY_SIZE]);
void openssl_context_free(struct tls_context *c);
const char *openssl_context_fingerprint(const struct tls_context *c);

/* cert.c: makes a key and a certificate for it; the caller frees both. */
bool openssl_make_cert(EVP_PKEY **key, X509 **cert);
void openssl_date(char text[16], const ASN1_TIME *when); /* "2026-11-22" */

/* check.c: the verify callback of all contexts, and the same later. */
int openssl_verify(X509_STORE_CTX *store, void *arg);
int openssl_check_peer(struct tls *t, const struct tls_peer *peer);

/* names.c: does the certificate name this domain (exactly), or this host? */
bool openssl_names_domain(X509 *cert, const char *domain);
bool openssl_names_host(X509 *cert, const char *host);
void openssl_names_text(const X509 *cert, char *text, size_t room); /* for people */

/* fingerprint.c */
void openssl_fingerprint(const X509 *cert, char text[FINGERPRINT_SIZE]);
/* Is one of them this certificate's? They are a list with blanks between: hash, octets, hash, ...;
 * of those of other hashes than the best one there, none counts (RFC 8122 5). *usable: is there
 * one, of a hash that may be used? */
bool openssl_has_fingerprint(const X509 *cert, const char *fingerprints, bool *usable);

/* conn.c */
int openssl_connection(struct tls **out, struct tls_context *c, int fd, bool server,
                       const char *sni, const struct tls_peer *peer);
void openssl_free(struct tls *t);
int openssl_handshake(struct tls *t);
ssize_t openssl_read(struct tls *t, void *p, size_t n);
ssize_t openssl_write(struct tls *t, const void *p, size_t n);
bool openssl_pending(const struct tls *t);
uint32_t openssl_events(const struct tls *t);
void openssl_shutdown(struct tls *t);
const char *openssl_conn_why(const struct tls *t);
const char *openssl_version(const struct tls *t);
bool openssl_kernel_sends(const struct tls *t);

/* error.c: what SSL_get_error gave for `result`: an errno value, with its text in t->why. 0: the
 * peer ended the stream. */
int openssl_error(struct tls *t, int result);

#endif
