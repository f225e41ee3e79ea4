#include "openssl/openssl.h"

#include <stdio.h>

#include <openssl/err.h>

MODULE_TABLE(openssl_module) = {
    MODULE_HEAD("openssl", struct openssl_module),
    openssl_hash_hex,
};

void openssl_why(char why[MODULE_WHY_SIZE], const char *what)
{
    unsigned long error = ERR_get_error();
    const char *reason = ERR_reason_error_string(error);
    (void)snprintf(why, MODULE_WHY_SIZE, "%s: %s", what, reason ? reason : "failed");
    ERR_clear_error();
}
