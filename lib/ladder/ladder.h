/* The call as a picture, drawn from the lines of a journal: for each attempt its lifelines (us,
 * each host that an INVITE went to, forks, the recipient's MSRP connection) and between them an
 * arrow for each message, with method or status and its time since the attempt's start; the
 * transfer is one bar. As text for terminals, and as SVG for pages and tickets. Pure.
 *
 * Whatever a journal holds, the picture is bounded: the last 16 attempts, of each 8 lifelines and
 * 200 steps; what is left out is counted. Texts are cut; characters that cannot be seen or turn the
 * writing direction are shown as \x0a or \u202e. The secret part of an MSRP path is never shown. */
#ifndef LADDER_LADDER_H
#define LADDER_LADDER_H

#include "base/buf.h"
#include "journal/journal.h"

struct ladder;

struct ladder_options {  /* zeroed: all attempts, addresses as they are */
    bool mask;           /* without what names a person (journal_clean) */
    const char *attempt; /* only this one, by its sid or its number; NULL: all. Not copied */
    bool last;           /* only the last one of them */
    bool grows;          /* steps are only added and never changed, for ladder_text_more */
};

/* The options are copied. The caller frees it with ladder_free (NULL is harmless). */
struct ladder *ladder_new(const struct ladder_options *o);
void ladder_free(struct ladder *l);

/* Takes the lines of a journal, in order. A journal_line_h: the first argument is the ladder. */
void ladder_line(void *ladder, const struct line *line, struct slice text);

bool ladder_is_empty(const struct ladder *l); /* no attempt */
bool ladder_has_end(const struct ladder *l);  /* the last attempt has its outcome */

/* --- Text. */

struct ladder_look {
    size_t columns; /* of the terminal; 40 to 120 are used */
    bool utf8;      /* else ASCII alone */
    bool colour;    /* SGR sequences */
};

/* All of it. 0, or EMSGSIZE: `out` is full and holds the picture's beginning. */
int ladder_text(const struct ladder *l, const struct ladder_look *look, struct buf *out);

/* What came since the last call; `at` is zeroed before the first. For a ladder that `grows`. */
struct ladder_at {
    uint64_t attempts, steps; /* so many were drawn; the steps are of the last one */
};
int ladder_text_more(const struct ladder *l, const struct ladder_look *look, struct ladder_at *at,
                     struct buf *out);

/* --- SVG 1.1, with a title and a description; it loads nothing and has no script. Its classes are
 * ladder, ladder-good, ladder-bad, ladder-faint. Without an attempt it says so. */
struct ladder_svg {
    const char *id; /* begins the ids of its elements; NULL: "ladder" */
    bool in_page;   /* for HTML with a policy of content: no style attribute and no style element,
                       the text in the colour around it. Else a document of its own, light or dark
                       as the reader has it */
};

/* 0, or EMSGSIZE: `out` is full; what it holds is no picture. LADDER_SVG_MAX is enough for any. */
#define LADDER_SVG_MAX (8 << 20)
int ladder_svg(const struct ladder *l, const struct ladder_svg *how, struct buf *out);

#endif
