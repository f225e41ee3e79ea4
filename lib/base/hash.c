#include "base/hash.h"

#include "base/openssl_module.h"

#include <errno.h>

int hash_hex(enum hash algorithm, const struct slice *parts, size_t n, char hex[HASH_HEX_SIZE],
             char why[MODULE_WHY_SIZE])
{
    const struct openssl_module *m = openssl_module(why);
    return m && m->hash_hex(algorithm, parts, n, hex, why) ? 0 : ENOSYS;
}
