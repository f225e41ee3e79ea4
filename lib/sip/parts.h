/* Parts of libosip2's messages for who builds and takes apart dialogs by hand, as cpm-sink does to
 * be able to do it wrong: what stack.h leaves in libosip2's struct. Texts that are given away are
 * freed by the caller. */
#ifndef SIP_PARTS_H
#define SIP_PARTS_H

struct osip_message;

const char *sip_from_tag(const struct osip_message *m); /* NULL: none */
const char *sip_to_tag(const struct osip_message *m);
char *sip_to_text(const struct osip_message *m);     /* To, with its tag */
char *sip_request_uri(const struct osip_message *m); /* NULL for a response */

struct osip_message *sip_message_clone(const struct osip_message *m);
void sip_message_free(struct osip_message *m); /* NULL is harmless */

/* A request without any header. NULL: libosip2 refuses the URI. */
struct osip_message *sip_request_new(const char *method, const char *uri);

#endif
