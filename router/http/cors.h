/* Cross-origin requests of browsers (R287-R289): which origins may send, and what a preflight
 * hears. Off without router.cors.origins. Keys are not cookies: a page has to know one, so
 * credentials in the sense of the Fetch standard are never allowed. Pure. */
#ifndef ROUTER_CORS_H
#define ROUTER_CORS_H

#include "router/admission/request.h"

bool cors_is_on(const struct request *req);
/* The origin that may read the answer to this request; at == NULL: none. */
struct slice cors_origin(const struct request *req);
/* OPTIONS as browsers send it before a request: a method and an origin are told. */
bool cors_is_preflight(const struct request *req);
/* The headers that the page may send: those it asked for, or those that are configured. */
struct slice cors_headers(struct request *req);

#endif
