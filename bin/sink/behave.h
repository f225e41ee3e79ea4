/* How the sink behaves in a call: what --behave said, resolved for the n-th INVITE. The table of
 * the keys is in behave.c; cpm-sink(1) explains each. Pure: no I/O. */
#ifndef SINK_BEHAVE_H
#define SINK_BEHAVE_H

#include "base/buf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BEHAVE_HEADERS_MAX 8
#define BEHAVE_CODES_MAX   8
#define BEHAVE_OFF         (-1) /* of the numbers: this is not to happen */

struct behave {
    /* The INVITE and its answer. */
    int codes[BEHAVE_CODES_MAX]; /* sent in order; a final one ends the list */
    size_t n_codes;
    const char *headers[BEHAVE_HEADERS_MAX]; /* "Name: value", for the final answer */
    size_t n_headers;
    int64_t retry_after; /* s */
    int64_t ring_ms;
    const char *silent; /* "invite", "ack", "bye", "all"; NULL */
    bool no_100;
    bool reliable;               /* the last provisional response */
    const char *challenge;       /* the password; NULL: none is asked for */
    int64_t repeat_200;          /* times, though ACKed */
    int64_t lose_ack;            /* how many ACKs are not noticed */
    const char *session_expires; /* "1800;refresher=uac", or "none"; NULL: as asked */
    int64_t min_se;
    const char *allow;
    int64_t refresh; /* the code that a refresh gets */

    /* The answer's SDP. */
    const char *setup; /* NULL: the counterpart of the offer's */
    const char *path;  /* "wrong", "none", "relay" or a URI; NULL: our own */
    bool port0;
    bool no_sdp;
    bool sdp_lf;
    const char *accept_types;
    int64_t max_size;
    const char *direction;

    /* The MSRP connection. */
    const char *connect; /* "answer", "early", "after-ack", "never"; NULL: see cpm-sink(1) */
    int64_t late_ms;
    int64_t connections;
    const char *first_send; /* "empty", "none", "body", "wrong-session" */
    int64_t close_at;       /* octets of the message */
    int64_t read_rate;      /* octets a second */
    bool garbage;
    const char *tls; /* "plain", "no-cert", "no-fingerprint", "wrong-fingerprint" */

    /* MSRP responses and REPORTs. */
    int msrp_code;   /* 0: 200 */
    int64_t msrp_at; /* from which chunk on */
    int64_t msrp_delay_ms;
    const char *msrp_order; /* "reverse"; NULL */
    bool msrp_twice;
    bool msrp_early;
    int64_t msrp_silent; /* from which chunk on */
    const char *report;  /* "success", "failure", "partial", "none"; NULL: as asked */
    int64_t send_empty_at;
    bool send_imdn;

    /* Inside the dialog. */
    int64_t bye_at; /* octets */
    int64_t bye_after_ms;
    const char *bye; /* the code that the peer's BYE gets, or "silent"; NULL: 200 */
    int64_t reinvite_at;
    int64_t update_at;
    int64_t options_at;
    bool unknown_method;
};

/* Adds the choices of --behave, `rules` in the order in which they were given, as far as they are
 * meant for the n-th INVITE (from 1), to the defaults. 0, or EINVAL: rules[*which] is no good, *why
 * says why. The texts in *b point into the rules. */
int behave_for(struct behave *b, const char *const *rules, size_t count, uint64_t n, size_t *which,
               const char **why);

/* Are all rules sound, for whichever INVITE they are meant? As behave_for. */
int behave_check(const char *const *rules, size_t count, size_t *which, const char **why);

/* Is a text setting that word? NULL is no word. */
bool behave_is(const char *setting, const char *word);

/* The keys, as --help shows them: one a line, with the form of the value. */
int behave_help(struct buf *b);

#endif
