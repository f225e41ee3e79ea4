/* 3xx: which addresses are followed, in which order, and what counts when nobody takes the call. */
#include "base/buf.h"
#include "sip/parts.h"
#include "test/unit/sip_call.h"

static const struct sip_ops agent_ops = {party_emit, party_changed};

/* What each user of the recipient's host answers: a code, and Contacts in which @ stands for its
 * host. */
struct user {
    const char *name;
    int code;
    const char *contacts;
};

static const struct user *users;
static char rang[256]; /* the users that were called */
static struct osip_message *last;

static bool is_over(struct party *p)
{
    return sip_agent_state(p->agent) == SIP_ENDED || sip_agent_state(p->agent) == SIP_TALKING;
}

static const struct user *user_of(const struct osip_message *m)
{
    char *uri = sip_request_uri(m);
    const struct user *u = users;

    while (u->name != NULL && strncmp(uri + 4, u->name, strlen(u->name)) != 0)
        u++;
    free(uri);
    return u;
}

static void add_contacts(struct osip_message *r, const char *contacts)
{
    char where[NET_TEXT_SIZE];
    struct buf b = BUF_UP_TO(4096);

    net_addr_text(where, &party.at);
    for (; *contacts != '\0'; contacts++) {
        if (*contacts == '@')
            (void)buf_format(&b, "@%s", where);
        else
            (void)buf_add(&b, contacts, 1);
    }
    sip_header_remove(r, "Contact");
    (void)sip_header_add(r, "Contact", b.p);
    buf_free(&b);
}

static void answer(struct party *p, struct sip_server *s, const struct osip_message *m,
                   struct sip_server *invite)
{
    const struct user *u = user_of(m);
    struct osip_message *r;
    size_t n = strlen(rang);

    (void)invite;
    if (s == NULL)
        return;
    if (strcmp(sip_method(m), "INVITE") != 0) {
        (void)sip_respond(p->stack, s, reply(m, 200, NULL));
        return;
    }
    osip_message_free(last);
    last = NULL;
    (void)osip_message_clone(m, &last);
    (void)snprintf(rang + n, sizeof rang - n, "%s%s", n > 0 ? " " : "", u->name ? u->name : "?");
    r = reply(m, u->code, u->code == 200 ? ANSWER : NULL);
    if (u->contacts != NULL)
        add_contacts(r, u->contacts);
    if (u->code == 486)
        (void)sip_header_add(r, "Retry-After", "33");
    (void)sip_respond(p->stack, s, r);
}

static struct party *call(const struct user *list)
{
    struct party *p = party_new(SIP_UDP, &party_stack_ops);

    users = list;
    rang[0] = '\0';
    p->serve = answer;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    sip_agent_invite(p->agent);
    run_until(is_over);
    return p;
}

static void over(void)
{
    osip_message_free(last);
    last = NULL;
    party_free();
}

static void test_order(void)
{
    static const struct user list[] = {
        {"bob", 302,
         "<sip:c@>;q=0.2, \"B, b\" <sip:b@;x=y?Subject=1>;expires=9;q=0.75, "
         "<mailto:bob@>, <tel:+1555>, <sip:a@>"},
        {"a", 404, NULL},
        {"b", 301, "<sip:bob@;transport=udp>, sip:d@;q=0.9, <sip:a@>;q=1.0"},
        {"c", 404, NULL},
        {"d", 486, NULL},
        {NULL, 500, NULL}};

    call(list);
    tap_is_str(rang, "bob a b d c", "by their q, each once; those of a further 3xx too");
    are(" invite.progress ", "code", "302 404 301 486 404", "what each of them said");
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.code", "486");
    is_fact("invite.failed.retry-after", "33");
    over();
}

static void test_taken(void)
{
    static const struct user list[] = {
        {"bob", 302, "<sip:a@;transport=udp>"}, {"a", 200, NULL}, {NULL, 500, NULL}};
    struct party *p = call(list);
    char *to = sip_to_text(last), *uri = sip_request_uri(last);

    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "the second address takes it");
    tap_ok(strstr(to, "sip:bob@") != NULL, "To is whom we wanted: %s", to);
    tap_ok(strncmp(uri, "sip:a@", 6) == 0, "Request-URI is where it goes: %s", uri);
    is_fact("invite.sent.cseq", "2");
    is_fact("invite.progress.code", "302");
    is_fact("dialog.confirmed.invite-cseq", "2");
    is_fact("dialog.confirmed.call-id", sip_header(last, "Call-ID", 0));
    free(to);
    free(uri);
    over();
}

static void test_everywhere(void)
{
    static const struct user list[] = {{"bob", 300, "<sip:a@>, <sip:b@>;q=0.1"},
                                       {"a", 603, NULL},
                                       {"b", 200, NULL},
                                       {NULL, 500, NULL}};

    call(list);
    tap_is_str(rang, "bob a", "a 6xx speaks for all addresses");
    is_fact("invite.failed.status", "69");
    is_fact("invite.failed.code", "603");
    over();
}

static void test_mixed(void)
{
    static const struct user list[] = {{"bob", 300, "<sip:a@>, <sip:b@>;q=0.5, <sip:c@>;q=0.1"},
                                       {"a", 404, NULL},
                                       {"b", 401, NULL},
                                       {"c", 403, NULL},
                                       {NULL, 500, NULL}};

    call(list);
    tap_is_str(rang, "bob a b c", "none takes it");
    is_fact("invite.failed.status", "77");
    over();
}

static void test_loop(void)
{
    static const struct user list[] = {{"bob", 302, "<sip:a@>"},
                                       {"a", 302, "<sip:bob@;transport=udp>, <sip:a@>"},
                                       {NULL, 500, NULL}};

    call(list);
    tap_is_str(rang, "bob a", "a loop is not entered");
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.why", "redirect");
    over();
}

static void test_depth(void)
{
    static const struct user list[] = {{"bob", 302, "<sip:a@>"}, {"a", 302, "<sip:b@>"},
                                       {"b", 302, "<sip:c@>"},   {"c", 302, "<sip:d@>"},
                                       {"d", 302, "<sip:e@>"},   {"e", 302, "<sip:f@>"},
                                       {"f", 200, NULL},         {NULL, 500, NULL}};

    call(list);
    tap_is_str(rang, "bob a b c d e", "no deeper");
    is_fact("invite.failed.code", "302");
    over();
}

static void test_many(void)
{
    static const struct user list[] = {
        {"bob", 302,
         "<sip:u1@>,<sip:u2@>,<sip:u3@>,<sip:u4@>,<sip:u5@>,<sip:u6@>,<sip:u7@>,<sip:u8@>,"
         "<sip:u9@>,<sip:x1@>,<sip:x2@>"},
        {"u", 404, NULL},
        {"x", 200, NULL},
        {NULL, 500, NULL}};

    call(list);
    tap_is_str(rang, "bob u u u u u u u u u", "ten addresses at most");
    is_fact("invite.failed.status", "69");
    over();
}

static void test_nowhere(void)
{
    static const struct user list[] = {{"bob", 302, "<mailto:bob@>, *"}, {NULL, 500, NULL}};
    static const struct user other[] = {{"bob", 380, "<sip:a@>"}, {NULL, 500, NULL}};

    call(list);
    is_fact("invite.failed.status", "75");
    is_fact("invite.failed.why", "redirect");
    over();
    call(other);
    tap_is_str(rang, "bob", "380 is no redirection");
    is_fact("invite.failed.code", "380");
    over();
}

/* 305: to the same user, through a proxy. */
static void use_proxy(struct party *p, struct sip_server *s, const struct osip_message *m,
                      struct sip_server *invite)
{
    struct osip_message *r;

    if (s == NULL || strcmp(sip_method(m), "INVITE") != 0 || osip_list_size(&m->routes) > 0) {
        answer(p, s, m, invite);
        return;
    }
    r = reply(m, 305, NULL);
    add_contacts(r, "<sip:proxy@;transport=udp>");
    (void)sip_respond(p->stack, s, r);
}

static void test_proxy(void)
{
    static const struct user list[] = {{"bob", 200, NULL}, {NULL, 500, NULL}};
    struct party *p = party_new(SIP_UDP, &party_stack_ops);

    users = list;
    rang[0] = '\0';
    p->serve = use_proxy;
    write_listening();
    if (sip_agent_new(&p->agent, p->loop, &p->config, p->facts, &agent_ops, p) != 0)
        abort();
    sip_agent_invite(p->agent);
    run_until(is_over);
    tap_is_int(sip_agent_state(p->agent), SIP_TALKING, "305: by way of that proxy");
    is_fact("invite.sent.routes", "1");
    over();
}

int main(void)
{
    test_order();
    test_taken();
    test_everywhere();
    test_mixed();
    test_loop();
    test_depth();
    test_many();
    test_nowhere();
    test_proxy();
    return tap_done();
}
