/* What scripts/bench measures with.
 *
 *     bench plain FILE           sends the file over loopback by sendfile to a receiver that throws
 * it away; prints the milliseconds bench peak OUT PROG ARG... runs the program; adds its peak
 * memory in KiB to OUT
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(71);
}

static int64_t now_ms(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
        die("clock");
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* The receiver: takes all, then closes, which is the sender's sign that all has arrived. */
static _Noreturn void throw_away(int listener)
{
    static char room[256 * 1024];
    ssize_t n;
    int fd = accept(listener, NULL, NULL);
    if (fd < 0)
        die("accept");
    while ((n = recv(fd, room, sizeof room, 0)) > 0)
        ;
    _exit(n == 0 ? 0 : 71);
}

static void send_all(int fd, int file, off_t left)
{
    while (left > 0) {
        ssize_t n = sendfile(fd, file, NULL, (size_t)(left < (1 << 20) ? left : (1 << 20)));
        if (n <= 0)
            die("sendfile");
        left -= n;
    }
    if (shutdown(fd, SHUT_WR) < 0)
        die("shutdown");
}

static int plain(const char *path)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t n = sizeof at;
    struct stat st;
    char byte;
    int file = open(path, O_RDONLY);
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (file < 0 || fstat(file, &st) < 0)
        die(path);
    if (listener < 0 || fd < 0 || bind(listener, (struct sockaddr *)&at, n) < 0 ||
        listen(listener, 1) < 0 || getsockname(listener, (struct sockaddr *)&at, &n) < 0)
        die("socket");
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0)
        throw_away(listener);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    int64_t from = now_ms();
    if (connect(fd, (struct sockaddr *)&at, n) < 0)
        die("connect");
    send_all(fd, file, st.st_size);
    if (recv(fd, &byte, 1, 0) != 0 || waitpid(pid, NULL, 0) != pid)
        die("receiver");
    printf("%lld\n", (long long)(now_ms() - from));
    return 0;
}

static int peak(const char *out, char **argv)
{
    struct rusage used;
    int status;
    pid_t pid = fork();
    if (pid < 0)
        die("fork");
    if (pid == 0) {
        execv(argv[0], argv);
        die(argv[0]);
    }
    if (wait4(pid, &status, 0, &used) != pid)
        die("wait4");
    FILE *f = fopen(out, "a");
    if (!f || fprintf(f, "%ld\n", used.ru_maxrss) < 0 || fclose(f) != 0)
        die(out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "plain") == 0)
        return plain(argv[2]);
    if (argc > 3 && strcmp(argv[1], "peak") == 0)
        return peak(argv[2], argv + 3);
    fprintf(stderr, "usage: bench plain FILE | bench peak OUT PROG ARG...\n");
    return 64;
}
