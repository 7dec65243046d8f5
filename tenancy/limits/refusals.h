/* The last refusals of a tenant, for the tenant itself: a ring in which the same refusal again is
 * one entry with a count. Pure; the caller locks. */
#ifndef TENANCY_REFUSALS_H
#define TENANCY_REFUSALS_H

#include "otlp/signal.h"

#include <stddef.h>
#include <stdint.h>

#define REFUSALS_KEPT 16

struct refusal_entry {
    uint64_t first_ns, last_ns; /* wall clock */
    uint64_t count;
    const char *reason; /* a literal */
    enum signal signal; /* SIGNAL_COUNT: not known */
};
/* Zeroed to begin with. */
struct refusals {
    struct refusal_entry at[REFUSALS_KEPT]; /* the newest first */
    size_t n;
};

/* The same reason and signal within a minute of the last time is the same entry. */
void refusals_add(struct refusals *r, uint64_t wall_ns, const char *reason, enum signal signal);

#endif
