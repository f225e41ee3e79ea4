/* One connection: the calls of tls.h. */
#include "openssl/openssl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>

#include "base/mem.h"

static bool is_address(const char *host)
{
    struct in6_addr a;
    return inet_pton(AF_INET, host, &a) == 1 || inet_pton(AF_INET6, host, &a) == 1;
}

static bool name_server(SSL *ssl, const char *sni)
{
    char *name =
        sni && *sni && !is_address(sni) ? mem_dup(sni) : NULL; /* the macro takes off the const */
    bool good = !name || SSL_set_tlsext_host_name(ssl, name) == 1;
    free(name);
    return good;
}

static bool set_up(struct tls *t, int fd, bool server, const char *sni)
{
    int mode = SSL_VERIFY_PEER;
    if (server && t->check != TLS_CHECK_LATER && t->check != TLS_CHECK_CHAIN)
        mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
    SSL_set_verify(t->ssl, mode, NULL);
    if (SSL_set_app_data(t->ssl, t) != 1 || SSL_set_fd(t->ssl, fd) != 1)
        return false;
    if (server)
        SSL_set_accept_state(t->ssl);
    else
        SSL_set_connect_state(t->ssl);
    return server || name_server(t->ssl, sni);
}

int openssl_connection(struct tls **out, struct tls_context *c, int fd, bool server,
                       const char *sni, const struct tls_peer *peer)
{
    struct tls *t = mem_new(sizeof(*t));
    t->check = peer->check;
    t->value = mem_dup(peer->value);
    t->ssl = SSL_new(c->ctx);
    if (!t->ssl || !set_up(t, fd, server, sni)) {
        ERR_clear_error();
        openssl_free(t);
        return ENOMEM;
    }
    *out = t;
    return 0;
}

void openssl_free(struct tls *t)
{
    SSL_free(t->ssl);
    free(t->value);
    free(t);
}

static void begin(struct tls *t)
{
    t->events = 0;
    t->why[0] = '\0';
    errno = 0;
    ERR_clear_error();
}

int openssl_handshake(struct tls *t)
{
    begin(t);
    int result = SSL_do_handshake(t->ssl);
    if (result == 1) {
        t->done = true;
        return 0;
    }
    int err = openssl_error(t, result);
    return err ? err : ECONNRESET;
}

ssize_t openssl_read(struct tls *t, void *p, size_t n)
{
    size_t got = 0;
    begin(t);
    int result = SSL_read_ex(t->ssl, p, n, &got);
    if (result == 1)
        return (ssize_t)got;
    int err = openssl_error(t, result);
    errno = err;
    return err ? -1 : 0;
}

ssize_t openssl_write(struct tls *t, const void *p, size_t n)
{
    size_t put = 0;
    if (n == 0)
        return 0;
    begin(t);
    int result = SSL_write_ex(t->ssl, p, n, &put);
    if (result == 1)
        return (ssize_t)put;
    int err = openssl_error(t, result);
    errno = err ? err : EPIPE;
    return -1;
}

bool openssl_pending(const struct tls *t)
{
    return SSL_pending(t->ssl) > 0;
}

uint32_t openssl_events(const struct tls *t)
{
    return t->events;
}

void openssl_shutdown(struct tls *t)
{
    if (!t->done || t->broken)
        return;
    t->broken = true;
    ERR_clear_error();
    if (SSL_shutdown(t->ssl) < 0) /* it does not fit: the end of the stream has to say it */
        ERR_clear_error();
}

const char *openssl_conn_why(const struct tls *t)
{
    return t->why;
}

const char *openssl_version(const struct tls *t)
{
    return SSL_get_version(t->ssl);
}

bool openssl_kernel_sends(const struct tls *t)
{
    return t->done && BIO_get_ktls_send(SSL_get_wbio(t->ssl)) != 0;
}
