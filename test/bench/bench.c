/* What scripts/bench measures with. It shares no code with the programs.
 *
 *     bench receive CERT KEY     takes connections on loopback, one at a time, until end of input;
 *                                prints its port, then "OCTETS MICROSECONDS" for each connection
 *     bench send PORT FILE       sends the file there by sendfile alone
 *     bench tls PORT FILE        the same by TLS, from memory that maps the file
 *     bench run OUT PROG ARG...  runs the program; adds "PEAK-KIB CPU-MICROSECONDS" to OUT
 *     bench cost N PROG ARG...   runs it N times; prints the CPU microseconds of one time
 *     bench nothing              is a process that does nothing
 *
 * The receiver, which speaks TLS to who begins with it, does the same work on a connection whether
 * MSRP comes or anything else: recv into 256 KiB, a look at every octet for an end-line. Its time
 * runs from the connection to the end of the last chunk, or of the input. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

#define READ_SIZE (256 * 1024)
#define KEPT_MAX  8192 /* a head, or what may be the beginning of an end-line */
#define ID_MAX    32
#define MARK_MAX  (7 + ID_MAX)
#define TAIL_MAX  (2 + MARK_MAX + 3) /* with the CR LF before it, its flag and CR LF */
#define BLOCK     64

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(71);
}

static int64_t now_us(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) < 0)
        die("clock");
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(port)};
}

static int new_socket(void)
{
    int on = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) < 0)
        die("socket");
    return fd;
}

/* --- The receiver. */

struct receiver {
    int fd;
    SSL *ssl; /* NULL: plain */
    int64_t from;
    uint64_t octets;
    bool in_body;
    bool ended; /* the chunk with $ came */
    char mark[MARK_MAX + 1];
    size_t mark_n;
    size_t kept;
    _Alignas(BLOCK) char bytes[KEPT_MAX + READ_SIZE];
    char to[1024], from_path[1024];
    char answers[READ_SIZE];
    size_t answers_n;
};

typedef uint32_t words __attribute__((vector_size(16), may_alias));

/* Four hyphens where a word begins: each seven hyphens have such four. */
static bool has_hyphens(const char *block)
{
    const words hyphens = {0x2d2d2d2d, 0x2d2d2d2d, 0x2d2d2d2d, 0x2d2d2d2d};
    const words *w = (const words *)block;
    words same =
        (words)((w[0] == hyphens) | (w[1] == hyphens) | (w[2] == hyphens) | (w[3] == hyphens));
    return same[0] | same[1] | same[2] | same[3];
}

/* The mark within p..end, where at least the mark and its flag and CR LF fit. */
static char *find_mark(const struct receiver *r, char *p, char *end)
{
    while (p < end) {
        char *block = (char *)((uintptr_t)p & ~(uintptr_t)(BLOCK - 1));
        while (block + BLOCK <= end && !has_hyphens(block))
            block += BLOCK;
        if (block > p + 7)
            p = block - 7;
        size_t n = (size_t)(end - p) < 3 * BLOCK ? (size_t)(end - p) : 3 * BLOCK;
        char *found = memmem(p, n, r->mark, r->mark_n);
        if (found || n < 3 * BLOCK)
            return found;
        p += 2 * BLOCK;
    }
    return NULL;
}

static void take_line(const char *head, const char *name, char *value, size_t room)
{
    const char *at = strstr(head, name);
    if (!at)
        die(name);
    at += strlen(name);
    (void)snprintf(value, room, "%.*s", (int)strcspn(at, "\r "), at);
}

/* "MSRP id SEND", the paths, the blank line. */
static void take_head(struct receiver *r, char *head, const char *end)
{
    char id[ID_MAX + 1];
    head[end - head - 1] = '\0';
    if (sscanf(head, "MSRP %32s SEND\r\n", id) != 1)
        die("no SEND");
    take_line(head, "To-Path: ", r->to, sizeof r->to);
    take_line(head, "From-Path: ", r->from_path, sizeof r->from_path);
    r->mark_n = (size_t)snprintf(r->mark, sizeof r->mark, "-------%s", id);
    r->in_body = true;
}

static ssize_t put(struct receiver *r, const char *p, size_t n)
{
    return r->ssl ? SSL_write(r->ssl, p, (int)n) : send(r->fd, p, n, MSG_NOSIGNAL);
}

static void answer(struct receiver *r)
{
    int n = snprintf(r->answers + r->answers_n, sizeof r->answers - r->answers_n,
                     "MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s$\r\n", r->mark + 7,
                     r->from_path, r->to, r->mark);
    r->answers_n += (size_t)n;
    r->in_body = false;
}

/* Takes one head or body from p..end; NULL: there is no whole one. */
static char *take_part(struct receiver *r, char *p, char *end)
{
    if (!r->in_body) {
        char *blank = memmem(p, (size_t)(end - p), "\r\n\r\n", 4);
        if (!blank)
            return NULL;
        take_head(r, p, blank + 4);
        return blank + 4;
    }
    char *mark = find_mark(r, p, end);
    if (!mark || end - mark < (ptrdiff_t)r->mark_n + 3)
        return NULL;
    r->octets += (uint64_t)(mark - 2 - p);
    r->ended = mark[r->mark_n] == '$';
    answer(r);
    return mark + r->mark_n + 3;
}

/* What is not used up goes to before where the next octets will be read. */
static void take(struct receiver *r, char *p, char *end)
{
    char *next;
    while (!r->ended && (next = take_part(r, p, end)))
        p = next;
    size_t keep = (size_t)(end - p);
    if (r->in_body && keep > TAIL_MAX) {
        r->octets += keep - TAIL_MAX;
        keep = TAIL_MAX;
    }
    if (keep > KEPT_MAX)
        die("a head without an end");
    memmove(r->bytes + KEPT_MAX - keep, end - keep, keep);
    r->kept = keep;
    if (r->answers_n && put(r, r->answers, r->answers_n) <= 0)
        die("answer");
    r->answers_n = 0;
}

static _Noreturn void die_of_tls(void)
{
    ERR_print_errors_fp(stderr);
    exit(71);
}

static ssize_t get(struct receiver *r, char *p, size_t n)
{
    return r->ssl ? SSL_read(r->ssl, p, (int)n) : recv(r->fd, p, n, 0);
}

/* The first octet of TLS is the type of its first record. */
static void begin(struct receiver *r, SSL_CTX *tls)
{
    char first = 0;
    if (recv(r->fd, &first, 1, MSG_PEEK) != 1 || first != SSL3_RT_HANDSHAKE)
        return;
    r->ssl = SSL_new(tls);
    if (!r->ssl || SSL_set_fd(r->ssl, r->fd) != 1 || SSL_accept(r->ssl) != 1)
        die_of_tls();
}

static void receive_one(struct receiver *r)
{
    ssize_t n;
    bool told = false;
    while ((n = get(r, r->bytes + KEPT_MAX, READ_SIZE)) > 0) {
        char *p = r->bytes + KEPT_MAX - r->kept;
        if (r->octets == 0 && r->kept == 0 && !r->in_body && memcmp(p, "MSRP ", 5) != 0) {
            r->in_body = true; /* and no mark will ever come */
            r->mark_n = (size_t)snprintf(r->mark, sizeof r->mark, "-------%032d", 0);
        }
        take(r, p, r->bytes + KEPT_MAX + n);
        if (r->ended && !told) {
            told = true;
            printf("%llu %lld\n", (unsigned long long)r->octets, (long long)(now_us() - r->from));
        }
    }
    if (!told)
        printf("%llu %lld\n", (unsigned long long)(r->octets + r->kept),
               (long long)(now_us() - r->from));
    (void)fflush(stdout);
}

static int receive(const char *cert, const char *key)
{
    static struct receiver r;
    SSL_CTX *tls = SSL_CTX_new(TLS_server_method());
    if (!tls || SSL_CTX_use_certificate_file(tls, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(tls, key, SSL_FILETYPE_PEM) != 1)
        die_of_tls();
    struct sockaddr_in at = loopback(0);
    socklen_t n = sizeof at;
    int listener = new_socket();
    if (bind(listener, (struct sockaddr *)&at, n) < 0 || listen(listener, 8) < 0 ||
        getsockname(listener, (struct sockaddr *)&at, &n) < 0)
        die("listen");
    printf("%u\n", ntohs(at.sin_port));
    (void)fflush(stdout);
    for (;;) {
        struct pollfd fds[] = {{listener, POLLIN, 0}, {STDIN_FILENO, POLLIN, 0}};
        if (poll(fds, 2, -1) < 0)
            die("poll");
        if (fds[1].revents)
            return 0;
        memset(&r, 0, offsetof(struct receiver, bytes));
        r.answers_n = 0;
        r.fd = accept(listener, NULL, NULL);
        if (r.fd < 0)
            die("accept");
        r.from = now_us();
        begin(&r, tls);
        receive_one(&r);
        SSL_free(r.ssl);
        (void)close(r.fd);
    }
}

/* --- The bare sender: congestion control as cpm-msrp-serve sets it within one host. */

static int connect_to(const char *port)
{
    struct sockaddr_in to = loopback((uint16_t)strtoul(port, NULL, 10));
    int fd = new_socket();
    (void)setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4);
    if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    return fd;
}

static int open_file(const char *path, struct stat *st)
{
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, st) < 0)
        die(path);
    return file;
}

static int send_file(const char *port, const char *path)
{
    struct stat st;
    char byte;
    int file = open_file(path, &st);
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

static int send_tls(const char *port, const char *path)
{
    struct stat st;
    char byte;
    int file = open_file(path, &st);
    const char *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, file, 0);
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    SSL *ssl = tls ? SSL_new(tls) : NULL;
    if (p == MAP_FAILED)
        die(path);
    if (!ssl || SSL_set_fd(ssl, connect_to(port)) != 1 || SSL_connect(ssl) != 1)
        die_of_tls();
    for (off_t left = st.st_size; left > 0;) {
        int n = SSL_write(ssl, p, (int)(left < (1 << 20) ? left : (1 << 20)));
        if (n <= 0)
            die_of_tls();
        p += n;
        left -= n;
    }
    if (SSL_shutdown(ssl) < 0 || shutdown(SSL_get_fd(ssl), SHUT_WR) < 0 ||
        SSL_read(ssl, &byte, 1) > 0)
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
    if (argc == 4 && strcmp(word, "receive") == 0)
        return receive(argv[2], argv[3]);
    if (argc == 4 && strcmp(word, "send") == 0)
        return send_file(argv[2], argv[3]);
    if (argc == 4 && strcmp(word, "tls") == 0)
        return send_tls(argv[2], argv[3]);
    if (argc > 3 && strcmp(word, "run") == 0)
        return run(argv[2], argv + 3);
    if (argc > 3 && strcmp(word, "cost") == 0)
        return cost(argv[2], argv + 3);
    fprintf(
        stderr,
        "usage: bench receive CERT KEY | send PORT FILE | tls PORT FILE | run OUT PROG ARG... | "
        "cost N PROG ARG... | nothing\n");
    return 64;
}
