/* The table of the module that wraps OpenSSL. For base and the module alone: others use hash.h. */
#ifndef BASE_OPENSSL_MODULE_H
#define BASE_OPENSSL_MODULE_H

#include "base/hash.h"
#include "base/module.h"

struct openssl_module {
    struct module head;
    /* As hash_hex; false with one line in `why`. */
    bool (*hash_hex)(enum hash algorithm, const struct slice *parts, size_t n,
                     char hex[HASH_HEX_SIZE], char why[MODULE_WHY_SIZE]);
};

#endif
