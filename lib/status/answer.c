#include "status/answer.h"

#include "status/answer_int.h"

#include <stdlib.h>
#include <string.h>

static unsigned health_text(const struct status_request *r, FILE *f)
{
    char why[256];
    bool good = snapshot_health(r->s, why);
    (void)fprintf(f, "%s\n", why);
    return good ? 200 : 503;
}

static unsigned style_text(const struct status_request *r, FILE *f)
{
    (void)r;
    (void)fputs(page_style, f);
    return 200;
}

static const char html[] = "text/html; charset=utf-8", json[] = "application/json",
                  plain[] = "text/plain; charset=utf-8", css[] = "text/css; charset=utf-8",
                  prometheus[] = "text/plain; version=0.0.4; charset=utf-8";

/* A path that ends in a slash, but for the first, has an ID behind it. The first that fits counts.
 */
static const struct route {
    const char *path, *type;
    status_render_h *render;
    enum { FIXED, LIVE } what; /* does it show the snapshot? */
} routes[] = {
    {"/", html, page_overview, LIVE},
    {"/style.css", css, style_text, FIXED},
    {"/healthz", plain, health_text, LIVE},
    {"/metrics", prometheus, metrics_text, LIVE},
    {"/entries", html, page_entries, LIVE},
    {"/entry/", html, page_entry, LIVE},
    {"/session/", html, page_session, LIVE},
    {"/api/queue", json, json_queue, LIVE},
    {"/api/recipients", json, json_recipients, LIVE},
    {"/api/reasons", json, json_reasons, LIVE},
    {"/api/entries", json, json_entries, LIVE},
    {"/api/entry/", json, json_entry, LIVE},
    {"/api/sessions", json, json_sessions, LIVE},
    {"/api/session/", json, json_session, LIVE},
    {"/api/attempts", json, json_attempts, LIVE},
    {"/api/", json, json_not_found, FIXED},
    {"", html, page_not_found, FIXED}, /* all others */
};

static const struct route *route_of(const char *path, const char **id)
{
    const struct route *p = routes;
    for (;; p++) {
        size_t n = strlen(p->path);
        bool takes_more = n != 1 && (n == 0 || p->path[n - 1] == '/');
        if (strncmp(path, p->path, n) == 0 && (takes_more || path[n] == '\0')) {
            *id = path + n;
            return p;
        }
    }
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

/* Percent-encoding, and in a query the plus. No octet becomes a NUL. */
static char *decode(struct slice value, bool plus)
{
    char *text = slice_dup(value), *to = text;
    for (const char *p = text; *p; p++) {
        int high = *p == '%' ? digit(p[1]) : -1, low = high >= 0 ? digit(p[2]) : -1;
        if (low >= 0 && high + low > 0) {
            *to++ = (char)(high * 16 + low);
            p += 2;
        } else {
            *to++ = plus && *p == '+' ? ' ' : *p;
        }
    }
    *to = '\0';
    return text;
}

char *status_parameter(const char *query, const char *name)
{
    for (struct slice rest = slice_of(query); rest.p;) {
        struct slice value = slice_cut(&rest, '&');
        struct slice key = slice_cut(&value, '=');
        if (!value.p || !slice_is(key, name))
            continue;
        return decode(value, true);
    }
    return NULL;
}

bool status_wanted_read(struct status_wanted *w, const char *query, size_t limit)
{
    *w = (struct status_wanted){.state = status_parameter(query, "state"),
                                .recipient = status_parameter(query, "recipient"),
                                .reason = status_parameter(query, "reason"),
                                .after = status_parameter(query, "after")};
    w->filter = (struct status_filter){0, w->recipient, w->reason, limit, w->after};
    for (unsigned i = 0; w->state && i < STATUS_STATES; i++) {
        if (strcmp(w->state, status_state_names[i]) == 0)
            w->filter.states = 1U << i;
    }
    return !w->state || w->filter.states != 0;
}

void status_wanted_free(struct status_wanted *w)
{
    free(w->state);
    free(w->recipient);
    free(w->reason);
    free(w->after);
}

/* An answer is whole or none. */
static void take_body(struct status_answer *out, const char *bytes, size_t n)
{
    out->body = BUF_UP_TO(STATUS_ANSWER_MAX);
    if (buf_add(&out->body, bytes, n) == 0)
        return;
    out->status = 503;
    out->type = plain;
    (void)buf_add_text(&out->body, "too much to show\n");
}

void status_answer(struct snapshot *s, const char *path, const char *query,
                   struct status_answer *out)
{
    char *bytes = NULL;
    const char *id;
    size_t n = 0;
    const struct route *route = route_of(path, &id);
    char *decoded = decode(slice_of(id), false);
    struct status_request r = {s, path, decoded, query ? query : ""};
    FILE *f = open_memstream(&bytes, &n);
    if (!f)
        abort(); /* no memory: as base/mem.h */
    if (route->what == LIVE)
        snapshot_update(s);
    out->type = route->type;
    out->status = route->render(&r, f);
    if (fclose(f) != 0)
        abort();
    take_body(out, bytes, n);
    free(decoded);
    free(bytes);
}
