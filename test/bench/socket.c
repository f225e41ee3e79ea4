#include "test/bench/bench.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

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

int receive_each(void (*one)(int fd))
{
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
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            die("accept");
        one(fd);
        (void)close(fd);
    }
}

/* The congestion control is the one that cpm-msrp-serve takes within one host. */
int connect_to(const char *port)
{
    struct sockaddr_in to = loopback((uint16_t)strtoul(port, NULL, 10));
    int fd = new_socket();
    if (setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, "reno", 4) < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0)
        die("connect");
    return fd;
}
