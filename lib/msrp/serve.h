/* The media stage of a delivery: what it tells the session file, and what it reads from it. The
 * program gives it the message and writes its lines. */
#ifndef MSRP_SERVE_H
#define MSRP_SERVE_H

#include "journal/journal.h"
#include "msrp/file.h"
#include "msrp/session.h"

/* All texts are the caller's and outlive the stage. */
struct msrp_serve_plan {
    struct msrp_session_plan session; /* without the file, the octets and the ids */
    const char *listen;               /* ADDR[:PORT[-PORT]]; NULL: any address, any port */
    const struct net_addr *share;     /* instead: this port, with other deliveries; NULL: no */
    const char *advertise;            /* host in our path; NULL: an address of this host */
    struct msrp_file *file;           /* open */
    uint64_t size;                    /* as announced in the offer: of the message or its content */
    const char *wrapped_type;         /* of the content, without parameters */
    const char *cpim_from;            /* URI */
    const char *cpim_message_id;
    bool setup_learnt; /* an attempt's lesson: session.setup is tried in place of active */
    bool cema;         /* write a=msrp-cema into the offer */
    bool meter;        /* shall `meter` be called? */
};

enum msrp_line { MSRP_LINE_FACT, MSRP_LINE_DURABLE, MSRP_LINE_PROGRESS };

struct msrp_serve_ops {
    const char *(*sid)(void *arg);
    struct journal *(*journal)(void *arg);
    int (*emit)(void *arg, struct line_out *o, enum msrp_line how); /* 0 or an errno value */
    bool (*invite_lost)(void *arg); /* does nobody speak SIP any more? */
    bool (*over)(void *arg);        /* does nobody wait for us any more? */
    void (*received)(void *arg, struct slice content_type, struct slice body); /* of the peer */
    /* For people: so many octets after so many ms; at the end with `last`. */
    void (*meter)(void *arg, uint64_t octets, uint64_t total, int64_t ms, bool last);
    void (*end)(void *arg, int status); /* once; the final event is written */
};

struct msrp_serve;
struct msrp_serve *msrp_serve_new(const struct msrp_serve_plan *plan,
                                  const struct msrp_serve_ops *ops, void *arg);
void msrp_serve_free(struct msrp_serve *s);

void msrp_serve_start(struct msrp_serve *s);            /* listens, tells where */
void msrp_serve_look(struct msrp_serve *s);             /* the session file may have grown */
void msrp_serve_stop(struct msrp_serve *s, int signal); /* a signal came */

/* Writes msrp.failed and says why on stderr; for what is wrong before there is a stage. */
void msrp_serve_refuse(const struct msrp_serve_ops *ops, void *arg, int status, const char *what,
                       const char *why, const char *hint);

/* After a failure: writes what the next attempt should do in another way (learnt); window as
 * msrp_session_lesson gave it. */
void msrp_serve_learn(const struct msrp_serve_plan *plan, const struct msrp_serve_ops *ops,
                      void *arg, uint64_t window);

/* An address of this host for others, as text without brackets: the one towards the default route
 * (no packet is sent), else the first that is not loopback, else loopback. */
void msrp_own_host(int family, char text[NET_TEXT_SIZE]);

/* "12.3 MiB of 1.0 GiB, 1 %, 3.2 MiB/s, 5 min left" */
void msrp_meter_text(char *text, size_t room, uint64_t octets, uint64_t total, int64_t ms);

#endif
