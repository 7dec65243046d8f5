/* The router's admin listener: /metrics (also of the workers, run/NAME.prom in the state folder),
 * /healthz, /readyz, /api/status. On a thread of its own (base/admin_http.h). */
#ifndef ROUTER_ADMIN_H
#define ROUTER_ADMIN_H

#include "base/errbuf.h"

struct router;
struct router_admin;

/* Listens where router.admin says (not ""). `r` is borrowed until router_admin_stop. NULL with a
 * sentence on failure. */
struct router_admin *router_admin_start(struct router *r, struct errbuf *err);
int router_admin_port(const struct router_admin *a);
void router_admin_stop(struct router_admin *a); /* NULL is fine */

#endif
