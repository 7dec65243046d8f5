/* The librdkafka settings of our producers. */
#ifndef ROUTER_PRODUCER_CONF_H
#define ROUTER_PRODUCER_CONF_H

#include "base/errbuf.h"
#include "tenancy/conf.h"

#include <librdkafka/rdkafka.h>

/* A template for all handles; the caller destroys it. `brokers` NULL = kafka.brokers. NULL with a
 * sentence naming the setting. */
rd_kafka_conf_t *producer_conf_new(const struct conf *conf, const char *brokers,
                                   struct errbuf *err);

#endif
