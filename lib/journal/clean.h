/* What must not be shown of a journal's values: session ids of MSRP, with which anybody could take
 * the recipient's place (RFC 4975 14.1), and with a mask who writes to whom. Pure. */
#ifndef JOURNAL_CLEAN_H
#define JOURNAL_CLEAN_H

#include "base/slice.h"

/* A new text, in which the session ids of all MSRP paths are ***; with `mask` also the users of
 * addresses, the names beside them, and what looks like a telephone number (a value of digits alone
 * is a count, and stays). Hosts stay, and so does a name in the midst of other words. The caller
 * frees it. */
char *journal_clean(struct slice text, bool mask);

#endif
