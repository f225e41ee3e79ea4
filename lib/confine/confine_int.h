/* Inside: each gives 0, ENOSYS where the kernel has no such thing, or another errno value. */
#ifndef CONFINE_CONFINE_INT_H
#define CONFINE_CONFINE_INT_H

int confine_landlock(const char *const *paths);
int confine_seccomp(void);

#endif
