/* From OpenSSL's errors to an errno value and a text that names the cause. */
#include "openssl/openssl.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include <openssl/err.h>
#include <openssl/sslerr.h>

void openssl_why(char why[MODULE_WHY_SIZE], const char *what)
{
    unsigned long error = ERR_get_error();
    const char *reason = ERR_reason_error_string(error);
    (void)snprintf(why, MODULE_WHY_SIZE, "%s: %s", what, reason ? reason : "failed");
    ERR_clear_error();
}

static int fail(struct tls *t, int error, const char *why)
{
    t->broken = true;
    if (!t->why[0])
        (void)snprintf(t->why, sizeof(t->why), "%s", why);
    return error;
}

#define ALERT_REASON 1000 /* the peer's alert n is reason 1000 + n */

static bool is_about_certificates(int alert)
{
    return (alert >= SSL_AD_BAD_CERTIFICATE && alert <= SSL_AD_CERTIFICATE_UNKNOWN) ||
           alert == SSL_AD_UNKNOWN_CA || alert == SSL_AD_ACCESS_DENIED ||
           alert == SSL_AD_CERTIFICATE_REQUIRED;
}

static int fail_by_alert(struct tls *t, int alert)
{
    const char *text = alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
                                                            : SSL_alert_desc_string_long(alert);
    bool certificates = is_about_certificates(alert);
    bool none = t->asked && !SSL_get_certificate(t->ssl);
    t->broken = true;
    if (none && (certificates || alert == SSL_AD_HANDSHAKE_FAILURE)) {
        (void)snprintf(t->why, sizeof(t->why),
                       "the peer wants a certificate of ours (its alert: %s)", text);
        return EKEYREJECTED;
    }
    (void)snprintf(t->why, sizeof(t->why),
                   certificates ? "the peer refuses our certificate: %s" : "the peer's alert: %s",
                   text);
    return certificates ? EKEYREJECTED : EPROTO;
}

static int fail_by_reason(struct tls *t, unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    const char *text = ERR_reason_error_string(error);
    if (ERR_GET_LIB(error) != ERR_LIB_SSL)
        return fail(t, EPROTO, text ? text : "TLS failed");
    if (reason > ALERT_REASON && reason <= ALERT_REASON + UINT8_MAX)
        return fail_by_alert(t, reason - ALERT_REASON);
    switch (reason) {
    case SSL_R_CERTIFICATE_VERIFY_FAILED:
        return fail(t, EKEYREJECTED, "the peer's certificate does not pass");
    case SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE:
        return fail(t, EKEYREJECTED, "the peer shows no certificate");
    case SSL_R_WRONG_VERSION_NUMBER:
    case SSL_R_HTTP_REQUEST:
    case SSL_R_RECORD_LENGTH_MISMATCH:
    case SSL_R_PACKET_LENGTH_TOO_LONG:
    case SSL_R_UNEXPECTED_MESSAGE:
        return fail(t, EPROTO, "the peer does not speak TLS there");
    case SSL_R_UNSUPPORTED_PROTOCOL:
    case SSL_R_VERSION_TOO_LOW:
    case SSL_R_NO_PROTOCOLS_AVAILABLE:
        return fail(t, EPROTO, "the peer speaks neither TLS 1.2 nor 1.3");
    default:
        return fail(t, EPROTO, text ? text : "TLS failed");
    }
}

static int fail_by_system(struct tls *t, int error)
{
    if (error == 0)
        return fail(t, ECONNRESET, "closed by the peer");
    return fail(t, error, strerror(error));
}

int openssl_error(struct tls *t, int result)
{
    int error = errno; /* before anything else changes it */
    unsigned long queued = ERR_peek_error();
    switch (SSL_get_error(t->ssl, result)) {
    case SSL_ERROR_WANT_READ:
        t->events = EPOLLIN;
        return EAGAIN;
    case SSL_ERROR_WANT_WRITE:
        t->events = EPOLLOUT;
        return EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return fail_by_system(t, error);
    default:
        break;
    }
    bool cut = ERR_GET_LIB(queued) == ERR_LIB_SSL &&
               ERR_GET_REASON(queued) == SSL_R_UNEXPECTED_EOF_WHILE_READING;
    int err = cut ? fail_by_system(t, 0) : fail_by_reason(t, queued);
    ERR_clear_error();
    return err;
}
