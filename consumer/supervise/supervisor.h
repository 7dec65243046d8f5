/* Runs one process per tenant and, for `up`, the router and an own Kafka beside them. Each is
 * restarted with back-off, stopped cleanly, and dies with the supervisor; one tenant's crash loop
 * touches no other. Tenant files that appear, change or vanish start, restart or stop workers
 * within supervisor.scan_interval. */
#ifndef CONSUMER_SUPERVISOR_H
#define CONSUMER_SUPERVISOR_H

#include <stdbool.h>

/* Exit code. `with_router`: also the router and, without kafka.brokers, the own Kafka (`tenantry
 * up`). */
int supervisor_run(const char *config_file, bool with_router);

#endif
