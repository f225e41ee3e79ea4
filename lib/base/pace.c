#include "base/pace.h"

bool pace_allows(struct pace *p, int64_t now)
{
    int64_t spent = p->spent > now ? p->spent : now;
    if (spent - now > (PACE_BURST - 1) * (int64_t)PACE_MS)
        return false;
    p->spent = spent + PACE_MS;
    return true;
}
