/* The parts of cpm-queue: one file a subcommand, and the runner. */
#ifndef BIN_QUEUE_H
#define BIN_QUEUE_H

#include "base/clock.h"
#include "base/opt.h"
#include "queue/queue.h"

struct config {
    const char *folder;
    /* add */
    const char *from, *type, *subject, *message_id, *imdn, *expires;
    struct opt_list to;
    bool many, no_notify;
    /* list */
    bool json, tsv;
    const char *state;
    int64_t older_ms, newer_ms;
    /* run */
    int64_t jobs, per_recipient;
    bool watch;
    struct queue_policy policy;
    const char *notify;
    int64_t notify_timeout_ms, keep_ms, keep_failed_ms;
    /* check */
    bool repair;
};

/* What run hands on to the stages. */
extern const struct opt sip_table[], msrp_table[], dns_table[], deliver_table[];

/* Each opens the queue itself and gives the exit status. */
int add(const struct config *c, char **operands, int count);
int list(const struct config *c, char **operands, int count);
int show(const struct config *c, char **operands, int count);
int run(const struct config *c, char **operands, int count);
int retry(const struct config *c, char **operands, int count);
int hold(const struct config *c, char **operands, int count);
int release(const struct config *c, char **operands, int count);
int remove_entries(const struct config *c, char **operands, int count);
int expire(const struct config *c, char **operands, int count);
int check(const struct config *c, char **operands, int count);

/* --- Common. */

int open_queue(const struct config *c, bool make,
               struct queue **q); /* says what is wrong; status */
int status_of_error(int error);   /* of an errno value of ours: 71, 74, 77 */

/* "72h", or "2026-12-01T10:00:00Z": then wall milliseconds. 0 or EINVAL. */
int parse_when(const char *text, int64_t now_ms, int64_t *when_ms);

/* What an entry is for people and scripts. */
struct view {
    const char *state;          /* with "delivering" */
    char when[CLOCK_TEXT_SIZE]; /* waiting: due */
    int64_t status;             /* of the last attempt; -1: none */
    int64_t code;               /* of the response that refused; 0: none */
    const char *why;            /* its reason, or what happened instead of one */
    const char *detail;         /* what else is known; may be empty */
};
void view_of(const struct queue_entry *e, struct view *v);

#endif
