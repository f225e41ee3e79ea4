/* What the owner of a dialog does with challenges. What it computes is held against other people's
 * examples in sip_digest.c and against Kamailio in digest.bats. */
#include "test/unit/sip_call.h"

#include "sip/digest.h"

#include <sys/stat.h>

static const struct sip_ops agent_ops = {party_emit, party_changed};

static char secret_path[32];
static struct osip_message *bye, *ack; /* the last ones */
static int asked;                      /* challenges so far */

static bool is_ended(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED && !sip_agent_owes(p->agent);
}

static bool is_settled(struct party *p)
{
    return sip_agent_state(p->agent) >= SIP_TALKING;
}

typedef void serve_f(struct party *p, struct sip_server *s, const struct osip_message *m,
                     struct sip_server *invite);

static struct party *call(serve_f *serve)
{
    struct party *p = party_new(SIP_UDP, &party_stack_ops);

    asked = 0;
    p->serve = serve;
    p->config.auth_user = "alice";
    p->config.auth_password_file = secret_path;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    sip_agent_invite(p->agent);
    return p;
}

static void over(void)
{
    osip_message_free(bye);
    osip_message_free(ack);
    bye = ack = NULL;
    party_free();
}

/* Of the n-th credentials in a message. The caller frees it. */
static char *param_of(const struct osip_message *m, const char *header, int n, const char *wanted)
{
    struct slice rest = digest_params(slice_of(sip_header(m, header, n))), name, value;

    while (rest.n > 0 && digest_param(&rest, &name, &value))
        if (slice_is_nocase(name, wanted))
            return slice_dup(value);
    return NULL;
}

static void is_param(const struct osip_message *m, const char *header, int n, const char *name,
                     const char *wanted)
{
    char *got = param_of(m, header, n, name);

    tap_is_str(got, wanted, name);
    free(got);
}

static void keep(struct osip_message **where, const struct osip_message *m)
{
    osip_message_free(*where);
    *where = NULL;
    (void)osip_message_clone(m, where);
}

static void ask(struct party *p, struct sip_server *s, const struct osip_message *m, int code,
                const char *const *headers)
{
    struct osip_message *r = reply(m, code, NULL);

    asked++;
    for (; *headers != NULL; headers += 2)
        (void)sip_header_add(r, headers[0], headers[1]);
    (void)sip_respond(p->stack, s, r);
}

static void agree(struct party *p, struct sip_server *s, const struct osip_message *m)
{
    if (strcmp(sip_method(m), "BYE") == 0)
        keep(&bye, m);
    if (strcmp(sip_method(m), "ACK") == 0)
        keep(&ack, m);
    if (s != NULL)
        (void)sip_respond(p->stack, s,
                          reply(m, 200, strcmp(sip_method(m), "INVITE") == 0 ? ANSWER : NULL));
}

/* --- Which challenges are answered, and how. */

static void ask_in_many_ways(struct party *p, struct sip_server *s, const struct osip_message *m,
                             struct sip_server *invite)
{
    static const char *const headers[] = {
        "WWW-Authenticate",
        "Basic realm=\"home\"",
        "WWW-Authenticate",
        "Digest realm=\"home\", nonce=\"n1\", algorithm=MD5, qop=\"auth\"",
        "WWW-Authenticate",
        "Digest realm=\"home\", nonce=\"n2\", algorithm=FUTURE-9, qop=\"auth\"",
        "WWW-Authenticate",
        "Digest realm=\"home\", nonce=\"n3\", algorithm=SHA-512-256, qop=\"auth\", opaque=\"o3\"",
        "WWW-Authenticate",
        "Digest realm=\"home\", nonce=\"n4\", algorithm=SHA-256, qop=\"auth\"",
        "Proxy-Authenticate",
        "Digest realm=\"edge\", nonce=\"p1\"",
        "Proxy-Authenticate",
        "Digest realm=\"core\", nonce=\"c1\", qop=\"auth-int,auth\"",
        NULL};

    (void)invite;
    if (strcmp(sip_method(m), "INVITE") == 0 && asked == 0)
        ask(p, s, m, 401, headers);
    else
        agree(p, s, m);
}

static void test_many(void)
{
    struct party *p = call(ask_in_many_ways);

    run_until(is_settled);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "all realms of one response at once");
    is_param(p->invite, "Authorization", 0, "algorithm", "SHA-512-256");
    is_param(p->invite, "Authorization", 0, "nonce", "n3");
    is_param(p->invite, "Authorization", 0, "opaque", "o3");
    is_param(p->invite, "Authorization", 0, "nc", "00000001");
    is_param(p->invite, "Authorization", 0, "uri", p->to);
    tap_ok(sip_header(p->invite, "Authorization", 1) == NULL, "one answer for a realm");
    is_param(p->invite, "Proxy-Authorization", 0, "realm", "edge");
    is_param(p->invite, "Proxy-Authorization", 0, "nc", NULL);
    is_param(p->invite, "Proxy-Authorization", 1, "realm", "core");
    is_param(p->invite, "Proxy-Authorization", 1, "qop", "auth");
    is_fact("invite.sent.cseq", "2");
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE INVITE ACK BYE", "no further challenge");
    tap_is_str(sip_header(ack, "Authorization", 0), sip_header(p->invite, "Authorization", 0),
               "the ACK repeats the INVITE's credentials");
    tap_is_str(sip_header(ack, "Proxy-Authorization", 1),
               sip_header(p->invite, "Proxy-Authorization", 1), "all of them");
    is_param(bye, "Authorization", 0, "nc", "00000002");
    is_param(bye, "Proxy-Authorization", 1, "nc", "00000002");
    over();
}

/* --- Nonces. */

static void ask_bye_again(struct party *p, struct sip_server *s, const struct osip_message *m,
                          struct sip_server *invite)
{
    static const char *const first[] = {"Proxy-Authenticate",
                                        "Digest realm=\"edge\", nonce=\"n1\", qop=\"auth\"", NULL};
    static const char *const stale[] = {
        "Proxy-Authenticate", "Digest realm=\"edge\", nonce=\"n2\", qop=\"auth\", stale=true",
        NULL};

    (void)invite;
    if (strcmp(sip_method(m), "INVITE") == 0 && asked == 0)
        ask(p, s, m, 407, first);
    else if (strcmp(sip_method(m), "BYE") == 0 && asked == 1)
        ask(p, s, m, 407, stale);
    else
        agree(p, s, m);
}

static void test_stale(void)
{
    struct party *p = call(ask_bye_again);

    run_until(is_settled);
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_str(p->seen, "INVITE INVITE ACK BYE BYE", "a stale nonce in the BYE");
    is_param(bye, "Proxy-Authorization", 0, "nonce", "n2");
    is_param(bye, "Proxy-Authorization", 0, "nc", "00000001");
    is_fact("dialog.cseq.cseq", "4");
    is_fact("bye.answered.code", "200");
    tap_is_int(sip_agent_status(p->agent), 0, "in order");
    over();
}

static void give_next(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    static const char *const first[] = {"WWW-Authenticate",
                                        "Digest realm=\"home\", nonce=\"n1\", qop=\"auth\"", NULL};
    struct osip_message *r;

    (void)invite;
    if (strcmp(sip_method(m), "INVITE") != 0) {
        agree(p, s, m);
    } else if (asked == 0) {
        ask(p, s, m, 401, first);
    } else {
        r = reply(m, 200, ANSWER);
        (void)sip_header_add(r, "Authentication-Info", "qop=auth, nextnonce=\"n9\", nc=00000001");
        (void)sip_respond(p->stack, s, r);
    }
}

static void test_next_nonce(void)
{
    struct party *p = call(give_next);

    run_until(is_settled);
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    is_param(p->invite, "Authorization", 0, "nonce", "n1");
    is_param(bye, "Authorization", 0, "nonce", "n9");
    is_param(bye, "Authorization", 0, "nc", "00000001");
    over();
}

/* --- What leads nowhere. */

static void never_content(struct party *p, struct sip_server *s, const struct osip_message *m,
                          struct sip_server *invite)
{
    char value[96];
    const char *const headers[] = {"WWW-Authenticate", value, NULL};

    (void)invite;
    (void)snprintf(value, sizeof value, "Digest realm=\"home\", nonce=\"n%d\", stale=true", asked);
    ask(p, s, m, 401, headers);
}

static void test_no_loop(void)
{
    (void)call(never_content);
    run_until(is_ended);
    tap_is_int(asked, AUTH_TRIES_MAX + 1, "a server that always calls the nonce stale");
    is_fact("invite.failed.status", "77");
    is_fact("invite.failed.why", "credentials");
    is_fact("invite.failed.detail", "realm \"home\" asks again and again");
    over();
}

static void refuse(struct party *p, struct sip_server *s, const struct osip_message *m,
                   struct sip_server *invite)
{
    static const char *const headers[] = {
        "WWW-Authenticate", "Digest realm=\"home\", nonce=\"n1\", qop=\"auth\"", NULL};

    (void)invite;
    ask(p, s, m, 401, headers);
}

static void test_wrong(void)
{
    (void)call(refuse);
    run_until(is_ended);
    tap_is_int(asked, 2, "wrong credentials are sent once");
    is_fact("invite.failed.status", "77");
    is_fact("invite.failed.code", "401");
    is_fact("invite.failed.detail", "realm \"home\" does not take the credentials");
    over();
}

static void ask_basic(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    static const char *const headers[] = {"WWW-Authenticate", "Basic realm=\"home\"", NULL};

    (void)invite;
    ask(p, s, m, 401, headers);
}

static void test_basic(void)
{
    (void)call(ask_basic);
    run_until(is_ended);
    tap_is_int(asked, 1, "a scheme that is not known here");
    is_fact("invite.failed.status", "77");
    is_fact("invite.failed.detail", "no challenge that is understood here");
    over();
}

/* The end is asked for while the challenge is on its way. */
static void ask_too_late(struct party *p, struct sip_server *s, const struct osip_message *m,
                         struct sip_server *invite)
{
    ask_for_end(p);
    refuse(p, s, m, invite);
}

static bool is_asked(struct party *p)
{
    return journal_has(p->facts, "bye.request");
}

static void test_too_late(void)
{
    struct party *p = call(ask_too_late);

    run_until(is_asked);
    tap_is_str(journal_get(p->facts, "invite.progress.code"), "401", "challenged");
    sip_agent_end(p->agent, "test", 0);
    run_until(is_ended);
    tap_is_int(asked, 1, "no new INVITE after that");
    is_fact("invite.failed.why", "cancelled");
    over();
}

/* A BYE that is refused for its credentials ends the session all the same, as far as we can. */
static void refuse_bye(struct party *p, struct sip_server *s, const struct osip_message *m,
                       struct sip_server *invite)
{
    if (strcmp(sip_method(m), "BYE") == 0)
        refuse(p, s, m, invite);
    else
        agree(p, s, m);
}

static void test_bye_refused(void)
{
    struct party *p = call(refuse_bye);

    run_until(is_settled);
    sip_agent_end(p->agent, "done", 0);
    run_until(is_ended);
    tap_is_int(asked, 2, "a BYE is not sent for ever");
    is_fact("bye.answered.code", "401");
    tap_is_int(sip_agent_status(p->agent), 0, "which is no failure");
    over();
}

/* --- The password file. */

static void test_file(void)
{
    static const struct {
        const char *content;
        mode_t mode;
        int status;
        const char *what;
    } rows[] = {
        {"s3cret\n", 0644, 77, "open to others"},
        {"s3cret\n", 0640, 77, "open to the group"},
        {"", 0600, 77, "empty"},
        {"\n", 0600, 77, "an empty line"},
        {"one\ntwo\n", 0600, 77, "two lines"},
        {"s3cret\r\n", 0600, 0, "one line, as another system ends it"},
        {"s3cret", 0400, 0, "no line end"},
    };
    struct sip_config config = {.auth_user = "alice", .auth_password_file = secret_path};

    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct sip_fault f;
        struct auth *a;
        FILE *file;
        (void)unlink(secret_path);
        file = fopen(secret_path, "w");
        if (file == NULL || fputs(rows[i].content, file) < 0 || fclose(file) != 0 ||
            chmod(secret_path, rows[i].mode) != 0)
            abort();
        tap_is_int(auth_new(&a, &config, &f), rows[i].status, rows[i].what);
        auth_free(a);
    }
}

int main(void)
{
    int fd;

    (void)snprintf(secret_path, sizeof secret_path, "/tmp/sip_auth.XXXXXX");
    fd = mkstemp(secret_path);
    if (fd < 0 || write(fd, "s3cret\n", 7) != 7 || close(fd) != 0)
        abort();
    test_many();
    test_stale();
    test_next_nonce();
    test_no_loop();
    test_wrong();
    test_basic();
    test_bye_refused();
    test_too_late();
    test_file();
    (void)unlink(secret_path);
    return tap_done();
}
