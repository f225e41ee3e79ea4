/* The parts of cpm-status: its listeners, and what it reads from files before it is confined. */
#ifndef BIN_STATUS_H
#define BIN_STATUS_H

#include "base/opt.h"
#include "http/http.h"

#include <stdbool.h>
#include <stdint.h>

struct status_config {
    const char *folder, *session, *attempt;
    struct opt_list http_listen, http_host;
    bool mask, http_insecure, confine;
    const char *http_tls_cert, *http_tls_key, *http_token_file, *http_auth_file;
    int64_t connections, per_address, timeout_ms, memory, stuck_after_ms;
};

/* --- listen.c */

#define LISTENERS_MAX 16
struct listeners {
    int fd[LISTENERS_MAX];
    int n;
};

/* Those of systemd, else those of the options. False: said why, *status is set. */
bool listeners_open(const struct status_config *c, struct listeners *l, int *status);
/* A line for each on stdout: where it answers. False: stdout does not take it. */
bool listeners_print(const struct listeners *l, bool tls);

/* --- content.c */

struct content;

/* ENOENT, EPERM, EREMOTE as for queue_open. A session file need not be there yet. Close it before
 * the loop. */
int content_open(struct content **out, struct loop *l, const struct status_config *c);
void content_close(struct content *s); /* NULL is harmless */
void content_answer(void *arg, const char *path, const char *query, struct http_answer *out);

/* --- secrets.c */

struct secrets {
    char *token, *user_password, *cert, *key;
};

/* What the options name. False: said why, *status is set. */
bool secrets_read(const struct status_config *c, struct secrets *s, int *status);
void secrets_forget(struct secrets *s);

#endif
