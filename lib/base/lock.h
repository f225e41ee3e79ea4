/* Open-file-description locks on single bytes (fcntl F_OFD_*): the kernel frees them when the last
 * descriptor of the holder is gone, in whatever way it dies. */
#ifndef BASE_LOCK_H
#define BASE_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

enum lock_kind { LOCK_SHARED, LOCK_EXCLUSIVE };

int lock_try(int fd, off_t byte,
             enum lock_kind kind); /* 0, EAGAIN (held by others), or errno; also converts */
int lock_wait(int fd, off_t byte,
              enum lock_kind kind); /* blocks: only for locks held for one step */
int lock_drop(int fd, off_t byte);

/* Does anybody else hold this byte, in any kind? Never takes it. */
int lock_held(int fd, off_t byte, bool *held);

/* The whole file (flock), waited for: only for what takes a moment. Gone with the descriptor. */
int lock_file(int fd, enum lock_kind kind);
int lock_file_drop(int fd);

#endif
