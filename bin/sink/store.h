/* The file that a message is written to as it comes: under a temporary name, and under its own once
 * it is complete. All give 0 or an errno value. */
#ifndef SINK_STORE_H
#define SINK_STORE_H

#include "base/slice.h"

#include <sys/types.h>

struct store {
    int fd;     /* -1: no file yet */
    char *path; /* the temporary name */
};

/* Puts octets at their place (from 0), making the file in `folder` where it is missing. `sid` keeps
 * the names of calls apart. */
int store_write(struct store *s, const char *folder, const char *sid, off_t at,
                struct slice octets);

/* Cuts the file at `size` and gives it the first free of the names ID-1.cpim, ID-2.cpim ... *name
 * is that name, the caller frees it. */
int store_finish(struct store *s, const char *folder, struct slice message_id, off_t size,
                 char **name);

void store_drop(struct store *s); /* the file of a message that is not complete */

#endif
