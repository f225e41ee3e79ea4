/* The answer to an offer, as the behaviours want it. */
#ifndef SINK_ANSWER_H
#define SINK_ANSWER_H

struct call;

/* Settles who connects, opens a listener where the peer shall, and writes c->answer, c->path and
 * c->answer_path. 0, or an errno value (of the listener). */
int answer_build(struct call *c);

#endif
