/* How many lines somebody else may cause in a journal: many at once, few in the long run. Pure. */
#ifndef BASE_PACE_H
#define BASE_PACE_H

#include <stdbool.h>
#include <stdint.h>

#define PACE_BURST 64   /* at once */
#define PACE_MS    5000 /* for each of the others */

struct pace { /* zero: nothing was spent */
    int64_t spent;
};

/* May there be one more, at this clock_ms? Where it may, it counts. */
bool pace_allows(struct pace *p, int64_t now);

#endif
