/* TLS 1.2 and 1.3 over a connected non-blocking socket, for a loop: client and server. Nothing here
 * blocks, watches or closes the socket: the owner calls again when tls_events says. By OpenSSL,
 * which is loaded with the first context (module.h).
 *
 * Errors are errno values; two of them have a meaning here that no socket gives them:
 *   EKEYREJECTED  certificates: the peer's does not pass, the peer refuses ours, or wants one
 *   EPROTO        no TLS, none that we speak, or broken
 * and tls_why tells the cause in one line. */
#ifndef BASE_TLS_H
#define BASE_TLS_H

#include "base/module.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define TLS_WHY_SIZE  MODULE_WHY_SIZE
#define TLS_CA_FOLDER "/etc/ssl/certs" /* hashed: certificates are read one by one, when needed */

/* --- What the connections of one kind share: our certificate, and whom we trust. */

struct tls_context;

struct tls_plan {
    const char *ca;   /* PEM file, or folder as `openssl rehash` makes it; NULL: TLS_CA_FOLDER */
    const char *cert; /* PEM: ours, then what leads to its root; NULL: none */
    const char *key;  /* PEM; NULL: in the same file */
    bool expired;   /* use the certificate even where its time is over: for peers that misbehave */
    bool kernel;    /* let the kernel encrypt, where it can (tls_kernel_sends) */
    bool make_cert; /* without `cert`: make one, self-signed (ECDSA P-256), for this run alone; its
                       fingerprint is all that can authenticate it */
};

/* 0; EKEYREJECTED: certificate, key or trust cannot be used, `why` names the file and the cause;
 * ELIBACC: the module is missing. */
int tls_context_new(struct tls_context **out, const struct tls_plan *plan, char why[TLS_WHY_SIZE]);
void tls_context_free(struct tls_context *c); /* after its connections; NULL is harmless */

/* Of our certificate, for a=fingerprint (RFC 8122 5): "sha-256 AB:CD..."; "" without one. */
const char *tls_context_fingerprint(const struct tls_context *c);

/* --- One connection. */

enum tls_check {
    /* Trusts whoever shows a certificate, or none: the owner asks tls_check before it relies on the
     * peer. */
    TLS_CHECK_LATER,
    TLS_CHECK_CHAIN, /* leads to a root that we trust; of a client: if it shows any */
    TLS_CHECK_SIP,   /* and is of that SIP domain: sip: URI or DNS name, no wildcards (RFC 5922) */
    TLS_CHECK_HOST,  /* and is of that host: DNS name, "*." for one label, or address (RFC 6125) */
    TLS_CHECK_FINGERPRINT, /* has one of those a=fingerprint, whoever signed it (RFC 8122): of the
                              best hash among them; a list with blanks between */
};

struct tls_peer {
    enum tls_check check;
    const char *value; /* the domain, host (IPv6 without brackets) or fingerprints */
};

struct tls;

/* `fd` stays the caller's. A client sends `sni` where it is a DNS name. 0 or ENOMEM. */
int tls_client(struct tls **out, struct tls_context *c, int fd, const char *sni,
               const struct tls_peer *peer);
int tls_server(struct tls **out, struct tls_context *c, int fd, const struct tls_peer *peer);
void tls_free(struct tls *t); /* NULL is harmless */

int tls_handshake(struct tls *t); /* 0: done; EAGAIN: call again; else it is over */

/* As recv and send do it: -1 and errno. A write that gives EAGAIN has to be repeated with the same
 * octets (more may follow them). */
ssize_t tls_read(struct tls *t, void *p, size_t n);
ssize_t tls_write(struct tls *t, const void *p, size_t n);
bool tls_pending(const struct tls *t); /* octets wait here that the socket no longer tells of */

/* EPOLLIN, EPOLLOUT: what the last EAGAIN waits for. */
uint32_t tls_events(const struct tls *t);

/* Tells the peer that nothing more comes, if that can be done at once. */
void tls_shutdown(struct tls *t);

/* For TLS_CHECK_LATER, after the handshake. 0, or EKEYREJECTED. */
int tls_check_peer(struct tls *t, const struct tls_peer *peer);

const char *tls_why(const struct tls *t);     /* of the last error */
const char *tls_version(const struct tls *t); /* "TLSv1.3" */

/* Does the kernel encrypt what is sent (kTLS)? Then send(2) and sendfile(2) on the socket are the
 * way to write, and tls_write is not. After the handshake. */
bool tls_kernel_sends(const struct tls *t);

#endif
