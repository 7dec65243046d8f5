/* Makes a plan come true. What is there already is left alone, so that it can be cut off anywhere
 * and run again. Blocking. */
#ifndef TENANCY_TOPICS_APPLY_H
#define TENANCY_TOPICS_APPLY_H

#include "tenancy/topics/plan.h"

/* At most so many topics in one request. */
enum { TOPICS_AT_ONCE = 100 };

/* Makes topics in one request, at most TOPICS_AT_ONCE: facts and name are given. One that cannot be
 * made gets its problem; one that is there already is fine. Returns how many were made, or a
 * negative errno with a sentence when there is no answer at all. */
int topics_make(const struct topic_admin *a, struct topic_plan *const *topics, size_t n,
                struct arena *arena, struct errbuf *err);

/* Raises one topic to so many partitions. 0, or a negative errno with a sentence. */
int topic_raise(const struct topic_admin *a, const char *name, int partitions, struct errbuf *err);

struct apply {
    bool destroy;                                        /* changes that ask are made, too */
    void (*progress)(void *arg, size_t done, size_t of); /* topics; may be NULL */
    void *arg;
    /* Filled: */
    size_t made, changed; /* topics; changes of others */
    size_t left;          /* topics with a problem */
};

/* Makes missing topics, raises partitions, alters configurations, and looks whether it has become
 * true. A topic that is not as it should be because something failed has its problem afterwards;
 * the others are not held up by it. Changes by hand, and those that ask without `destroy`, are left
 * out. 0, or a negative errno with a sentence when the cluster stops answering: what was made by
 * then stays. */
int plan_apply(const struct topic_admin *a, struct plan *p, struct apply *how, struct errbuf *err);

#endif
