/* Gives tenants' topics more partitions as their topics.grow says (consumer/supervise/grow.h
 * decides), after each look at all tenants; not those whose partition follows from the trace id.
 * Thread: the one that looks. */
#ifndef CONSUMER_GROWER_H
#define CONSUMER_GROWER_H

#include "consumer/inspect/fleet.h"

struct grower;

/* Borrows `brokers`. NULL: out of memory. */
struct grower *grower_new(const char *brokers);
/* May block for seconds when brokers do not answer. */
void grower_turn(struct grower *g, const struct snapshot *s, const struct fleet *f);
void grower_free(struct grower *g); /* NULL is fine */

#endif
