/* What scripts/bench measures with. It shares no code with the programs.
 *
 *     bench receive              takes connections on loopback, one at a time, until end of input;
 *                                prints its port, then "OCTETS MICROSECONDS" for each connection
 *     bench send PORT FILE       sends the file there by sendfile alone
 *     bench run OUT PROG ARG...  runs the program; adds "PEAK-KIB CPU-MICROSECONDS" to OUT
 *     bench cost N PROG ARG...   runs it N times; prints the CPU microseconds of one time
 *     bench nothing              is a process that does nothing
 * */
#include "test/bench/bench.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* --- Plain TCP. */

static ssize_t read_plain(void *arg, void *to, size_t n)
{
    return recv(*(int *)arg, to, n, 0);
}

static ssize_t write_plain(void *arg, const void *from, size_t n)
{
    return send(*(int *)arg, from, n, MSG_NOSIGNAL);
}

static void receive_plain(int fd)
{
    struct bench_io io = {read_plain, write_plain, &fd};
    receive_all(&io, now_us());
}

static int send_file(const char *port, const char *path)
{
    struct stat st;
    char byte;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) < 0)
        die(path);
    int fd = connect_to(port);
    for (off_t left = st.st_size; left > 0;) {
        ssize_t n = sendfile(fd, file, NULL, (size_t)(left < (1 << 20) ? left : (1 << 20)));
        if (n <= 0)
            die("sendfile");
        left -= n;
    }
    if (shutdown(fd, SHUT_WR) < 0 || recv(fd, &byte, 1, 0) != 0)
        die("receiver");
    return 0;
}

/* --- What processes cost. */

static int64_t cpu_us(const struct rusage *r)
{
    return (int64_t)(r->ru_utime.tv_sec + r->ru_stime.tv_sec) * 1000000 + r->ru_utime.tv_usec +
           r->ru_stime.tv_usec;
}

static pid_t start(char **argv, bool silent)
{
    pid_t pid = vfork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        if (silent)
            (void)dup2(open("/dev/null", O_WRONLY), STDOUT_FILENO);
        execv(argv[0], argv);
        _exit(127);
    }
    return pid;
}

static int status_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int run(const char *out, char **argv)
{
    struct rusage used;
    int status;
    if (wait4(start(argv, false), &status, 0, &used) < 0)
        die("wait4");
    FILE *f = fopen(out, "a");
    if (!f || fprintf(f, "%ld %lld\n", used.ru_maxrss, (long long)cpu_us(&used)) < 0 ||
        fclose(f) != 0)
        die(out);
    return status_of(status);
}

static int cost(const char *times, char **argv)
{
    struct rusage used;
    int status;
    long n = strtol(times, NULL, 10);
    for (long i = 0; i < n; i++) {
        if (waitpid(start(argv, true), &status, 0) < 0)
            die("waitpid");
        if (status)
            return status_of(status);
    }
    if (n < 1 || getrusage(RUSAGE_CHILDREN, &used) < 0)
        die("cost");
    printf("%lld\n", (long long)(cpu_us(&used) / n));
    return 0;
}

int main(int argc, char **argv)
{
    const char *word = argc > 1 ? argv[1] : "";
    if (argc == 2 && strcmp(word, "nothing") == 0)
        return 0;
    if (argc == 2 && strcmp(word, "receive") == 0)
        return receive_each(receive_plain);
    if (argc == 4 && strcmp(word, "send") == 0)
        return send_file(argv[2], argv[3]);
    if (argc > 3 && strcmp(word, "run") == 0)
        return run(argv[2], argv + 3);
    if (argc > 3 && strcmp(word, "cost") == 0)
        return cost(argv[2], argv + 3);
    fprintf(stderr, "usage: bench receive | send PORT FILE | run OUT PROG ARG... | "
                    "cost N PROG ARG... | nothing\n");
    return 64;
}
