/* What the ingest port answers besides telemetry, over HTTP/1.1 and HTTP/2:
 *
 *     GET /readyz       for balancers, without a key: 200 "ready" or 503 and why not
 *     GET /api/tenant   a tenant about itself, with its key: limits, usage of today, current rates,
 *                       last refusals. JSON
 *
 * Thread: the loop's. */
#ifndef ROUTER_PAGES_H
#define ROUTER_PAGES_H

#include "router/admission/request.h"

/* True: the request was one for a page and is answered. */
bool page_answer(struct request *req);
/* NULL when requests are welcome, else why not. Thread: any. */
const char *router_not_ready(const struct router *r);

#endif
