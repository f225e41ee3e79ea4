/* The one table of events: who writes each, with which keys. The same table stands in
 * cpm-session(5), and a test compares them.
 *
 * X(event, writers, keys) */
#ifndef JOURNAL_EVENTS_H
#define JOURNAL_EVENTS_H

/* clang-format off */
#define JOURNAL_EVENTS(X)                                                                            \
    X("attempt.start",    "invite deliver queue",  "n")                                              \
    X("entry",            "invite serve deliver queue",    "from to message content birth expires notify conversation contribution") \
    X("learnt",           "serve",                 "window setup")                                  \
    X("msrp.listening",   "serve",  "path addrtype proto setup cema size octets accept-types wrapped-types fingerprint cpim-from message-id") \
    X("invite.route",     "invite", "n uri")                                                         \
    X("invite.sent",      "invite", "call-id from from-tag to uri cseq branch transport next-hop local via contact routes") \
    X("invite.progress",  "invite", "code reason to-tag")                                            \
    X("dialog.route",     "invite", "n uri")                                                         \
    X("dialog.confirmed", "invite", "call-id local local-tag remote remote-tag invite-cseq cseq target transport next-hop local-address contact routes session-expires refresher") \
    X("dialog.refreshed", "invite", "by method session-expires refresher cseq target")                      \
    X("dialog.cseq",      "invite bye", "cseq method")                                               \
    X("invite.answered",  "invite", "code peer-path peer-setup peer-address cema accept-types max-size fingerprint direction") \
    X("invite.failed",    "invite", "status code reason retry-after why detail")                     \
    X("session.ended",    "invite", "by why")                                                        \
    X("msrp.connected",   "serve",  "peer local role tls ktls")                                               \
    X("msrp.progress",    "serve",  "octets total rate")                                             \
    X("msrp.transferred", "serve",  "octets chunks ms report message-id")                            \
    X("msrp.failed",      "serve",  "status code reason octets why")                                 \
    X("bye.waiting",      "bye",    "")                                                               \
    X("bye.request",      "bye invite deliver", "why")                                                       \
    X("bye.sent",         "invite bye", "method cseq")                                               \
    X("bye.answered",     "invite bye", "method code reason")                                        \
    X("bye.failed",       "invite bye", "method code reason why")                                    \
    X("imdn.received",    "invite serve", "message-id status content-type size")                     \
    X("outcome",          "bye deliver invite queue", "status why")                                  \
    X("queue.wish",       "queue",  "do")                                                            \
    X("queue.failed",     "queue",  "why")                                                           \
    X("notify.done",      "queue",  "status")                                                        \
    X("notify.failed",    "queue",  "status")
/* clang-format on */

#endif
