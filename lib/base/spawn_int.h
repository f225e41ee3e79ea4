/* What the files of spawn share. */
#ifndef BASE_SPAWN_INT_H
#define BASE_SPAWN_INT_H

#include "base/spawn.h"

#include <stdbool.h>

/* The folder of this very program, asked for once. NULL: not known. */
const char *spawn_own_folder(void);

/* The 2 n dup2 calls, in this order, that give a child its descriptors. No number is taken that is
 * higher than needed, so few descriptors are enough (RLIMIT_NOFILE). The caller frees them. */
struct spawn_fd *spawn_moves(const struct spawn_fd *fds, size_t n);

/* Whether `fds` gives a child this descriptor. */
bool spawn_is_target(const struct spawn_fd *fds, size_t n, int fd);

/* The highest descriptor that a child shall have. */
int spawn_highest(const struct spawn_fd *fds, size_t n);

#endif
