/* What the two files of a connection share: conn.c reads and begins and ends it, conn_write.c
 * writes. */
#ifndef MSRP_CONN_INT_H
#define MSRP_CONN_INT_H

#include "msrp/conn.h"
#include "msrp/out.h"

#define ANSWERS_MAX  ((size_t)64 * 1024) /* then we stop reading until the peer takes some */
#define ANSWERS_ROOM (2 * ANSWERS_MAX)   /* what was read before that is answered all the same */
#define TEXT_MAX     (ANSWERS_ROOM + (size_t)64 * 1024) /* these, heads and end-lines that wait */

enum phase { DIALLING, SHAKING, OPEN, LEAVING, SHUT };

struct msrp_conn {
    struct loop *loop;
    const struct msrp_conn_ops *ops;
    void *arg;
    struct loop_fd io;
    struct loop_timer timer;
    struct net_addr peer;
    enum phase phase;
    bool dialled;
    struct msrp_conn_security security; /* of one that we dial */
    struct msrp_out out;
    int busy;   /* inside handlers */
    bool gone;  /* freed while busy */
    bool ended; /* `lost` was called */
    bool waits; /* for the socket, or for its next turn, to write */
    bool hasty; /* leaves without waiting for the peer's end */
    int broken; /* writing failed so: what came before is still to be read */
    int error;
    struct msrp_parser *parser;

    struct buf text; /* goes out first */
    size_t text_out; /* so much of it went out */
    struct msrp_piece piece;
    struct buf answers; /* wait for a place between chunks */
    uint64_t written;
    struct msrp_sender *sender;
    int file;
};

/* Writes what waits, until the socket is full or others want their turn: then `waits` is set; or
 * `broken`, where it fails. */
void msrp_conn_write(struct msrp_conn *c);
bool msrp_conn_is_idle(const struct msrp_conn *c); /* nothing waits to be written */

#endif
