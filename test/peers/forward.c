/* A bad network for datagrams: stands before a recipient, and loses, doubles, delays and so
 * reorders what goes either way. Each sender has a socket of its own towards the recipient, so that
 * answers find back. Prints its port and the seed of its chances, then works until it is ended.
 *
 * usage: forward HOST:PORT LOSS% DOUBLE% DELAY-MS [SEED] */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SENDERS 1024
#define WAITING 8192
#define SIZE    65536

static struct {
    struct sockaddr_in from;
    int fd; /* towards the recipient */
} senders[SENDERS];
static size_t count;

static struct packet {
    char *bytes;
    size_t n;
    int fd; /* to be sent on */
    struct sockaddr_in to;
    long due;
} waiting[WAITING];
static size_t waits;

static int front;
static struct sockaddr_in recipient;
static unsigned long loss, twice, delay;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static long now_ms(void)
{
    struct timespec t;
    if (clock_gettime(CLOCK_MONOTONIC, &t) != 0)
        fail("clock_gettime");
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static unsigned long number(const char *text)
{
    unsigned long n = 0;
    for (; *text >= '0' && *text <= '9'; text++)
        n = n * 10 + (unsigned long)(*text - '0');
    if (*text != '\0')
        fail(text);
    return n;
}

static bool happens(unsigned long percent)
{
    return (unsigned long)random() % 100 < percent;
}

static int bound_socket(void)
{
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof any) != 0)
        fail("socket");
    return fd;
}

static int fd_of(const struct sockaddr_in *from)
{
    for (size_t i = 0; i < count; i++) {
        if (senders[i].from.sin_port == from->sin_port &&
            senders[i].from.sin_addr.s_addr == from->sin_addr.s_addr)
            return senders[i].fd;
    }
    if (count == SENDERS)
        fail("too many senders");
    senders[count].from = *from;
    senders[count].fd = bound_socket();
    return senders[count++].fd;
}

static void later(const char *bytes, size_t n, int fd, const struct sockaddr_in *to)
{
    if (waits == WAITING)
        return; /* a network may lose what it likes */
    struct packet *p = &waiting[waits++];
    p->bytes = malloc(n + 1);
    if (!p->bytes)
        fail("malloc");
    memcpy(p->bytes, bytes, n);
    p->n = n;
    p->fd = fd;
    p->to = *to;
    p->due = now_ms() + (long)(delay ? (unsigned long)random() % (delay + 1) : 0);
}

static void take(int from_fd, bool from_recipient, size_t sender)
{
    static char bytes[SIZE];
    struct sockaddr_in from;
    socklen_t len = sizeof from;
    ssize_t n = recvfrom(from_fd, bytes, sizeof bytes, 0, (struct sockaddr *)&from, &len);
    if (n < 0 || happens(loss))
        return;
    int fd = from_recipient ? front : fd_of(&from);
    const struct sockaddr_in *to = from_recipient ? &senders[sender].from : &recipient;
    later(bytes, (size_t)n, fd, to);
    if (happens(twice))
        later(bytes, (size_t)n, fd, to);
}

/* What is due goes; how long until the next. */
static int send_due(void)
{
    long now = now_ms(), next = now + 1000;
    for (size_t i = 0; i < waits;) {
        struct packet *p = &waiting[i];
        if (p->due > now) {
            next = p->due < next ? p->due : next;
            i++;
            continue;
        }
        /* Nobody may be there any more. */
        (void)!sendto(p->fd, p->bytes, p->n, 0, (struct sockaddr *)&p->to, sizeof p->to);
        free(p->bytes);
        *p = waiting[--waits];
    }
    return (int)(next - now);
}

static void work(void)
{
    static struct pollfd fds[SENDERS + 1];
    int wait = send_due();
    size_t n = count;
    fds[0] = (struct pollfd){.fd = front, .events = POLLIN};
    for (size_t i = 0; i < n; i++)
        fds[i + 1] = (struct pollfd){.fd = senders[i].fd, .events = POLLIN};
    if (poll(fds, (nfds_t)n + 1, wait) < 0 && errno != EINTR)
        fail("poll");
    if (fds[0].revents)
        take(front, false, 0);
    for (size_t i = 0; i < n; i++) {
        if (fds[i + 1].revents)
            take(senders[i].fd, true, i);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in own;
    socklen_t len = sizeof own;
    char *colon = argc > 4 ? strchr(argv[1], ':') : NULL;
    if (!colon) {
        (void)fprintf(stderr, "usage: forward HOST:PORT LOSS DOUBLE DELAY-MS [SEED]\n");
        return 64;
    }
    *colon = '\0';
    recipient.sin_family = AF_INET;
    recipient.sin_port = htons((uint16_t)number(colon + 1));
    if (inet_pton(AF_INET, argv[1], &recipient.sin_addr) != 1)
        fail(argv[1]);
    loss = number(argv[2]);
    twice = number(argv[3]);
    delay = number(argv[4]);
    unsigned seed = argc > 5 ? (unsigned)number(argv[5]) : (unsigned)now_ms();
    srandom(seed);
    front = bound_socket();
    if (getsockname(front, (struct sockaddr *)&own, &len) != 0)
        fail("getsockname");
    printf("port %u seed %u\n", (unsigned)ntohs(own.sin_port), seed);
    (void)fflush(stdout);
    for (;;)
        work();
}
