/* A Kafka producer whose success means that the record is stored. The router's producers and the
 * worker's for dead letters are made here: the settings that this rests on and the reading of
 * delivery reports stand once. Why: docs/decisions/0013-success-needs-an-offset.md and
 * 0014-each-record-once-on-the-wire.md. */
#ifndef TENANCY_KAFKA_PRODUCER_H
#define TENANCY_KAFKA_PRODUCER_H

#include "base/errbuf.h"
#include "tenancy/conf.h"

#include <librdkafka/rdkafka.h>

/* A setting of one kind of producer. `fixed`: neither kafka.client nor kafka.producer changes it.
 */
struct kafka_setting {
    const char *name, *value;
    bool fixed;
};

/* A configuration with the settings of every durable producer and `n` of the caller's, which may
 * not name one of those. `login`: kafka.router, or a tenant's for its dead letters. The caller owns
 * it, adds its callbacks and gives it to rd_kafka_new. NULL with a sentence. */
rd_kafka_conf_t *kafka_producer_conf(const struct kafka_conf *k, const char *brokers,
                                     const struct kafka_login *login, const char *client_id,
                                     const struct kafka_setting *settings, size_t n,
                                     struct errbuf *err);

/* What a delivery report says. */
struct kafka_delivery {
    /* NO_ERROR only with the offset that the broker gave, else RD_KAFKA_RESP_ERR__NO_OFFSET:
     * librdkafka also reports success without one, when a later record of the same partition was
     * taken. The earlier one may have been turned away and is lost. */
    rd_kafka_resp_err_t error;
    bool possibly_stored; /* Kafka may have it although it failed */
};
struct kafka_delivery kafka_delivery(const rd_kafka_message_t *report);

/* Fails what is still queued or under way and serves the reports of all of it; nobody sends any
 * more. The handle lives on. */
void kafka_producer_give_up(rd_kafka_t *rk);

#endif
