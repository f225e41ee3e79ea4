/* Connections: who is let in, who has to make room, and how long each may take. The library closes
 * a socket when it is read or written next, so a connection is ended by shutting its socket down.
 */
#include "http/http_int.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AT_A_TIME 16  /* connections that are accepted before others have their turn */
#define PAUSE_MS  200 /* until we try again where there was no descriptor */

static void link_last(struct conn *c)
{
    struct http *h = c->h;
    c->next = NULL;
    c->before = h->last;
    *(h->last ? &h->last->next : &h->first) = c;
    h->last = c;
}

static void unlink_conn(struct conn *c)
{
    struct http *h = c->h;
    *(c->before ? &c->before->next : &h->first) = c->next;
    *(c->next ? &c->next->before : &h->last) = c->before;
}

static void doom(struct conn *c)
{
    if (c->doomed)
        return;
    c->doomed = true;
    c->h->count--;
    loop_cancel(c->h->loop, &c->deadline);
    (void)shutdown(c->fd, SHUT_RDWR); /* fails where the peer was faster */
}

static void on_deadline(void *arg)
{
    struct conn *c = arg;
    err_step("a connection took too long to %s: closed",
             c->answering ? "take its answer" : "bring a request");
    doom(c);
}

/* The list is by the beginning of what a connection is in, so it goes to the end. */
static void begin(struct conn *c, bool answering)
{
    unlink_conn(c);
    link_last(c);
    c->answering = answering;
    if (!c->doomed)
        loop_at(c->h->loop, &c->deadline, clock_ms() + c->h->plan.timeout_ms, on_deadline, c);
}

void door_answers(struct conn *c)
{
    begin(c, true);
}

void door_waits(struct conn *c)
{
    free(c->target);
    c->target = NULL;
    c->presented = false;
    begin(c, false);
    if (c->h->stopping)
        doom(c);
}

void door_gone(struct conn *c)
{
    if (!c->doomed)
        c->h->count--;
    loop_cancel(c->h->loop, &c->deadline);
    unlink_conn(c);
    free(c->target);
    free(c);
}

/* --- Room for a new one. */

static bool same_place(const struct conn *c, const struct net_addr *peer)
{
    return peer->ss.ss_family != AF_UNIX && net_same_host(&c->peer, peer);
}

static unsigned count_from(const struct http *h, const struct net_addr *peer)
{
    unsigned n = 0;
    for (const struct conn *c = h->first; c; c = c->next)
        n += !c->doomed && same_place(c, peer);
    return n;
}

/* Ends the connection that has been waiting for a request the longest, of this address if one is
 * given. False: all are being answered. */
static bool make_room(struct http *h, const struct net_addr *peer)
{
    for (struct conn *c = h->first; c; c = c->next) {
        if (!c->doomed && !c->answering && (!peer || same_place(c, peer))) {
            doom(c);
            return true;
        }
    }
    return false;
}

static void let_in(struct http *h, int fd, const struct net_addr *peer)
{
    bool room = count_from(h, peer) < h->plan.per_address || make_room(h, peer);
    room = room && (h->count < h->plan.connections || make_room(h, NULL));
    if (!room) {
        err_step("too many connections: one closed");
        (void)close(fd);
        return;
    }
    struct conn *c = mem_new(sizeof *c);
    c->h = h;
    c->fd = fd;
    c->peer = *peer;
    if (net_local(fd, &c->local) != 0)
        c->local = (struct net_addr){0};
    net_tune_stream(fd);
    link_last(c);
    h->count++;
    door_waits(c);
    http_take(h, c);
}

/* --- Listeners. */

static void on_listener(void *arg, uint32_t events);

static void on_pause_over(void *arg)
{
    struct http *h = arg;
    for (struct listener *l = h->listeners; l; l = l->next) {
        if (loop_watch(h->loop, &l->watch, l->fd, EPOLLIN, on_listener, l) != 0)
            loop_at(h->loop, &h->pause, clock_ms() + PAUSE_MS, on_pause_over, h);
    }
}

/* The kernel keeps who has connected, and would tell of it without end. */
static void pause_listeners(struct http *h, int error)
{
    if (!h->starved)
        err_warn("connections have to wait: %s", strerror(error));
    h->starved = true;
    (void)make_room(h, NULL);
    for (struct listener *l = h->listeners; l; l = l->next)
        loop_unwatch(h->loop, &l->watch);
    loop_at(h->loop, &h->pause, clock_ms() + PAUSE_MS, on_pause_over, h);
}

static void on_listener(void *arg, uint32_t events)
{
    struct listener *l = arg;
    struct net_addr peer;
    int fd, err = 0;
    (void)events;
    for (int i = 0; i < AT_A_TIME && !err; i++) {
        err = net_accept(l->fd, &fd, &peer);
        if (!err)
            let_in(l->h, fd, &peer);
    }
    if (err == EMFILE || err == ENFILE || err == ENOMEM || err == ENOBUFS)
        pause_listeners(l->h, err);
    else if (!err || err == EAGAIN)
        l->h->starved = false;
    http_turn(l->h);
}

int http_listen(struct http *h, int fd)
{
    struct listener *l = mem_new(sizeof *l);
    l->h = h;
    l->fd = fd;
    int err = loop_watch(h->loop, &l->watch, fd, EPOLLIN, on_listener, l);
    if (err) {
        free(l);
        return err;
    }
    l->next = h->listeners;
    h->listeners = l;
    return 0;
}

static void close_listeners(struct http *h)
{
    loop_cancel(h->loop, &h->pause);
    while (h->listeners) {
        struct listener *l = h->listeners;
        h->listeners = l->next;
        loop_unwatch(h->loop, &l->watch);
        (void)close(l->fd);
        free(l);
    }
}

/* --- The end. */

static void on_grace_over(void *arg)
{
    struct http *h = arg;
    h->done(h->done_arg);
}

void door_look_for_end(struct http *h)
{
    if (h->stopping && !h->first && h->done)
        loop_at(h->loop, &h->grace, clock_ms(), on_grace_over, h);
}

void http_stop(struct http *h, int64_t grace_ms, void (*done)(void *arg), void *arg)
{
    close_listeners(h);
    h->stopping = true;
    h->done = done;
    h->done_arg = arg;
    for (struct conn *c = h->first; c; c = c->next) {
        if (!c->answering)
            doom(c);
    }
    if (done)
        loop_at(h->loop, &h->grace, clock_ms() + grace_ms, on_grace_over, h);
    http_turn(h);
}
