/* What the files of this room share. */
#ifndef MSRP_MSRP_INT_H
#define MSRP_MSRP_INT_H

#include "msrp/msrp.h"

/* Reads a start line into an empty head: NULL, or what is wrong with it (not MSRP then). */
const char *msrp_head_start(struct msrp_head *h, struct slice line);

/* Reads all lines of a complete head whose start line was read; faults go into h->fault. */
void msrp_head_lines(struct msrp_head *h, struct slice all);

#endif
