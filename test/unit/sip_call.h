/* A call inside one process: the owner of a dialog (or who takes over), its session file, and a
 * recipient that is scripted by the tests. Both speak over loopback; the loop runs until a test's
 * condition holds. */
#ifndef TEST_UNIT_SIP_CALL_H
#define TEST_UNIT_SIP_CALL_H

#include "base/clock.h"
#include "base/mem.h"
#include "sip/agent.h"
#include "test/unit/tap.h"

#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <unistd.h>

#define GUARD_MS 30000 /* only against a hang */
/* The recipient repeats nothing: a test that stalls for a moment would find one ACK too many. */
#define PATIENT ((struct sip_timers){GUARD_MS, GUARD_MS, GUARD_MS})

struct party {
    struct loop *loop;
    char path[32];
    struct journal *facts;
    struct sip_config config;
    char to[NET_TEXT_SIZE + 32];
    struct sip_agent *agent;
    struct sip_takeover *takeover;
    bool taken_over;
    struct sip_stack *stack; /* the recipient */
    struct net_addr at;
    struct sip_hop peer;     /* where the INVITE came from */
    struct sip_server *call; /* its INVITE */
    struct osip_message *invite;
    char seen[1024]; /* methods and codes that the recipient got */
    void (*serve)(struct party *p, struct sip_server *s, const struct osip_message *m,
                  struct sip_server *invite);
    bool (*until)(struct party *p);
    struct loop_timer guard, plan;
    bool hung;
};

static struct party party; /* one at a time */

#define ANSWER                                                                                  \
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"                 \
    "m=message 9 TCP/MSRP *\r\na=recvonly\r\na=setup:active\r\na=accept-types:message/cpim\r\n" \
    "a=path:msrp://127.0.0.1:9/peer;tcp\r\n"

static void saw(struct party *p, const char *word)
{
    size_t n = strlen(p->seen);

    (void)snprintf(p->seen + n, sizeof p->seen - n, "%s%s", n > 0 ? " " : "", word);
}

static void look_again(struct party *p)
{
    if (p->until != NULL && p->until(p))
        loop_stop(p->loop);
}

static int party_emit(void *arg, struct line_out *o, bool durable)
{
    struct party *p = arg;
    bool grew;
    int err = journal_append(p->facts, o, durable, NULL);

    if (err == 0)
        err = journal_read(p->facts, &grew);
    look_again(p);
    return err;
}

__attribute__((unused)) static void party_changed(void *arg)
{
    look_again(arg);
}

__attribute__((unused)) static void party_done(void *arg)
{
    ((struct party *)arg)->taken_over = true;
    look_again(arg);
}

__attribute__((unused)) static struct osip_message *reply(const struct osip_message *m, int code,
                                                          const char *sdp)
{
    struct osip_message *r = sip_response_to(m, code, NULL);
    char contact[128], where[NET_TEXT_SIZE];

    net_addr_text(where, &party.at);
    (void)snprintf(contact, sizeof contact, "<sip:bob@%s>", where);
    (void)sip_header_add(r, "Contact", contact);
    (void)sip_header_add(r, "Allow", "INVITE, ACK, BYE, CANCEL, UPDATE");
    if (sdp != NULL)
        (void)sip_body_set(r, "application/sdp", slice_of(sdp));
    return r;
}

/* A recipient that takes whatever it is asked. */
__attribute__((unused)) static void yes(struct party *p, struct sip_server *s,
                                        const struct osip_message *m, struct sip_server *invite)
{
    (void)invite;
    if (s != NULL)
        (void)sip_respond(p->stack, s,
                          reply(m, 200, strcmp(sip_method(m), "INVITE") == 0 ? ANSWER : NULL));
}

static void party_request(void *arg, struct sip_server *s, const struct osip_message *m,
                          const struct sip_hop *from, struct sip_server *invite)
{
    struct party *p = arg;

    saw(p, sip_method(m));
    if (strcmp(sip_method(m), "INVITE") == 0) {
        p->peer = *from;
        p->call = s;
        osip_message_free(p->invite);
        p->invite = NULL;
        (void)osip_message_clone(m, &p->invite);
    }
    if (s == NULL && p->call != NULL)
        sip_server_acked(p->call);
    p->serve(p, s, m, invite);
    look_again(p);
}

static void party_stray(void *arg, const struct osip_message *m, const struct sip_hop *from)
{
    (void)arg;
    (void)m;
    (void)from;
}

static void party_unacked(void *arg, struct sip_server *s)
{
    saw(arg, "unacked");
    sip_server_forget(s);
}

static void party_hung(void *arg)
{
    struct party *p = arg;

    p->hung = true;
    loop_stop(p->loop);
}

static void run_until(bool (*until)(struct party *p))
{
    struct party *p = &party;

    p->until = until;
    loop_at(p->loop, &p->guard, clock_ms() + GUARD_MS, party_hung, p);
    if (!until(p))
        loop_run(p->loop);
    loop_cancel(p->loop, &p->guard);
    if (p->hung)
        tap_ok(false, "it hangs after %s", p->seen);
}

/* cpm-bye asks for the end, by its own hand: p has not read it yet. */
__attribute__((unused)) static void ask_for_end(const struct party *p)
{
    struct journal *other;
    struct line_out o;

    if (journal_open(&other, journal_path(p->facts), JOURNAL_UPDATE) != 0)
        abort();
    line_begin(&o, "bye.request", journal_sid(p->facts));
    if (journal_append(other, &o, false, NULL) != 0)
        abort();
    journal_close(other);
}

static void write_line(const char *event, const char *pairs[][2])
{
    struct line_out o;
    bool grew;

    line_begin(&o, event, journal_sid(party.facts));
    for (size_t i = 0; pairs[i][0] != NULL; i++)
        line_text(&o, pairs[i][0], pairs[i][1]);
    if (journal_append(party.facts, &o, false, NULL) != 0 || journal_read(party.facts, &grew) != 0)
        abort();
}

__attribute__((unused)) static void write_listening(void)
{
    const char *pairs[][2] = {{"path", "msrp://127.0.0.1:9999/s3cr3t;tcp"},
                              {"proto", "TCP/MSRP"},
                              {"setup", "passive"},
                              {"size", "1000"},
                              {"octets", "1000"},
                              {"accept-types", "message/cpim"},
                              {"wrapped-types", "image/jpeg"},
                              {"cpim-from", "sip:alice@example.com"},
                              {NULL, NULL}};

    write_line("msrp.listening", pairs);
}

/* A recipient, a session file with its attempt, and options that fit. */
static struct party *party_new(enum sip_transport t, const struct sip_stack_ops *ops)
{
    struct party *p = &party;
    struct net_bind b;
    struct slice text;
    bool grew;
    char where[NET_TEXT_SIZE];
    int fd;

    *p = (struct party){.config = SIP_CONFIG_DEFAULT, .path = "/tmp/sip_call.XXXXXX"};
    fd = mkstemp(p->path);
    p->loop = loop_new();
    if (fd < 0 || close(fd) != 0 || journal_open(&p->facts, p->path, JOURNAL_WRITE) != 0 ||
        journal_start(p->facts, ROLE_INVITE, &text) != 0 || journal_read(p->facts, &grew) != 0 ||
        sip_stack_new(&p->stack, p->loop, PATIENT, ops, p) != 0 ||
        net_parse_bind("127.0.0.1", &b) != 0 ||
        sip_stack_listen(p->stack, t, &b, AF_INET, true, &p->at) != 0)
        abort();
    net_addr_text(where, &p->at);
    (void)snprintf(p->to, sizeof p->to, "sip:bob@%s;transport=%s", where, sip_transport_name(t));
    p->config.from = "sip:alice@example.com";
    p->config.to = p->to;
    p->config.sip_bind = "127.0.0.1";
    p->config.conversation_id = p->config.contribution_id = "11111111-2222-4333-8444-555555555555";
    return p;
}

static const struct sip_stack_ops party_stack_ops = {party_request, party_stray, party_unacked};

static void party_free(void)
{
    struct party *p = &party;

    sip_agent_free(p->agent);
    sip_takeover_free(p->takeover);
    sip_stack_free(p->stack);
    osip_message_free(p->invite);
    loop_cancel(p->loop, &p->plan);
    loop_free(p->loop);
    journal_close(p->facts);
    (void)unlink(p->path);
}

static void is_fact(const char *key, const char *wanted)
{
    tap_is_str(journal_get(party.facts, key), wanted, key);
}

/* The values of one key in the session file's lines of an event, in order. */
__attribute__((unused)) static void are(const char *event, const char *key, const char *want,
                                        const char *what)
{
    char line[4200], got[1024] = "", mark[64];
    FILE *f = fopen(party.path, "re");

    if (f == NULL)
        abort();
    (void)snprintf(mark, sizeof mark, " %s=", key);
    while (fgets(line, sizeof line, f) != NULL) {
        char *at = strstr(line, event) != NULL ? strstr(line, mark) : NULL;
        size_t n = strlen(got);
        if (at == NULL)
            continue;
        at += strlen(mark);
        at[strcspn(at, " \n")] = '\0';
        (void)snprintf(got + n, sizeof got - n, "%s%s", n > 0 ? " " : "", at);
    }
    (void)fclose(f);
    tap_is_str(got, want, what);
}

#endif
