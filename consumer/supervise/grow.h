/* When a topic gets more partitions: by what comes in and by how old the oldest unwritten record
 * is, as the tenant's topics.grow says. Pure; one state per topic. */
#ifndef CONSUMER_GROW_H
#define CONSUMER_GROW_H

#include "tenancy/conf.h"

/* What one look at a topic found. */
struct grow_look {
    int partitions;
    uint64_t end;        /* sum of the logs' ends: grows by each record */
    double record_bytes; /* mean size; 0 = not known */
    double lag_seconds;  /* of the partition that is furthest behind; negative = not known */
    bool held;           /* parked, retrying, suspended: more partitions would not help */
};

struct grow_state {
    uint64_t looked_ns, end; /* of the last look; 0 = there was none */
    double rate;             /* bytes/s since then */
    uint64_t hot_ns;         /* since when each look wanted more; 0 = the last one did not */
    uint64_t raised_ns;      /* 0 = never, in this life of the supervisor */
};

enum grow_reason { GROW_NOT, GROW_BY_RATE, GROW_BY_LAG };

/* Notes a look. More than look->partitions: raise to so many now (*ret_why tells why), then call
 * grow_raised. */
int grow_decide(struct grow_state *s, const struct grow_conf *c, const struct grow_look *look,
                uint64_t now_ns, enum grow_reason *ret_why);
void grow_raised(struct grow_state *s, uint64_t now_ns);

#endif
