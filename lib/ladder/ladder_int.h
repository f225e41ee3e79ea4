/* What the files of this room share. */
#ifndef LADDER_LADDER_INT_H
#define LADDER_LADDER_INT_H

#include "ladder/ladder.h"

enum {
    LADDER_LIFELINES = 8,
    LADDER_ATTEMPTS = 16, /* the last ones */
    LADDER_STEPS = 200,   /* of an attempt: the first and the last ones */
    LADDER_FIRST = 100,   /* so many of them are the first */
    LADDER_TEXT = 160,    /* characters of a label or name */
};

enum ladder_mood { MOOD_PLAIN, MOOD_FAINT, MOOD_GOOD, MOOD_BAD, MOOD_STRONG };

enum ladder_kind { STEP_NOTE, STEP_ARROW, STEP_BAR };

struct ladder_step {
    enum ladder_kind kind;
    enum ladder_mood mood;
    int64_t ms;      /* since the attempt's start */
    size_t from, to; /* lifelines */
    char *label;
    uint64_t octets, total; /* of a bar */
};

struct ladder_lifeline {
    char *name, *detail;
    char *host;  /* where its requests go; NULL: us */
    char *tag;   /* of its dialog, once that is known */
    bool shared; /* with others, for which there was no room */
};

struct ladder_attempt {
    char *sid;
    char *number;
    int64_t wall_ms; /* of its start */
    struct ladder_lifeline lifelines[LADDER_LIFELINES];
    size_t lifeline_count;
    struct ladder_step *steps;
    size_t step_count;
    uint64_t left_out; /* steps, behind the first LADDER_FIRST */
    bool ended;
    bool grows; /* the lifelines are us, the recipient and MSRP from the beginning */
    /* While it is built: */
    size_t hop, peer, media; /* lifelines of the last INVITE, of who answers it, of MSRP, or 0 */
    bool asked, answered;    /* an INVITE was sent; the last one has its final response */
    bool refused, transferred, to_end;
    char *why, *code;      /* what was told of a failure */
    uint64_t octets;       /* to be transferred, or 0 */
    bool codes_drawn[700]; /* final responses to an INVITE that was not the last one */
};

struct ladder {
    struct ladder_options options;
    char *from, *to; /* of the message */
    struct ladder_attempt *attempts[LADDER_ATTEMPTS];
    size_t count;
    uint64_t earlier; /* attempts that are left out */
};

/* --- build.c */

void attempt_begin(struct ladder *l, const struct line *line);
struct ladder_attempt *attempt_of(const struct ladder *l, struct slice sid); /* NULL: none */

/* A step at the end; takes the label. The pointer is valid until the next one. */
struct ladder_step *attempt_add(struct ladder_attempt *a, enum ladder_kind kind,
                                enum ladder_mood mood, int64_t wall_ms, char *label);
void attempt_drop_bar(struct ladder_attempt *a); /* the transfer has one */

/* The lifeline of a host, new where there is none; takes the texts. Without room it is one that
 * belongs to another host. */
size_t lifeline_of_host(struct ladder_attempt *a, char *host, char *detail, bool msrp);
/* The lifeline of a dialog that the INVITE to `hop` made: the host's own for the first. */
size_t lifeline_of_tag(struct ladder_attempt *a, size_t hop, char *tag);
void lifelines_forget_tags(struct ladder_attempt *a);

/* --- words.c */

/* A value as it may be shown, a new text; never NULL. */
char *words_value(const struct ladder *l, struct slice value);

/* Fills a template in, to a new text. {key} is a value, {#key} a number with its thousands apart,
 * {@key} the host and port of a path, {^key} in capitals; what stands in [brackets] is left out
 * where a key in it has no value. */
char *words_fill(const struct ladder *l, const char *template, const struct line *line);

/* "attempt 1: sip:alice@example.com to sip:bob@example.com"; a new text. */
char *words_heading(const struct ladder *l, const struct ladder_attempt *a);
/* "+0.003", or "+27.8 h" where that would be too long. */
void words_time(char text[24], int64_t ms);

/* --- layout.c: what text and SVG do alike */

/* At most so many columns, with an ellipsis for the rest; new text. Without utf8 what is not ASCII
 * is a question mark. */
char *layout_cut(const char *text, size_t columns, bool utf8);
size_t layout_columns(const char *text);
/* So many octets of the text make a row of at most so many columns, if it can be broken at a blank;
 * else 0. */
size_t layout_row(const char *text, size_t columns);
/* How much of a bar that long is done. */
size_t layout_done(const struct ladder_step *bar, size_t length);

#endif
