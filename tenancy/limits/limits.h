/* From the limits a config asks for to those that one router applies: defaults filled in, divided
 * by the number of routers, and never so small that a request of one record could not pass. The
 * same for whoever has limits of its own. Pure. */
#ifndef TENANCY_LIMITS_H
#define TENANCY_LIMITS_H

#include "tenancy/tenancy.h"

/* What every burst holds: the largest request that becomes one record. A larger one passes a full
 * bucket, and is owed for. */
uint64_t conf_least_burst(const struct conf *c);

struct tenant_limits limits_of(const struct rate_conf *r, const struct conf *c);
/* Where `now` differs from `before`, the bucket starts full. */
void limits_reset_changed(struct tenant_limit_states *s, const struct tenant_limits *now,
                          const struct tenant_limits *before);

#endif
