/* Which path shows what. HTTP knows nothing of the content, and what is here nothing of HTTP but a
 * status and a type. */
#ifndef STATUS_ANSWER_H
#define STATUS_ANSWER_H

#include "base/buf.h"
#include "status/snapshot.h"

struct status_answer {
    unsigned status;  /* 200, 400, 404, 503 */
    const char *type; /* of the body */
    struct buf body;  /* the caller frees it */
};

/* Brings the snapshot up to date and answers. `path` and `query` (without its question mark; NULL:
 * none) as they stand in the request. */
#define STATUS_ANSWER_MAX (8 << 20)
void status_answer(struct snapshot *s, const char *path, const char *query,
                   struct status_answer *out);

#endif
