/* INFO and MESSAGE of the peer: a delivery notification (RFC 5438) may come this way. All else is
 * refused as RFC 3428, 6086 and 3261 8.2.3 have it. */
#include "cpim/imdn.h"
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

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

static void tell(struct sip_agent *a, const char *type, size_t size, const struct imdn *n)
{
    struct line_out o;

    line_begin(&o, "imdn.received", agent_sid(a));
    line_number(&o, "size", (int64_t)size);
    line_free_text(&o, "status", n->status); /* the peer's words last: they may fill the line */
    line_free_text(&o, "message-id", n->message_id);
    line_free_text(&o, "content-type", slice_of(type));
    agent_remark(a, &o);
}

/* Also where there is none, or none that is a notification. */
static bool read_notification(const struct osip_message *m, struct buf *decoded, struct imdn *n)
{
    const char *type;
    struct slice body = sip_body(m, &type);

    *decoded = BUF_UP_TO(0);
    return body.n > 0 && type != NULL && !is_coded(m) &&
           imdn_read(slice_of(type), body, decoded, n);
}

static struct osip_message *answer(const struct osip_message *m, bool notification)
{
    const char *type;

    if (sip_body(m, &type).n > 0 && !notification && !is_optional(m))
        return notice_unsupported(m, IMDN_TYPE ", message/cpim");
    return sip_response_to(m, 200, NULL);
}

struct osip_message *notice_answer(const struct osip_message *m, bool *notification)
{
    struct buf decoded;
    struct imdn n;

    *notification = read_notification(m, &decoded, &n);
    buf_free(&decoded);
    return answer(m, *notification);
}

void notice_message(struct sip_agent *a, struct sip_server *s, const struct osip_message *m)
{
    const char *type;
    struct slice body = sip_body(m, &type);
    struct buf decoded;
    struct imdn n;
    bool notification = read_notification(m, &decoded, &n);

    if (notification)
        tell(a, type, body.n, &n);
    buf_free(&decoded);
    indialog_respond(a, s, answer(m, notification));
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
