/* What a cluster tells of itself and of our topics: brokers, controller, partitions without a
 * leader or with too few copies in step. Made of one metadata answer; pure but for cluster_ask. */
#ifndef TENANCY_CLUSTER_H
#define TENANCY_CLUSTER_H

#include "tenancy/tenancy.h"

#include <librdkafka/rdkafka.h>

struct cluster_broker {
    int32_t id;
    const char *host;
    int port;
    unsigned leads; /* partitions of ours */
};

struct cluster_partition { /* one in trouble */
    int32_t id, leader;    /* -1 = none */
    unsigned replicas, in_sync;
};

struct cluster_topic { /* one of ours in trouble */
    const char *name;
    const char *tenant;
    bool missing;
    const char *error; /* what the broker says of the topic, or "" */
    unsigned partitions;
    struct cluster_partition *at;
    size_t n;
};

struct cluster_counts {
    unsigned topics, partitions, leaderless, under_replicated;
};

#define CLUSTER_MOST_GONE 32

struct cluster_view {
    struct arena arena; /* owns all below */
    const char *id;     /* "" = not told */
    int32_t controller; /* -1 = not told */
    struct cluster_broker *brokers;
    size_t n_brokers;
    /* Hold copies of some partition, and are not among the brokers: they are down. */
    int32_t gone[CLUSTER_MOST_GONE];
    size_t n_gone;
    struct cluster_counts ours, others;
    unsigned missing;              /* topics of ours that are not there */
    struct cluster_topic *trouble; /* of ours, by name */
    size_t n_trouble;
};

/* Asks for the metadata of all topics; waits at most `timeout_ms`. The answer is released by
 * rd_kafka_metadata_destroy. NULL with a sentence. */
const struct rd_kafka_metadata *cluster_ask(rd_kafka_t *rk, int timeout_ms, struct errbuf *err);
/* Fills `ret` (zeroed by the caller; free by cluster_view_release, also on failure) for these
 * tenants' topics. 0 or -ENOMEM. */
int cluster_view_make(const struct rd_kafka_metadata *m, const struct tenant *tenants, size_t n,
                      struct cluster_view *ret);
/* Adds id and controller, which the client knows after an answer. Waits at most `timeout_ms`. */
void cluster_view_identify(struct cluster_view *v, rd_kafka_t *rk, int timeout_ms);
/* The trouble of one of our topics, or NULL. */
const struct cluster_topic *cluster_view_trouble(const struct cluster_view *v, const char *topic);
void cluster_view_release(struct cluster_view *v);

#endif
