/* INFO and MESSAGE of the peer: a delivery notification (RFC 5438) may come this way. All else is
 * refused as RFC 3428, 6086 and 3261 8.2.3 have it. */
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define NOTIFICATION "message/imdn+xml"

/* The text of an element in XML that is only looked at, never believed. */
static struct slice element(struct slice body, const char *open)
{
    const char *p = memmem(body.p, body.n, open, strlen(open));
    struct slice rest;

    if (p == NULL)
        return (struct slice){NULL, 0};
    p += strlen(open);
    rest = (struct slice){p, (size_t)(body.p + body.n - p)};
    return slice_trim(slice_cut(&rest, '<'));
}

static const char *disposition(struct slice body)
{
    static const char *const states[] = {"delivered", "displayed", "processed", "failed",
                                         "forbidden", "error",     "stored"};

    for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
        char tag[24];
        int n = snprintf(tag, sizeof(tag), "<%s", states[i]);
        if (memmem(body.p, body.n, tag, (size_t)n) != NULL)
            return states[i];
    }
    return NULL;
}

/* By itself, or wrapped in CPIM. */
static bool is_notification(const char *type, struct slice body)
{
    return type_is(type, NOTIFICATION) ||
           (type_is(type, "message/cpim") &&
            memmem(body.p, body.n, NOTIFICATION, sizeof(NOTIFICATION) - 1) != NULL);
}

static bool is_coded(const struct osip_message *m)
{
    const char *coding = sip_header(m, "Content-Encoding", 0);

    return coding != NULL && strcasecmp(coding, "identity") != 0;
}

struct osip_message *notice_unsupported(const struct osip_message *m, const char *accept)
{
    struct osip_message *r = sip_response_to(m, 415, NULL);

    (void)sip_header_add(r, "Accept", accept); /* fixed texts */
    if (is_coded(m))
        (void)sip_header_add(r, "Accept-Encoding", "identity");
    return r;
}

/* May the body be left unread? (RFC 3261 20.11) */
static bool is_optional(const struct osip_message *m)
{
    struct slice rest = slice_of(sip_header(m, "Content-Disposition", 0));

    while (rest.p != NULL) {
        struct slice value = slice_cut(&rest, ';');
        struct slice name = slice_trim(slice_cut(&value, '='));
        if (slice_is_nocase(name, "handling") && slice_is_nocase(slice_trim(value), "optional"))
            return true;
    }
    return false;
}

static void tell(struct sip_agent *a, const char *type, struct slice body)
{
    struct line_out o;

    line_begin(&o, "imdn.received", agent_sid(a));
    line_free_text(&o, "message-id", element(body, "<message-id>"));
    line_text(&o, "status", disposition(body));
    line_free_text(&o, "content-type", slice_of(type));
    line_number(&o, "size", (int64_t)body.n);
    agent_remark(a, &o);
}

struct osip_message *notice_answer(const struct osip_message *m, bool *notification)
{
    const char *type;
    struct slice body = sip_body(m, &type);

    *notification = body.n > 0 && !is_coded(m) && is_notification(type, body);
    if (body.n > 0 && !*notification && !is_optional(m))
        return notice_unsupported(m, NOTIFICATION ", message/cpim");
    return sip_response_to(m, 200, NULL);
}

void notice_message(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    bool notification;
    struct osip_message *r = notice_answer(m, &notification);
    const char *type;
    struct slice body = sip_body(m, &type);

    if (notification)
        tell(a, type, body);
    indialog_respond(a, s, r);
}

/* We are willing to receive no Info Package, and say so (RFC 6086 4.2.2). Without a package it is
 * the old use, in which a body is read as that of MESSAGE. */
void notice_info(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    struct osip_message *r;

    if (sip_header(m, "Info-Package", 0) == NULL) {
        notice_message(a, s, m);
        return;
    }
    r = sip_response_to(m, 469, "Bad Info Package");
    (void)sip_header_add(r, "Recv-Info", "");
    indialog_respond(a, s, r);
}
