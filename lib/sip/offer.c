/* The description of our side: the offer of the INVITE, which is also the answer to what the peer
 * offers later, as nothing in it can be changed under way. */
#include "base/clock.h"
#include "base/mem.h"
#include "sdp/sdp.h"
#include "sip/agent_int.h"

#include <stdlib.h>
#include <string.h>

static const char *fact(const struct sip_agent *a, const char *key, const char *otherwise)
{
    const char *value = journal_get(a->facts, key);

    return value != NULL ? value : otherwise;
}

/* With another a=setup than the last it is another description: its version grows (RFC 3264 8). */
static int build(struct sip_agent *a, const char *setup)
{
    struct sdp_offer o = {.session = a->offer_session,
                          .version = a->offer_version,
                          .path = fact(a, "msrp.listening.path", NULL),
                          .addrtype = fact(a, "msrp.listening.addrtype", NULL),
                          .proto = fact(a, "msrp.listening.proto", "TCP/MSRP"),
                          .setup = setup,
                          .direction = "sendonly",
                          .accept_types = fact(a, "msrp.listening.accept-types", "message/cpim"),
                          .wrapped_types = fact(a, "msrp.listening.wrapped-types", NULL),
                          .fingerprint = fact(a, "msrp.listening.fingerprint", NULL),
                          .cema = fact(a, "msrp.listening.cema", NULL) != NULL,
                          .size = journal_number(a->facts, "msrp.listening.size", -1)};

    buf_clear(&a->offer);
    return sdp_offer_build(&o, &a->offer);
}

/* A text of the fold lives only until the file is read again. */
static const char *setup_named(const char *text)
{
    static const char *const all[] = {"actpass", "active", "passive"};

    for (size_t i = 0; i < 2; i++)
        if (strcmp(text, all[i]) == 0)
            return all[i];
    return all[2];
}

int offer_make(struct sip_agent *a)
{
    a->offer_session = (uint64_t)clock_wall_ms();
    a->offer_version = 1;
    a->offer_setup = setup_named(fact(a, "msrp.listening.setup", "passive"));
    a->octets = journal_number(a->facts, "msrp.listening.octets",
                               journal_number(a->facts, "msrp.listening.size", -1));
    return build(a, a->offer_setup);
}

/* --- What the peer offers. */

/* Who connected stays who connected (RFC 6135 4.2). */
static const char *our_setup(const struct sip_agent *a, const struct sdp_view *theirs)
{
    const char *peer = sdp_answer_setup(theirs);

    if (peer[0] == '\0')
        peer = a->peer_setup;
    if (strcmp(peer, "active") == 0)
        return "passive";
    return strcmp(peer, "passive") == 0 ? "active" : a->offer_setup;
}

static const char *refusal(const struct sip_agent *a, const struct sdp_view *theirs)
{
    if (theirs->count != 1 || !theirs->found)
        return "one message media it was and has to stay";
    if (theirs->port == 0)
        return "the media cannot be taken away under way";
    if (strcmp(theirs->direction, "recvonly") != 0 && strcmp(theirs->direction, "sendrecv") != 0)
        return "the recipient has to go on receiving";
    if (a->peer_path == NULL || strcmp(theirs->path, a->peer_path) != 0)
        return "another a=path would be another connection";
    return NULL;
}

void offer_answered(struct sip_agent *a, const struct sdp_view *answer)
{
    free(a->peer_path);
    a->peer_path = mem_dup(answer->path);
    a->peer_setup = sdp_answer_setup(answer);
}

const char *offer_refusal(struct sip_agent *a, struct slice theirs)
{
    struct sdp_view v;
    const char *setup, *why;

    if (sdp_read(theirs, &v) != 0)
        return "no description that can be read";
    why = refusal(a, &v);
    setup = our_setup(a, &v);
    sdp_view_free(&v);
    if (why != NULL || strcmp(setup, a->offer_setup) == 0)
        return why;
    a->offer_setup = setup;
    a->offer_version++;
    return build(a, setup) == 0 ? NULL : "our own description cannot be made";
}
