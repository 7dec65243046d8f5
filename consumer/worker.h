/* `tenantry consumer TENANT`: reads the tenant's topics and writes to the tenant's database,
 * exactly once.
 *
 * Two threads. The poll thread serves the consumer group, reads records, decodes them into the open
 * batch, closes it on rows, bytes or age and commits what is written. The writer thread confirms
 * dead letters, writes the closed batch and retries it. Decode of one batch overlaps the write of
 * the one before. Polling never stops during an outage; what is held stays under consumer.memory.
 */
#ifndef CONSUMER_WORKER_H
#define CONSUMER_WORKER_H

/* Runs until SIGTERM or SIGINT: finishes the batch under way, commits, leaves the group. `brokers`
 * overrides the config; NULL = as configured. `instance` tells apart the workers of one tenant: a
 * restarted one takes up its partitions without a rebalance. Returns the exit code. */
int worker_run(const char *config_file, const char *tenant, const char *brokers,
               const char *instance);

#endif
