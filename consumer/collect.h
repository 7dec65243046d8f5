/* From a Kafka message to rows in the open batch. Thread: the poll thread. */
#ifndef CONSUMER_COLLECT_H
#define CONSUMER_COLLECT_H

#include "consumer/export/exporter.h"

enum collect_result {
    COLLECT_TAKEN,       /* the batch owns the message; its rows are in, or it is a dead letter */
    COLLECT_FULL,        /* no room left in this batch: write it, then give the message again */
    COLLECT_NEW_VERSION, /* of a newer contract: nothing may be done with it */
};

/* Bytes that a batch's arena may have. */
struct collect_room {
    size_t batch;
    size_t alone; /* for a record that is alone in its batch */
    bool last;    /* one that does not fit alone is a dead letter; else COLLECT_FULL: give it again
                     when there is more room */
};

enum collect_result collect(struct batch *b, struct exporter *x, const struct tenant *t,
                            const struct record_conf *limits, enum signal signal, int32_t partition,
                            const char *topic, const struct collect_room *room,
                            rd_kafka_message_t *message);

#endif
