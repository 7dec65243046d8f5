/* What the supervisor finds out beside its processes, for the metrics: how far each tenant is
 * behind, how the cluster is, whether the books balance. Pages in <state>/run/, as workers write
 * theirs. On threads of its own, so that a slow Kafka or database holds no process up. */
#ifndef CONSUMER_WATCH_H
#define CONSUMER_WATCH_H

#include "tenancy/tenancy.h"

struct watch_all;

/* Borrows `brokers` and `tenancy` until watch_stop. NULL with a sentence. */
struct watch_all *watch_all_start(const char *brokers, struct tenancy *tenancy, struct errbuf *err);
/* Nothing new begins: what is under way ends beside the caller's work. */
void watch_all_end(struct watch_all *w);
/* Waits for it, for some seconds at most, and removes the pages. False: a Kafka client does not
 * end, as librdkafka 2.0 has it now and then; then the process must, and nothing is freed. NULL is
 * fine. */
bool watch_all_stop(struct watch_all *w);

#endif
