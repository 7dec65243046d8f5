/* What a cluster has: its size, and topics with their shape and configuration. Blocking. */
#ifndef TENANCY_TOPICS_LOOK_H
#define TENANCY_TOPICS_LOOK_H

#include "base/arena.h"
#include "tenancy/topics/admin.h"

struct topic_entry {
    const char *name;
    const char *value; /* NULL = Kafka does not tell it */
    bool own;          /* set for this topic; else a default of the cluster */
};

struct topic_seen {
    const char *name;
    int partitions;      /* 0 = the topic is not there */
    int copies;          /* of the partition that has fewest */
    const char *problem; /* why its configuration is not known; NULL = it is: */
    struct topic_entry *entries;
    size_t n_entries;
};

struct cluster_seen {
    int brokers;               /* that are alive */
    uint64_t replicas;         /* of all topics, everybody's */
    struct topic_seen *topics; /* those that were asked for, in that order */
    size_t n;
};

/* Looks for the topics of these names; everything lives in `arena`. 0, or a negative errno with a
 * sentence. */
int cluster_look(const struct topic_admin *a, const char *const *names, size_t n,
                 struct arena *arena, struct cluster_seen *ret, struct errbuf *err);
/* Asks for the configuration of the topics that are there, in few requests; the fields for it are
 * filled. cluster_look does it. */
int topics_describe(const struct topic_admin *a, struct topic_seen *const *topics, size_t n,
                    struct arena *arena, struct errbuf *err);
/* The value of an entry; NULL when there is none. */
const char *topic_seen_value(const struct topic_seen *t, const char *name);

#endif
