#include "openssl/openssl.h"

MODULE_TABLE(openssl_module) = {
    MODULE_HEAD("openssl", struct openssl_module),
    .hash_hex = openssl_hash_hex,
    .context_new = openssl_context_new,
    .context_free = openssl_context_free,
    .context_fingerprint = openssl_context_fingerprint,
    .connection = openssl_connection,
    .free = openssl_free,
    .handshake = openssl_handshake,
    .read = openssl_read,
    .write = openssl_write,
    .pending = openssl_pending,
    .events = openssl_events,
    .shutdown = openssl_shutdown,
    .check_peer = openssl_check_peer,
    .why = openssl_conn_why,
    .version = openssl_version,
    .kernel_sends = openssl_kernel_sends,
};
