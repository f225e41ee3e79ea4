/* The filter of system calls. What it does not name fails with EPERM, so that a C library which
 * tries something new goes on without it. */
#include "confine/confine_int.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

/* Without conditions. */
static const int calls[] = {
    /* files and descriptors that are open */
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(pread64),
    SCMP_SYS(preadv),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(lseek),
    SCMP_SYS(close),
    SCMP_SYS(dup),
    SCMP_SYS(fstat),
    SCMP_SYS(fstatfs),
    SCMP_SYS(getdents64),
    SCMP_SYS(fadvise64),
    /* names, for looking */
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch),
    /* sockets that are there */
    SCMP_SYS(accept4),
    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(sendmsg),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt),
    /* waiting */
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(futex),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    /* memory */
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    /* itself */
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(uname),
    SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),
    SCMP_SYS(getrandom),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* fcntl commands: none that takes a lock. */
static const unsigned long commands[] = {F_GETFD, F_SETFD,     F_GETFL,
                                         F_SETFL, F_OFD_GETLK, F_DUPFD_CLOEXEC};

#define WRITES \
    ((uint64_t)(O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY)))

static int allow(scmp_filter_ctx c, int call)
{
    return seccomp_rule_add(c, SCMP_ACT_ALLOW, call, 0);
}

/* With one argument that has to be this, as far as the mask goes. */
static int allow_if(scmp_filter_ctx c, int call, unsigned argument, uint64_t mask, uint64_t is)
{
    struct scmp_arg_cmp only = {argument, SCMP_CMP_MASKED_EQ, mask, is};
    return seccomp_rule_add_array(c, SCMP_ACT_ALLOW, call, 1, &only);
}

/* Zero or less than zero, as libseccomp gives its errors. */
static int fill(scmp_filter_ctx c)
{
    int err = 0;
    for (size_t i = 0; i < sizeof calls / sizeof *calls && !err; i++)
        err = allow(c, calls[i]);
    for (size_t i = 0; i < sizeof commands / sizeof *commands && !err; i++)
        err = allow_if(c, SCMP_SYS(fcntl), 1, UINT32_MAX, commands[i]);
    if (!err)
        err = allow_if(c, SCMP_SYS(open), 1, WRITES, 0);
    if (!err)
        err = allow_if(c, SCMP_SYS(openat), 2, WRITES, 0);
    if (!err) /* is it a terminal? */
        err = allow_if(c, SCMP_SYS(ioctl), 1, UINT32_MAX, TCGETS);
    if (!err)
        err = allow_if(c, SCMP_SYS(mmap), 2, PROT_EXEC, 0);
    if (!err)
        err = allow_if(c, SCMP_SYS(mprotect), 2, PROT_EXEC, 0);
    /* To die by a signal, and nobody else by one. */
    if (!err)
        err = allow_if(c, SCMP_SYS(tgkill), 0, UINT32_MAX, (uint32_t)getpid());
    if (!err)
        err = allow_if(c, SCMP_SYS(kill), 0, UINT32_MAX, (uint32_t)getpid());
    if (!err) /* asking for limits, not setting them */
        err = allow_if(c, SCMP_SYS(prlimit64), 2, UINT64_MAX, 0);
    return err;
}

int confine_seccomp(void)
{
    scmp_filter_ctx c = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    if (!c)
        return ENOMEM;
    int err = fill(c);
    if (!err)
        err = seccomp_load(c);
    seccomp_release(c);
    /* ECANCELED: the kernel refused it, and this version does not tell why. */
    if (err == -EINVAL || err == -ENOSYS || err == -ECANCELED)
        return ENOSYS;
    return -err;
}
