/* Makes tenants' topics beside the supervisor's loop, so that a slow or absent Kafka holds nobody
 * up; and makes them anew when somebody deletes them (docs/decisions/0019-a-deleted-topic.md). */
#ifndef CONSUMER_TOPIC_MAKER_H
#define CONSUMER_TOPIC_MAKER_H

#include "tenancy/tenancy.h"

struct topic_maker;

/* Starts the thread. `wake` (may be NULL) is called on it whenever something was finished. */
struct topic_maker *topic_maker_new(const char *brokers, void (*wake)(void), struct errbuf *err);
/* The tenants whose topics are wanted now; takes a reference of its own. Thread: the supervisor's.
 */
void topic_maker_set(struct topic_maker *m, struct snapshot *s);
/* Kafka has answered at least once. */
bool topic_maker_connected(struct topic_maker *m);
/* The tenant's topics are there (as of the snapshot that was set last). */
bool topic_maker_done(struct topic_maker *m, const char *tenant);
void topic_maker_free(struct topic_maker *m); /* NULL is fine */

#endif
