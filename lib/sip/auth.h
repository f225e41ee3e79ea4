/* Digest credentials inside lib/sip: what a process knows of the realms that asked for them, and
 * the answer to a challenge (RFC 3261 22, RFC 7616). The password stays in memory; it is in no
 * message, line or trace. */
#ifndef SIP_AUTH_H
#define SIP_AUTH_H

#include "sip/sip.h"

struct osip_message;
struct auth;

#define AUTH_REALMS_MAX 8
#define AUTH_TRIES_MAX  4 /* challenges to one request, whatever they say */

/* Reads the password, if one is configured. `config` has to outlive *out. 0, or the fault's status:
 * 77, and then *out still works, as one without credentials. */
int auth_new(struct auth **out, const struct sip_config *config, struct sip_fault *f);
void auth_free(struct auth *a);

/* A request came back with 401 or 407. Takes the challenges in; true: it is to be sent again, with
 * auth_add. False: in *f with status 77 what is missing or wrong. *tries is 0 for a new request and
 * counts its challenges. The realms take turns: a second challenge of a realm that got an answer
 * means that the answer was wrong, unless it says that only the nonce was stale. */
bool auth_challenged(struct auth *a, const struct osip_message *request,
                     const struct osip_message *response, unsigned *tries, struct sip_fault *f);

/* Adds credentials for all realms that asked so far; the last thing before the request is sent. */
void auth_add(struct auth *a, struct osip_message *request);

/* Notes the next nonce (Authentication-Info) of a response. */
void auth_note(struct auth *a, const struct osip_message *response);

/* The request goes to another server: forgets the realms, but for the proxies' where those stay. */
void auth_forget(struct auth *a, bool proxies_stay);

/* The ACK for a 2xx has the credentials of its INVITE (RFC 3261 22.1). */
struct credentials {
    struct {
        bool proxy;
        char *value;
    } v[AUTH_REALMS_MAX];
    size_t n;
};

void credentials_take(struct credentials *c, const struct osip_message *request); /* replaces */
void credentials_copy(struct credentials *c, const struct credentials *from);
void credentials_add(const struct credentials *c, struct osip_message *request);
void credentials_free(struct credentials *c);

#endif
