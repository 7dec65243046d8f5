/* How fast a count grows: an average over about ten seconds, from looks at it now and then. */
#ifndef TENANCY_METER_H
#define TENANCY_METER_H

#include <stdatomic.h>
#include <stdint.h>

/* Zeroed: nothing seen yet. */
struct meter {
    _Atomic uint64_t per_1000_s; /* the rate in thousandths per second; thread: any */
    uint64_t seen;               /* the count at the last look; thread: the one that looks */
};

/* The count is `n`, `after_ns` after the last look. A count that is smaller than it was has begun
 * anew. */
void meter_look(struct meter *m, uint64_t n, uint64_t after_ns);
double meter_per_second(const struct meter *m);

#endif
