/* What the files of this room share. */
#ifndef JOURNAL_JOURNAL_INT_H
#define JOURNAL_JOURNAL_INT_H

#include "base/buf.h"
#include "journal/fold.h"
#include "journal/journal.h"

enum { BYTE_APPEND = 0, BYTE_CLAIM = 1 };

/* Room for the lines of one attempt. */
#define ATTEMPT_ROOM (64 * 1024)

struct journal {
    char *path;
    int fd;
    off_t at;        /* read up to here */
    struct buf tail; /* what was read of a line that has no newline yet */
    bool overlong;   /* skipping a line that is too long to be one */
    struct fold fold;
    bool seen[5]; /* by role: was seen holding its byte in this attempt */
    journal_line_h *on_line;
    void *on_line_arg;
    struct line_out written;
    struct line line; /* being read */
    /* waiting */
    struct loop *loop;
    int inotify;
    struct loop_fd wake;
    struct loop_timer look;
    void (*changed)(void *arg);
    void *changed_arg;
};

bool journal_is_one(int fd); /* is this file a journal, as far as its beginning tells? */

/* --- clean.c. What stands for what is hidden. */
#define HIDDEN "***"
void clean_add(struct buf *b, const char *p, size_t n);
bool clean_ends_word(char c);

/* --- mask.c. One after the other; each hides one kind of thing. */
typedef void clean_step(struct slice text, struct buf *out);
extern clean_step *const mask_steps[]; /* up to NULL */

#endif
