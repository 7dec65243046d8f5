/* What is known of topics whose partitions the router chooses itself: how many there are and which
 * have a leader. The watch keeps it up to date; entries stay where they are until the end. */
#ifndef ROUTER_PARTITIONS_H
#define ROUTER_PARTITIONS_H

#include <librdkafka/rdkafka.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define PARTITIONS_MOST                                                                            \
    1024 /* of which is known whether they have a leader; others are hoped to                      \
          */

struct partitions {
    rd_kafka_topic_t *rkt;   /* the watch's: makes librdkafka ask for it */
    _Atomic unsigned n;      /* 0 = not known (yet) */
    _Atomic bool missing;    /* there is no such topic */
    _Atomic unsigned chosen; /* partitions_next: how often */
    _Atomic uint64_t leaderless[PARTITIONS_MOST / 64];
};

struct partitions_table;
struct partitions_table *partitions_new(void); /* NULL when out of memory */
/* The entry of a topic, made when missing. NULL when out of memory or librdkafka refuses the name.
 * Thread: any. */
struct partitions *partitions_get(struct partitions_table *t, rd_kafka_t *rk, const char *topic);
/* Takes over what the brokers say; topics without an entry are ignored. Thread: the watch's. */
void partitions_note(struct partitions_table *t, const struct rd_kafka_metadata *m);
bool partitions_has_leader(const struct partitions *p, unsigned partition);
/* Round robin among those that have a leader; `n` is p->n as the caller saw it, not 0. */
unsigned partitions_next(struct partitions *p, unsigned n);
/* Lets go of librdkafka's topics; before the client they belong to is destroyed. */
void partitions_release(struct partitions_table *t);
void partitions_free(struct partitions_table *t); /* after partitions_release; NULL is fine */

#endif
