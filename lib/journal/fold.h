/* The fold of a session file: the last value of each key (cpm-session(5), State). Private to the
 * room. Pure. */
#ifndef JOURNAL_FOLD_H
#define JOURNAL_FOLD_H

#include "journal/journal.h"

struct fold_pair {
    uint64_t hash;     /* of the key */
    char *key;         /* "msrp.listening.path"; of a line without pairs the event alone */
    const char *value; /* in the same block */
    bool lasting;      /* over the whole file, not only this attempt */
};

struct fold_event {
    char *name;
    bool lasting;
};

struct fold {
    struct fold_pair *pairs;
    size_t count, room;
    struct fold_event *events;
    size_t event_count, event_room;
    char sid[LINE_NAME_MAX + 1]; /* of the last attempt */
    bool spoke[5];               /* by enum journal_role: has a line in this attempt */
};

void fold_line(struct fold *f, const struct line *l);
const char *fold_get(const struct fold *f, const char *key);
bool fold_has(const struct fold *f, const char *event);
void fold_free(struct fold *f);

#endif
