/* The way out of a connection: octets from memory and from the message's file, to the socket. They
 * are packed, and who added them has to flush; TLS gets whole records. Large pieces of the file go
 * out by sendfile behind what is packed, where no encryption is in the way or the kernel does it
 * (kTLS). */
#ifndef MSRP_OUT_H
#define MSRP_OUT_H

#include "base/sock.h"
#include "trace/trace.h"

#include <stddef.h>

struct msrp_out {
    struct sock sock;
    struct trace_flow *flow; /* NULL: nobody captures */
    char *packed;            /* NULL: never needed */
    size_t n, gone;
};

/* Both as send(2): how many octets were taken, or -1 and errno. 0 from the file is its end; errors
 * of the file itself are told from the socket's by msrp_out_is_sockets. */
ssize_t msrp_out_text(struct msrp_out *o, const char *p, size_t n);
ssize_t msrp_out_file(struct msrp_out *o, int file, uint64_t offset, size_t n);
bool msrp_out_is_sockets(int error);

int msrp_out_flush(struct msrp_out *o);              /* 0, EAGAIN or an error */
uint64_t msrp_out_waiting(const struct msrp_out *o); /* taken, but not by the peer's TCP yet */
bool msrp_out_is_empty(const struct msrp_out *o);    /* nothing is to be flushed */
void msrp_out_over(struct msrp_out *o, int error);   /* the peer's direction ended so */
/* At once, what was read last. */
void msrp_out_acknowledge(const struct msrp_out *o);
void msrp_out_end(struct msrp_out *o);   /* our direction */
void msrp_out_close(struct msrp_out *o); /* the socket, and frees */

#endif
