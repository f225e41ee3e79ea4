#include "base/tls.h"

#include "base/openssl_module.h"

#include <errno.h>

/* Not a session's state: the code of the module, once it is loaded. */
static const struct openssl_module *module;

const struct openssl_module *openssl_module(char why[MODULE_WHY_SIZE])
{
    if (!module)
        module = module_open("openssl", sizeof(*module), why);
    return module;
}

int tls_context_new(struct tls_context **out, const struct tls_plan *plan, char why[TLS_WHY_SIZE])
{
    return openssl_module(why) ? module->context_new(out, plan, why) : ELIBACC;
}

/* Whoever has a context or a connection has the module. */

void tls_context_free(struct tls_context *c)
{
    if (c)
        module->context_free(c);
}

const char *tls_context_fingerprint(const struct tls_context *c)
{
    return module->context_fingerprint(c);
}

int tls_client(struct tls **out, struct tls_context *c, int fd, const char *sni,
               const struct tls_peer *peer)
{
    return module->connection(out, c, fd, false, sni, peer);
}

int tls_server(struct tls **out, struct tls_context *c, int fd, const struct tls_peer *peer)
{
    return module->connection(out, c, fd, true, NULL, peer);
}

void tls_free(struct tls *t)
{
    if (t)
        module->free(t);
}

int tls_handshake(struct tls *t)
{
    return module->handshake(t);
}

ssize_t tls_read(struct tls *t, void *p, size_t n)
{
    return module->read(t, p, n);
}

ssize_t tls_write(struct tls *t, const void *p, size_t n)
{
    return module->write(t, p, n);
}

bool tls_pending(const struct tls *t)
{
    return module->pending(t);
}

uint32_t tls_events(const struct tls *t)
{
    return module->events(t);
}

void tls_shutdown(struct tls *t)
{
    module->shutdown(t);
}

int tls_check_peer(struct tls *t, const struct tls_peer *peer)
{
    return module->check_peer(t, peer);
}

const char *tls_why(const struct tls *t)
{
    return module->why(t);
}

const char *tls_version(const struct tls *t)
{
    return module->version(t);
}

bool tls_kernel_sends(const struct tls *t)
{
    return module->kernel_sends(t);
}
