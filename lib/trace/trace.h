/* What goes over the wire, shown: on stderr with -vv, in the files of --trace and --pcap. A process
 * has one trace, as it has one stderr. Where nobody wants to see anything, nothing is opened and
 * every flow is NULL, so that the way of an octet has one test of a pointer more.
 *
 * A transcript (-vv, --trace) has three columns, as those of swaks, so that it can be grepped:
 *
 *     === information               *** an error of ours
 *      -> sent                      **> sent once more
 *     <-  received                  <** received, and not hoped for: a failure, or once more
 *      ~> *~> <~  <~* the same where TLS encrypts
 *
 * The content of a message is never in it, only its size; passwords' digests and all but the first
 * characters of MSRP session ids (they are capabilities) are hidden. A capture (--pcap) has
 * everything as it was on the wire, also what TLS encrypted, in the clear.
 *
 * The files are private as session files are (file.h). Several processes append to one, and the
 * next run appends too: each record is one write under a lock that is never waited for, and whoever
 * finds a record of which a killed process wrote only the half mends the file. What cannot be
 * written ends that file's trace with one warning and disturbs nobody else.
 *
 * Captures are pcapng, by 200 lines of ours and not by libpcap: that one writes through a FILE,
 * whose records are torn over writes, knows no directions and comments, and would have to be
 * loaded. */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "base/net.h"
#include "base/slice.h"

#include <stdbool.h>
#include <stdint.h>

struct trace_options {
    const char *trace, *pcap; /* paths; NULL: none */
    int64_t pcap_snaplen;     /* octets of each packet that are kept; 0: all */
};

/* Once, after the options were read; also where they are empty, for -vv. */
void trace_open(const struct trace_options *o);
void trace_close(void); /* writes what waits, 250 ms at most */

/* --- The transcript. */

bool trace_shows(void); /* does anybody read it? Ask before anything is done for it. */

enum trace_kind {
    TRACE_REQUEST,
    TRACE_PROVISIONAL, /* a response that another one follows */
    TRACE_FINAL,
    TRACE_PART, /* of a message, or nothing that anybody knows */
};

struct trace_message {
    const char *over; /* "SIP/UDP", "MSRP/TLS" */
    bool encrypted;
    bool sent;
    const struct net_addr *peer;
    enum trace_kind kind;
    bool failure;      /* where success was hoped for */
    struct slice key;  /* a request and its responses have the same; empty: not known */
    struct slice text; /* without secrets; session ids are hidden here */
    uint64_t content;  /* octets behind the text that are not shown */
};
void trace_message(const struct trace_message *m);

/* --- The capture. */

/* A datagram that was sent, or came. */
void trace_datagram(bool sent, const struct net_addr *local, const struct net_addr *peer,
                    struct slice octets);

/* A stream that is open (hands were shaken); NULL: there is no capture, and the others below do
 * nothing. `local` is asked of the socket. */
struct trace_flow;
struct trace_flow *trace_stream(int fd, const struct net_addr *peer, bool dialled, bool encrypted);
/* Octets that the stream took, or gave. */
void trace_octets(struct trace_flow *f, bool sent, const void *p, size_t n);
/* The same for octets that went from a file by themselves: read once more, as far as they are kept.
 */
void trace_file(struct trace_flow *f, int fd, uint64_t offset, size_t n);
void trace_end(struct trace_flow *f, bool sent); /* of that direction */
void trace_reset(struct trace_flow *f);          /* by the peer */
void trace_flow_free(struct trace_flow *f);      /* ends our direction too; NULL is harmless */

#endif
