#include "tenancy/limits/refusals.h"

#include "base/clock.h"

#include <string.h>

#define SAME_NS (60 * NS_PER_S)

static size_t find(const struct refusals *r, uint64_t wall_ns, const char *reason,
                   enum signal signal)
{
    size_t i = 0;
    while (i < r->n && (r->at[i].signal != signal || strcmp(r->at[i].reason, reason) != 0 ||
                        r->at[i].last_ns + SAME_NS < wall_ns))
        i++;
    return i;
}

void refusals_add(struct refusals *r, uint64_t wall_ns, const char *reason, enum signal signal)
{
    size_t i = find(r, wall_ns, reason, signal);
    struct refusal_entry e = {wall_ns, wall_ns, 0, reason, signal};
    if (i < r->n)
        e = r->at[i];
    else if (r->n < REFUSALS_KEPT)
        r->n++;
    else
        i = REFUSALS_KEPT - 1; /* the oldest goes */
    e.last_ns = wall_ns;
    e.count++;
    memmove(&r->at[1], &r->at[0], i * sizeof(e));
    r->at[0] = e;
}
