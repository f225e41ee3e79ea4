/* Hashes of texts, for SIP digest and the like; by OpenSSL, which is loaded at the first use
 * (module.h). */
#ifndef BASE_HASH_H
#define BASE_HASH_H

#include "base/module.h"
#include "base/slice.h"

enum hash { HASH_MD5, HASH_SHA_256, HASH_SHA_512_256 };

#define HASH_HEX_SIZE 65 /* of the longest, with its NUL */

/* The hash of the parts, one after the other without anything between them, in lower-case hex. 0,
 * or ENOSYS with one line in `why`: the module is missing, or the system forbids this algorithm. */
int hash_hex(enum hash algorithm, const struct slice *parts, size_t n, char hex[HASH_HEX_SIZE],
             char why[MODULE_WHY_SIZE]);

#endif
