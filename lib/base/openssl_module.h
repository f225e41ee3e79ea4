/* The table of the module that wraps OpenSSL. For base and the module alone: others use hash.h and
 * tls.h, whose functions these are. */
#ifndef BASE_OPENSSL_MODULE_H
#define BASE_OPENSSL_MODULE_H

#include "base/hash.h"
#include "base/module.h"
#include "base/tls.h"

struct openssl_module {
    struct module head;
    /* As hash_hex; false with one line in `why`. */
    bool (*hash_hex)(enum hash algorithm, const struct slice *parts, size_t n,
                     char hex[HASH_HEX_SIZE], char why[MODULE_WHY_SIZE]);

    int (*context_new)(struct tls_context **out, const struct tls_plan *plan,
                       char why[TLS_WHY_SIZE]);
    void (*context_free)(struct tls_context *c);
    const char *(*context_fingerprint)(const struct tls_context *c);
    int (*connection)(struct tls **out, struct tls_context *c, int fd, bool server, const char *sni,
                      const struct tls_peer *peer);
    void (*free)(struct tls *t);
    int (*handshake)(struct tls *t);
    ssize_t (*read)(struct tls *t, void *p, size_t n);
    ssize_t (*write)(struct tls *t, const void *p, size_t n);
    bool (*pending)(const struct tls *t);
    uint32_t (*events)(const struct tls *t);
    void (*shutdown)(struct tls *t);
    int (*check_peer)(struct tls *t, const struct tls_peer *peer);
    const char *(*why)(const struct tls *t);
    const char *(*version)(const struct tls *t);
    bool (*kernel_sends)(const struct tls *t);
};

/* NULL: it is missing, `why` says so. */
const struct openssl_module *openssl_module(char why[MODULE_WHY_SIZE]);

#endif
