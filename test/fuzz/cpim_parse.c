/* The head of a message: what its beginning is found to be, sound or at fault, stays so when more
 * comes; every slice lies inside, and what it names can be read by itself. */
#include "cpim/cpim.h"
#include "test/fuzz/fuzz.h"

static bool inside(struct slice s, struct slice whole)
{
    return !s.p || (s.p >= whole.p && s.n <= whole.n && s.p - whole.p <= (long)(whole.n - s.n));
}

static void check_head(struct slice whole, const struct cpim *c)
{
    const struct slice parts[] = {c->headers,
                                  c->content_headers,
                                  c->from,
                                  c->from_uri,
                                  c->to,
                                  c->to_uri,
                                  c->cc,
                                  c->date_time,
                                  c->subject,
                                  c->message_id,
                                  c->dispositions,
                                  c->content_type,
                                  c->content_length};
    struct slice rest = c->headers;
    struct cpim_header h;
    HOLDS(c->content_at <= whole.n && c->from_uri.n > 0 && c->to_uri.n > 0);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        HOLDS(inside(parts[i], whole));
    while (cpim_next(&rest, &h))
        HOLDS(h.name.n > 0 && inside(h.name, whole) && inside(h.value, whole));
    HOLDS(inside(cpim_media_type(c->content_type), whole) || !c->content_type.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n)
{
    struct cpim c;
    struct slice whole = {(const char *)bytes, n};
    enum cpim_error verdict = cpim_parse(whole, true, &c);
    HOLDS(verdict != CPIM_MORE);
    if (verdict == CPIM_OK)
        check_head(whole, &c);
    enum cpim_error early = cpim_parse((struct slice){whole.p, n / 2}, false, &c);
    if (early == CPIM_OK)
        check_head((struct slice){whole.p, n / 2}, &c);
    HOLDS(early == CPIM_MORE || (early == CPIM_OK) == (verdict == CPIM_OK));
    (void)cpim_uri_of(whole);
    return 0;
}
