/* How much this process may have of what the system gives out (setrlimit(2)). */
#ifndef BASE_LIMIT_H
#define BASE_LIMIT_H

#include <stdint.h>

/* Raises the soft limit of descriptors to `wanted`, or as far as the hard one allows. How many
 * there may be now; UINT64_MAX where that cannot be told. */
uint64_t limit_descriptors(uint64_t wanted);

/* How many processes our user may have; UINT64_MAX: any number, or that cannot be told. */
uint64_t limit_processes(void);

#endif
