/* One stay in the consumer group: the librdkafka handle, the queue that records come by, and the
 * units that are assigned. It is made anew when all brokers were gone, because what answers then at
 * the same address may be another cluster. Thread: the poll thread. */
#ifndef CONSUMER_SESSION_H
#define CONSUMER_SESSION_H

#include "base/errbuf.h"
#include "consumer/unit.h"
#include "tenancy/kafka_login.h"
#include "tenancy/kafka_trouble.h"
#include "tenancy/tenancy.h"

#include <stdatomic.h>

/* What librdkafka's threads see of a session; outlives it when they do not end. */
struct session_signs {
    struct session *session; /* for callbacks on the poll thread only */
    /* A connection ended, or a partition could not be fetched: what is fetched since may be of
     * another cluster, or of a topic that was made anew. */
    atomic_bool broken;
};

struct session {
    rd_kafka_t *rk;
    struct session_signs *signs;
    struct kafka_login_keeper login;
    rd_kafka_queue_t *records; /* all partitions' queues are forwarded here */
    char *cluster;
    struct unit *units;
    size_t n_units;
    const char *group; /* borrowed from the tenant */
    bool joined;
    unsigned group_looks; /* see look_at_group */
    uint64_t group_due_ns;
    bool brokers_gone;                /* all brokers are unreachable: make a new session */
    char trouble[KAFKA_TROUBLE_SIZE]; /* what keeps it from reading and only people can mend, else
                                         "" */
    char fatal[256]; /* not empty: the handle cannot go on (e.g. fenced by a second worker) */
    /* Called in a rebalance before partitions are taken away / after they came. */
    void (*revoked)(void *arg);
    void (*assigned)(void *arg);
    void *arg;
};

/* Connects and subscribes to the tenant's topics. Blocks at most `timeout_ms` for the cluster's id;
 * -EAGAIN when Kafka does not answer by then (call again), other errors are configuration. */
int session_open(struct session *s, const struct conf *conf, const char *brokers,
                 const struct tenant *t, const char *instance, int timeout_ms, struct errbuf *err);
/* Is it the cluster that answered at first? 1 = yes, 0 = another, -EAGAIN = no answer in time. */
int session_same_cluster(struct session *s, int timeout_ms);
/* Whether the client has heard of another cluster id meanwhile; asks nobody. */
bool session_cluster_changed(struct session *s);
/* Serves group events; calls back revoked and assigned. */
void session_serve(struct session *s, int timeout_ms);
/* The next record or per-partition error, or NULL. The caller destroys it or gives it to a batch.
 */
rd_kafka_message_t *session_record(struct session *s, int timeout_ms);
/* The unit of a topic and partition, or NULL. */
struct unit *session_unit(struct session *s, const char *topic, int32_t partition);
/* Sets the fetch positions of the units that are to be read; the others are not fetched. */
void session_place(struct session *s);
/* Commits next offsets with the totals as metadata (ledger), without waiting for the broker: the
 * database holds the truth. session_close waits for it. */
void session_commit(struct session *s, const struct unit *const *units, size_t n);
/* First and next-to-come offset of the log (which u->end keeps); -EAGAIN when the broker does not
 * answer in time. */
int session_watermarks(struct session *s, struct unit *u, int timeout_ms, int64_t *low,
                       int64_t *high);
/* How far Kafka says that this group got in the unit's partition; -1 = nothing, or no answer in
 * time.
 */
int64_t session_committed(struct session *s, const struct unit *u, int timeout_ms);
/* Whether a sign of `broken` came since the last call. */
bool session_broke(struct session *s);
/* `leave`: say goodbye to the group (the cluster answers), which may take some seconds; else just
 * let go. All messages of the session must have been destroyed. False: the client does not end, as
 * librdkafka 2.0 has it after topics were deleted; the process must. */
bool session_close(struct session *s, bool leave);

/* The commit's metadata, and back. False when it is not ours. */
void progress_to_metadata(const struct progress *p, char *out, size_t size);
bool progress_from_metadata(const char *text, struct progress *p);

#endif
