/* A request in a dialog until its answer counts: one that is challenged is sent again, with
 * credentials and the next number (RFC 3261 22.2, 12.2.1.1). */
#include "base/err.h"
#include "base/mem.h"
#include "sip/agent.h"
#include "sip/parts.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <string.h>

struct dialog_client {
    struct voice *voice;
    struct dialog_client *next;
    struct dialog *dialog;
    const struct sip_client_ops *ops;
    void *arg;
    struct sending *sending;
    unsigned tries; /* challenges so far */
};

static void end(struct dialog_client *r)
{
    struct dialog_client **place = &r->voice->clients;

    while (*place != r)
        place = &(*place)->next;
    *place = r->next;
    free(r);
}

void dialog_client_forget(struct dialog_client *r)
{
    sending_forget(r->sending);
    end(r);
}

void dialog_client_hand_over(struct dialog_client *r, const struct sip_client_ops *ops, void *arg)
{
    r->ops = ops;
    r->arg = arg;
}

void dialog_forget(struct voice *v, const struct dialog *d)
{
    struct dialog_client *next;

    for (struct dialog_client *r = v->clients; r != NULL; r = next) {
        next = r->next;
        if (r->dialog == d)
            dialog_client_forget(r);
    }
}

void voice_free(struct voice *v)
{
    while (v->clients != NULL)
        end(v->clients);
    auth_free(v->auth);
    v->auth = NULL;
}

/* --- Out. */

void dialog_ack(struct dialog *d, struct local *l, int64_t cseq)
{
    struct osip_message *m = dialog_request(d, l->config, "ACK", cseq);

    if (m != NULL) {
        headers_apply(m, l->config);
        credentials_add(&d->credentials, m);
    }
    (void)sending_new(d, l, m, NULL, NULL);
}

static const struct sip_client_ops client_ops;

static void send_now(struct dialog_client *r, struct osip_message *m)
{
    if (m != NULL) {
        auth_add(r->voice->auth, m);
        if (strcmp(sip_method(m), "INVITE") == 0)
            credentials_take(&r->dialog->credentials, m);
    }
    r->sending = sending_new(r->dialog, r->voice->local, m, &client_ops, r);
}

struct dialog_client *dialog_send(struct dialog *d, struct voice *v, struct osip_message *m,
                                  const struct sip_client_ops *ops, void *arg)
{
    struct dialog_client *r = mem_new(sizeof(*r));

    *r = (struct dialog_client){v, v->clients, d, ops, arg, NULL, 0};
    v->clients = r;
    if (m != NULL)
        headers_apply(m, v->local->config);
    send_now(r, m);
    return r;
}

/* --- Again. */

static struct osip_message *renumbered(struct dialog_client *r, const struct osip_message *m)
{
    struct osip_message *again = sip_message_clone(m);
    char *cseq = mem_format("%lld %s", (long long)++r->dialog->cseq, sip_method(m));
    int err = again != NULL ? 0 : ENOMEM;

    if (err == 0) {
        sip_header_remove(again, "Via");
        sip_header_remove(again, "CSeq");
        sip_header_remove(again, "Authorization");
        sip_header_remove(again, "Proxy-Authorization");
        err = sip_header_add(again, "CSeq", cseq);
    }
    free(cseq);
    if (err == 0)
        return again;
    sip_message_free(again);
    return NULL;
}

static bool send_again(struct dialog_client *r, const struct osip_message *request)
{
    struct voice *v = r->voice;
    struct osip_message *again = renumbered(r, request);

    if (again == NULL)
        return false;
    /* It leaves also where its line cannot be written, as the first one did. */
    (void)emit_cseq(r->dialog->cseq, sip_method(again), journal_sid(v->facts), v->emit, v->arg);
    send_now(r, again);
    return true;
}

/* Is it on its way again? */
static bool met(struct dialog_client *r, struct sip_client *c, const struct osip_message *m)
{
    const struct osip_message *request = sip_client_message(c);
    struct sip_fault f;

    if (auth_challenged(r->voice->auth, request, m, &r->tries, &f) && send_again(r, request))
        return true;
    err_warn("the %s was answered %d: \"%s\" %s", sip_method(m), sip_status(m), f.what, f.why);
    return false;
}

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct dialog_client *r = arg, old = *r;
    int code = sip_status(m);

    if (code >= 200)
        auth_note(r->voice->auth, m);
    if ((code == 401 || code == 407) && met(r, c, m))
        return;
    if (code >= 200)
        end(r);
    old.ops->response(old.arg, c, m, from);
}

static void on_failed(void *arg, struct sip_client *c, int error)
{
    struct dialog_client *r = arg, old = *r;

    end(r);
    old.ops->failed(old.arg, c, error);
}

static const struct sip_client_ops client_ops = {on_response, on_failed};
