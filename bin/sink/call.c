/* The life of a call: found by its dialog or its MSRP session, ended once, freed by the reaper. */
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/rand.h"
#include "bin/sink/sink.h"
#include "cpim/cpim.h"
#include "sip/parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_MS      1000 /* as long as the stages read responses after the end of the dialog */
#define SESSION_CHARS 20   /* 119 bits, RFC 4975 14.1 asks for 80 */

static size_t bucket(struct slice text)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (unsigned char)text.p[i]) * 16777619u;
    return h % SINK_BUCKETS;
}

static void take_routes(struct call *c, const struct osip_message *invite)
{
    const char *value;
    while ((value = sip_header(invite, "Record-Route", (int)c->n_routes))) {
        c->routes = mem_grow(c->routes, c->n_routes + 1, sizeof *c->routes);
        c->routes[c->n_routes++] = mem_dup(value);
    }
}

static void take_contact(struct call *c)
{
    struct net_addr local;
    char text[NET_TEXT_SIZE];
    int error = sip_local(c->sink->stack, &c->hop, &local);
    if (error)
        call_error(c, "no address of ours: %s", strerror(error));
    else
        net_addr_text(text, &local);
    c->sent_by = mem_dup(error ? "invalid.invalid" : text);
    c->contact =
        mem_format("sip:sink@%s;transport=%s", c->sent_by, sip_transport_name(c->hop.transport));
}

struct call *call_new(struct sink *s, const struct osip_message *invite, const struct sip_hop *from)
{
    size_t which;
    const char *why;
    struct call *c = mem_new(sizeof *c);
    c->sink = s;
    c->hop = *from;
    c->store.fd = -1;
    c->head = BUF_UP_TO(CPIM_HEAD_MAX);
    c->answer = BUF_UP_TO(SIP_MESSAGE_MAX);
    (void)snprintf(c->sid, sizeof c->sid, "%" PRIu64, ++s->invites);
    if (behave_for(&c->behave, s->rules, s->n_rules, s->invites, &which, &why))
        err_warn("%s: %s", s->rules[which], why); /* they were checked at the start */
    c->call_id = mem_dup(sip_header(invite, "Call-ID", 0));
    c->remote = mem_dup(sip_header(invite, "From", 0));
    c->remote_tag = mem_dup(sip_from_tag(invite));
    c->target = message_contact(invite);
    c->invite_cseq = c->remote_cseq = message_cseq(invite);
    take_routes(c, invite);
    take_contact(c);
    size_t b = bucket(slice_of(c->call_id));
    c->next_dialog = s->dialogs[b];
    s->dialogs[b] = c;
    return c;
}

static bool tag_fits(const char *wanted, const char *tag)
{
    return !wanted || (tag && strcmp(wanted, tag) == 0);
}

struct call *call_find(struct sink *s, const char *call_id, const char *local_tag,
                       const char *remote_tag)
{
    struct call *c = call_id ? s->dialogs[bucket(slice_of(call_id))] : NULL;
    for (; c; c = c->next_dialog)
        if (strcmp(c->call_id, call_id) == 0 && tag_fits(local_tag, c->local_tag) &&
            tag_fits(remote_tag, c->remote_tag))
            break;
    return c;
}

struct call *call_of_server(struct sink *s, const struct sip_server *server)
{
    for (size_t b = 0; server && b < SINK_BUCKETS; b++)
        for (struct call *c = s->dialogs[b]; c; c = c->next_dialog)
            if (c->invite == server || c->reinvite == server)
                return c;
    return NULL;
}

struct call *call_of_session(struct sink *s, struct slice session_id)
{
    struct call *c = s->sessions[bucket(session_id)];
    while (c && !slice_is(session_id, c->session))
        c = c->next_session;
    return c;
}

void call_set_session(struct call *c)
{
    rand_token(c->session, SESSION_CHARS);
    size_t b = bucket(slice_of(c->session));
    c->next_session = c->sink->sessions[b];
    c->sink->sessions[b] = c;
}

static void dial_late(void *arg)
{
    media_dial(arg);
}

void call_dial(struct call *c, const char *moment)
{
    const struct behave *b = &c->behave;
    if (!c->dials || strcmp(b->connect ? b->connect : "answer", moment) != 0)
        return;
    if (b->late_ms > 0)
        loop_at(c->sink->loop, &c->late, clock_ms() + b->late_ms, dial_late, c);
    else
        media_dial(c);
}

/* --- The end. */

static void cancel_timers(struct call *c)
{
    struct loop_timer *const timers[] = {&c->ring, &c->late, &c->bye_after, &c->expiry, &c->drain};
    for (size_t i = 0; i < sizeof timers / sizeof *timers; i++)
        loop_cancel(c->sink->loop, timers[i]);
}

static void unlink_call(struct call *c)
{
    struct call **at = &c->sink->dialogs[bucket(slice_of(c->call_id))];
    while (*at != c)
        at = &(*at)->next_dialog;
    *at = c->next_dialog;
    if (!*c->session)
        return;
    at = &c->sink->sessions[bucket(slice_of(c->session))];
    while (*at != c)
        at = &(*at)->next_session;
    *at = c->next_session;
}

static void say_end(struct call *c)
{
    struct line_out o;
    event_begin(&o, c, "sink.ended");
    event_peer(&o, "call-id", c->call_id);
    line_number(&o, "errors", (int64_t)c->errors);
    line_number(&o, "octets", (int64_t)c->octets);
    line_text(&o, "complete", c->complete ? "yes" : "no");
    event_end(&o);
}

static void count_end(struct call *c, bool accepted)
{
    struct sink *s = c->sink;
    s->ended++;
    s->complete += c->complete;
    s->faulty += c->errors > 0;
    if (c->errors || (accepted && !c->complete))
        s->unfit = true;
}

void call_end(struct call *c)
{
    if (c->state == CALL_ENDED)
        return;
    bool accepted = c->state != CALL_RINGING;
    if (accepted)
        receive_call_over(c);
    c->state = CALL_ENDED;
    cancel_timers(c);
    dialog_forget(c);
    while (c->conns)
        conn_close(c->conns);
    store_drop(&c->store);
    unlink_call(c);
    say_end(c);
    count_end(c, accepted);
    c->next_dead = c->sink->dead_calls;
    c->sink->dead_calls = c;
    sink_reap_soon(c->sink);
}

static void drained(void *arg)
{
    call_end(arg);
}

bool call_is_drained(const struct call *c)
{
    return (c->complete && !c->sends_open) || !c->conns;
}

void call_drain(struct call *c)
{
    if (call_is_drained(c)) {
        call_end(c);
        return;
    }
    c->state = CALL_DRAINING;
    loop_at(c->sink->loop, &c->drain, clock_ms() + DRAIN_MS, drained, c);
}

static void call_free(struct call *c)
{
    for (size_t i = 0; i < c->n_routes; i++)
        free(c->routes[i]);
    char *const texts[] = {
        c->call_id,          c->remote,  c->local, c->remote_tag, c->local_tag, c->target,
        c->contact,          c->sent_by, c->offer, c->offer_path, c->path,      c->answer_path,
        c->offer_fingerprint};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        free(texts[i]);
    free(c->routes);
    sip_message_free(c->yes);
    buf_free(&c->answer);
    buf_free(&c->head);
    free(c);
}

static void reap(void *arg)
{
    struct sink *s = arg;
    while (s->dead_conns) {
        struct conn *k = s->dead_conns;
        s->dead_conns = k->next;
        conn_free(k);
    }
    while (s->dead_calls) {
        struct call *c = s->dead_calls;
        s->dead_calls = c->next_dead;
        call_free(c);
    }
    if (s->until && s->ended >= s->until)
        loop_stop(s->loop);
}

void sink_reap_soon(struct sink *s)
{
    loop_at(s->loop, &s->reaper, clock_ms(), reap, s);
}

void sink_clear(struct sink *s)
{
    for (size_t b = 0; b < SINK_BUCKETS; b++)
        while (s->dialogs[b])
            call_end(s->dialogs[b]);
    media_close(s);
    reap(s);
    loop_cancel(s->loop, &s->reaper);
}

/* --- What is to happen at so many octets. */

static void close_all(struct call *c)
{
    while (c->conns)
        conn_close(c->conns);
}

static void bye_in_the_middle(struct call *c)
{
    dialog_bye(c, "behaviour");
}

static void reinvite(struct call *c)
{
    dialog_request(c, "INVITE");
}

static void update(struct call *c)
{
    dialog_request(c, "UPDATE");
}

static void options(struct call *c)
{
    dialog_request(c, "OPTIONS");
}

static void send_empty(struct call *c)
{
    if (c->carrier)
        receive_send_empty(c->carrier);
}

void call_octets(struct call *c)
{
    const struct behave *b = &c->behave;
    const struct {
        int64_t at;
        void (*act)(struct call *c);
    } acts[] = {{b->reinvite_at, reinvite},     {b->update_at, update},
                {b->options_at, options},       {b->send_empty_at, send_empty},
                {b->bye_at, bye_in_the_middle}, {b->close_at, close_all}};
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++) {
        if (acts[i].at < 0 || c->octets < (uint64_t)acts[i].at || c->fired & 1u << i)
            continue;
        c->fired |= 1u << i;
        acts[i].act(c);
    }
}
