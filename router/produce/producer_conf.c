#include "router/produce/producer_conf.h"

#include "base/clock.h"
#include "tenancy/kafka_producer.h"

#include <errno.h>
#include <stdio.h>

rd_kafka_conf_t *producer_conf_new(const struct conf *conf, const char *brokers, struct errbuf *err)
{
    const struct kafka_conf *k = &conf->kafka;
    brokers = brokers ? brokers : k->brokers;
    char timeout[32], ack[32], linger[32], queue[32];
    /* A broker answers the requests of a connection in turn: one that waits for a replica holds up
     * those behind it, and one that gets no answer costs the connection. */
    snprintf(ack, sizeof(ack), "%llu",
             (unsigned long long)(conf->router.answer_timeout * 2 / 3 / NS_PER_MS));
    snprintf(timeout, sizeof(timeout), "%llu",
             (unsigned long long)(conf->router.answer_timeout / NS_PER_MS));
    snprintf(linger, sizeof(linger), "%.3f", (double)k->linger / (double)NS_PER_MS);
    snprintf(queue, sizeof(queue), "%llu", (unsigned long long)(k->queue_bytes / 1024));
    const struct kafka_setting settings[] = {
        {"message.timeout.ms", timeout, true}, /* docs/decisions/0001-produce-deadline.md */
        {"request.timeout.ms", ack, true},
        {"linger.ms", linger, true},
        {"queue.buffering.max.kbytes", queue, true},
        {"queue.buffering.max.messages", "1000000", false}, /* the bytes are what counts */
        {"batch.size", "1000000", false},
        /* A topic that is not there is told at once; who creates topics waits for them itself. */
        {"topic.metadata.propagation.max.ms", "0", false},
    };
    if (brokers[0] == 0) {
        errbuf_set(err, EINVAL,
                   "kafka.brokers is empty: name the brokers, or use `tenantry up`, which runs a "
                   "Kafka of its own");
        return NULL;
    }
    return kafka_producer_conf(k, brokers, &k->router, "tenantry-router", settings,
                               sizeof(settings) / sizeof(settings[0]), err);
}
