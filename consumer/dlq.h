/* Dead letters: the original record (bytes, key, headers, timestamp) with the reason as headers,
 * produced to the tenant's DLQ topic by a producer of its own (tenancy/kafka_producer.h). Thread:
 * the writer's. */
#ifndef CONSUMER_DLQ_H
#define CONSUMER_DLQ_H

#include "base/errbuf.h"
#include "consumer/batch.h"
#include "tenancy/tenancy.h"

struct dlq;

/* A record that is larger than those of the router (foreign) and that the DLQ's topic does not take
 * becomes a letter without its value: headers, origin and reason, with tenantry.omitted; its bytes
 * stay where they are until they expire. docs/decisions/0018-letters-without-their-value.md */

/* Makes the handle without connecting. NULL with a sentence. */
struct dlq *dlq_new(const struct conf *conf, const char *brokers, const struct tenant *t,
                    struct errbuf *err);
/* Produces a dead letter for each RECORD_DEAD of the batch that is not confirmed yet, and waits for
 * Kafka's acknowledgements, or until `cancelled` says true (asked ten times a second). 0 = all are
 * confirmed (their dlq_confirmed is set); negative with a sentence: those that are confirmed are
 * marked, the rest may be tried again (a copy has the same tenantry.origin and is counted once). */
int dlq_send(struct dlq *d, struct batch *b, bool (*cancelled)(void *arg), void *arg,
             struct errbuf *err);
void dlq_free(struct dlq *d); /* NULL is fine */

#endif
