/* Whom a certificate names: SIP domains by RFC 5922 7, hosts by RFC 6125. */
#include "openssl/openssl.h"

#include <arpa/inet.h>
#include <string.h>

#include <openssl/x509v3.h>

#include "base/buf.h"

static struct slice text_of(const ASN1_STRING *s)
{
    return (struct slice){(const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s)};
}

static bool same(struct slice name, struct slice domain)
{
    return name.n == domain.n && name.n > 0 && strncasecmp(name.p, domain.p, name.n) == 0;
}

/* A dot at the end is the same name. */
static struct slice without_dot(const char *domain)
{
    struct slice d = slice_of(domain);
    if (d.n > 1 && d.p[d.n - 1] == '.')
        d.n--;
    return d;
}

/* The host of sip:host[:port][;...]; none where there is a user, or another scheme. */
static struct slice domain_of_uri(struct slice uri)
{
    struct slice scheme = slice_cut(&uri, ':');
    struct slice host = uri;
    if (!slice_is_nocase(scheme, "sip") || !uri.p || memchr(uri.p, '@', uri.n))
        return (struct slice){NULL, 0};
    host = slice_cut(&host, ';');
    host = slice_cut(&host, '?');
    return host.n && host.p[0] == '[' ? host : slice_cut(&host, ':');
}

static bool is_domain(const GENERAL_NAME *name, struct slice domain)
{
    if (name->type == GEN_URI)
        return same(domain_of_uri(text_of(name->d.uniformResourceIdentifier)), domain);
    return name->type == GEN_DNS && same(text_of(name->d.dNSName), domain);
}

static struct slice common_name(const X509 *cert)
{
    const X509_NAME *subject = X509_get_subject_name(cert);
    int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    const ASN1_STRING *value =
        at >= 0 ? X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)) : NULL;
    return value ? text_of(value) : (struct slice){NULL, 0};
}

static GENERAL_NAMES *alternatives(const X509 *cert)
{
    return X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
}

bool openssl_names_domain(X509 *cert, const char *domain)
{
    struct slice wanted = without_dot(domain);
    GENERAL_NAMES *names = alternatives(cert);
    bool found = false;
    for (int i = 0; !found && i < sk_GENERAL_NAME_num(names); i++)
        found = is_domain(sk_GENERAL_NAME_value(names, i), wanted);
    /* Only where there is no subjectAltName at all (RFC 5922 7.1). */
    if (!names && X509_get_ext_by_NID(cert, NID_subject_alt_name, -1) < 0)
        found = same(common_name(cert), wanted);
    GENERAL_NAMES_free(names);
    return found || X509_check_ip_asc(cert, domain, 0) == 1;
}

bool openssl_names_host(X509 *cert, const char *host)
{
    struct slice name = without_dot(host);
    return X509_check_host(cert, name.p, name.n, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS, NULL) == 1 ||
           X509_check_ip_asc(cert, host, 0) == 1;
}

static void add_name(struct buf *text, const char *prefix, struct slice name)
{
    if (name.n > 0)
        (void)buf_format(text, "%s%s%.*s", text->n ? ", " : "", prefix, (int)name.n, name.p);
}

static void add_address(struct buf *text, const ASN1_STRING *address)
{
    char printed[INET6_ADDRSTRLEN];
    int family = ASN1_STRING_length(address) == sizeof(struct in_addr)    ? AF_INET
                 : ASN1_STRING_length(address) == sizeof(struct in6_addr) ? AF_INET6
                                                                          : AF_UNSPEC;
    const void *octets = ASN1_STRING_get0_data(address);
    if (family != AF_UNSPEC && inet_ntop(family, octets, printed, sizeof(printed)))
        add_name(text, "IP ", slice_of(printed));
}

void openssl_names_text(const X509 *cert, char *text, size_t room)
{
    struct buf names = BUF_UP_TO(room - 1);
    GENERAL_NAMES *list = alternatives(cert);
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(list, i);
        if (name->type == GEN_URI)
            add_name(&names, "", text_of(name->d.uniformResourceIdentifier));
        else if (name->type == GEN_DNS)
            add_name(&names, "", text_of(name->d.dNSName));
        else if (name->type == GEN_IPADD)
            add_address(&names, name->d.iPAddress);
    }
    if (names.n == 0)
        add_name(&names, "CN ", common_name(cert));
    if (names.n == 0)
        (void)buf_add_text(&names, "nobody");
    memcpy(text, names.p, names.n + 1);
    GENERAL_NAMES_free(list);
    buf_free(&names);
}
