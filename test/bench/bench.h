/* What the plain and the TLS measurements share: the receiver does the same work on a connection
 * whether MSRP comes or anything else: reads of 256 KiB, a look at every octet for an end-line. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

struct bench_io {
    ssize_t (*read)(void *arg, void *to, size_t n);
    ssize_t (*write)(void *arg, const void *from, size_t n);
    void *arg;
};

/* Takes all of one connection and answers what is MSRP. Prints "OCTETS MICROSECONDS", from `from`
 * to the end of the last chunk, or of the input. */
void receive_all(const struct bench_io *io, int64_t from);

/* Listens on loopback, prints the port, and gives each connection to `one` until end of input. */
int receive_each(void (*one)(int fd));

int connect_to(const char *port); /* on loopback, without pacing */

_Noreturn void die(const char *what);
int64_t now_us(void);

#endif
