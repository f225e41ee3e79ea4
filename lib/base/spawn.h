/* Starting other programs (posix_spawn: its cost does not grow with our size). */
#ifndef BASE_SPAWN_H
#define BASE_SPAWN_H

#include <stddef.h>
#include <sys/types.h>

/* Where `program` is: the value of the environment variable `variable` if set (CPM_EXEC_INVITE),
 * else beside this very program, else by PATH. The caller frees it. NULL: not found. */
char *spawn_find(const char *program, const char *variable);

struct spawn_fd {
    int from; /* ours */
    int to;   /* the child's */
};

/* Starts path with argv. The child has our 0, 1, 2 unless `fds` replaces them, and of our other
 * descriptors only what `fds` names; signals are unblocked and default. 0 or an errno value
 * (ENOENT: status 127, others: 126). */
int spawn(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n, pid_t *pid);

/* The same in a process group of its own, whose number is *pid. */
int spawn_group(const char *path, char *const argv[], const struct spawn_fd *fds, size_t n,
                pid_t *pid);

#endif
