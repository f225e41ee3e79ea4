/* Notifications as clients write them. */
#include "cpim/imdn.h"
#include "test/unit/tap.h"

#include <stdlib.h>

#define XML  "<?xml version=\"1.0\"?>\r\n<imdn xmlns=\"urn:ietf:params:xml:ns:imdn\">\r\n"
#define CPIM "From: <sip:b@example.com>\r\nTo: <sip:a@example.com>\r\n\r\n"

/* Input of exactly its size, so that a sanitizer sees a step too far. An id of NULL: it is none. */
static void reads(const char *type, const char *text, const char *id, const char *status)
{
    size_t n = strlen(text);
    char *copy = malloc(n ? n : 1);
    struct buf decoded;
    struct imdn i;
    memcpy(copy, text, n);
    bool is = imdn_read(slice_of(type), (struct slice){copy, n}, &decoded, &i);
    tap_ok(is == (id != NULL), "%s: %s", type, is ? "a notification" : "none");
    if (is && id)
        tap_ok(slice_is(i.message_id, id) && slice_is(i.status, status), "%s %s: %.*s %.*s", id,
               status, (int)i.message_id.n, i.message_id.p, (int)i.status.n, i.status.p);
    buf_free(&decoded);
    free(copy);
}

static void test_alone(void)
{
    reads(IMDN_TYPE, XML "<message-id>34jk</message-id><status><delivered/></status></imdn>",
          "34jk", "delivered");
    reads("Message/IMDN+xml; charset=UTF-8",
          XML "<message-id xml:lang=\"en\">\r\n 34jk </message-id>\r\n<status >\r\n <displayed>"
              "</displayed></status>",
          "34jk", "displayed");
    reads(
        IMDN_TYPE,
        "<i:imdn xmlns:i=\"x\"><i:message-id>34jk</i:message-id><i:status><i:failed /></i:status>",
        "34jk", "failed");
    reads(IMDN_TYPE,
          "<!-- <message-id>1</message-id> --><message-id>2</message-id><message-id>3</message-id>",
          "2", "");
    reads(IMDN_TYPE, "<message-id></message-id><status></status>", "", "");
    reads(IMDN_TYPE, "<i:message-id>34jk</i:message-id><i:status></i:status></i:imdn>", "34jk", "");
    reads(IMDN_TYPE, "</i:message-id>1<message-id>34jk</message-id></status><a/>", "34jk", "");
    reads(IMDN_TYPE, "<message-id>34jk", "34jk", "");
    reads(IMDN_TYPE, "<!-- <status", "", "");
    reads(IMDN_TYPE, "<", "", "");
    reads(IMDN_TYPE, "", "", "");
    reads("text/plain", XML "<message-id>34jk</message-id>", NULL, NULL);
}

static void test_wrapped(void)
{
    static const char cpim[] = "message/cpim";
    reads(cpim, CPIM "Content-Type: message/imdn+xml\r\n\r\n<message-id>34jk</message-id>", "34jk",
          "");
    reads(cpim,
          CPIM
          "Content-Type: message/imdn+xml\r\nContent-Transfer-Encoding: Base64\r\n\r\n"
          "PG1lc3NhZ2UtaWQ+MzRqazwvbWVzc2Fn\r\nZS1pZD48c3RhdHVzPjxkZWxpdmVyZWQvPjwvc3RhdHVzPg==",
          "34jk", "delivered");
    reads(cpim, CPIM "Content-Type: text/plain\r\n\r\n<message-id>34jk</message-id>", NULL, NULL);
    reads(cpim, "Content-Type: message/imdn+xml\r\n\r\n<message-id>34jk</message-id>", "34jk", "");
    reads(cpim, "hello", NULL, NULL);
}

int main(void)
{
    test_alone();
    test_wrapped();
    return tap_done();
}
