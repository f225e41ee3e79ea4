/* What the renderers share. Private to the room. */
#ifndef STATUS_ANSWER_INT_H
#define STATUS_ANSWER_INT_H

#include "status/snapshot.h"

#include <stdio.h>

struct status_request {
    struct snapshot *s;
    const char *id;    /* what stands in the path behind the route; "" */
    const char *query; /* "" */
};

/* Writes the body and gives the status of HTTP. */
typedef unsigned status_render_h(const struct status_request *r, FILE *f);

/* The decoded value of a parameter; the caller frees it. NULL: it is not there. */
char *status_parameter(const char *query, const char *name);

status_render_h json_queue, json_entries, json_entry, json_attempts;
status_render_h metrics_text, page_overview;
extern const char page_style[];

#endif
