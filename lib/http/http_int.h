/* Inside of the room: guard.c judges requests, door.c keeps connections, http.c speaks by the
 * library. */
#ifndef HTTP_HTTP_INT_H
#define HTTP_HTTP_INT_H

#include "base/net.h"
#include "base/slice.h"
#include "http/http.h"

/* --- guard.c: pure. */

/* Does a Host value name the server that the connection came to, at `local`? The port is no matter:
 * a forwarded one is another. */
bool http_host_is_ours(struct slice host, const struct net_addr *local, const char *const *names,
                       size_t n);

/* "user:password" as it stands in Authorization; the caller frees it. */
char *http_basic(const char *user_password);

/* Is the Authorization value one of these (NULL: that kind does not count)? Takes as long whatever
 * of a secret is right. */
bool http_is_authorized(struct slice value, const char *token, const char *basic);

/* --- door.c */

struct conn {
    struct http *h;
    struct conn *next, *before; /* whoever waits the longest first */
    int fd;
    struct net_addr peer, local;
    bool answering; /* has brought a whole request */
    bool doomed;    /* was shut down; the library will notice */
    struct loop_timer deadline;
    char *target;   /* of the request; NULL: none yet */
    bool presented; /* the library has shown us its headers */
};

struct listener {
    struct http *h;
    struct listener *next;
    struct loop_fd watch;
    int fd;
};

struct http {
    struct loop *loop;
    struct http_plan plan;
    char *basic;
    void *daemon; /* struct MHD_Daemon */
    struct loop_fd turn;
    struct loop_timer again;
    struct listener *listeners;
    struct loop_timer pause;   /* of the listeners, when there is no descriptor */
    struct conn *first, *last; /* all connections */
    unsigned count;            /* of them, without the doomed */
    struct conn *arriving;     /* is being given to the library */
    size_t under_way;          /* octets of answers */
    bool stopping;
    void (*done)(void *arg);
    void *done_arg;
    struct loop_timer grace;
    int64_t next_complaint; /* about wrong tokens and passwords */
    unsigned complaints;
    bool starved; /* of descriptors, and that was said */
};

void door_waits(struct conn *c);   /* for a request, from now on */
void door_answers(struct conn *c); /* a whole request is there */
void door_gone(struct conn *c);    /* the library has let go of it: frees it */
void door_look_for_end(struct http *h);

/* --- http.c */

/* Gives a new connection to the library, which owns the socket from here on, whatever becomes of
 * it. door_gone comes in any case. */
void http_take(struct http *h, struct conn *c);
void http_turn(struct http *h); /* lets the library work */

#endif
