/* What the renderers share. Private to the room. */
#ifndef STATUS_ANSWER_INT_H
#define STATUS_ANSWER_INT_H

#include "status/snapshot.h"

#include <stdio.h>

struct status_request {
    struct snapshot *s;
    const char *path;  /* as it stands in the request */
    const char *id;    /* what stands in it behind the route, decoded; "" */
    const char *query; /* "" */
};

/* Writes the body and gives the status of HTTP. */
typedef unsigned status_render_h(const struct status_request *r, FILE *f);

/* The decoded value of a parameter; the caller frees it. NULL: it is not there. */
char *status_parameter(const char *query, const char *name);

/* Which entries a query asks for: state, recipient, reason, after. The caller frees it, in any
 * case. False: there is no such state. */
struct status_wanted {
    char *state, *recipient, *reason, *after;
    struct status_filter filter; /* points to them */
};
bool status_wanted_read(struct status_wanted *w, const char *query, size_t limit);
void status_wanted_free(struct status_wanted *w);

status_render_h json_queue, json_entries, json_entry, json_attempts, json_sessions, json_session,
    json_recipients, json_reasons, json_not_found;
status_render_h metrics_text, page_overview, page_entries, page_entry, page_session, page_not_found;
extern const char page_style[];

#endif
