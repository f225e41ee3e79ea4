/* What libmicrohttpd is asked to do: read requests and write answers on the connections that the
 * door let in, from our loop. Its own limits are wider than ours and only a second fence. */
#include "http/http_int.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TARGET_MAX    2048
#define UNDER_WAY_MAX (64u << 20) /* octets of answers that are not taken yet */
#define COMPLAIN_MS   60000
#define SPARE         64 /* connections that the library may have beside those that count */

#define POLICY                                                                      \
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; " \
    "form-action 'none'; frame-ancestors 'none'"

/* Nothing is kept, sniffed, framed, or told to others. */
static const char *const fixed_headers[][2] = {
    {"Content-Security-Policy", POLICY},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Cache-Control", "no-store"},
};

/* --- Answers. */

struct body { /* freed when the library is through with it */
    struct http *h;
    struct buf text;
};

static void free_body(void *arg)
{
    struct body *b = arg;
    b->h->under_way -= b->text.n;
    buf_free(&b->text);
    free(b);
}

static struct MHD_Response *response_of(struct http *h, struct http_answer *a)
{
    struct body *b = mem_new(sizeof *b);
    b->h = h;
    b->text = a->body;
    h->under_way += b->text.n;
    a->body = (struct buf){0};
    struct MHD_Response *r =
        MHD_create_response_from_buffer_with_free_callback_cls(b->text.n, b->text.p, free_body, b);
    if (!r)
        free_body(b);
    return r;
}

static bool add(struct MHD_Response *r, const char *name, const char *value)
{
    return MHD_add_response_header(r, name, value) == MHD_YES;
}

static bool add_challenges(const struct http *h, struct MHD_Response *r)
{
    bool good = true;
    if (h->plan.token) {
        char *text = mem_format("Bearer realm=\"%s\"", h->plan.realm);
        good = add(r, "WWW-Authenticate", text);
        free(text);
    }
    if (h->plan.user_password && good) {
        char *text = mem_format("Basic realm=\"%s\", charset=\"UTF-8\"", h->plan.realm);
        good = add(r, "WWW-Authenticate", text);
        free(text);
    }
    return good;
}

static bool add_headers(const struct http *h, struct MHD_Response *r, const struct http_answer *a)
{
    bool good = add(r, "Content-Type", a->type);
    for (size_t i = 0; i < sizeof fixed_headers / sizeof *fixed_headers; i++)
        good = good && add(r, fixed_headers[i][0], fixed_headers[i][1]);
    if (a->status == 401)
        good = good && add_challenges(h, r);
    if (a->status == 405)
        good = good && add(r, "Allow", "GET, HEAD");
    if (a->status == 503)
        good = good && add(r, "Retry-After", "5");
    /* Whoever is refused may have sent more that we do not want. */
    bool last = h->stopping ||
                (a->status >= 400 && a->status != 401 && a->status != 404 && a->status != 503);
    return good && (!last || add(r, "Connection", "close"));
}

/* Logs without the query, which may hold addresses. */
static void log_answer(const struct conn *c, const char *method, const struct http_answer *a)
{
    char peer[NET_TEXT_SIZE] = "a Unix socket";
    if (c->peer.ss.ss_family != AF_UNIX)
        net_addr_text(peer, &c->peer);
    const char *target = c->target ? c->target : "";
    size_t n = strcspn(target, "?");
    n = n < 200 ? n : 200;
    err_step("%s: %.16s %.*s: %u, %zu octets", peer, method, (int)n, target, a->status, a->body.n);
}

static enum MHD_Result send_answer(struct conn *c, struct MHD_Connection *connection,
                                   const char *method, struct http_answer *a)
{
    log_answer(c, method, a);
    door_answers(c);
    struct MHD_Response *r = response_of(c->h, a);
    enum MHD_Result done = MHD_NO;
    if (r && add_headers(c->h, r, a))
        done = MHD_queue_response(connection, a->status, r);
    if (r)
        MHD_destroy_response(r);
    return done;
}

static enum MHD_Result refuse(struct conn *c, struct MHD_Connection *connection, const char *method,
                              unsigned status, const char *what)
{
    struct http_answer a = {.status = status, .type = "text/plain; charset=utf-8"};
    a.body = BUF_UP_TO(256);
    (void)buf_format(&a.body, "%s\n", what); /* it fits */
    return send_answer(c, connection, method, &a);
}

/* --- Requests. */

struct request {
    struct slice host, authorization;
    int hosts, authorizations;
    bool has_body;
};

static enum MHD_Result on_header(void *arg, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct request *q = arg;
    struct slice v = slice_of(value);
    (void)kind;
    if (slice_is_nocase(slice_of(name), MHD_HTTP_HEADER_HOST)) {
        q->host = slice_trim(v);
        q->hosts++;
    } else if (slice_is_nocase(slice_of(name), MHD_HTTP_HEADER_AUTHORIZATION)) {
        q->authorization = slice_trim(v);
        q->authorizations++;
    } else if (slice_is_nocase(slice_of(name), MHD_HTTP_HEADER_TRANSFER_ENCODING)) {
        q->has_body = true;
    } else if (slice_is_nocase(slice_of(name), MHD_HTTP_HEADER_CONTENT_LENGTH)) {
        q->has_body = q->has_body || !slice_is(slice_trim(v), "0");
    }
    return MHD_YES;
}

/* A target in absolute form names the host itself (RFC 9112 3.2.2): *path is what is behind it. */
static void take_authority(struct request *q, const char **path)
{
    for (int i = 0; i < 2; i++) {
        const char *scheme = i ? "https://" : "http://";
        if (strncasecmp(*path, scheme, strlen(scheme)) != 0)
            continue;
        *path += strlen(scheme);
        q->host = (struct slice){*path, strcspn(*path, "/?")};
        *path += q->host.n;
        return;
    }
}

static bool is_plain(const char *target)
{
    for (; *target; target++) {
        if (*target <= ' ' || *target >= 0x7f)
            return false;
    }
    return true;
}

static bool is_old(const char *version)
{
    return strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
}

/* One line a minute at most: somebody may try without end. */
static void complain(struct conn *c)
{
    struct http *h = c->h;
    char peer[NET_TEXT_SIZE] = "a Unix socket";
    h->complaints++;
    if (clock_ms() < h->next_complaint)
        return;
    if (c->peer.ss.ss_family != AF_UNIX)
        net_host_text(peer, &c->peer, false);
    err_warn("a wrong token or password: %u, the last from %s", h->complaints, peer);
    h->next_complaint = clock_ms() + COMPLAIN_MS;
    h->complaints = 0;
}

/* 0: it may be answered; else the status, and *what says why. */
static unsigned judge(struct conn *c, const struct request *q, const char *path, const char *method,
                      const char *version, const char **what)
{
    const struct http_plan *p = &c->h->plan;
    *what = "Only GET and HEAD.";
    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
        return 405;
    *what = "The request must have no body.";
    if (q->has_body)
        return 413;
    *what = "The target is too long.";
    if (strlen(c->target) > TARGET_MAX)
        return 414;
    *what = "No sound request.";
    if (q->hosts > 1 || q->authorizations > 1 || *path != '/' || !is_plain(path) ||
        (q->hosts == 0 && !is_old(version)))
        return 400;
    *what = "This server does not go by that name (--http-host).";
    if ((q->hosts || q->host.n) && !http_host_is_ours(q->host, &c->local, p->hosts, p->host_count))
        return 421;
    *what = "A token or a password is needed.";
    if ((p->token || p->user_password) &&
        !http_is_authorized(q->authorization, p->token, c->h->basic)) {
        if (q->authorizations)
            complain(c);
        return 401;
    }
    *what = "Too many answers are under way.";
    return c->h->under_way >= UNDER_WAY_MAX ? 503 : 0;
}

static enum MHD_Result answer(struct conn *c, struct MHD_Connection *connection, const char *path,
                              const char *method)
{
    struct http_answer a = {0};
    size_t n = strcspn(path, "?");
    char *only = slice_dup((struct slice){path, n});
    c->h->plan.ask(c->h->plan.arg, only, path[n] ? path + n + 1 : NULL, &a);
    free(only);
    if (c->h->under_way + a.body.n > UNDER_WAY_MAX) {
        buf_free(&a.body);
        return refuse(c, connection, method, 503, "Too many answers are under way.");
    }
    return send_answer(c, connection, method, &a);
}

static struct conn *conn_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *i =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return i ? i->socket_context : NULL;
}

/* The library calls this once for the headers, then for the body, then for the end of the request.
 */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_size, void **request)
{
    struct conn *c = conn_of(connection);
    (void)arg, (void)url, (void)upload;
    if (!c || !c->target)
        return MHD_NO;
    *request = c;
    struct request q = {0};
    const char *what, *path = c->target;
    (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, &q); /* how many */
    if (!c->presented) {
        c->presented = true;
        if (!q.has_body) /* else it is refused here, and the body never read */
            return MHD_YES;
    }
    *upload_size = 0;
    take_authority(&q, &path);
    unsigned status = judge(c, &q, path, method, version, &what);
    return status ? refuse(c, connection, method, status, what)
                  : answer(c, connection, path, method);
}

/* As it stands in the request; nothing is decoded. */
static void *on_target(void *arg, const char *target, struct MHD_Connection *connection)
{
    struct conn *c = conn_of(connection);
    (void)arg;
    if (c) {
        free(c->target);
        c->target = mem_dup(target);
        c->presented = false;
    }
    return NULL;
}

static size_t leave_encoded(void *arg, struct MHD_Connection *connection, char *text)
{
    (void)arg, (void)connection;
    return strlen(text);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **request,
                         enum MHD_RequestTerminationCode how)
{
    struct conn *c = conn_of(connection);
    (void)arg, (void)request, (void)how;
    if (c)
        door_waits(c);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **context,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http *h = arg;
    (void)connection;
    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = h->arriving;
        h->arriving = NULL;
    } else if (*context) {
        door_gone(*context);
        *context = NULL;
    }
}

/* --- Turns. */

static void on_again(void *arg)
{
    http_turn(arg);
}

static void on_turn(void *arg, uint32_t events)
{
    (void)events;
    http_turn(arg);
}

void http_turn(struct http *h)
{
    MHD_UNSIGNED_LONG_LONG ms;
    if (MHD_run(h->daemon) != MHD_YES)
        err_warn("the HTTP library cannot go on");
    if (MHD_get_timeout(h->daemon, &ms) == MHD_YES)
        loop_at(h->loop, &h->again, clock_ms() + (ms < 60000 ? (int64_t)ms : 60000), on_again, h);
    else
        loop_cancel(h->loop, &h->again);
    door_look_for_end(h);
}

void http_take(struct http *h, struct conn *c)
{
    h->arriving = c;
    enum MHD_Result taken =
        MHD_add_connection(h->daemon, c->fd, (const struct sockaddr *)&c->peer.ss, c->peer.len);
    if (taken != MHD_YES && h->arriving) /* else the end was told already */
        door_gone(c);
    h->arriving = NULL;
}

static __attribute__((format(printf, 2, 0))) void on_log(void *arg, const char *format, va_list ap)
{
    char text[256];
    (void)arg;
    int n = vsnprintf(text, sizeof text, format, ap);
    if (n > 0)
        err_step("%.*s", (int)strcspn(text, "\n"), text);
}

/* --- Beginning and end. */

static struct MHD_Daemon *new_daemon(struct http *h)
{
    const struct http_plan *p = &h->plan;
    unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_ERROR_LOG;
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}, {MHD_OPTION_END, 0, NULL}};
    if (p->cert) {
        flags |= MHD_USE_TLS;
        tls[0] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_CERT, 0, NULL};
        tls[1] = (struct MHD_OptionItem){MHD_OPTION_HTTPS_MEM_KEY, 0, NULL};
        memcpy(&tls[0].ptr_value, &p->cert, sizeof p->cert);
        memcpy(&tls[1].ptr_value, &p->key, sizeof p->key);
    }
    return MHD_start_daemon(
        flags, 0, NULL, NULL, on_request, h, MHD_OPTION_EXTERNAL_LOGGER, on_log, h,
        MHD_OPTION_CONNECTION_LIMIT, p->connections + SPARE, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        p->memory, MHD_OPTION_NOTIFY_CONNECTION, on_connection, h, MHD_OPTION_NOTIFY_COMPLETED,
        on_completed, h, MHD_OPTION_URI_LOG_CALLBACK, on_target, h, MHD_OPTION_UNESCAPE_CALLBACK,
        leave_encoded, h, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY, tls,
        MHD_OPTION_END);
}

int http_start(struct http **out, struct loop *l, const struct http_plan *p)
{
    struct http *h = mem_new(sizeof *h);
    h->loop = l;
    h->plan = *p;
    h->basic = p->user_password ? http_basic(p->user_password) : NULL;
    h->daemon = new_daemon(h);
    const union MHD_DaemonInfo *i =
        h->daemon ? MHD_get_daemon_info(h->daemon, MHD_DAEMON_INFO_EPOLL_FD) : NULL;
    int err = i ? loop_watch(l, &h->turn, i->epoll_fd, EPOLLIN, on_turn, h) : ENOMEM;
    if (err) {
        err = !h->daemon && p->cert ? EKEYREJECTED : err;
        http_free(h);
        return err;
    }
    *out = h;
    return 0;
}

void http_free(struct http *h)
{
    if (!h)
        return;
    if (h->daemon) {
        http_stop(h, 0, NULL, NULL);
        loop_unwatch(h->loop, &h->turn);
        MHD_stop_daemon(h->daemon);
    }
    loop_cancel(h->loop, &h->again);
    loop_cancel(h->loop, &h->grace);
    free(h->basic);
    free(h);
}
