/* What cpm-status is told, by its own command line or by that of who starts it; as in options.h. */
#ifndef BIN_OPTIONS_HTTP_H
#define BIN_OPTIONS_HTTP_H

#include "base/opt.h"

/* struct status_config */
#define HTTP_OPTIONS(TO)                                                               \
    {.name = "http-listen",                                                            \
     .kind = OPT_LIST,                                                                 \
     .arg = "ADDR:PORT",                                                               \
     .help = "where to serve the status; repeatable, port 0: the kernel's choice",     \
     .to = TO(http_listen)},                                                           \
        {.name = "http-host",                                                          \
         .kind = OPT_LIST,                                                             \
         .arg = "NAME",                                                                \
         .help = "a further name by which clients may address the server; repeatable", \
         .to = TO(http_host)},                                                         \
        {.name = "http-tls-cert",                                                      \
         .kind = OPT_TEXT,                                                             \
         .arg = "FILE",                                                                \
         .help = "HTTPS with this certificate (PEM), with what leads to its root",     \
         .to = TO(http_tls_cert)},                                                     \
        {.name = "http-tls-key",                                                       \
         .kind = OPT_TEXT,                                                             \
         .arg = "FILE",                                                                \
         .help = "its private key (PEM), if it is not in the same file",               \
         .to = TO(http_tls_key),                                                       \
         .where = OPT_SECRET_FILE},                                                    \
        {.name = "http-token-file",                                                    \
         .kind = OPT_TEXT,                                                             \
         .arg = "FILE",                                                                \
         .help = "file with the bearer token to demand, closed to others",             \
         .to = TO(http_token_file),                                                    \
         .where = OPT_SECRET_FILE},                                                    \
        {.name = "http-auth-file",                                                     \
         .kind = OPT_TEXT,                                                             \
         .arg = "FILE",                                                                \
         .help = "file with the USER:PASSWORD to demand, closed to others",            \
         .to = TO(http_auth_file),                                                     \
         .where = OPT_SECRET_FILE},                                                    \
        {.name = "http-insecure",                                                      \
         .kind = OPT_FLAG,                                                             \
         .help = "allow other hosts without TLS, or without authentication",           \
         .to = TO(http_insecure)},

#endif
