/* The call as a picture: the attempts of a journal, drawn as a ladder of arrows between us and the
 * recipient; the times count from each attempt's start. Pure. */
#ifndef JOURNAL_LADDER_H
#define JOURNAL_LADDER_H

#include "base/buf.h"
#include "journal/line.h"

struct ladder;

struct ladder *ladder_new(void);
void ladder_free(struct ladder *l);

/* Takes the lines of a journal in order. */
void ladder_line(struct ladder *l, const struct line *line);

/* Draws `columns` wide (at least 60) into `out`. 0 or EMSGSIZE. */
int ladder_draw(const struct ladder *l, size_t columns, struct buf *out);

#endif
