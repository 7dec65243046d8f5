/* From the limits a config asks for to those that one router applies: defaults filled in, divided
 * by the number of routers, and never so small that the largest request could not pass. The same
 * for whoever has limits of its own. Pure. */
#ifndef TENANCY_LIMITS_H
#define TENANCY_LIMITS_H

#include "tenancy/tenancy.h"

/* The most bytes that a request may weigh against a limit: what one record may hold. */
uint64_t conf_largest_request(const struct conf *c);

struct tenant_limits limits_of(const struct rate_conf *r, const struct conf *c);
/* Where `now` differs from `before`, the bucket starts full. */
void limits_reset_changed(struct tenant_limit_states *s, const struct tenant_limits *now,
                          const struct tenant_limits *before);

#endif
