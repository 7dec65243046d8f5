/* Looking into topics from outside, for status, ledger and the DLQ commands: offsets, commits,
 * records. A handle joins no group and changes nothing. Blocking; one thread. */
#ifndef CONSUMER_KAFKA_LOG_H
#define CONSUMER_KAFKA_LOG_H

#include "base/errbuf.h"
#include "consumer/batch.h"
#include "tenancy/cluster.h"

/* For people who wait: a cluster that is there answers in a fraction of it. */
#define KAFKA_LOG_PATIENCE_MS 5000

struct kafka_log;

/* Connects; waits at most `timeout_ms` for the cluster's id. `t` NULL: no group's commits can be
 * asked for. NULL with a sentence. */
struct kafka_log *kafka_log_open(const struct conf *conf, const char *brokers,
                                 const struct tenant *t, int timeout_ms, struct errbuf *err);
const char *kafka_log_cluster(const struct kafka_log *l);
/* How many brokers the cluster has; negative errno with a sentence. */
int kafka_log_brokers(struct kafka_log *l, struct errbuf *err);
/* Brokers, and what is wrong with these tenants' topics. Fills `ret` (zeroed by the caller; free by
 * cluster_view_release). Waits some seconds at most; 0, or a negative errno with a sentence. */
int kafka_log_view(struct kafka_log *l, const struct tenant *tenants, size_t n,
                   struct cluster_view *ret, struct errbuf *err);
/* Number of partitions; 0 = the topic is not there; negative errno with a sentence. */
int kafka_log_partitions(struct kafka_log *l, const char *topic, struct errbuf *err);
/* First and next-to-come offset. */
int kafka_log_range(struct kafka_log *l, const char *topic, int32_t partition, int64_t *low,
                    int64_t *high, struct errbuf *err);
/* What the tenant's group has committed: *offset is -1 when there is nothing; *has_totals tells
 * whether the commit's metadata was ours, *p then holds its totals. */
int kafka_log_committed(struct kafka_log *l, const char *topic, int32_t partition, int64_t *offset,
                        struct progress *p, bool *has_totals, struct errbuf *err);
/* Calls `each` for the records of [from, to) in order; it returns 0 to go on, 1 to stop, negative
 * to fail. Offsets without a record are left out. The message is borrowed. */
int kafka_log_read(struct kafka_log *l, const char *topic, int32_t partition, int64_t from,
                   int64_t to, int (*each)(void *arg, const rd_kafka_message_t *m), void *arg,
                   struct errbuf *err);

enum last_record {
    LAST_SAME,  /* record next-1 of the log is the one that the database wrote last */
    LAST_OTHER, /* it is another, or the log ends before: the topic was recreated */
    LAST_GONE,  /* there is nothing to compare: expired, or nothing was written */
};
/* Is the log [low, high) the one that `p` tells of? */
int kafka_log_compare(struct kafka_log *l, const char *topic, int32_t partition, int64_t low,
                      int64_t high, const struct progress *p, enum last_record *ret,
                      struct errbuf *err);
void kafka_log_close(struct kafka_log *l); /* NULL is fine */

/* The signal of one of the tenant's topics, or SIGNAL_COUNT. */
enum signal tenant_signal_of(const struct tenant *t, struct slice topic);
/* The value as protobuf: of a foreign record in OTLP/JSON it is made in `json`, which the caller
 * releases; as it is when it cannot be. */
struct slice kafka_log_value(const rd_kafka_message_t *m, enum signal signal, struct buf *json);
/* Items of a record: its tenantry.items header, else counted by the scanner; 0 when it is not a
 * request. */
uint64_t kafka_log_items(const rd_kafka_message_t *m, enum signal signal);
/* Items that its header tells, else 0: what the totals count of a dead letter. */
uint64_t kafka_log_told_items(const rd_kafka_message_t *m);
/* The last header of this name; at == NULL when there is none. */
struct slice kafka_log_header(const rd_kafka_message_t *m, const char *name);

#endif
