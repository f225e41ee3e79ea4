/* The options, looked at before anything is sent. */
#include "sip/agent.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sysexits.h>

#define SESSION_EXPIRES_LEAST_MS 90000 /* RFC 4028 4 */

int fault_set(struct sip_fault *f, int status, const char *what, const char *why, const char *hint)
{
    f->status = status;
    f->hint = hint;
    (void)snprintf(f->what, sizeof(f->what), "%s", what);
    (void)snprintf(f->why, sizeof(f->why), "%s", why);
    return status;
}

/* Text that will stand in a header: printable, no line ends. */
static bool printable(const char *text)
{
    for (; text != NULL && *text != '\0'; text++)
        if (iscntrl((unsigned char)*text))
            return false;
    return true;
}

static int check_uri(const char *option, const char *text, bool tel, struct uri *u,
                     struct sip_fault *f)
{
    const char *why;

    if (text == NULL || text[0] == '\0')
        return fault_set(f, EX_USAGE, option, "is missing", "give a URI, as sip:bob@example.com");
    if (uri_parse(slice_of(text), u, &why) != 0)
        return fault_set(f, EX_USAGE, text, why, option);
    if (u->scheme == URI_TEL && !tel)
        return fault_set(f, EX_USAGE, text, "a telephone number is no next hop", option);
    return 0;
}

/* Is there a way out, and one that is spoken here? */
static int check_way(const struct sip_config *c, const struct uri *next, const char *text,
                     struct sip_fault *f)
{
    struct slice transport = uri_param(next, "transport");

    if (next->scheme == URI_TEL)
        return fault_set(f, EX_USAGE, text, "no route to a telephone number",
                         "name the next hop with --proxy");
    if (transport.n == 0 && c->transport != NULL)
        transport = slice_of(c->transport);
    if ((next->scheme == URI_SIPS || uri_is_secure(c->to)) && slice_is_nocase(transport, "udp"))
        return fault_set(f, EX_USAGE, text, "sips: goes by TLS alone", "leave out udp");
    if (transport.n > 0 && !slice_is_nocase(transport, "udp") &&
        !slice_is_nocase(transport, "tcp") && !slice_is_nocase(transport, "tls"))
        return fault_set(f, EX_USAGE, text, "unknown ;transport=", "udp, tcp or tls");
    return 0;
}

static int check_addresses(const struct sip_config *c, struct sip_fault *f)
{
    struct uri u, to, next;
    int status = check_uri("--from", c->from, true, &u, f);

    if (status == 0)
        status = check_uri("--to", c->to, true, &to, f);
    if (status == 0 && c->asserted_identity != NULL)
        status = check_uri("--asserted-identity", c->asserted_identity, true, &u, f);
    if (status == 0 && c->referred_by != NULL)
        status = check_uri("--referred-by", c->referred_by, true, &u, f);
    for (size_t i = c->proxy.n; status == 0 && i > 0; i--)
        status = check_uri("--proxy", c->proxy.v[i - 1], false, &next, f);
    if (status != 0)
        return status;
    return c->proxy.n > 0 ? check_way(c, &next, c->proxy.v[0], f) : check_way(c, &to, c->to, f);
}

static int check_texts(const struct sip_config *c, struct sip_fault *f)
{
    const struct {
        const char *option, *text;
        const char *never; /* further characters that may not be in it */
    } texts[] = {
        {"--icsi", c->icsi, " \",;<>"},
        {"--accept-contact", c->accept_contact, ""},
        {"--user-agent", c->user_agent, ""},
        {"--auth-user", c->auth_user, ""},
        {"--conversation-id", c->conversation_id, " \",;<>"},
        {"--contribution-id", c->contribution_id, " \",;<>"},
        {"--sip-advertise", c->sip_advertise, " \",;<>@/?"},
    };

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (texts[i].text != NULL && texts[i].text[0] == '\0')
            return fault_set(f, EX_USAGE, texts[i].option, "is empty", "leave it out");
        if (!printable(texts[i].text) ||
            (texts[i].text != NULL && strpbrk(texts[i].text, texts[i].never) != NULL))
            return fault_set(f, EX_USAGE, texts[i].option,
                             "holds a character that may not stand there", NULL);
    }
    return 0;
}

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!isalnum((unsigned char)s.p[i]) &&
            (s.p[i] == '\0' || strchr("-.!%*_+`'~", s.p[i]) == NULL))
            return false;
    return s.n > 0;
}

static int check_headers(const struct sip_config *c, struct sip_fault *f)
{
    /* What these say belongs to the transaction and the dialog. */
    static const char *const ours[] = {"Via",
                                       "v",
                                       "From",
                                       "f",
                                       "To",
                                       "t",
                                       "Call-ID",
                                       "i",
                                       "CSeq",
                                       "Contact",
                                       "m",
                                       "Route",
                                       "Record-Route",
                                       "Content-Length",
                                       "l",
                                       "Content-Type",
                                       "c"};

    for (size_t i = 0; i < c->header.n; i++) {
        struct header_wish w = header_wish(c->header.v[i]);
        if (!is_token(w.name) || w.value.p == NULL || !printable(c->header.v[i]))
            return fault_set(f, EX_USAGE, "-H", "not a header", "write -H 'Name: value'");
        for (size_t k = 0; k < sizeof(ours) / sizeof(ours[0]); k++)
            if (slice_is_nocase(w.name, ours[k]))
                return fault_set(f, EX_USAGE, "-H", "this header cannot be changed", NULL);
    }
    return 0;
}

static int check_own_addresses(const struct sip_config *c, struct sip_fault *f)
{
    struct net_bind bind;
    struct net_addr host;

    if (c->sip_bind != NULL && net_parse_bind(c->sip_bind, &bind) != 0)
        return fault_set(f, EX_USAGE, "--sip-bind", "not an address",
                         "ADDR[:PORT[-PORT]]; a port alone is :PORT");
    if (c->sip_advertise != NULL && net_parse_host(c->sip_advertise, 0, &host) != 0 &&
        !dns_is_name(c->sip_advertise))
        return fault_set(f, EX_USAGE, c->sip_advertise, "neither a host name nor an address",
                         "--sip-advertise takes no port");
    if (c->dns_server != NULL && dns_servers_check(c->dns_server) != 0)
        return fault_set(f, EX_USAGE, "--dns-server", "not a list of addresses",
                         "ADDR[:PORT][,ADDR[:PORT]]...");
    return 0;
}

static int check_rest(const struct sip_config *c, struct sip_fault *f)
{
    if ((c->auth_user == NULL) != (c->auth_password_file == NULL))
        return fault_set(f, EX_USAGE, c->auth_user != NULL ? "--auth-password-file" : "--auth-user",
                         "is missing", "give both or none");
    if (c->sip_tls_key != NULL && c->sip_tls_cert == NULL)
        return fault_set(f, EX_USAGE, "--sip-tls-cert", "is missing", "the key belongs to it");
    if (c->session_expires < SESSION_EXPIRES_LEAST_MS)
        return fault_set(f, EX_USAGE, "--session-expires", "less than 90 seconds", NULL);
    if (c->min_se != 0 && c->min_se < SESSION_EXPIRES_LEAST_MS)
        return fault_set(f, EX_USAGE, "--min-se", "less than 90 seconds", NULL);
    if (c->min_se > c->session_expires)
        return fault_set(f, EX_USAGE, "--min-se", "more than --session-expires", NULL);
    if (c->t1 <= 0 || c->t2 < c->t1 || c->t4 <= 0)
        return fault_set(f, EX_USAGE, "--t1, --t2, --t4", "0 < t1 <= t2 and 0 < t4", NULL);
    return 0;
}

int sip_config_check(const struct sip_config *c, bool whole, struct sip_fault *f)
{
    int status = whole ? check_addresses(c, f) : 0;

    *f = status == 0 ? (struct sip_fault){.status = 0} : *f;
    if (status == 0)
        status = check_texts(c, f);
    if (status == 0)
        status = check_headers(c, f);
    if (status == 0)
        status = check_own_addresses(c, f);
    return status != 0 ? status : check_rest(c, f);
}
