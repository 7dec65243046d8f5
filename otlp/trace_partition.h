/* Which partition a trace belongs to: part of the contract with whoever writes to or reads from a
 * topic that is partitioned by trace id, so it never changes.
 *
 * It is where Kafka's own default partitioner puts a record whose key is the trace id as 32 lower
 * case hex digits: murmur2 of those, without its sign, modulo the number of partitions. Any Kafka
 * client can therefore find a trace, or write to its partition. Thread: any; pure. */
#ifndef OTLP_TRACE_PARTITION_H
#define OTLP_TRACE_PARTITION_H

#include "base/slice.h"

unsigned trace_partition(const uint8_t trace_id[16], unsigned partitions);

#endif
