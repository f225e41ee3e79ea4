#include "base/clock.h"
#include "base/mem.h"
#include "sip/stack_int.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* --- Which transaction? (RFC 3261 17.1.3, 17.2.3) */

static const char *text_of(const char *text)
{
    return text ? text : "";
}

static const char *from_tag(const osip_message_t *m)
{
    for (int i = 0; i < osip_list_size(&m->from->gen_params); i++) {
        const osip_generic_param_t *p = osip_list_get(&m->from->gen_params, i);
        if (p && p->gname && strcasecmp(p->gname, "tag") == 0)
            return text_of(p->gvalue);
    }
    return "";
}

char *trans_key(const osip_message_t *m, bool client, const char *method)
{
    const osip_via_t *v = osip_list_get(&m->vias, 0);
    const char *branch = text_of(via_param(v, "branch"));
    if (!method)
        method = sip_method(m);
    if (client)
        return mem_format("c %s %s", method, branch);
    if (strncmp(branch, "z9hG4bK", 7) == 0)
        return mem_format("s %s %s %s:%s", method, branch, text_of(v->host), text_of(v->port));
    /* A client of RFC 2543: the branch alone says nothing. */
    return mem_format("o %s %s %s %s@%s %s %s:%s", method, branch, from_tag(m),
                      text_of(m->call_id->number), text_of(m->call_id->host), m->cseq->number,
                      text_of(v->host), text_of(v->port));
}

static uint64_t hash_of(const char *key)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * 0x100000001b3u;
    return h;
}

struct trans *trans_find(const struct sip_stack *s, const char *key)
{
    uint64_t hash = hash_of(key);
    struct trans *t = s->buckets ? s->bucket[hash & (s->buckets - 1)] : NULL;
    while (t && (t->hash != hash || strcmp(t->key, key) != 0))
        t = t->next;
    return t;
}

static void grow(struct sip_stack *s)
{
    size_t buckets = s->buckets ? s->buckets * 2 : 64;
    struct trans **bucket = mem_new(buckets * sizeof(struct trans *));
    for (size_t i = 0; i < s->buckets; i++) {
        while (s->bucket[i]) {
            struct trans *t = s->bucket[i];
            s->bucket[i] = t->next;
            t->next = bucket[t->hash & (buckets - 1)];
            bucket[t->hash & (buckets - 1)] = t;
        }
    }
    free(s->bucket);
    s->bucket = bucket;
    s->buckets = buckets;
}

void trans_add(struct trans *t, char *key)
{
    struct sip_stack *s = t->stack;
    if (s->count >= s->buckets)
        grow(s);
    t->key = key;
    t->hash = hash_of(key);
    struct trans **place = &s->bucket[t->hash & (s->buckets - 1)];
    t->next = *place;
    *place = t;
    s->count++;
    s->servers += !t->client;
}

void trans_end(struct trans *t)
{
    struct sip_stack *s = t->stack;
    if (t->dead)
        return;
    t->dead = true;
    loop_cancel(s->loop, &t->timer);
    struct trans **place = &s->bucket[t->hash & (s->buckets - 1)];
    while (*place != t)
        place = &(*place)->next;
    *place = t->next;
    s->count--;
    s->servers -= !t->client;
    t->next = s->dead;
    s->dead = t;
    stack_reap(s);
}

void trans_free(struct trans *t)
{
    if (t->osip)
        (void)osip_transaction_free2(t->osip);
    if (t->client)
        osip_message_free(((struct sip_client *)t)->message);
    else
        osip_message_free(((struct sip_server *)t)->yes);
    free(t->key);
    free(t);
}

/* --- Timers (RFC 3261 17, table 4; RFC 6026). */

static const struct {
    state_t state;
    type_t repeat, end;
} phases[] = {
    {ICT_CALLING, TIMEOUT_A, TIMEOUT_B},      {ICT_COMPLETED, UNKNOWN_EVT, TIMEOUT_D},
    {NICT_TRYING, TIMEOUT_E, TIMEOUT_F},      {NICT_PROCEEDING, TIMEOUT_E, TIMEOUT_F},
    {NICT_COMPLETED, UNKNOWN_EVT, TIMEOUT_K}, {IST_COMPLETED, TIMEOUT_G, TIMEOUT_H},
    {IST_CONFIRMED, UNKNOWN_EVT, TIMEOUT_I},  {NIST_COMPLETED, UNKNOWN_EVT, TIMEOUT_J},
};

static void set_deadlines(struct trans *t)
{
    const struct sip_timers *timers = &t->stack->timers;
    bool reliable = t->hop.transport != SIP_UDP;
    int64_t now = clock_ms(), long_time = 64 * timers->t1;
    t->repeat_ms = 0;
    switch (t->osip->state) {
    case ICT_CALLING:
    case NICT_TRYING:
    case IST_COMPLETED:
        t->repeat_ms = reliable ? 0 : timers->t1;
        t->end_due = now + long_time;
        break;
    case NICT_PROCEEDING:
        t->repeat_ms = reliable ? 0 : timers->t2;
        break;
    case ICT_COMPLETED:
    case NIST_COMPLETED:
        t->end_due = reliable ? now : now + long_time;
        break;
    case NICT_COMPLETED:
    case IST_CONFIRMED:
        t->end_due = reliable ? now : now + timers->t4;
        break;
    default:
        t->end_due = CLOCK_NEVER;
    }
    t->repeat_due = now + t->repeat_ms;
}

static void on_timer(void *arg);

void trans_set_timer(struct trans *t)
{
    int64_t due = t->end_due;
    if (t->repeat_ms && t->repeat_due < due)
        due = t->repeat_due;
    if (t->error)
        due = clock_ms();
    if (due == CLOCK_NEVER)
        loop_cancel(t->stack->loop, &t->timer);
    else if (!t->dead)
        loop_at(t->stack->loop, &t->timer, due, on_timer, t);
}

static bool is_over(const osip_transaction_t *o)
{
    return o->state == ICT_TERMINATED || o->state == IST_TERMINATED ||
           o->state == NICT_TERMINATED || o->state == NIST_TERMINATED;
}

void trans_run(struct trans *t, osip_event_t *event)
{
    (void)osip_transaction_execute(t->osip, event); /* it tells nothing, and frees the event */
    if (t->dead || t->osip->state == t->seen)
        return;
    t->seen = t->osip->state;
    if (is_over(t->osip))
        return;
    set_deadlines(t);
    trans_set_timer(t);
}

/* Timer A doubles for ever, E and G up to T2. */
static void repeat_later(struct trans *t)
{
    t->repeat_ms *= 2;
    if (t->osip->state != ICT_CALLING && t->repeat_ms > t->stack->timers.t2)
        t->repeat_ms = t->stack->timers.t2;
    t->repeat_due = clock_ms() + t->repeat_ms;
}

static type_t due_event(struct trans *t)
{
    bool end = clock_ms() >= t->end_due;
    for (size_t i = 0; i < sizeof phases / sizeof *phases; i++) {
        if (phases[i].state != t->osip->state)
            continue;
        if (!end)
            repeat_later(t);
        return end ? phases[i].end : phases[i].repeat;
    }
    return UNKNOWN_EVT;
}

/* Those that libosip2 does not know are handled by client_due and server_due, which look at what is
 * left after this. */
static void run_timer(struct trans *t)
{
    type_t type = t->osip && !t->error ? due_event(t) : UNKNOWN_EVT;
    if (type == UNKNOWN_EVT)
        return;
    osip_event_t *e = mem_new(sizeof *e);
    e->type = type;
    e->transactionid = t->osip->transactionid;
    trans_run(t, e);
    trans_set_timer(t);
}

static void on_timer(void *arg)
{
    struct trans *t = arg;
    struct sip_stack *s = t->stack;
    stack_enter(s);
    run_timer(t);
    if (t->client)
        client_due((struct sip_client *)t);
    else
        server_due((struct sip_server *)t);
    stack_leave(s);
}

/* --- Errors of the transport. */

static bool still_waits(const struct trans *t)
{
    return t->client &&
           (!t->osip || t->osip->state == ICT_CALLING || t->osip->state == ICT_PROCEEDING ||
            t->osip->state == NICT_TRYING || t->osip->state == NICT_PROCEEDING ||
            t->osip->state == ICT_PRE_CALLING || t->osip->state == NICT_PRE_TRYING);
}

void trans_fail(struct trans *t, int error)
{
    if (t->dead || t->error || !still_waits(t))
        return;
    t->error = error;
    trans_set_timer(t);
}

void trans_fail_connection(struct sip_stack *s, uint64_t connection, int error)
{
    for (size_t i = 0; i < s->buckets; i++) {
        for (struct trans *t = s->bucket[i]; t; t = t->next) {
            if (t->hop.connection == connection)
                trans_fail(t, error);
        }
    }
}

static bool goes_to(const struct trans *t, enum sip_transport transport,
                    const struct net_addr *addr)
{
    return t->hop.transport == transport && net_same_host(&t->hop.addr, addr) &&
           net_port(&t->hop.addr) == net_port(addr);
}

void trans_fail_address(struct sip_stack *s, enum sip_transport transport,
                        const struct net_addr *addr, int error)
{
    for (size_t i = 0; i < s->buckets; i++) {
        for (struct trans *t = s->bucket[i]; t; t = t->next) {
            if (goes_to(t, transport, addr))
                trans_fail(t, error);
        }
    }
}

void trans_note_nonsense(struct sip_stack *s, const struct sip_hop *from)
{
    for (size_t i = 0; i < s->buckets; i++) {
        for (struct trans *t = s->bucket[i]; t; t = t->next)
            t->nonsense = t->nonsense || goes_to(t, from->transport, &from->addr);
    }
}

/* --- libosip2. */

/* Its lists are only good for its own matching and timers: the transaction leaves them again while
 * they are empty. */
int trans_init(struct trans *t, osip_fsm_type_t type, osip_message_t *m)
{
    if (osip_transaction_init(&t->osip, type, t->stack->osip, m) != 0) {
        t->osip = NULL;
        return EINVAL;
    }
    (void)osip_remove_transaction(t->stack->osip, t->osip);
    (void)osip_transaction_set_your_instance(t->osip, t);
    t->seen = t->osip->state;
    t->end_due = CLOCK_NEVER;
    return 0;
}

/* RFC 3261 8.1.1.6 wants Max-Forwards in every request, 17.1.1.3 does not except this ACK. */
static void complete_ack(osip_message_t *m)
{
    if (MSG_IS_REQUEST(m) && MSG_IS_ACK(m) && !sip_header(m, "Max-Forwards", 0))
        (void)sip_header_add(m, "Max-Forwards", "70");
}

/* Always 0: libosip2 would end the transaction at once and from inside. */
static int on_send(osip_transaction_t *o, osip_message_t *m, char *host, int port, int socket)
{
    struct trans *t = osip_transaction_get_your_instance(o);
    (void)host;
    (void)port;
    (void)socket;
    complete_ack(m);
    int err = transp_send(t->stack, &t->hop, m);
    if (err && t->client)
        trans_fail(t, err);
    else if (err)
        t->error = err;
    return 0;
}

static void on_response(int type, osip_transaction_t *o, osip_message_t *m)
{
    struct trans *t = osip_transaction_get_your_instance(o);
    (void)type;
    (void)m;
    t->got = true;
}

static const int response_callbacks[] = {
    OSIP_ICT_STATUS_1XX_RECEIVED,  OSIP_ICT_STATUS_2XX_RECEIVED,  OSIP_ICT_STATUS_3XX_RECEIVED,
    OSIP_ICT_STATUS_4XX_RECEIVED,  OSIP_ICT_STATUS_5XX_RECEIVED,  OSIP_ICT_STATUS_6XX_RECEIVED,
    OSIP_NICT_STATUS_1XX_RECEIVED, OSIP_NICT_STATUS_2XX_RECEIVED, OSIP_NICT_STATUS_3XX_RECEIVED,
    OSIP_NICT_STATUS_4XX_RECEIVED, OSIP_NICT_STATUS_5XX_RECEIVED, OSIP_NICT_STATUS_6XX_RECEIVED,
};

/* Without this, libosip2 prints what it thinks of a message on stdout, which belongs to others. At
 * level 0 it does not even call it. */
static void on_trace(const char *file, int line, osip_trace_level_t level, const char *format,
                     va_list ap)
{
    (void)file;
    (void)line;
    (void)level;
    (void)format;
    (void)ap;
}

int trans_start(struct sip_stack *s)
{
    osip_trace_initialize_func(TRACE_LEVEL0, on_trace);
    if (osip_init(&s->osip) != 0)
        return ENOSYS;
    osip_set_cb_send_message(s->osip, on_send);
    for (size_t i = 0; i < sizeof response_callbacks / sizeof *response_callbacks; i++)
        (void)osip_set_message_callback(s->osip, response_callbacks[i], on_response);
    return 0;
}

void trans_stop(struct sip_stack *s)
{
    for (size_t i = 0; i < s->buckets; i++) {
        while (s->bucket[i])
            trans_end(s->bucket[i]);
    }
    while (s->dead) {
        struct trans *t = s->dead;
        s->dead = t->next;
        trans_free(t);
    }
    free(s->bucket);
    osip_release(s->osip);
}
