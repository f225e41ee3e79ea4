/* Giving up rights for good, for a process that from here on only reads some files and serves
 * sockets that it has: it can no longer write, make, move or execute a file, open a connection or
 * a listener, take a lock, start or signal another process, or get rights by executing something.
 *
 * Landlock (Linux 5.13) confines it to the files named; seccomp, by libseccomp, to the system calls
 * that serving takes, which is the same promise made twice where both are there. */
#ifndef CONFINE_CONFINE_H
#define CONFINE_CONFINE_H

#include <stddef.h>

#define CONFINE_WHY_SIZE 200

/* The names of folders (with all below) or files that stay readable; NULL-terminated. What is open
 * already stays open. Single-threaded processes only. 0: `missing` names what this kernel has not
 * got, and is "" where all is in force. Else an errno value, `missing` says of what: then rights
 * may be gone in part, and the process has to end. */
int confine_to_reading(const char *const *paths, char missing[CONFINE_WHY_SIZE]);

#endif
