/* The TLS half of what scripts/bench measures with. It shares no code with the programs.
 *
 *     bench_tls receive CERT    as `bench receive`, with TLS; certificate and key are in one file
 *     bench_tls send PORT FILE  sends the file there as one bare TLS stream */
#include "test/bench/bench.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define WRITE_SIZE ((size_t)1024 * 1024)

static SSL_CTX *context;

static ssize_t read_tls(void *arg, void *to, size_t n)
{
    size_t got = 0;
    return SSL_read_ex(arg, to, n, &got) == 1 ? (ssize_t)got : 0;
}

static ssize_t write_tls(void *arg, const void *from, size_t n)
{
    size_t gone = 0;
    return SSL_write_ex(arg, from, n, &gone) == 1 ? (ssize_t)gone : -1;
}

static SSL *over(int fd)
{
    SSL *tls = SSL_new(context);
    if (!tls || SSL_set_fd(tls, fd) != 1)
        die("SSL_new");
    return tls;
}

static void receive_one(int fd)
{
    SSL *tls = over(fd);
    struct bench_io io = {read_tls, write_tls, tls};
    int64_t from = now_us();
    if (SSL_accept(tls) != 1)
        die("SSL_accept");
    receive_all(&io, from);
    (void)SSL_shutdown(tls);
    SSL_free(tls);
}

static int receive(const char *cert)
{
    context = SSL_CTX_new(TLS_server_method());
    if (!context || SSL_CTX_use_certificate_chain_file(context, cert) != 1 ||
        SSL_CTX_use_PrivateKey_file(context, cert, SSL_FILETYPE_PEM) != 1)
        die(cert);
    return receive_each(receive_one);
}

static int send_file(const char *port, const char *path)
{
    struct stat st;
    char byte;
    int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0 || fstat(file, &st) < 0)
        die(path);
    char *octets = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_SHARED, file, 0);
    context = SSL_CTX_new(TLS_client_method());
    if (octets == MAP_FAILED || !context)
        die(path);
    SSL *tls = over(connect_to(port));
    if (SSL_connect(tls) != 1)
        die("SSL_connect");
    for (size_t at = 0, size = (size_t)st.st_size; at < size;) {
        size_t n = size - at < WRITE_SIZE ? size - at : WRITE_SIZE;
        if (write_tls(tls, octets + at, n) != (ssize_t)n)
            die("SSL_write");
        at += n;
    }
    (void)SSL_shutdown(tls);
    return read_tls(tls, &byte, 1) == 0 ? 0 : 71;
}

int main(int argc, char **argv)
{
    if (argc == 3 && strcmp(argv[1], "receive") == 0)
        return receive(argv[2]);
    if (argc == 4 && strcmp(argv[1], "send") == 0)
        return send_file(argv[2], argv[3]);
    fprintf(stderr, "usage: bench_tls receive CERT | send PORT FILE\n");
    return 64;
}
