/* The INVITE's headers, CANCEL and ACK on its branch, the dialog of a 2xx with its route set, and
 * both through the session file. */
#include "base/mem.h"
#include "sip/agent.h"
#include "test/unit/tap.h"

#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <unistd.h>

static char path[] = "/tmp/sip_dialog.XXXXXX";
static struct journal *facts;

static struct sip_config config(void)
{
    struct sip_config c = SIP_CONFIG_DEFAULT;

    c.from = "tel:+15550100";
    c.to = "sip:bob@example.com";
    c.conversation_id = "11111111-2222-4333-8444-555555555555";
    c.contribution_id = "66666666-7777-4888-9999-aaaaaaaaaaaa";
    return c;
}

static struct call call(void)
{
    struct call k = {.call_id = mem_dup("id1"), .from = mem_dup("<tel:+15550100>")};

    k.from_tag = mem_dup("mine");
    k.to = mem_dup("<sip:bob@example.com>");
    k.uri = mem_dup("sip:bob@example.com");
    k.via = mem_dup("192.0.2.1:5060");
    k.contact = mem_dup("<sip:+15550100@192.0.2.1:5060;transport=tcp>;+g.3gpp.icsi-ref=\"u%3A\"");
    k.cseq = 3;
    (void)snprintf(k.branch, sizeof k.branch, "z9hG4bKx");
    routes_add(&k.route, SLICE("<sip:p1.example.com;lr>"));
    routes_add(&k.route, SLICE("<sip:p2.example.com;lr>"));
    k.hop.transport = SIP_TCP;
    (void)net_parse("192.0.2.9:5070", &k.hop.addr);
    (void)net_parse("192.0.2.1:5060", &k.local);
    return k;
}

static char *text_of(struct osip_message *m)
{
    char *text = NULL;
    size_t n;

    if (m == NULL || osip_message_to_str(m, &text, &n) != 0)
        return mem_dup("(none)");
    return text;
}

static int lines_with(const char *text, const char *name)
{
    int n = 0;

    for (const char *p = strcasestr(text, name); p != NULL; p = strcasestr(p + 1, name))
        n += p == text || p[-1] == '\n';
    return n;
}

static void has(const char *text, const char *line)
{
    tap_ok(strstr(text, line) != NULL, "%.*s", (int)strcspn(line, "\r\n"), line);
}

static void test_invite(void)
{
    struct sip_config c = config();
    struct call k = call();
    struct osip_message *m = call_invite(&k, &c, 0, SLICE("v=0\r\n"));
    char *text = text_of(m);

    has(text, "INVITE sip:bob@example.com SIP/2.0\r\n");
    has(text, "From: <tel:+15550100>;tag=mine\r\n");
    has(text, "To: <sip:bob@example.com>\r\n");
    has(text, "Call-ID: id1\r\n");
    has(text, "CSeq: 3 INVITE\r\n");
    has(text, "Route: <sip:p1.example.com;lr>\r\nRoute: <sip:p2.example.com;lr>\r\n");
    has(text, "Max-Forwards: 70\r\n");
    has(text, "\r\nAccept-Contact: *;+g.3gpp.icsi-ref="
              "\"urn%3Aurn-7%3A3gpp-service.ims.icsi.oma.cpm.deferred\"\r\n");
    has(text, "P-Asserted-Service: urn:urn-7:3gpp-service.ims.icsi.oma.cpm.deferred\r\n");
    has(text, "P-Asserted-Identity: <tel:+15550100>\r\n");
    has(text, "Referred-By: <tel:+15550100>\r\n");
    has(text, "User-Agent: CPM-serv/OMA1.0");
    has(text, "Supported: timer, 100rel\r\n");
    has(text, "Session-Expires: 1800;refresher=uac\r\n");
    has(text, "Conversation-ID: 11111111-2222-4333-8444-555555555555\r\n");
    has(text, "Contribution-ID: 66666666-7777-4888-9999-aaaaaaaaaaaa\r\n");
    has(text, "Content-Type: application/sdp\r\n");
    has(text, "Contact: <sip:+15550100@192.0.2.1:5060;transport=tcp>;+g.3gpp.icsi-ref=");
    tap_is_int(lines_with(text, "P-Asserted-Service:"), 1, "one P-Asserted-Service");
    tap_is_int(lines_with(text, "Min-SE:"), 0, "no Min-SE");
    free(text);
    osip_message_free(m);
    m = call_invite(&k, &c, 3600, SLICE("v=0\r\n"));
    text = text_of(m);
    has(text, "Min-SE: 3600\r\n");
    has(text, "Session-Expires: 3600;refresher=uac\r\n");
    free(text);
    osip_message_free(m);
    call_free(&k);
}

static void test_wishes(void)
{
    static const char *list[] = {
        "User-Agent: mine",           "Subject: one",    "Subject: two",       "Referred-By:",
        "BYE:Reason: Q.850;cause=16", "BYE:User-Agent:", "Session-Expires: 90"};
    struct sip_config c = config();
    struct call k = call();
    struct osip_message *m;
    char *text;

    c.header = (struct opt_list){list, sizeof(list) / sizeof(list[0])};
    m = call_invite(&k, &c, 0, SLICE("v=0\r\n"));
    headers_apply(m, &c);
    text = text_of(m);
    has(text, "User-Agent: mine\r\n");
    tap_is_int(lines_with(text, "User-Agent:"), 1, "replaced, not added");
    tap_is_int(lines_with(text, "Subject:"), 2, "the second of a name is added");
    tap_is_int(lines_with(text, "Referred-By:"), 0, "taken out");
    tap_is_int(lines_with(text, "Reason:"), 0, "that of the BYE is not in the INVITE");
    has(text, "Session-Expires: 90\r\n");
    free(text);
    osip_message_free(m);
    m = request_new(&c, "BYE", "sip:bob@example.com");
    headers_apply(m, &c);
    text = text_of(m);
    has(text, "Reason: Q.850;cause=16\r\n");
    tap_is_int(lines_with(text, "User-Agent:"), 0, "taken out of the BYE");
    free(text);
    osip_message_free(m);
    call_free(&k);
}

static struct osip_message *response(int code, const char *more)
{
    struct sip_config c = config();
    struct call k = call();
    struct osip_message *invite = call_invite(&k, &c, 0, SLICE("v=0\r\n"));
    struct osip_message *r = sip_response_to(invite, code, NULL);
    struct slice rest = slice_of(more);

    while (rest.n > 0) {
        struct slice line = slice_cut(&rest, '\n');
        struct slice value = line;
        char *name = slice_dup(slice_cut(&value, ':'));
        char *text = slice_dup(slice_trim(value));
        if (strcmp(name, "Record-Route") == 0)
            (void)osip_message_set_header(r, name, text); /* as a message that came has it */
        else
            (void)sip_header_add(r, name, text);
        free(name);
        free(text);
    }
    osip_message_free(invite);
    call_free(&k);
    return r;
}

static void test_same_branch(void)
{
    struct sip_config c = config();
    struct call k = call();
    struct osip_message *r = response(487, "");
    struct osip_message *m = call_cancel(&k, &c);
    char *text = text_of(m);

    has(text, "CANCEL sip:bob@example.com SIP/2.0\r\n");
    has(text, "Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKx\r\n");
    has(text, "CSeq: 3 CANCEL\r\n");
    has(text, "To: <sip:bob@example.com>\r\n");
    has(text, "Route: <sip:p1.example.com;lr>\r\n");
    tap_is_int(lines_with(text, "P-Asserted-"), 0, "no identity in it (RFC 6050 4.1)");
    free(text);
    osip_message_free(m);
    m = call_ack(&k, &c, r);
    text = text_of(m);
    has(text, "ACK sip:bob@example.com SIP/2.0\r\n");
    has(text, "CSeq: 3 ACK\r\n");
    has(text, "To: <sip:bob@example.com>;tag=");
    has(text, "Via: SIP/2.0/TCP 192.0.2.1:5060;branch=z9hG4bKx\r\n");
    free(text);
    osip_message_free(m);
    osip_message_free(r);
    call_free(&k);
}

static struct dialog dialog(const char *more, int *err)
{
    struct call k = call();
    struct osip_message *r = response(200, more);
    struct dialog d;

    *err = dialog_from_response(&d, &k, r);
    osip_message_free(r);
    call_free(&k);
    return d;
}

static void test_routes(void)
{
    struct sip_config c = config();
    int err;
    struct dialog d = dialog("Contact: \"B\" <sip:b@192.0.2.7:5071;transport=tcp>;q=1\n"
                             "Record-Route: <sip:far.example.com;lr>\n"
                             "Record-Route: <sip:near.example.com:5090;lr;x=1>",
                             &err);
    struct osip_message *m = dialog_request(&d, &c, "BYE", 4);
    char *text = text_of(m);

    tap_is_int(err, 0, "a dialog");
    has(text, "BYE sip:b@192.0.2.7:5071;transport=tcp SIP/2.0\r\n");
    has(text, "Route: <sip:near.example.com:5090;lr;x=1>\r\nRoute: <sip:far.example.com;lr>\r\n");
    has(text, "CSeq: 4 BYE\r\n");
    has(text, "From: <tel:+15550100>;tag=mine\r\n");
    tap_is_int(lines_with(text, "Contact:"), 0, "no Contact in a BYE");
    tap_is_int(lines_with(text, "P-Asserted-"), 0, "no identity in a BYE");
    free(text);
    osip_message_free(m);
    dialog_free(&d);
    d = dialog("Contact: <sip:b@192.0.2.7>\nRecord-Route: <sip:far.example.com;lr>\n"
               "Record-Route: <sip:strict.example.com>",
               &err);
    m = dialog_request(&d, &c, "ACK", 3);
    text = text_of(m);
    has(text, "ACK sip:strict.example.com SIP/2.0\r\n");
    has(text, "Route: <sip:far.example.com;lr>\r\nRoute: <sip:b@192.0.2.7>\r\n");
    free(text);
    osip_message_free(m);
    dialog_free(&d);
}

static void test_odd_responses(void)
{
    int err;
    struct dialog d = dialog("", &err);

    tap_is_int(err, 0, "without Contact");
    tap_is_str(d.target, "sip:bob@example.com", "the address that was called stays");
    dialog_free(&d);
    d = dialog("Contact: <mailto:x@y>", &err);
    tap_is_str(d.target, "sip:bob@example.com", "the same for a Contact of no use");
    dialog_free(&d);
    d = dialog("Contact: <sip:b@x>\nRecord-Route: nonsense", &err);
    tap_ok(err != 0, "a Record-Route that cannot be followed");
    dialog_free(&d);
}

static int emit(void *arg, struct line_out *o, bool durable)
{
    (void)arg;
    return journal_append(facts, o, durable, NULL);
}

static void test_journal(void)
{
    struct call k = call(), again;
    struct slice text;
    bool grew;
    int err;
    struct dialog back, d = dialog("Contact: <sip:b@192.0.2.7>\n"
                                   "Record-Route: <sip:far.example.com;lr>\n"
                                   "Record-Route: <sip:near.example.com;lr>",
                                   &err);

    err = journal_start(facts, ROLE_INVITE, &text);
    err = err != 0 ? err : call_emit(&k, journal_sid(facts), emit, NULL);
    err = err != 0 ? err : dialog_emit(&d, 1800, "uac", journal_sid(facts), emit, NULL);
    err = err != 0 ? err : emit_cseq(9, "UPDATE", journal_sid(facts), emit, NULL);
    err = err != 0 ? err : journal_read(facts, &grew);
    tap_is_int(err, 0, "written");
    tap_is_int(call_from_facts(&again, facts), 0, "the INVITE comes back");
    tap_is_str(again.contact, k.contact, "with its Contact");
    tap_is_str(again.branch, k.branch, "its branch");
    tap_ok(again.cseq == 3 && again.hop.transport == SIP_TCP, "its number and transport");
    tap_ok(again.route.n == 2 && strcmp(again.route.v[1], k.route.v[1]) == 0, "and its routes");
    tap_is_int(dialog_from_facts(&back, facts), 0, "the dialog comes back");
    tap_is_str(back.target, "sip:b@192.0.2.7", "with its target");
    tap_is_str(back.remote_tag, d.remote_tag, "its tag");
    tap_ok(back.route.n == 2 && strcmp(back.route.v[0], "<sip:near.example.com;lr>") == 0,
           "its route set");
    tap_ok(back.cseq == 9 && back.invite_cseq == 3, "and the last number used");
    tap_ok(net_same_host(&back.local_addr, &k.local), "and our address");
    call_free(&k);
    call_free(&again);
    dialog_free(&d);
    dialog_free(&back);
}

/* --- A body that is one part among others. */

static void body_is(const char *type, const char *body, const char *wanted, const char *what)
{
    struct osip_message *m = request_new(&(struct sip_config){.from = NULL}, "INFO", "sip:a@b");
    struct slice content;
    bool found;

    if (type != NULL)
        (void)sip_header_add(m, "Content-Type", type);
    (void)osip_message_set_body(m, body, strlen(body));
    found = body_of(m, "application/sdp", &content);
    tap_ok(found == (wanted != NULL) && (!found || slice_is(content, wanted)), "%s", what);
    osip_message_free(m);
}

static void test_body(void)
{
    static const char parts[] = "preamble\r\n--b=1\r\nContent-Type: text/plain\r\n\r\nhi\r\n"
                                "--b=1 \r\nContent-ID: <1>\r\ncontent-type : APPLICATION/sdp;x=y"
                                "\r\n\r\nv=0\r\n--b=1--\r\nepilogue";

    body_is("application/sdp", "v=0", "v=0", "alone");
    body_is("Application/SDP; charset=x", "v=0", "v=0", "with a parameter");
    body_is(NULL, "v=0", "v=0", "no type");
    body_is("application/sdpx", "v=0", NULL, "another type");
    body_is("multipart/mixed;boundary=\"b=1\"", parts, "v=0\r\n", "the second part");
    body_is("Multipart/Mixed ; Boundary = b=1", parts, "v=0\r\n", "boundary without quotes");
    body_is("multipart/mixed;boundary=b=2", parts, NULL, "another boundary");
    body_is("multipart/mixed", parts, NULL, "no boundary");
    body_is("multipart/mixed;boundary=x", "--x\nContent-Type: application/sdp\n\nv=0\n", "v=0\n",
            "bare LF, and no end");
    body_is("multipart/mixed;boundary=x", "--x\r\nContent-Type: application/sdp", NULL, "cut off");
    body_is("multipart/mixed;boundary=x", "--x", NULL, "cut off earlier");
}

int main(void)
{
    int fd = mkstemp(path);

    if (fd < 0 || close(fd) != 0 || journal_open(&facts, path, JOURNAL_WRITE) != 0)
        return 1;
    parser_init();
    test_invite();
    test_wishes();
    test_same_branch();
    test_routes();
    test_odd_responses();
    test_journal();
    journal_close(facts);
    (void)unlink(path);
    test_body();
    return tap_done();
}
