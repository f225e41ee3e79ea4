/* What the files of the module share. Its table is base/openssl_module.h. */
#ifndef OPENSSL_OPENSSL_H
#define OPENSSL_OPENSSL_H

#include "base/openssl_module.h"

/* Writes "WHAT: " and what OpenSSL has to say of its oldest error, and forgets all of them. */
void openssl_why(char why[MODULE_WHY_SIZE], const char *what);

bool openssl_hash_hex(enum hash algorithm, const struct slice *parts, size_t n,
                      char hex[HASH_HEX_SIZE], char why[MODULE_WHY_SIZE]);

#endif
