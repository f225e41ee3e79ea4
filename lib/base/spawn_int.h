/* What the files of spawn share. */
#ifndef BASE_SPAWN_INT_H
#define BASE_SPAWN_INT_H

#include "base/spawn.h"

/* The folder of this very program, asked for once. NULL: not known. */
const char *spawn_own_folder(void);

/* The highest descriptor that a child shall have. */
int spawn_highest(const struct spawn_fd *fds, size_t n);

#endif
