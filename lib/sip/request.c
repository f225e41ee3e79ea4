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
    struct sip_client *client;
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
    sip_client_forget(r->client);
    end(r);
}

void voice_free(struct voice *v)
{
    while (v->clients != NULL)
        end(v->clients);
    auth_free(v->auth);
    v->auth = NULL;
}

/* --- Out. */

static int add_via(const struct dialog *d, struct local *l, struct osip_message *m,
                   struct sip_hop *to)
{
    char branch[64];
    struct net_addr bound;
    int err = dialog_hop(d, l->config, to);
    char *sent_by;

    if (err == 0)
        err = local_listen(l, to, &bound);
    if (err != 0)
        return err;
    sent_by = local_sent_by(l, to);
    err = sip_via_add(m, to->transport, sent_by, branch);
    free(sent_by);
    headers_apply(m, l->config);
    return err;
}

int dialog_ack(const struct dialog *d, struct local *l, int64_t cseq)
{
    struct osip_message *m = dialog_request(d, l->config, "ACK", cseq);
    struct sip_hop to;
    int err = m != NULL ? add_via(d, l, m, &to) : EBADMSG;

    if (err == 0) {
        credentials_add(&d->credentials, m);
        return sip_send(l->stack, m, &to);
    }
    osip_message_free(m);
    return err;
}

static const struct sip_client_ops client_ops;

/* Takes over the message. */
static int send_now(struct dialog_client *r, struct osip_message *m)
{
    struct local *l = r->voice->local;
    struct sip_hop to;
    int err = add_via(r->dialog, l, m, &to);

    if (err != 0) {
        osip_message_free(m);
        return err;
    }
    auth_add(r->voice->auth, m);
    if (strcmp(sip_method(m), "INVITE") == 0)
        credentials_take(&r->dialog->credentials, m);
    r->client = sip_request(l->stack, m, &to, &client_ops, r);
    return 0;
}

struct dialog_client *dialog_send(struct dialog *d, struct voice *v, struct osip_message *m,
                                  const struct sip_client_ops *ops, void *arg, int *err)
{
    struct dialog_client *r;

    *err = EBADMSG;
    if (m == NULL)
        return NULL;
    r = mem_new(sizeof(*r));
    *r = (struct dialog_client){v, v->clients, d, ops, arg, NULL, 0};
    v->clients = r;
    *err = send_now(r, m);
    if (*err == 0)
        return r;
    end(r);
    return NULL;
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
    return send_now(r, again) == 0;
}

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct dialog_client *r = arg, old = *r;
    const struct osip_message *request = sip_client_message(c);
    int code = sip_status(m);
    struct sip_fault f;

    if (code >= 200)
        auth_note(r->voice->auth, m);
    if (code == 401 || code == 407) {
        if (auth_challenged(r->voice->auth, request, m, &r->tries, &f) && send_again(r, request))
            return;
        err_warn("the %s was answered %d: \"%s\" %s", sip_method(request), code, f.what, f.why);
    }
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
