/* A glance at a session file: what was appended since the last one, without keeping the file open,
 * for one who looks at many. Takes no lock and writes nothing. */
#ifndef JOURNAL_GLANCE_H
#define JOURNAL_GLANCE_H

#include "journal/journal.h"

struct glance {       /* zeroed before the first */
    int64_t at;       /* whole lines were read up to here */
    uint64_t inode;   /* of the file then; 0: none yet */
    int64_t born_ns;  /* of it, where the file system knows: inode numbers are used again */
    int64_t size;     /* of it */
    int64_t ctime_ns; /* of it */
    bool overlong;    /* inside of what is too long to be a line */
    bool claimed;     /* somebody held the claim */
};

/* Hands the sound lines from g->at on to the handler. ESTALE: it is another file by now or became
 * shorter, and g is zeroed: the next glance reads it from its beginning. Else journal_open's
 * errors, without the look at its folder. */
int journal_glance(const char *path, struct glance *g, journal_line_h *handler, void *arg);

#endif
