/* The options that several programs share, as rows for their tables (base/opt.h): so a name has one
 * meaning, one kind and one range in all of them.
 *
 * Each macro takes TO, which turns a field's name into the place for the value. A program that uses
 * the values gives the address in its struct, one that only hands them on (opt_given) gives NULL:
 *
 *     #define TO(field) &config.field        #define KEEP(field) NULL
 *     const struct opt sip[] = {SIP_OPTIONS(TO){0}};
 *
 * Fields are named like the options with - as _. Their C types follow from the kind: flag bool;
 * text and choice const char *; list struct opt_list; all others int64_t (durations in ms). */
#ifndef BIN_OPTIONS_H
#define BIN_OPTIONS_H

#include "base/opt.h"

#define DAY_MS 86400000LL

/* from, to */
#define ADDRESS_OPTIONS(TO)                           \
    {.name = "from",                                  \
     .kind = OPT_TEXT,                                \
     .arg = "URI",                                    \
     .help = "authenticated originator (sip:, tel:)", \
     .to = TO(from),                                  \
     .where = OPT_COMMAND_LINE},                      \
        {.name = "to",                                \
         .kind = OPT_TEXT,                            \
         .arg = "URI",                                \
         .help = "recipient (sip:, tel:)",            \
         .to = TO(to),                                \
         .where = OPT_COMMAND_LINE},

/* struct stage_options: session, attempt */
#define SESSION_OPTIONS(TO)                                    \
    {.name = "session",                                        \
     .letter = 's',                                            \
     .kind = OPT_TEXT,                                         \
     .arg = "FILE",                                            \
     .help = "session file, made if it is missing",            \
     .to = TO(session),                                        \
     .where = OPT_COMMAND_LINE},                               \
        {.name = "attempt",                                    \
         .kind = OPT_TEXT,                                     \
         .arg = "SID",                                         \
         .help = "the attempt to join, started by the caller", \
         .to = TO(attempt),                                    \
         .where = OPT_COMMAND_LINE},

/* struct stage_options: alone, start_timeout_ms */
#define STAGE_OPTIONS(TO)                                                       \
    {.name = "alone",                                                           \
     .kind = OPT_FLAG,                                                          \
     .help = "standard input and output are not the pipes of the other stages", \
     .to = TO(alone)},                                                          \
        {.name = "start-timeout",                                               \
         .kind = OPT_DURATION,                                                  \
         .arg = "S",                                                            \
         .help = "how long to wait for the other stages",                       \
         .to = TO(start_timeout_ms),                                            \
         .min = 1,                                                              \
         .max = 365 * DAY_MS},

/* struct trace_options */
#define TRACE_OPTIONS(TO)                                            \
    {.name = "trace",                                                \
     .kind = OPT_TEXT,                                               \
     .arg = "FILE",                                                  \
     .help = "append the steps and the wire, as -vv shows them",     \
     .to = TO(trace)},                                               \
        {.name = "pcap",                                             \
         .kind = OPT_TEXT,                                           \
         .arg = "FILE",                                              \
         .help = "append what went over the wire, as a capture",     \
         .to = TO(pcap)},                                            \
        {.name = "pcap-snaplen",                                     \
         .kind = OPT_SIZE,                                           \
         .arg = "N",                                                 \
         .help = "octets of each packet that --pcap keeps (0: all)", \
         .to = TO(pcap_snaplen),                                     \
         .max = 1024 * 1024},

/* struct sip_config, without from and to */
#define SIP_OPTIONS(TO)     \
    SIP_WAY_OPTIONS(TO)     \
    SIP_TLS_OPTIONS(TO)     \
    SIP_AUTH_OPTIONS(TO)    \
    SIP_SESSION_OPTIONS(TO) \
    SIP_HEADER_OPTIONS(TO)  \
    SIP_TIMER_OPTIONS(TO)

#define SIP_WAY_OPTIONS(TO)                                                       \
    {.name = "proxy",                                                             \
     .kind = OPT_LIST,                                                            \
     .arg = "URI",                                                                \
     .help = "Route into the SIP/IP core; repeatable, the first is the next hop", \
     .to = TO(proxy)},                                                            \
        {.name = "transport",                                                     \
         .kind = OPT_CHOICE,                                                      \
         .arg = "udp|tcp|tls",                                                    \
         .choices = "udp|tcp|tls",                                                \
         .help = "SIP transport, where the next hop's URI names none",            \
         .to = TO(transport)},                                                    \
        {.name = "sip-bind",                                                      \
         .kind = OPT_TEXT,                                                        \
         .arg = "ADDR[:PORT[-PORT]]",                                             \
         .help = "local address for SIP",                                         \
         .to = TO(sip_bind)},                                                     \
        {.name = "sip-advertise",                                                 \
         .kind = OPT_TEXT,                                                        \
         .arg = "HOST",                                                           \
         .help = "host to name in Via and Contact",                               \
         .to = TO(sip_advertise)},

#define SIP_TLS_OPTIONS(TO)                                                     \
    {.name = "sip-tls-ca",                                                      \
     .kind = OPT_TEXT,                                                          \
     .arg = "FILE",                                                             \
     .help = "CAs to trust for SIP: a PEM file, or a folder by openssl rehash", \
     .to = TO(sip_tls_ca)},                                                     \
        {.name = "sip-tls-cert",                                                \
         .kind = OPT_TEXT,                                                      \
         .arg = "FILE",                                                         \
         .help = "our certificate for SIP (PEM), with what leads to its root",  \
         .to = TO(sip_tls_cert)},                                               \
        {.name = "sip-tls-key",                                                 \
         .kind = OPT_TEXT,                                                      \
         .arg = "FILE",                                                         \
         .help = "its private key (PEM), if it is not in the same file",        \
         .to = TO(sip_tls_key),                                                 \
         .where = OPT_SECRET_FILE},

#define SIP_AUTH_OPTIONS(TO)                                 \
    {.name = "auth-user",                                    \
     .kind = OPT_TEXT,                                       \
     .arg = "USER",                                          \
     .help = "user name for digest authentication",          \
     .to = TO(auth_user)},                                   \
        {.name = "auth-password-file",                       \
         .kind = OPT_TEXT,                                   \
         .arg = "FILE",                                      \
         .help = "file with the password, closed to others", \
         .to = TO(auth_password_file),                       \
         .where = OPT_SECRET_FILE},

#define SIP_SESSION_OPTIONS(TO)                                                   \
    {.name = "session-expires",                                                   \
     .kind = OPT_DURATION,                                                        \
     .arg = "S",                                                                  \
     .help = "session interval to ask for",                                       \
     .to = TO(session_expires),                                                   \
     .min = 90000,                                                                \
     .max = 30 * DAY_MS},                                                         \
        {.name = "min-se",                                                        \
         .kind = OPT_DURATION,                                                    \
         .arg = "S",                                                              \
         .help = "smallest session interval to accept",                           \
         .to = TO(min_se),                                                        \
         .min = 90000,                                                            \
         .max = 30 * DAY_MS},                                                     \
        {.name = "icsi",                                                          \
         .kind = OPT_TEXT,                                                        \
         .arg = "URN",                                                            \
         .help = "IMS communication service, as a plain URN",                     \
         .to = TO(icsi)},                                                         \
        {.name = "accept-contact",                                                \
         .kind = OPT_TEXT,                                                        \
         .arg = "VALUE",                                                          \
         .help = "the whole Accept-Contact value, instead of one made of --icsi", \
         .to = TO(accept_contact)},                                               \
        {.name = "asserted-identity",                                             \
         .kind = OPT_TEXT,                                                        \
         .arg = "URI",                                                            \
         .help = "P-Asserted-Identity, if it is not --from",                      \
         .to = TO(asserted_identity)},                                            \
        {.name = "referred-by",                                                   \
         .kind = OPT_TEXT,                                                        \
         .arg = "URI",                                                            \
         .help = "Referred-By, if it is not --from",                              \
         .to = TO(referred_by)},                                                  \
        {.name = "from-check",                                                    \
         .kind = OPT_CHOICE,                                                      \
         .arg = "yes|no",                                                         \
         .choices = "yes|no",                                                     \
         .help = "does the message's CPIM From have to be --from?",               \
         .to = TO(from_check)},

#define SIP_HEADER_OPTIONS(TO)                                                                  \
    {.name = "user-agent",                                                                      \
     .kind = OPT_TEXT,                                                                          \
     .arg = "TEXT",                                                                             \
     .help = "User-Agent",                                                                      \
     .to = TO(user_agent)},                                                                     \
        {.name = "conversation-id",                                                             \
         .kind = OPT_TEXT,                                                                      \
         .arg = "ID",                                                                           \
         .help = "Conversation-ID, if it is not the session file's",                            \
         .to = TO(conversation_id)},                                                            \
        {.name = "contribution-id",                                                             \
         .kind = OPT_TEXT,                                                                      \
         .arg = "ID",                                                                           \
         .help = "Contribution-ID, if it is not the session file's",                            \
         .to = TO(contribution_id)},                                                            \
        {.name = "header",                                                                      \
         .letter = 'H',                                                                         \
         .kind = OPT_LIST,                                                                      \
         .arg = "'NAME: VALUE'",                                                                \
         .help =                                                                                \
             "adds or replaces a header; 'NAME:' removes it, 'BYE:NAME: VALUE' names a method", \
         .to = TO(header)},

#define SIP_TIMER_OPTIONS(TO)                                                 \
    {.name = "answer-timeout",                                                \
     .kind = OPT_DURATION,                                                    \
     .arg = "S",                                                              \
     .help = "how long to wait for the answer to the INVITE",                 \
     .to = TO(answer_timeout),                                                \
     .min = 1,                                                                \
     .max = DAY_MS},                                                          \
        {.name = "linger",                                                    \
         .kind = OPT_DURATION,                                                \
         .arg = "S",                                                          \
         .help = "how long to answer repetitions of the peer's BYE over UDP", \
         .to = TO(linger),                                                    \
         .max = 3600000},                                                     \
        {.name = "t1",                                                        \
         .kind = OPT_MS,                                                      \
         .arg = "MS",                                                         \
         .help = "RFC 3261 timer T1, round-trip time",                        \
         .to = TO(t1),                                                        \
         .min = 1,                                                            \
         .max = 60000},                                                       \
        {.name = "t2",                                                        \
         .kind = OPT_MS,                                                      \
         .arg = "MS",                                                         \
         .help = "RFC 3261 timer T2, longest retransmission interval",        \
         .to = TO(t2),                                                        \
         .min = 1,                                                            \
         .max = 600000},                                                      \
        {.name = "t4",                                                        \
         .kind = OPT_MS,                                                      \
         .arg = "MS",                                                         \
         .help = "RFC 3261 timer T4, life of a message in the network",       \
         .to = TO(t4),                                                        \
         .min = 1,                                                            \
         .max = 600000},

/* struct sip_config, struct msrp_serve_plan: dns_server, dns_timeout */
#define DNS_OPTIONS(TO)                                                     \
    {.name = "dns-server",                                                  \
     .kind = OPT_TEXT,                                                      \
     .arg = "ADDR[:PORT][,...]",                                            \
     .help = "DNS servers to ask, instead of those of /etc/resolv.conf",    \
     .to = TO(dns_server)},                                                 \
        {.name = "dns-timeout",                                             \
         .kind = OPT_DURATION,                                              \
         .arg = "S",                                                        \
         .help = "how long one DNS look-up may take, with its repetitions", \
         .to = TO(dns_timeout),                                             \
         .min = 100,                                                        \
         .max = 3600000},

/* What cpm-msrp-serve is told. */
#define MSRP_OPTIONS(TO)     \
    MSRP_WAY_OPTIONS(TO)     \
    MSRP_TLS_OPTIONS(TO)     \
    MSRP_MESSAGE_OPTIONS(TO) \
    MSRP_TIMER_OPTIONS(TO)

#define MSRP_WAY_OPTIONS(TO)                                                             \
    {.name = "msrp-listen",                                                              \
     .kind = OPT_TEXT,                                                                   \
     .arg = "ADDR[:PORT[-PORT]]",                                                        \
     .help = "local address for MSRP",                                                   \
     .to = TO(msrp_listen)},                                                             \
        {.name = "msrp-share",                                                           \
         .kind = OPT_FLAG,                                                               \
         .help = "share that port with other deliveries",                                \
         .to = TO(msrp_share)},                                                          \
        {.name = "msrp-advertise",                                                       \
         .kind = OPT_TEXT,                                                               \
         .arg = "HOST",                                                                  \
         .help = "host to name in the offer",                                            \
         .to = TO(msrp_advertise)},                                                      \
        {.name = "setup",                                                                \
         .kind = OPT_CHOICE,                                                             \
         .arg = "passive|actpass|active",                                                \
         .choices = "passive|actpass|active",                                            \
         .help = "a=setup of the offer",                                                 \
         .to = TO(setup)},                                                               \
        {.name = "cema",                                                                 \
         .kind = OPT_FLAG,                                                               \
         .help = "a=msrp-cema in the offer: boxes on the way may anchor the connection", \
         .to = TO(cema)},

#define MSRP_TLS_OPTIONS(TO)                                                         \
    {.name = "msrps", .kind = OPT_FLAG, .help = "MSRP over TLS", .to = TO(msrps)},   \
        {.name = "msrp-tls-cert",                                                    \
         .kind = OPT_TEXT,                                                           \
         .arg = "FILE",                                                              \
         .help = "our certificate for MSRP (PEM), instead of one made for this run", \
         .to = TO(msrp_tls_cert)},                                                   \
        {.name = "msrp-tls-key",                                                     \
         .kind = OPT_TEXT,                                                           \
         .arg = "FILE",                                                              \
         .help = "its private key (PEM), if it is not in the same file",             \
         .to = TO(msrp_tls_key),                                                     \
         .where = OPT_SECRET_FILE},                                                  \
        {.name = "msrp-tls-ca",                                                      \
         .kind = OPT_TEXT,                                                           \
         .arg = "FILE",                                                              \
         .help = "CAs to trust for MSRP, where the recipient gives no fingerprint",  \
         .to = TO(msrp_tls_ca)},

#define MSRP_MESSAGE_OPTIONS(TO)                                                  \
    {.name = "chunk-size",                                                        \
     .kind = OPT_SIZE,                                                            \
     .arg = "N",                                                                  \
     .help = "octets of the message in one SEND",                                 \
     .to = TO(chunk_size),                                                        \
     .min = 1,                                                                    \
     .max = 1LL << 40},                                                           \
        {.name = "stop-and-wait",                                                 \
         .kind = OPT_FLAG,                                                        \
         .help = "wait for each response before the next chunk",                  \
         .to = TO(stop_and_wait)},                                                \
        {.name = "failure-report",                                                \
         .kind = OPT_CHOICE,                                                      \
         .arg = "yes|partial|no",                                                 \
         .choices = "yes|partial|no",                                             \
         .help = "Failure-Report of the SENDs",                                   \
         .to = TO(failure_report)},                                               \
        {.name = "success-report",                                                \
         .kind = OPT_FLAG,                                                        \
         .help = "ask for a REPORT that the message arrived",                     \
         .to = TO(success_report)},                                               \
        {.name = "require-report",                                                \
         .kind = OPT_FLAG,                                                        \
         .help = "with --success-report: not transferred until that REPORT came", \
         .to = TO(require_report)},                                               \
        {.name = "size-of",                                                       \
         .kind = OPT_CHOICE,                                                      \
         .arg = "message|content",                                                \
         .choices = "message|content",                                            \
         .help = "what the size in the offer's file-selector counts",             \
         .to = TO(size_of)},

#define MSRP_TIMER_OPTIONS(TO)                                             \
    {.name = "report-timeout",                                             \
     .kind = OPT_DURATION,                                                 \
     .arg = "S",                                                           \
     .help = "how long to wait for the REPORT after the last response",    \
     .to = TO(report_timeout),                                             \
     .min = 1,                                                             \
     .max = DAY_MS},                                                       \
        {.name = "accept-timeout",                                         \
         .kind = OPT_DURATION,                                             \
         .arg = "S",                                                       \
         .help = "how long to wait for the connection after the answer",   \
         .to = TO(accept_timeout),                                         \
         .min = 1,                                                         \
         .max = DAY_MS},                                                   \
        {.name = "stall-timeout",                                          \
         .kind = OPT_DURATION,                                             \
         .arg = "S",                                                       \
         .help = "how long the peer may take no octet",                    \
         .to = TO(stall_timeout),                                          \
         .min = 1,                                                         \
         .max = DAY_MS},                                                   \
        {.name = "dial-after",                                             \
         .kind = OPT_DURATION,                                             \
         .arg = "S",                                                       \
         .help = "when to dial a peer whose answer has no a=setup",        \
         .to = TO(dial_after),                                             \
         .max = DAY_MS},                                                   \
        {.name = "speak-first",                                            \
         .kind = OPT_DURATION,                                             \
         .arg = "S",                                                       \
         .help = "when to send to a peer that connected and says nothing", \
         .to = TO(speak_first),                                            \
         .max = DAY_MS},

/* What makes a message out of any content. */
#define COMPOSE_OPTIONS(TO)                           \
    {.name = "type",                                  \
     .kind = OPT_TEXT,                                \
     .arg = "MIME",                                   \
     .help = "media type of the content",             \
     .to = TO(type)},                                 \
        {.name = "subject",                           \
         .kind = OPT_TEXT,                            \
         .arg = "TEXT",                               \
         .help = "CPIM Subject",                      \
         .to = TO(subject)},                          \
        {.name = "message-id",                        \
         .kind = OPT_TEXT,                            \
         .arg = "ID",                                 \
         .help = "imdn.Message-ID",                   \
         .to = TO(message_id)},                       \
        {.name = "imdn",                              \
         .kind = OPT_TEXT,                            \
         .arg = "LIST",                               \
         .help = "notifications to ask for, or none", \
         .to = TO(imdn)},

/* Every option that a configuration file may hold, of all programs (opt_program.known). A test
 * holds this list against the tables. */
/* clang-format off */
#define OPTION_NAMES \
    { \
        "accept-contact", \
        "accept-timeout", \
        "alone", \
        "answer-timeout", \
        "asserted-identity", \
        "auth-password-file", \
        "auth-user", \
        "cema", \
        "chunk-size", \
        "color", \
        "confine", \
        "contribution-id", \
        "conversation-id", \
        "dial-after", \
        "dns-server", \
        "dns-timeout", \
        "expires", \
        "failure-report", \
        "from-check", \
        "header", \
        "http-auth-file", "http-connections", "http-host", "http-insecure", \
        "http-listen", "http-memory", "http-per-address", "http-timeout", \
        "http-tls-cert", "http-tls-key", "http-token-file", \
        "icsi", \
        "imdn", \
        "jobs", \
        "keep", \
        "keep-failed", \
        "keep-session", \
        "linger", \
        "mask", \
        "message-id", \
        "min-se", \
        "msrp-advertise", \
        "msrp-listen", \
        "msrp-share", \
        "msrp-tls-ca", \
        "msrp-tls-cert", \
        "msrp-tls-key", \
        "msrps", \
        "notify", \
        "notify-timeout", \
        "pcap", \
        "pcap-snaplen", \
        "per-recipient", \
        "proxy", \
        "queue", \
        "quiet", \
        "reason", \
        "referred-by", \
        "report-timeout", \
        "require-report", \
        "retry-factor", \
        "retry-first", \
        "retry-jitter", \
        "retry-most", \
        "session-expires", \
        "setup", \
        "sip-advertise", \
        "sip-bind", \
        "sip-tls-ca", \
        "sip-tls-cert", \
        "sip-tls-key", \
        "size-of", \
        "speak-first", \
        "stall-timeout", \
        "start-timeout", \
        "stop-and-wait", \
        "stuck-after", \
        "subject", \
        "success-report", \
        "t1", \
        "t2", \
        "t4", \
        "timeout", \
        "trace", \
        "transport", \
        "type", \
        "user-agent", \
        "verbose", \
        NULL \
    }
/* clang-format on */

#endif
