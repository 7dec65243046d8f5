/* The difference between what tenants' topics are to be (tenancy/topics/want.h) and what a cluster
 * has (tenancy/topics/look.h). Comparing is pure. */
#ifndef TENANCY_TOPICS_PLAN_H
#define TENANCY_TOPICS_PLAN_H

#include "tenancy/topics/look.h"
#include "tenancy/topics/want.h"

struct topic_change {
    const struct topic_property *property;
    const char *was, *wanted; /* as Kafka writes them */
    enum topic_care care;
    const char *effect; /* a sentence without its period */
};

struct topic_plan {
    struct topic_facts facts;
    const char *name;
    struct topic_seen *seen;
    bool missing; /* it is made; there are no changes then */
    struct topic_change *changes;
    size_t n;
    const char *problem; /* it cannot be compared, or (apply) was not changed: why; else NULL */
};

struct plan {
    struct arena arena; /* owns everything */
    struct cluster_seen cluster;
    struct topic_plan *topics; /* tenant by tenant */
    size_t n;
    size_t missing, care[TOPIC_CARE_COUNT], problems; /* topics; changes by care; topics */
    uint64_t replicas_after; /* of the whole cluster, when missing topics and partitions are made */
};

/* Compares one topic; its facts, name and `seen` are given. False = out of memory. */
bool topic_compare(struct topic_plan *t, struct arena *arena);
/* Looks at the cluster and compares the topics of all these tenants. 0, or a negative errno with a
 * sentence. plan_release either way. */
int plan_make(const struct topic_admin *a, const struct conf *conf, const struct tenant *tenants,
              size_t n, struct plan *ret, struct errbuf *err);
/* Nothing differs. */
bool plan_is_empty(const struct plan *p);
void plan_release(struct plan *p);

#endif
