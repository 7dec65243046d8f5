/* grpc.health.v1.Health/Check, as load balancers and orchestrators ask it: without a key, because
 * they cannot send one. It tells readiness, which /readyz of the admin listener tells, too. Watch
 * is not offered (12): who needs it falls back on Check. (R301-R303) */
#ifndef ROUTER_HEALTH_H
#define ROUTER_HEALTH_H

#include "router/admission/request.h"

#define HEALTH_MAX_BODY 1024

bool health_is_check(const struct request *req);
/* The answer to the HealthCheckRequest that is the request's body. `a` is zeroed. */
void health_check(const struct request *req, struct answer *a);

#endif
