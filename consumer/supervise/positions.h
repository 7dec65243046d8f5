/* Where writing goes on for each tenant's partitions, for the lag: what living workers on this
 * machine tell in their status files, else what their group has committed.
 *
 * Commits are asked by a client of each group, a few tenants at a look: librdkafka's admin calls
 * about groups end the process by an assertion when a broker answers late (seen with 2.0.2). */
#ifndef CONSUMER_POSITIONS_H
#define CONSUMER_POSITIONS_H

#include "consumer/inspect/fleet.h"

#include <stdatomic.h>

#define POSITIONS_ASKED 20 /* tenants whose commits are asked for at one look */

struct positions {
    const char *brokers;
    size_t turn; /* the tenant to begin with */
    const _Atomic bool *ending;
};

/* A fleet_positions_fn; `arg` is a struct positions. */
void positions_find(void *arg, const struct snapshot *s, struct fleet *f);
/* What a worker's status file tells of its units. False when it is none of a living worker of one
 * of these tenants. */
bool positions_of_worker(struct fleet *f, const struct snapshot *s, struct slice json);

#endif
