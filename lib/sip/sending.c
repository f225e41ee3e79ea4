/* How requests of a dialog get to its next hop: to one target after the other (RFC 3263 4). */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "sip/agent.h"
#include "sip/parts.h"

#include <errno.h>
#include <osipparser2/osip_parser.h>
#include <stdlib.h>
#include <string.h>

/* Others wait for the end of a dialog, and there is one way that worked: where the INVITE went. */
#define DNS_LIMIT_MS 2000
#define TRIED_MAX    16

struct sending {
    struct dialog *dialog;
    struct local *local;
    struct loop *loop;
    struct sending *next;
    struct osip_message *message; /* without Via */
    const struct sip_client_ops *ops;
    void *arg;
    char *uri; /* of the next hop */
    struct targets *targets;
    size_t n_tried;
    struct sip_client *client;
    struct osip_message *busy; /* the last 503 */
    struct sip_hop busy_from;
    int error;                       /* the last */
    struct loop_timer timer;         /* the limit for the DNS, or the moment to tell of an error */
    struct sip_hop tried[TRIED_MAX]; /* the first n_tried are set, the rest is never cleared */
};

static void begin(struct sending *s);

/* --- Life. */

static void destroy(struct sending *s)
{
    struct sending **place = &s->dialog->way.sendings;

    while (*place != s)
        place = &(*place)->next;
    *place = s->next;
    loop_cancel(s->loop, &s->timer);
    targets_free(s->targets);
    sip_message_free(s->message);
    sip_message_free(s->busy);
    free(s->uri);
    free(s);
}

static void wake_next(struct dialog *d);

void sending_forget(struct sending *s)
{
    struct dialog *d = s->dialog;

    if (s->client != NULL)
        sip_client_forget(s->client);
    destroy(s);
    wake_next(d);
}

void way_free(struct way *w)
{
    while (w->sendings != NULL)
        destroy(w->sendings);
    free(w->uri);
    *w = (struct way){.uri = NULL};
}

/* --- The end of one. */

static void on_tell(void *arg)
{
    struct sending *s = arg;
    const struct sip_client_ops *ops = s->ops;
    struct osip_message *busy = s->busy;
    struct sip_hop from = s->busy_from;
    const char *why = local_why(s->local, s->error);
    void *owner = s->arg;
    int error = s->error;

    s->busy = NULL;
    destroy(s);
    if (ops == NULL)
        err_warn("ACK could not be sent: %s", why);
    else if (busy != NULL)
        ops->response(owner, NULL, busy, &from);
    else
        ops->failed(owner, NULL, error);
    sip_message_free(busy);
}

static void tell(struct sending *s)
{
    loop_at(s->loop, &s->timer, clock_ms(), on_tell, s);
}

static bool waits(const struct sending *s)
{
    return s->targets == NULL && s->n_tried == 0 && s->timer.place == 0;
}

/* The next that waited until somebody knows the way; it wakes the one after it. */
static void wake_next(struct dialog *d)
{
    struct sending *s = d->way.sendings;

    while (s != NULL && !waits(s))
        s = s->next;
    if (s != NULL)
        begin(s);
}

/* --- One target. */

static bool same_hop(const struct sip_hop *a, const struct sip_hop *b)
{
    return a->transport == b->transport && net_same_host(&a->addr, &b->addr) &&
           net_port(&a->addr) == net_port(&b->addr);
}

static bool is_tried(const struct sending *s, const struct sip_hop *hop)
{
    for (size_t i = 0; i < s->n_tried; i++)
        if (same_hop(&s->tried[i], hop))
            return true;
    return false;
}

/* Without a transport in the URI the peer that answered the INVITE is spoken to as the INVITE was:
 * many who were called over TCP name no transport in their Contact. */
static void as_the_invite(const struct sending *s, struct sip_hop *hop)
{
    const struct sip_hop *sent = &s->dialog->hop;
    struct sip_hop here = *hop;
    struct uri u;

    here.transport = sent->transport;
    if (!same_hop(&here, sent))
        return;
    if (uri_parse(slice_of(s->uri), &u, NULL) == 0 && uri_param(&u, "transport").n == 0)
        hop->transport = sent->transport;
    if (hop->transport != sent->transport)
        return;
    hop->connection = sent->connection;
    if (hop->domain[0] == '\0')
        memcpy(hop->domain, sent->domain, sizeof(hop->domain));
}

static const struct sip_client_ops client_ops;

static struct osip_message *with_via(struct sending *s, const struct sip_hop *hop)
{
    struct osip_message *m = sip_message_clone(s->message);
    char branch[64];
    char *sent_by = local_sent_by(s->local, hop);
    int err = m != NULL ? sip_via_add(m, hop->transport, sent_by, branch) : ENOMEM;

    free(sent_by);
    if (err == 0)
        return m;
    sip_message_free(m);
    return NULL;
}

static void remember(struct sending *s, const struct sip_hop *hop)
{
    struct way *w = &s->dialog->way;

    s->tried[s->n_tried++] = *hop;
    if (w->uri == NULL || strcmp(w->uri, s->uri) != 0) {
        free(w->uri);
        w->uri = mem_dup(s->uri);
    }
    w->hop = *hop;
}

/* 0: it is under way; else the next target may do better. */
static int try(struct sending *s, const struct sip_hop *hop)
{
    struct net_addr bound;
    struct osip_message *m;
    int err = local_listen(s->local, hop, &bound);

    if (err != 0)
        return err;
    m = with_via(s, hop);
    if (m == NULL)
        return EBADMSG;
    remember(s, hop);
    if (s->ops == NULL)
        return sip_send(s->local->stack, m, hop);
    s->client = sip_request(s->local->stack, m, hop, &client_ops, s);
    return 0;
}

/* --- One after the other. */

static void done(struct sending *s, int err)
{
    struct dialog *d = s->dialog;

    loop_cancel(s->loop, &s->timer);
    s->error = err != 0 ? err : s->error;
    if (err != 0)
        tell(s);
    else if (s->ops == NULL)
        destroy(s);
    wake_next(d);
}

/* No target is left, or none is known in time. */
static void run_out(struct sending *s, int err)
{
    const struct sip_hop *sent = &s->dialog->hop;

    if (s->n_tried == 0 && sent->addr.len != 0) {
        if (s->targets != NULL)
            err_step("%s: where the INVITE went, then", targets_why(s->targets));
        err = try(s, sent);
    }
    done(s, err);
}

static void go_on(struct sending *s)
{
    int err = 0;

    while (s->n_tried < TRIED_MAX) {
        struct sip_hop hop;
        err = targets_next(s->targets, &hop);
        if (err == EINPROGRESS)
            return;
        if (err != 0)
            break;
        as_the_invite(s, &hop);
        if (is_tried(s, &hop))
            continue;
        s->error = try(s, &hop);
        if (s->error == 0) {
            done(s, 0);
            return;
        }
    }
    run_out(s, s->error != 0 ? s->error : err != 0 ? err : ENOENT);
}

static void on_ready(void *arg)
{
    go_on(arg);
}

static void on_limit(void *arg)
{
    struct sending *s = arg;

    err_step("%s: the DNS does not answer", s->uri);
    targets_free(s->targets); /* what it says later is of no use any more */
    s->targets = NULL;
    run_out(s, s->error != 0 ? s->error : ETIMEDOUT);
}

static bool is_large(const struct sending *s)
{
    char *text = NULL;
    size_t n = 0;

    if (osip_message_to_str(s->message, &text, &n) == 0)
        osip_free(text);
    return n + 200 > SIP_LARGE; /* with the Via */
}

static void find(struct sending *s)
{
    bool secure = uri_is_secure(s->dialog->target);
    struct uri u;

    if (uri_parse(slice_of(s->uri), &u, NULL) != 0) {
        run_out(s, EBADMSG);
        return;
    }
    s->targets =
        targets_new(s->local->dns, &u, s->local->config, secure,
                    targets_by_size(&u, s->local->config, secure) && is_large(s), on_ready, s);
    targets_prefer(s->targets, &s->dialog->hop.addr);
    loop_at(s->loop, &s->timer, clock_ms() + DNS_LIMIT_MS, on_limit, s);
    go_on(s);
}

/* Only the first asks the DNS; the others then go the way that it found, in their order. */
static bool others_find(const struct sending *s)
{
    for (const struct sending *o = s->dialog->way.sendings; o != s; o = o->next)
        if (o->targets != NULL && o->client == NULL && strcmp(o->uri, s->uri) == 0)
            return true;
    return false;
}

static void begin(struct sending *s)
{
    const struct way *w = &s->dialog->way;
    struct sip_hop hop = w->hop;

    if (w->uri != NULL && strcmp(w->uri, s->uri) == 0) {
        s->error = try(s, &hop);
        if (s->error == 0)
            done(s, 0);
        else
            find(s);
    } else if (!others_find(s)) {
        find(s);
    }
}

/* --- What comes back. */

static void next_target(struct sending *s)
{
    s->client = NULL;
    if (s->targets == NULL)
        find(s);
    else {
        loop_at(s->loop, &s->timer, clock_ms() + DNS_LIMIT_MS, on_limit, s);
        go_on(s);
    }
}

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct sending *s = arg;
    const struct sip_client_ops *ops = s->ops;
    void *owner = s->arg;

    if (sip_status(m) == 503) {
        sip_message_free(s->busy);
        s->busy = sip_message_clone(m);
        s->busy_from = *from;
        next_target(s);
        return;
    }
    if (sip_status(m) >= 200)
        destroy(s);
    ops->response(owner, c, m, from);
}

static void on_failed(void *arg, struct sip_client *c, int error)
{
    struct sending *s = arg;

    (void)c;
    err_step("%s: %s", s->uri, sip_stack_why(s->local->stack, error));
    s->error = error;
    next_target(s);
}

static const struct sip_client_ops client_ops = {on_response, on_failed};

/* An ACK that waits is as good for each repetition of the 2xx. */
static bool ack_waits(const struct dialog *d, const struct osip_message *m)
{
    for (const struct sending *s = d->way.sendings; s != NULL && m != NULL; s = s->next)
        if (s->ops == NULL && s->message != NULL &&
            strcmp(s->message->cseq->number, m->cseq->number) == 0)
            return true;
    return false;
}

struct sending *sending_new(struct dialog *d, struct local *l, struct osip_message *m,
                            const struct sip_client_ops *ops, void *arg)
{
    struct sending *s;
    struct sending **tail = &d->way.sendings;

    if (ops == NULL && ack_waits(d, m)) {
        sip_message_free(m);
        return NULL;
    }
    s = mem_new_part(sizeof(*s), offsetof(struct sending, tried));
    s->dialog = d;
    s->local = l;
    s->message = m;
    s->ops = ops;
    s->arg = arg;
    s->loop = l->loop;
    s->uri = slice_dup(dialog_next(d));
    while (*tail != NULL)
        tail = &(*tail)->next;
    *tail = s;
    if (m != NULL) {
        begin(s);
        return ops != NULL ? s : NULL;
    }
    s->error = EBADMSG;
    tell(s);
    return s;
}
