/* What must not be shown of a journal's values: session ids of MSRP, with which anybody could take
 * the recipient's place (RFC 4975 14.1), and with a mask who writes to whom. Pure. */
#ifndef JOURNAL_CLEAN_H
#define JOURNAL_CLEAN_H

#include "base/slice.h"

/* A new text, in which the session ids of all MSRP paths are ***; with `mask` the users and numbers
 * of addresses too. The caller frees it. */
char *journal_clean(struct slice text, bool mask);

#endif
