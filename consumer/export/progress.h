/* What each exporter does with a batch besides writing it: which verdicts of the last try are void,
 * where its units stand afterwards, and what is known once it is committed. Thread: the writer's.
 */
#ifndef CONSUMER_EXPORT_PROGRESS_H
#define CONSUMER_EXPORT_PROGRESS_H

#include "consumer/batch.h"

/* Names of records are kept for so long before the oldest one of a batch: both copies of a record
 * that Kafka holds twice were received by the router at the same time; what lies between them was
 * received within a request's longest wait for Kafka, give or take the clocks of routers. */
#define RECENT_KEPT_NS (UINT64_C(900) * 1000000000)

/* Before each try: a refused record has another chance, units are judged anew. */
void batch_forget_verdicts(struct batch *b);
bool batch_has_refused(const struct batch *b);
/* Its rows are written: it is neither dead nor the repetition of one that is written. */
bool batch_is_written(const struct batch *b, uint32_t record);
/* It has a name by which a repetition is known. */
bool record_has_name(const struct batch_record *r);
/* The oldest receipt of a record with a name in this unit; UINT64_MAX without any. */
uint64_t batch_oldest_named(const struct batch *b, uint32_t unit);
/* The progress of each unit after the batch; `after` has room for all. */
void progress_after(const struct batch *b, struct progress *after);
/* After the commit: units stand at `after`; what Kafka holds twice is told. */
void batch_committed(struct batch *b, const struct progress *after, const char *tenant);

#endif
