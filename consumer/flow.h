/* What a worker has read and written since its start, per signal, and how long records took from
 * the router to the database. Thread: the poll thread. */
#ifndef CONSUMER_FLOW_H
#define CONSUMER_FLOW_H

#include "base/buf.h"
#include "consumer/batch.h"

/* Upper bounds, in seconds: an outage of hours still tells how long it was. */
#define FLOW_BUCKETS(ROW)                                                                          \
    ROW(0.1)                                                                                       \
    ROW(0.25)                                                                                      \
    ROW(0.5)                                                                                       \
    ROW(1)                                                                                         \
    ROW(2.5)                                                                                       \
    ROW(5)                                                                                         \
    ROW(10)                                                                                        \
    ROW(30)                                                                                        \
    ROW(60)                                                                                        \
    ROW(300)                                                                                       \
    ROW(1800)                                                                                      \
    ROW(10800)

enum {
#define ROW(bound) +1
    FLOW_BUCKET_COUNT = 0 FLOW_BUCKETS(ROW)
#undef ROW
};

struct flow_signal {
    uint64_t read_records, read_bytes; /* taken from Kafka, again after a restart of reading */
    uint64_t written_records, written_items, written_bytes; /* without dead letters */
    uint64_t latency[FLOW_BUCKET_COUNT + 1]; /* records per bucket; the last: above all bounds */
    double latency_sum;                      /* seconds */
};

struct flow {
    struct flow_signal of[SIGNAL_COUNT];
};

void flow_read(struct flow *f, enum signal signal, uint64_t bytes);
/* The batch is in the database since `now_ns` (wall clock). */
void flow_written(struct flow *f, const struct batch *b, uint64_t now_ns);
/* Mean size of the records that were read; 0 = none was. */
double flow_mean_bytes(const struct flow *f, enum signal signal);
/* The latency that so much of the records (0-1) did not exceed, in seconds: the upper bound of its
 * bucket. Negative = there is none, or it is above all bounds. */
double flow_latency(const struct flow *f, enum signal signal, double part);
/* As Prometheus text; signals without records are left out. */
void flow_metrics(const struct flow *f, const char *tenant, const char *instance, struct buf *out);

#endif
