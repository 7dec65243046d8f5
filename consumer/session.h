/* One stay in the consumer group: the librdkafka handle, the queue that records come by, and the
 * units that are assigned. It is made anew when all brokers were gone, because what answers then at
 * the same address may be another cluster. Thread: the poll thread. */
#ifndef CONSUMER_SESSION_H
#define CONSUMER_SESSION_H

#include "base/errbuf.h"
#include "consumer/unit.h"
#include "tenancy/tenancy.h"

struct session {
    rd_kafka_t *rk;
    rd_kafka_queue_t *records; /* all partitions' queues are forwarded here */
    char *cluster;
    struct unit *units;
    size_t n_units;
    bool brokers_gone; /* all brokers are unreachable: make a new session */
    char fatal[256];   /* not empty: the handle cannot go on (e.g. fenced by a second worker) */
    /* Called in a rebalance before partitions are taken away / after they came. */
    void (*revoked)(void *arg);
    void (*assigned)(void *arg);
    void *arg;
};

/* Connects and subscribes to the tenant's topics. Blocks at most `timeout_ms` for the cluster's id;
 * -EAGAIN when Kafka does not answer by then (call again), other errors are configuration. */
int session_open(struct session *s, const struct conf *conf, const char *brokers,
                 const struct tenant *t, const char *instance, int timeout_ms, struct errbuf *err);
/* Serves group events; calls back revoked and assigned. */
void session_serve(struct session *s, int timeout_ms);
/* The next record or per-partition error, or NULL. The caller destroys it or gives it to a batch.
 */
rd_kafka_message_t *session_record(struct session *s, int timeout_ms);
/* The unit of a topic and partition, or NULL. */
struct unit *session_unit(struct session *s, const char *topic, int32_t partition);
/* Sets the fetch positions of all assigned units; those that are not to be fetched are paused. */
void session_place(struct session *s);
/* Commits next offsets with the totals as metadata (ledger). `wait`: until the broker answered. */
void session_commit(struct session *s, const struct unit *const *units, size_t n, bool wait);
/* First and next-to-come offset of the log; -EAGAIN when the broker does not answer. */
int session_watermarks(struct session *s, const struct unit *u, int64_t *low, int64_t *high);
/* `leave`: say goodbye to the group (the cluster answers); else just let go. All messages of the
 * session must have been destroyed. */
void session_close(struct session *s, bool leave);

/* The commit's metadata, and back. False when it is not ours. */
void progress_to_metadata(const struct progress *p, char *out, size_t size);
bool progress_from_metadata(const char *text, struct progress *p);

#endif
