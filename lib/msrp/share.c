#include "msrp/share.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/file.h"
#include "base/lock.h"
#include "base/mailbox.h"
#include "base/mem.h"
#include "msrp/msrp.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ASK_MS   50  /* between attempts to get the listening socket */
#define ASK_ALL  100 /* of them: then somebody else has the port */
#define LOOK_MS  250 /* is the accepting stage dead, or not accepting? */
#define AGAIN_MS 20  /* when a mailbox is full */
#define DEFER_S  10  /* for so long a connection without octets is the kernel's */
#define ASKED    3   /* stages at a time */

/* Notes; a word and, for the first, a name. */
#define ASK        "listener? " /* to any stage that has it: send it to this mailbox */
#define LISTENER   "listener"   /* with the listening socket */
#define CONNECTION "connection" /* with a connection that is yours */
#define PENDING    "pending"    /* with one whose first request is not there yet */
#define LOOK       "look"       /* the lock is free */

struct pending {
    struct msrp_share *share;
    struct loop_fd io;
    struct loop_timer timer; /* its end, or the next attempt to pass it on */
    int64_t since;
    struct net_addr peer;
    bool used;
};

struct msrp_share {
    struct msrp_share_plan plan;
    const struct msrp_share_ops *ops;
    void *arg;
    char name[MAILBOX_NAME_MAX + 1];
    int folder, lock, sender;
    struct loop_fd mail;
    struct loop_fd listener;
    bool has_listener;
    bool accepting; /* we hold the lock */
    bool waiting;   /* at the last look somebody waited at the port */
    int asked;
    int error;
    struct loop_timer timer;
    struct pending pending[MSRP_SHARE_PENDING];
};

static void look(void *arg);

/* --- Connections whose owner is not known yet. */

/* Takes the connection out; its descriptor is the caller's. */
static int take_out(struct pending *p)
{
    int fd = p->io.fd;
    loop_unwatch(p->share->plan.loop, &p->io);
    loop_cancel(p->share->plan.loop, &p->timer);
    p->used = false;
    return fd;
}

static void drop(struct pending *p)
{
    (void)close(take_out(p));
}

/* It belongs to our session, or to nobody: the session knows what to say. */
static void keep(struct pending *p)
{
    struct msrp_share *s = p->share;
    struct net_addr peer = p->peer;
    s->ops->connection(s->arg, take_out(p), &peer);
}

/* Our session ids are of letters and digits, so nothing else names a mailbox. */
static bool is_name(struct slice id)
{
    for (size_t i = 0; i < id.n; i++) {
        char c = id.p[i];
        if (!((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z')))
            return false;
    }
    return id.n > 0 && id.n <= MAILBOX_NAME_MAX;
}

/* The name of the session that the first request is for, or "" for no good one. EAGAIN: the request
 * is not there yet; EPROTO: it will not be. */
static int first_session(const char *bytes, size_t n, char name[MAILBOX_NAME_MAX + 1])
{
    struct msrp_parser *parser = msrp_parser_new();
    struct slice in = {bytes, n};
    struct msrp_event ev;
    struct msrp_uri to;
    enum msrp_kind kind = msrp_parse(parser, &in, &ev);
    int err = kind == MSRP_MORE ? EAGAIN : kind == MSRP_HEAD && ev.head->request ? 0 : EPROTO;
    name[0] = '\0';
    if (!err && msrp_uri_parse(msrp_path_last(ev.head->to_path), &to) == 0 && is_name(to.session)) {
        memcpy(name, to.session.p, to.session.n);
        name[to.session.n] = '\0';
    }
    msrp_parser_free(parser);
    return err;
}

static void on_late(void *arg)
{
    drop(arg);
}

static void route(struct pending *p);

static void route_again(void *arg)
{
    route(arg);
}

static void pass_on(struct pending *p, const char *name)
{
    struct msrp_share *s = p->share;
    bool ours = !name[0] || strcmp(name, s->name) == 0;
    int err = ours ? ENOENT : mailbox_send(s->sender, s->folder, name, CONNECTION, p->io.fd);
    int64_t now = clock_ms();
    if (err == 0)
        drop(p);
    else if (err == EAGAIN && now - p->since < s->plan.request_ms)
        loop_at(s->plan.loop, &p->timer, now + AGAIN_MS, route_again, p);
    else
        keep(p);
}

static void route(struct pending *p)
{
    char bytes[MSRP_HEAD_MAX + 1]; /* with so many the parser has a verdict */
    char name[MAILBOX_NAME_MAX + 1];
    ssize_t n = recv(p->io.fd, bytes, sizeof(bytes), MSG_PEEK | MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    int err = n <= 0 ? EPROTO : first_session(bytes, (size_t)n, name);
    if (err == EPROTO)
        drop(p);
    else if (err == 0)
        pass_on(p, name);
}

static void on_pending(void *arg, uint32_t events)
{
    (void)events;
    route(arg);
}

/* The place of the one that has to go: of the place that has most, the oldest. */
static struct pending *place(struct msrp_share *s)
{
    struct pending *first = NULL;
    size_t most = 0;
    for (size_t i = 0; i < MSRP_SHARE_PENDING; i++) {
        struct pending *p = &s->pending[i];
        size_t n = 0;
        if (!p->used)
            return p;
        for (size_t k = 0; k < MSRP_SHARE_PENDING; k++)
            n += net_same_site(&s->pending[k].peer, &p->peer);
        if (!first || n > most || (n == most && p->since < first->since)) {
            first = p;
            most = n;
        }
    }
    drop(first);
    return first;
}

static void add(struct msrp_share *s, int fd, const struct net_addr *peer)
{
    struct pending *p = place(s);
    *p = (struct pending){.share = s, .since = clock_ms(), .peer = *peer, .used = true};
    p->io.fd = fd;
    loop_at(s->plan.loop, &p->timer, p->since + s->plan.request_ms, on_late, p);
    /* What was looked at stays unread: only what is new shall wake. */
    if (loop_watch(s->plan.loop, &p->io, fd, EPOLLIN | EPOLLET, on_pending, p) != 0)
        drop(p);
}

static void on_listener(void *arg, uint32_t events)
{
    struct msrp_share *s = arg;
    struct net_addr peer;
    int fd;
    (void)events;
    int err = net_accept(s->listener.fd, &fd, &peer);
    if (err == EAGAIN)
        return;
    if (!err) {
        add(s, fd, &peer);
        return;
    }
    loop_unwatch(s->plan.loop, &s->listener); /* no descriptors: at the next look there may be */
}

/* --- The listening socket. */

static void opened(struct msrp_share *s, int err)
{
    s->error = err;
    s->ops->opened(s->arg, err);
}

static void has_listener(struct msrp_share *s, int fd)
{
    int seconds = DEFER_S;
    s->listener.fd = fd;
    s->has_listener = true;
    if (setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof(seconds)) != 0)
        err_step("the kernel accepts connections before they bring octets");
    look(s);
    opened(s, 0);
}

static bool waits_at(int listener)
{
    struct pollfd p = {.fd = listener, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* Takes the lock where it is free, and what waits at the port for longer than one look where the
 * stage that has it does not. */
static void look(void *arg)
{
    struct msrp_share *s = arg;
    struct loop *l = s->plan.loop;
    if (!s->accepting && lock_try(s->lock, 0, LOCK_EXCLUSIVE) == 0) {
        s->accepting = true;
        err_step("accepting on the shared port");
    }
    if (s->accepting) {
        if (!s->listener.on &&
            loop_watch(l, &s->listener, s->listener.fd, EPOLLIN, on_listener, s) != 0)
            err_step("the shared port cannot be watched");
    } else {
        bool waits = waits_at(s->listener.fd);
        if (waits && s->waiting)
            on_listener(s, EPOLLIN);
        s->waiting = waits;
    }
    loop_at(l, &s->timer, clock_ms() + LOOK_MS, look, s);
}

/* Calls `visit` for other stages' mailboxes until it says that it is enough. */
static void visit_others(struct msrp_share *s,
                         bool (*visit)(struct msrp_share *s, const char *name))
{
    int fd = openat(s->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    const struct dirent *e;
    while ((e = readdir(d))) {
        if (is_name(slice_of(e->d_name)) && strcmp(e->d_name, s->name) != 0 && visit(s, e->d_name))
            break;
    }
    (void)closedir(d);
}

static bool ask(struct msrp_share *s, const char *name)
{
    char note[MAILBOX_NOTE_MAX + 1];
    (void)snprintf(note, sizeof(note), ASK "%s", s->name);
    if (mailbox_send(s->sender, s->folder, name, note, -1) != 0)
        return false;
    return ++s->asked % ASKED == 0;
}

/* The port is free, or another stage has it and gives us the socket. Whoever came a moment before
 * us may not have it yet, so there are several attempts. */
static void get_listener(void *arg)
{
    struct msrp_share *s = arg;
    struct net_addr bound;
    int fd;
    int err = net_open_at(SOCK_STREAM, &s->plan.at, true, &fd, &bound);
    if (!err) {
        has_listener(s, fd);
        return;
    }
    if (err != EADDRINUSE || s->asked >= ASKED * ASK_ALL) {
        opened(s, err);
        return;
    }
    int before = s->asked;
    visit_others(s, ask);
    if (s->asked == before)
        s->asked += ASKED; /* nobody to ask counts too */
    loop_at(s->plan.loop, &s->timer, clock_ms() + ASK_MS, get_listener, s);
}

static bool is_our_listener(const struct msrp_share *s, int fd)
{
    struct net_addr a;
    int listens = 0;
    socklen_t n = sizeof(listens);
    return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &n) == 0 && listens &&
           net_local(fd, &a) == 0 && net_port(&a) == net_port(&s->plan.at);
}

/* --- Mail. */

static bool peer_of(int fd, struct net_addr *peer)
{
    peer->len = sizeof(peer->ss);
    return getpeername(fd, (struct sockaddr *)&peer->ss, &peer->len) == 0;
}

/* What came with a descriptor, which is now ours. */
static void take_passed(struct msrp_share *s, const char *note, int fd)
{
    struct net_addr peer;
    if (strcmp(note, LISTENER) == 0 && !s->has_listener && !s->error && is_our_listener(s, fd))
        has_listener(s, fd);
    else if (strcmp(note, CONNECTION) == 0 && peer_of(fd, &peer))
        s->ops->connection(s->arg, fd, &peer);
    else if (strcmp(note, PENDING) == 0 && peer_of(fd, &peer))
        add(s, fd, &peer);
    else
        (void)close(fd);
}

static void take_note(struct msrp_share *s, const char *note)
{
    size_t n = strlen(ASK);
    if (s->has_listener && strncmp(note, ASK, n) == 0) {
        if (mailbox_send(s->sender, s->folder, note + n, LISTENER, s->listener.fd) != 0)
            err_step("the shared port could not be given to another stage"); /* it asks again */
    } else if (s->has_listener && strcmp(note, LOOK) == 0) {
        look(s);
    }
}

static void on_mail(void *arg, uint32_t events)
{
    struct msrp_share *s = arg;
    char note[MAILBOX_NOTE_MAX + 1];
    int fd;
    (void)events;
    if (mailbox_read(s->mail.fd, note, &fd) != 0)
        return;
    if (fd >= 0)
        take_passed(s, note, fd);
    else
        take_note(s, note);
}

/* --- Beginning and end. */

static int open_places(struct msrp_share *s)
{
    char at[NET_TEXT_SIZE];
    char *run = NULL;
    int err = file_run_folder(&run);
    if (err)
        return err;
    net_addr_text(at, &s->plan.at);
    char *path = mem_format("%s/msrp-%s", run, at);
    err = mailbox_folder(path, &s->folder);
    free(path);
    free(run);
    if (err)
        return err;
    s->lock = openat(s->folder, ".lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (s->lock < 0)
        return errno;
    err = mailbox_sender(&s->sender);
    if (err)
        return err;
    int fd;
    err = mailbox_open(s->folder, s->name, &fd);
    return err ? err : loop_watch(s->plan.loop, &s->mail, fd, EPOLLIN, on_mail, s);
}

static void begin(void *arg)
{
    struct msrp_share *s = arg;
    if (s->error)
        opened(s, s->error);
    else
        get_listener(s);
}

struct msrp_share *msrp_share_open(const struct msrp_share_plan *plan,
                                   const struct msrp_share_ops *ops, void *arg)
{
    struct msrp_share *s = mem_new(sizeof(*s));
    s->plan = *plan;
    s->ops = ops;
    s->arg = arg;
    s->folder = s->lock = s->sender = s->mail.fd = s->listener.fd = -1;
    (void)snprintf(s->name, sizeof(s->name), "%s", plan->session_id);
    s->plan.session_id = s->name;
    s->error = open_places(s);
    loop_at(plan->loop, &s->timer, clock_ms(), begin, s);
    return s;
}

static bool tell_to_look(struct msrp_share *s, const char *name)
{
    return mailbox_send(s->sender, s->folder, name, LOOK, -1) == 0;
}

/* All that wait for their first request, until somebody takes them no more. */
static bool give_pending(struct msrp_share *s, const char *name)
{
    for (size_t i = 0; i < MSRP_SHARE_PENDING; i++) {
        struct pending *p = &s->pending[i];
        if (!p->used)
            continue;
        if (mailbox_send(s->sender, s->folder, name, PENDING, p->io.fd) != 0)
            return false;
        drop(p);
    }
    return true;
}

/* Nothing can be added to our mailbox any more; what others passed to us in the last moment is
 * passed on. */
static void empty_mailbox(struct msrp_share *s)
{
    char note[MAILBOX_NOTE_MAX + 1];
    struct net_addr peer;
    int fd;
    loop_unwatch(s->plan.loop, &s->mail);
    mailbox_shut(s->folder, s->name, s->mail.fd);
    while (mailbox_read(s->mail.fd, note, &fd) == 0) {
        if (fd >= 0 && strcmp(note, PENDING) == 0 && peer_of(fd, &peer))
            add(s, fd, &peer);
        else if (fd >= 0)
            (void)close(fd);
    }
    (void)close(s->mail.fd);
}

static void close_if_open(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void msrp_share_close(struct msrp_share *s)
{
    if (!s)
        return;
    loop_cancel(s->plan.loop, &s->timer);
    loop_unwatch(s->plan.loop, &s->listener);
    if (s->mail.fd >= 0) {
        empty_mailbox(s);
        visit_others(s, give_pending);
    }
    close_if_open(s->lock);
    if (s->accepting)
        visit_others(s, tell_to_look);
    for (size_t i = 0; i < MSRP_SHARE_PENDING; i++) {
        if (s->pending[i].used)
            drop(&s->pending[i]);
    }
    close_if_open(s->has_listener ? s->listener.fd : -1);
    close_if_open(s->sender);
    close_if_open(s->folder);
    free(s);
}
