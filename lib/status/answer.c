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

/* A path that ends in a slash, but for the first, has an ID behind it. */
static const struct route {
    const char *path, *type;
    status_render_h *render;
} routes[] = {
    {"/", html, page_overview},        {"/style.css", css, style_text},
    {"/healthz", plain, health_text},  {"/metrics", prometheus, metrics_text},
    {"/api/queue", json, json_queue},  {"/api/entries", json, json_entries},
    {"/api/entry/", json, json_entry}, {"/api/attempts", json, json_attempts},
};

static const struct route *route_of(const char *path, const char **id)
{
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        size_t n = strlen(routes[i].path);
        bool takes_id = n > 1 && routes[i].path[n - 1] == '/';
        if (strncmp(path, routes[i].path, n) == 0 && (takes_id || path[n] == '\0')) {
            *id = path + n;
            return &routes[i];
        }
    }
    return NULL;
}

static int digit(char c)
{
    static const char digits[] = "0123456789abcdef0123456789ABCDEF";
    const char *at = c ? strchr(digits, c) : NULL;
    return at ? (int)(at - digits) % 16 : -1;
}

char *status_parameter(const char *query, const char *name)
{
    for (struct slice rest = slice_of(query); rest.p;) {
        struct slice value = slice_cut(&rest, '&');
        struct slice key = slice_cut(&value, '=');
        if (!value.p || !slice_is(key, name))
            continue;
        char *text = slice_dup(value), *to = text;
        for (const char *p = text; *p; p++) {
            if (*p == '%' && digit(p[1]) >= 0 && digit(p[2]) >= 0) {
                *to++ = (char)(digit(p[1]) * 16 + digit(p[2]));
                p += 2;
            } else {
                *to++ = *p == '+' ? ' ' : *p;
            }
        }
        *to = '\0';
        return text;
    }
    return NULL;
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
    size_t n = 0;
    struct status_request r = {.s = s, .query = query ? query : ""};
    const struct route *route = route_of(path, &r.id);
    FILE *f = open_memstream(&bytes, &n);
    if (!f)
        abort(); /* no memory: as base/mem.h */
    out->type = route ? route->type : plain;
    if (route) {
        snapshot_update(s);
        out->status = route->render(&r, f);
    } else {
        out->status = 404;
        (void)fputs("there is no such page\n", f);
    }
    if (fclose(f) != 0)
        abort();
    take_body(out, bytes, n);
    free(bytes);
}
