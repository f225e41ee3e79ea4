/* The dialogs of one INVITE: the early ones, the chosen one, and what forking brings besides (RFC
 * 3261 12.1, 13.2.2.4). */
#include "base/err.h"
#include "base/mem.h"
#include "sip/agent_int.h"

#include <osipparser2/osip_parser.h>
#include <stdlib.h>

static void fork_free(struct fork *f)
{
    dialog_free(&f->dialog);
    buf_free(&f->sdp);
    free(f);
}

void forks_free(struct sip_agent *a)
{
    while (a->forks != NULL) {
        struct fork *f = a->forks;
        a->forks = f->next;
        fork_free(f);
    }
}

struct fork *fork_find(const struct sip_agent *a, const struct osip_message *m)
{
    struct fork *f = a->forks;

    while (f != NULL && !dialog_matches(&f->dialog, m))
        f = f->next;
    return f;
}

static size_t count(const struct sip_agent *a)
{
    size_t n = 0;

    for (const struct fork *f = a->forks; f != NULL; f = f->next)
        n++;
    return n;
}

static struct fork *fork_new(struct sip_agent *a, const struct osip_message *m,
                             const struct sip_hop *from)
{
    struct fork *f = mem_new(sizeof(*f));

    f->agent = a;
    f->rseq = -1;
    f->sdp = BUF_UP_TO(SIP_MESSAGE_MAX);
    f->unroutable = dialog_from_response(&f->dialog, &a->call, m) != 0;
    f->dialog.hop.connection = from->connection;
    f->next = a->forks;
    a->forks = f;
    return f;
}

struct fork *fork_early(struct sip_agent *a, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct fork *f = fork_find(a, m);

    if (f == NULL && count(a) < FORKS_MAX) {
        f = fork_new(a, m, from);
        f->early = true;
    }
    return f;
}

/* What is under way in it goes out all the same. */
static void take_out(struct sip_agent *a, struct fork **place)
{
    struct fork *f = *place;

    *place = f->next;
    dialog_forget(&a->voice, &f->dialog);
    fork_free(f);
}

/* Every 2xx has to get its ACK and BYE, however many there are: the oldest that only rang gives way
 * to it, else the oldest that was not chosen. */
static void make_room(struct sip_agent *a)
{
    struct fork **first = NULL;

    if (count(a) < FORKS_MAX)
        return;
    for (struct fork **place = &a->forks; *place != NULL; place = &(*place)->next)
        if (*place != a->chosen && (first == NULL || (*place)->early || !(*first)->early))
            first = place;
    take_out(a, first);
}

/* The 2xx decides about route set and target, the numbers go on (RFC 3261 13.2.2.4). */
struct fork *fork_confirm(struct sip_agent *a, const struct osip_message *m,
                          const struct sip_hop *from)
{
    struct fork *f = fork_find(a, m);
    struct dialog d;

    if (f == NULL) {
        make_room(a);
        return fork_new(a, m, from);
    }
    f->unroutable = dialog_from_response(&d, &a->call, m) != 0;
    d.cseq = f->dialog.cseq;
    d.remote_cseq = f->dialog.remote_cseq;
    d.hop.connection = from->connection;
    d.way = f->dialog.way; /* with what is under way */
    f->dialog.way = (struct way){.uri = NULL};
    dialog_free(&f->dialog);
    f->dialog = d;
    f->early = false;
    return f;
}

bool forks_ringing(const struct sip_agent *a)
{
    for (const struct fork *f = a->forks; f != NULL; f = f->next)
        if (f->early)
            return true;
    return false;
}

void forks_drop_early(struct sip_agent *a)
{
    struct fork **place = &a->forks;

    while (*place != NULL) {
        if ((*place)->early)
            take_out(a, place);
        else
            place = &(*place)->next;
    }
}

/* --- Those that were not chosen. */

static void on_response(void *arg, struct sip_client *c, const struct osip_message *m,
                        const struct sip_hop *from)
{
    struct fork *f = arg;

    (void)c;
    (void)from;
    if (sip_status(m) < 200)
        return;
    f->bye = NULL;
    agent_enter(f->agent, f->agent->state);
}

static void on_failed(void *arg, struct sip_client *c, int error)
{
    struct fork *f = arg;

    (void)c;
    err_step("BYE of a forked dialog: %s", local_why(&f->agent->local, error));
    f->bye = NULL;
    agent_enter(f->agent, f->agent->state);
}

static const struct sip_client_ops bye_ops = {on_response, on_failed};

/* No lines for it: the journal's dialog is the chosen one. */
void fork_end(struct sip_agent *a, struct fork *f)
{
    struct osip_message *m;

    dialog_ack(&f->dialog, &a->local, f->dialog.invite_cseq);
    m = dialog_request(&f->dialog, a->config, "BYE", ++f->dialog.cseq);
    f->bye = dialog_send(&f->dialog, &a->voice, m, &bye_ops, f);
}

void fork_unchoose(struct sip_agent *a)
{
    struct fork *f = a->chosen;

    a->chosen = NULL;
    if (a->bye == NULL)
        return;
    f->bye = a->bye;
    a->bye = NULL;
    dialog_client_hand_over(f->bye, &bye_ops, f);
}
