/* TLS over socket pairs: whose certificates pass, what is said of those that do not, and what comes
 * of handshakes that are cut, garbled or slow. */
#include "base/rand.h"
#include "test/unit/certs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

static char why[TLS_WHY_SIZE];

/* --- A pair of connections, joined by a wire that can be cut. */

struct pair {
    int end[2]; /* of client and server */
    int wire[2];
    struct tls *t[2];
    int result[2]; /* EAGAIN: still at it */
    size_t carried, cut;
    size_t step; /* octets that the wire takes at a time */
};

static void two_sockets(int *a, int *b)
{
    int s[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, s) < 0)
        exit(1);
    *a = s[0];
    *b = s[1];
}

static void join(struct pair *p)
{
    *p = (struct pair){.result = {EAGAIN, EAGAIN}, .cut = SIZE_MAX, .step = 65536};
    two_sockets(&p->end[0], &p->wire[0]);
    two_sockets(&p->end[1], &p->wire[1]);
}

static void part(struct pair *p)
{
    for (int i = 0; i < 2; i++) {
        tls_free(p->t[i]);
        (void)close(p->end[i]);
        (void)close(p->wire[i]);
    }
}

static bool carry_one_way(struct pair *p, int from)
{
    char bytes[65536];
    size_t most = p->step < p->cut - p->carried ? p->step : p->cut - p->carried;
    ssize_t n = most ? read(p->wire[from], bytes, most < sizeof(bytes) ? most : sizeof(bytes)) : 0;
    if (n > 0 && write(p->wire[!from], bytes, (size_t)n) == n)
        p->carried += (size_t)n;
    if (p->carried == p->cut) {
        (void)shutdown(p->wire[0], SHUT_RDWR);
        (void)shutdown(p->wire[1], SHUT_RDWR);
    }
    return n > 0;
}

static bool carry(struct pair *p)
{
    bool there = carry_one_way(p, 0);
    return carry_one_way(p, 1) || there;
}

/* Until both are done, or nothing moves any more. */
static void shake(struct pair *p)
{
    bool moved = true;
    while (moved) {
        moved = false;
        for (int i = 0; i < 2; i++) {
            if (p->result[i] != EAGAIN)
                continue;
            p->result[i] = tls_handshake(p->t[i]);
            moved = moved || p->result[i] != EAGAIN;
        }
        moved = carry(p) || moved;
    }
}

static void begin(struct pair *p, struct tls_context *client, struct tls_context *server,
                  const struct tls_peer *of_client, const struct tls_peer *of_server)
{
    join(p);
    if (tls_client(&p->t[0], client, p->end[0], "sip.example.com", of_client) != 0 ||
        tls_server(&p->t[1], server, p->end[1], of_server) != 0)
        exit(1);
}

static const struct tls_peer anyone = {TLS_CHECK_LATER, NULL};
static const struct tls_peer sound = {TLS_CHECK_CHAIN, NULL};

/* --- Certificates. */

/* What a client that checks says of a server's certificate; NULL: it passes. */
static void judged(const char *name, const char *ca, struct tls_peer who, const char *wanted)
{
    struct pair p;
    struct tls_context *client = certs_context(NULL, ca), *server = certs_context(name, "ca.pem");
    begin(&p, client, server, &who, &anyone);
    shake(&p);
    const char *value = who.value ? who.value : "anyone";
    if (!wanted) {
        tap_ok(p.result[0] == 0 && p.result[1] == 0, "%s passes for %s (%s)", name, value,
               tls_why(p.t[0]));
    } else {
        tap_ok(p.result[0] == EKEYREJECTED && strstr(tls_why(p.t[0]), wanted) != NULL,
               "%s does not pass for %s: %s", name, value, tls_why(p.t[0]));
        char byte;
        ssize_t n = p.result[1] == 0 ? tls_read(p.t[1], &byte, 1) : 0;
        int heard = p.result[1] ? p.result[1] : n < 0 ? errno : 0;
        tap_ok(heard == EKEYREJECTED && strstr(tls_why(p.t[1]), "refuses our certificate"),
               "and the server hears it: %s", tls_why(p.t[1]));
    }
    part(&p);
    tls_context_free(client);
    tls_context_free(server);
}

static void test_chains(void)
{
    judged("good", "ca.pem", sound, NULL);
    judged("good", "hashed", sound, NULL);
    judged("good", "good.pem", sound, NULL);
    judged("self", "self.pem", sound, NULL);
    judged("sipuse", "ca.pem", sound, NULL);
    judged("good", "other.pem", sound, "of /CN=good comes from an unknown CA, /CN=ca");
    judged("stranger", "ca.pem", sound, "unknown CA, /CN=other");
    judged("good", NULL, sound, "unknown CA");
    judged("expired", "ca.pem", sound, "of /CN=expired expired on 20");
    judged("self", "ca.pem", sound, "self-signed");
    judged("mail", "ca.pem", sound, "extendedKeyUsage");
}

static struct tls_peer sip(const char *domain)
{
    return (struct tls_peer){TLS_CHECK_SIP, domain};
}

static struct tls_peer host(const char *name)
{
    return (struct tls_peer){TLS_CHECK_HOST, name};
}

static void test_sip_names(void)
{
    judged("good", "ca.pem", sip("example.com"), NULL);
    judged("good", "ca.pem", sip("SIP.Example.COM."), NULL);
    judged("good", "ca.pem", sip("127.0.0.1"), NULL);
    judged("good", "ca.pem", sip("::1"), NULL);
    judged("named.example.com", "ca.pem", sip("named.example.com"), NULL);
    judged("good", "ca.pem", sip("a.example.com"),
           "is for sip.example.com, localhost, sip:example.com, IP 127.0.0.1");
    judged("good", "ca.pem", sip("127.0.0.2"), "not for 127.0.0.2");
    judged("elsewhere", "ca.pem", sip("example.net"), NULL);
    judged("elsewhere", "ca.pem", sip("example.com"), "sips:example.com, not for example.com");
    judged("star", "ca.pem", sip("sip.example.com"), "*.example.com, *, not for sip.example.com");
    judged("named.example.com", "ca.pem", sip("example.com"), "CN named.example.com");
    judged("stranger", "ca.pem", sip("example.com"), "unknown CA");
}

static void test_host_names(void)
{
    judged("star", "ca.pem", host("sip.example.com"), NULL);
    judged("good", "ca.pem", host("localhost"), NULL);
    judged("good", "ca.pem", host("127.0.0.1"), NULL);
    judged("star", "ca.pem", host("a.b.example.com"), "not for a.b.example.com");
    judged("star", "ca.pem", host("example.com"), "not for example.com");
    judged("good", "ca.pem", host("example.com"), "not for example.com");
}

/* --- Fingerprints. */

static struct tls_peer finger(const char *fingerprint)
{
    return (struct tls_peer){TLS_CHECK_FINGERPRINT, fingerprint};
}

static void test_fingerprints(void)
{
    struct tls_context *c = certs_context("self", NULL);
    char own[160], lower[160];
    (void)snprintf(own, sizeof(own), "%s", tls_context_fingerprint(c));
    tap_ok(strncmp(own, "sha-256 ", 8) == 0 && strlen(own) == 8 + 32 * 3 - 1, "ours: %s", own);
    for (size_t i = 0; i < sizeof(own); i++)
        lower[i] = own[i] >= 'A' && own[i] <= 'Z' ? (char)(own[i] | 0x20) : own[i];
    judged("self", NULL, finger(own), NULL);
    judged("self", NULL, finger(lower), NULL);
    judged("good", "ca.pem", finger(own), "does not have the fingerprint sha-256");
    own[8] = own[8] == '0' ? '1' : '0';
    judged("self", NULL, finger(own), "does not have the fingerprint");
    judged("self", NULL, finger("md5 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF"),
           "cannot be used: md5");
    judged("self", NULL, finger("sha-256 00:11"), "cannot be used");
    judged("self", NULL, finger("sha-1"), "cannot be used");
    judged("self", NULL, finger(""), "cannot be used");
    tls_context_free(c);
}

/* A line for each certificate and each hash: the best hash decides. */
static void test_several_fingerprints(void)
{
    static const char other[] =
        "sha-256 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:"
        "BB:CC:DD:EE:FF";
    static const char weak[] = "sha-1 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33";
    struct tls_context *c = certs_context("self", NULL);
    const char *own = tls_context_fingerprint(c);
    char list[512];
    (void)snprintf(list, sizeof(list), "%s %s", other, own);
    judged("self", NULL, finger(list), NULL);
    (void)snprintf(list, sizeof(list), "sha-999 AA:BB md5 AA %s %s", weak, own);
    judged("self", NULL, finger(list), NULL);
    (void)snprintf(list, sizeof(list), "%s %s", own, weak);
    judged("self", NULL, finger(list), NULL);
    (void)snprintf(list, sizeof(list), "sha-256 AA:BB sha-999 %s", own + strlen("sha-256 "));
    judged("self", NULL, finger(list), "cannot be used");
    tls_context_free(c);
}

/* Of each hash, as `openssl x509 -fingerprint` prints it. */
static void test_fingerprint_of(const char *hash, const char *option)
{
    char script[512], line[256] = "", text[600];
    (void)snprintf(script, sizeof(script),
                   "openssl x509 -in %s -noout -fingerprint %s | sed 's/.*=//' >%s/print",
                   certs_file("self.pem"), option, certs_folder);
    if (certs_run("/bin/sh", "-c", script) != 0)
        exit(1);
    int fd = open(certs_file("print"), O_RDONLY | O_CLOEXEC);
    ssize_t n = read(fd, line, sizeof(line) - 1);
    (void)close(fd);
    line[n > 0 ? n - 1 : 0] = '\0';
    (void)snprintf(text, sizeof(text), "%s %s", hash, line);
    judged("self", NULL, finger(text), NULL);

    int at = snprintf(text, sizeof(text), "%s %s sha-512 00", hash, line);
    for (int i = 1; i < 64; i++)
        at += snprintf(text + at, sizeof(text) - (size_t)at, ":00");
    bool best = strcmp(hash, "sha-512") == 0;
    judged("self", NULL, finger(text), best ? NULL : "does not have the fingerprint");
}

static void test_made(void)
{
    struct pair p;
    struct tls_context *a = certs_context("made", NULL), *b = certs_context("made", NULL);
    char of_a[160], of_b[160];
    (void)snprintf(of_a, sizeof(of_a), "%s", tls_context_fingerprint(a));
    (void)snprintf(of_b, sizeof(of_b), "%s", tls_context_fingerprint(b));
    tap_ok(strcmp(of_a, of_b) != 0, "certificates of two runs differ");
    struct tls_peer wants_b = finger(of_b), wants_a = finger(of_a);
    begin(&p, a, b, &wants_b, &wants_a);
    shake(&p);
    tap_ok(p.result[0] == 0 && p.result[1] == 0, "both know each other by their fingerprints");
    tap_is_str(tls_version(p.t[0]), "TLSv1.3", "the version has a name");
    tap_ok(!tls_kernel_sends(p.t[0]), "no kernel encrypts on these sockets");
    part(&p);

    begin(&p, a, b, &wants_b, &anyone);
    shake(&p);
    tap_is_int(tls_check_peer(p.t[1], &wants_a), 0, "the same can be asked later");
    tap_is_int(tls_check_peer(p.t[1], &wants_b), EKEYREJECTED, "and fail");
    struct tls_peer named = host("sip.example.com");
    tap_is_int(tls_check_peer(p.t[1], &named), EKEYREJECTED, "and a name asked for");
    tap_ok(strstr(tls_why(p.t[1]), "self-signed") != NULL, "with its cause: %s", tls_why(p.t[1]));
    part(&p);
    tls_context_free(a);
    tls_context_free(b);
}

/* --- Client certificates. */

static void test_client_certificates(void)
{
    struct pair p;
    struct tls_context *nobody = certs_context(NULL, "ca.pem"),
                       *server = certs_context("good", "ca.pem");
    struct tls_context *client = certs_context("good", "ca.pem"),
                       *bad = certs_context("stranger", "ca.pem");
    struct tls_peer named = sip("example.com");
    char byte;

    begin(&p, nobody, server, &sound, &sound);
    shake(&p);
    tap_ok(p.result[0] == 0 && p.result[1] == 0, "a client may come without a certificate");
    tap_is_int(tls_check_peer(p.t[1], &sound), EKEYREJECTED, "which can be asked for later");
    tap_is_str(tls_why(p.t[1]), "the peer shows no certificate", "and is said");
    part(&p);

    begin(&p, nobody, server, &sound, &named);
    shake(&p);
    tap_is_int(p.result[1], EKEYREJECTED, "a server may insist on one");
    tap_is_int(tls_read(p.t[0], &byte, 1), -1, "the client");
    tap_ok(errno == EKEYREJECTED &&
               strstr(tls_why(p.t[0]),
                      "wants a certificate of ours (its alert: certificate required)"),
           "hears it: %s", tls_why(p.t[0]));
    part(&p);

    begin(&p, client, server, &sound, &named);
    shake(&p);
    tap_ok(p.result[0] == 0 && p.result[1] == 0, "a client's certificate passes by its name");
    part(&p);

    begin(&p, bad, server, &sound, &sound);
    shake(&p);
    tap_ok(p.result[1] == EKEYREJECTED && strstr(tls_why(p.t[1]), "unknown CA"),
           "one that it shows has to pass: %s", tls_why(p.t[1]));
    part(&p);
    tls_context_free(nobody);
    tls_context_free(server);
    tls_context_free(client);
    tls_context_free(bad);
}

/* --- Files. */

static void refused(struct tls_plan plan, const char *what, const char *wanted)
{
    struct tls_context *c = NULL;
    why[0] = '\0';
    int err = tls_context_new(&c, &plan, why);
    tap_ok(err == EKEYREJECTED && strstr(why, wanted) && strstr(why, certs_folder), "%s: %s", what,
           why);
    if (!err)
        tls_context_free(c);
}

static void test_files(void)
{
    refused((struct tls_plan){.cert = certs_file("none.pem")}, "no certificate file",
            "No such file");
    refused((struct tls_plan){.cert = certs_file("good.key")}, "no certificate in it",
            "no certificate");
    refused((struct tls_plan){.cert = certs_file("good.pem")}, "no key in it", "no private key");
    refused((struct tls_plan){.cert = certs_file("good.pem"), .key = certs_file("none.key")},
            "no key file", "none.key: No such file");
    refused((struct tls_plan){.cert = certs_file("good.pem"), .key = certs_file("other.key")},
            "another's key", "other.key: is not the key");
    refused((struct tls_plan){.cert = certs_file("good.pem"), .key = certs_file("locked.key")},
            "a key with a passphrase", "passphrase");
    refused((struct tls_plan){.cert = certs_file("expired.pem"), .key = certs_file("expired.key")},
            "our own is too old", "expired on 20");
    refused((struct tls_plan){.ca = certs_file("none.pem")}, "no CA file", "No such file");
    refused((struct tls_plan){.ca = certs_file("good.key")}, "no CA in it", "no certificates");
}

/* --- Streams. */

static void fill(char *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++)
        bytes[i] = (char)(i * 7 + i / 251);
}

/* Writes until the wire is full, reads what came; both again. */
static void test_stream(void)
{
    enum { SIZE = 3000001 };
    struct pair p;
    struct tls_context *c = certs_context("good", "ca.pem");
    char *sent = mem_new(SIZE), *got = mem_new(SIZE);
    size_t out = 0, in = 0, full = 0;
    fill(sent, SIZE);
    begin(&p, c, c, &sound, &sound);
    shake(&p);
    for (int idle = 0; in < SIZE && idle < 100; idle++) {
        ssize_t n;
        while (out < SIZE && (n = tls_write(p.t[0], sent + out, SIZE - out)) > 0) {
            out += (size_t)n;
            idle = 0;
        }
        full += out < SIZE && errno == EAGAIN && tls_events(p.t[0]) == EPOLLOUT;
        (void)carry(&p);
        while ((n = tls_read(p.t[1], got + in, 5000)) > 0) {
            in += (size_t)n;
            idle = 0;
        }
    }
    tap_ok(in == SIZE && memcmp(sent, got, SIZE) == 0, "3 MB arrive over a wire that gets full");
    tap_ok(full > 0, "and it was full");
    tls_shutdown(p.t[0]);
    (void)carry(&p);
    tap_is_int(tls_read(p.t[1], got, 1), 0, "the end is seen as the end");
    part(&p);
    free(sent);
    free(got);
    tls_context_free(c);
}

static void test_pending(void)
{
    struct pair p;
    struct tls_context *c = certs_context("good", "ca.pem");
    char bytes[100];
    begin(&p, c, c, &sound, &sound);
    shake(&p);
    tap_is_int(tls_write(p.t[0], "0123456789", 10), 10, "ten octets are written");
    (void)carry(&p);
    tap_is_int(tls_read(p.t[1], bytes, 4), 4, "four are read");
    tap_ok(tls_pending(p.t[1]), "the others wait");
    tap_is_int(tls_read(p.t[1], bytes, sizeof(bytes)), 6, "and are read");
    tap_ok(!tls_pending(p.t[1]), "then none wait");
    tap_is_int(tls_read(p.t[1], bytes, sizeof(bytes)), -1, "and no more come");
    tap_ok(errno == EAGAIN && tls_events(p.t[1]) == EPOLLIN, "yet");
    (void)shutdown(p.wire[1], SHUT_RDWR);
    tap_is_int(tls_read(p.t[1], bytes, sizeof(bytes)), -1, "a stream that is cut");
    tap_is_int(errno, ECONNRESET, "is told from one that ends");
    part(&p);
    tls_context_free(c);
}

/* --- Bad handshakes. */

static size_t whole_handshake(struct tls_context *c, size_t step)
{
    struct pair p;
    begin(&p, c, c, &sound, &sound);
    p.step = step;
    shake(&p);
    tap_ok(p.result[0] == 0 && p.result[1] == 0, "a handshake in pieces of %zu octets", step);
    size_t n = p.carried;
    part(&p);
    return n;
}

static bool ends_cleanly(int result)
{
    return result == 0 || result == ECONNRESET || result == EPIPE;
}

/* Whoever did not finish sees the end; nobody hangs, nobody succeeds alone but for the last flight.
 */
static void test_cut(void)
{
    struct tls_context *c = certs_context("good", "ca.pem");
    size_t all = whole_handshake(c, 65536);
    size_t stride = getenv("CPM_LONG") ? 1 : 9;
    size_t bad = 0, cuts = 0;
    (void)whole_handshake(c, 1);
    /* Signatures, and so handshakes, differ by some octets in length. */
    for (size_t cut = 1; cut + 20 < all; cut += cut < 60 ? 1 : stride) {
        struct pair p;
        begin(&p, c, c, &sound, &sound);
        p.cut = cut;
        shake(&p);
        cuts++;
        if (!ends_cleanly(p.result[0]) || !ends_cleanly(p.result[1]) || p.result[1] == 0) {
            bad++;
            printf("# cut at %zu: %d, %d\n", cut, p.result[0], p.result[1]);
        }
        part(&p);
    }
    tap_ok(bad == 0 && cuts > 100, "a handshake cut at each of %zu places ends at once", cuts);
    tls_context_free(c);
}

static void test_garbage_from(const char *bytes, size_t n, const char *what)
{
    struct pair p;
    struct tls_context *c = certs_context("good", "ca.pem");
    for (int side = 0; side < 2; side++) {
        begin(&p, c, c, &sound, &sound);
        if (write(p.wire[side], bytes, n) != (ssize_t)n)
            exit(1);
        int err = tls_handshake(p.t[side]);
        tap_ok(err == EPROTO && strstr(tls_why(p.t[side]), "does not speak TLS"), "%s to a %s: %s",
               what, side ? "server" : "client", tls_why(p.t[side]));
        part(&p);
    }
    tls_context_free(c);
}

/* A record of that length, or its like: waits for more, or refuses; never reads on for ever. */
static void test_noise(void)
{
    struct tls_context *c = certs_context("good", "ca.pem");
    unsigned refused_ones = 0, waiting = 0, other = 0;
    for (unsigned round = 0; round < 400; round++) {
        struct pair p;
        char bytes[513];
        begin(&p, c, c, &sound, &sound);
        rand_token(bytes, sizeof(bytes) - 1);
        bytes[0] = (char)(20 + round % 5); /* a content type of TLS, and a version, or nearly so */
        bytes[1] = 3;
        bytes[2] = (char)(round % 6);
        bytes[3] = (char)(round % 3 ? 0 : bytes[3]);
        int side = round % 2;
        if (write(p.wire[side], bytes, 512) != 512)
            exit(1);
        int err = tls_handshake(p.t[side]);
        refused_ones += err == EPROTO;
        waiting += err == EAGAIN;
        other += err != EPROTO && err != EAGAIN;
        part(&p);
    }
    tap_ok(other == 0 && refused_ones > 0, "noise is refused (%u) or waited with (%u)",
           refused_ones, waiting);
    tls_context_free(c);
}

int main(void)
{
    certs_begin();
    test_chains();
    test_sip_names();
    test_host_names();
    test_fingerprints();
    test_several_fingerprints();
    test_fingerprint_of("SHA-1", "-sha1");
    test_fingerprint_of("sha-224", "-sha224");
    test_fingerprint_of("sha-256", "-sha256");
    test_fingerprint_of("sha-384", "-sha384");
    test_fingerprint_of("sha-512", "-sha512");
    test_made();
    test_client_certificates();
    test_files();
    test_stream();
    test_pending();
    test_cut();
    test_garbage_from("SIP/2.0 400 Bad Request\r\n\r\n", 27, "SIP");
    test_garbage_from("\r\n\r\n\r\n\r\n", 8, "empty lines");
    test_garbage_from("GET / HTTP/1.1\r\n\r\n", 18, "HTTP");
    test_noise();
    certs_end();
    return tap_done();
}
