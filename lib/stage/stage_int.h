/* What the files of this room share. */
#ifndef STAGE_STAGE_INT_H
#define STAGE_STAGE_INT_H

#include "base/buf.h"
#include "stage/stage.h"

/* --- out.c: stdout, never blocking, bounded. */

struct out_line;

enum out_kind { OUT_FILE, OUT_STREAM, OUT_SOCKET };

struct out {
    struct loop *loop;
    enum out_kind kind;
    bool pipe; /* a pipe or socket: somebody's input */
    int fd;
    bool own;  /* fd is a descriptor of ours, not 1 itself */
    bool gone; /* the reader went away */
    bool lost; /* something was dropped that is no progress */
    struct out_line *head, **tail;
    size_t held; /* octets waiting */
    struct loop_fd watch;
    struct loop_timer soon;     /* lines that wait for more */
    void (*changed)(void *arg); /* drained, or the reader went away */
    void *arg;
};

#define OUT_HELD_MAX (256 * 1024)

void out_open(struct out *o, struct loop *loop, void (*changed)(void *arg), void *arg);
void out_put(struct out *o, struct slice line); /* a whole event line */
void out_flush(struct out *o);                  /* nothing waits for more any longer */
bool out_full(const struct out *o);             /* then the stage stops reading its input */
bool out_empty(const struct out *o);
void out_close(struct out *o);

/* --- in.c: stdin, if it is the stage before. */

struct in {
    struct loop *loop;
    int fd;
    bool own;
    bool socket;
    bool open;  /* it is the stage before, and has not ended */
    bool given; /* it is (or was) the stage before */
    bool any;   /* a line came */
    bool overlong;
    struct buf line;
    struct loop_fd watch;
    const struct in_ops *ops;
    void *arg;
};

struct in_ops {
    void (*take)(void *arg, struct slice line); /* without its newline */
    void (*taken)(void *arg);                   /* all that came at once */
    void (*ended)(void *arg);
};

void in_open(struct in *in, struct loop *loop, const struct in_ops *ops, void *arg);
void in_pause(struct in *in, bool pause);
void in_close(struct in *in);

/* --- seen.c: which lines went to stdout already, so that cpm-bye adds from the file only what the
 * pipe did not bring. */

struct seen {
    uint64_t *hashes; /* open addressing, 0 is free */
    size_t count, room;
};

bool seen_has(const struct seen *s, struct slice line);
bool seen_before(struct seen *s, struct slice line); /* and from now on it is */
void seen_free(struct seen *s);

/* --- transcript.c: what cpm-bye shows of the file. */

void transcript_line(void *arg, const struct line *l, struct slice text); /* a journal_line_h */
void transcript_begin(struct stage *s); /* the attempt is joined: shows what it wrote before */

/* --- stage.c: the life of a stage; join.c: its first two phases. */

enum phase {
    CLAIMING, /* cpm-invite: the claim is held by another */
    WAITING,  /* for the attempt to join */
    WORKING,  /* between joined and stage_end */
    COPYING,  /* our work is done; the input has not ended yet */
    FLUSHING, /* the input has ended; the reader is slow */
    OVER,
};

struct stage {
    struct loop *loop;
    enum journal_role role;
    const struct stage_options *options;
    const struct stage_ops *ops;
    void *arg;
    struct journal *journal;
    enum phase phase;
    int status;
    int signal; /* that was caught, or 0 */
    int64_t signalled;
    bool file_failed;  /* a line could not be written: 74 */
    bool looking;      /* inside look: no recursion */
    bool alive[5];     /* by role: was, in this look */
    bool taking;       /* lines from stdin, some of those that came at once */
    int64_t started;   /* the first claim try, the wait for an attempt, or the joining */
    int64_t abandoned; /* when the stage before was seen dead, its pipe still open; 0: not */
    char sid[LINE_NAME_MAX + 1];
    char first_sid[LINE_NAME_MAX + 1]; /* the first on stdin */
    struct in in;
    struct out out;
    struct seen seen;             /* cpm-bye: what the transcript has */
    struct buf before;            /* cpm-bye: lines of the attempt before it is joined */
    struct loop_timer timer;      /* of the phase */
    struct loop_timer stop_timer; /* after a signal */
    struct line line;
};

void stage_try_to_start(struct stage *s); /* the phase CLAIMING */
void stage_try_to_join(struct stage *s);  /* the phase WAITING */

void stage_enter(struct stage *s); /* the attempt is ours */
void stage_finish(struct stage *s, int status);
void stage_later(struct stage *s, int64_t ms); /* look again then, or sooner */
void stage_show(struct stage *s, struct slice line);
int64_t stage_start_timeout(const struct stage *s);

#endif
