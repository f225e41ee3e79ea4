/* A small HTTP/1.1 server for GET and HEAD (RFC 9110, 9112), in the caller's loop and thread, over
 * listening sockets that the caller opened. libmicrohttpd reads and writes the messages; who may
 * come, for how long and with what is decided here.
 *
 * - A request names the server as what it is (Host), or gets 421; another method gets 405, a body
 *   413, a long target 414, long headers 431, a missing token or password 401.
 * - A connection has `timeout_ms` to bring a whole request, and again to take the answer. Where
 *   there are as many as may be, a new one takes the place of the one that has been waiting for a
 *   request the longest, else it is closed.
 * - Answers are never stored by anybody, show nothing of another origin and run no script. */
#ifndef HTTP_HTTP_H
#define HTTP_HTTP_H

#include "base/buf.h"
#include "base/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct http;

struct http_answer {
    unsigned status;
    const char *type; /* of the body; a static text */
    struct buf body;  /* becomes the server's */
};

/* Fills *out. `path` and `query` (NULL: none) as they stand in the request, not decoded; printable
 * ASCII. */
typedef void http_ask_h(void *arg, const char *path, const char *query, struct http_answer *out);

/* The texts stay the caller's, and have to last as long as the server. */
struct http_plan {
    http_ask_h *ask;
    void *arg;
    const char *realm;        /* without quotes and backslashes */
    const char *const *hosts; /* further names of the server */
    size_t host_count;
    const char *token;         /* bearer (RFC 6750); NULL: none */
    const char *user_password; /* basic (RFC 7617), "user:password"; NULL: none. Either will do */
    const char *cert, *key;    /* PEM texts; NULL: no TLS */
    unsigned connections, per_address;
    int64_t timeout_ms;
    size_t memory; /* octets for request line and headers of a connection */
};

/* 0; EKEYREJECTED: certificate or key cannot be used; ENOMEM: anything else went wrong. */
int http_start(struct http **out, struct loop *l, const struct http_plan *p);

/* Accepts connections from this listener, which becomes the server's. 0 or an errno value. */
int http_listen(struct http *h, int fd);

/* Takes no more connections and requests; calls `done` from the loop once the answers under way are
 * through, or after `grace_ms`. */
void http_stop(struct http *h, int64_t grace_ms, void (*done)(void *arg), void *arg);

void http_free(struct http *h); /* not from a handler of it; NULL is harmless */

#endif
