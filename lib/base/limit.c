#include "base/limit.h"

#include <sys/resource.h>
#include <unistd.h>

uint64_t limit_descriptors(uint64_t wanted)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return UINT64_MAX;
    rlim_t before = limit.rlim_cur;
    if (before < wanted && before < limit.rlim_max) {
        limit.rlim_cur = wanted < limit.rlim_max ? wanted : limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
            return before;
    }
    return limit.rlim_cur;
}

uint64_t limit_processes(void)
{
    struct rlimit limit;
    if (geteuid() == 0 || getrlimit(RLIMIT_NPROC, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX; /* root is not held to it */
    return limit.rlim_cur;
}
