#include "router/producer_conf.h"

#include "base/clock.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Headers and framing of a record, beside its value. */
#define RECORD_ROOM 65536
#define MAX_MESSAGE 1000000000 /* librdkafka's largest message.max.bytes */

/* Whether the operator set it in kafka.producer or kafka.client; then our choice is not taken. */
static bool is_set(const struct kafka_conf *k, const char *name)
{
    for (size_t i = 0; i < k->producer.n; i++)
        if (strcmp(k->producer.at[i].name, name) == 0)
            return true;
    for (size_t i = 0; i < k->client.n; i++)
        if (strcmp(k->client.at[i].name, name) == 0)
            return true;
    return false;
}

struct setting {
    const char *name, *value;
    bool fixed; /* the promises rest on it */
};

static int apply(rd_kafka_conf_t *c, const struct kafka_conf *k, const struct setting *s,
                 struct errbuf *err)
{
    char text[256];
    if (!s->fixed && is_set(k, s->name))
        return 0;
    if (rd_kafka_conf_set(c, s->name, s->value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return 0;
    return errbuf_set(err, EINVAL, "Kafka producer setting %s: %s.", s->name, text);
}

rd_kafka_conf_t *producer_conf_new(const struct conf *conf, const char *brokers, struct errbuf *err)
{
    const struct kafka_conf *k = &conf->kafka;
    uint64_t message = conf->record.max_bytes + RECORD_ROOM;
    char timeout[32], linger[32], queue[32], largest[32];
    snprintf(timeout, sizeof(timeout), "%llu",
             (unsigned long long)(conf->router.answer_timeout / NS_PER_MS));
    snprintf(linger, sizeof(linger), "%.3f", (double)k->linger / (double)NS_PER_MS);
    snprintf(queue, sizeof(queue), "%llu", (unsigned long long)(k->queue_bytes / 1024));
    snprintf(largest, sizeof(largest), "%llu",
             (unsigned long long)(message < MAX_MESSAGE ? message : MAX_MESSAGE));
    const struct setting settings[] = {
        {"acks", "all", true},
        {"enable.idempotence", "true", true},
        {"message.timeout.ms", timeout, true}, /* docs/decisions/0001-produce-deadline.md */
        {"message.max.bytes", largest, true},
        {"allow.auto.create.topics", "false", true},
        {"compression.codec", kafka_compression_name(k->compression), true},
        {"linger.ms", linger, true},
        {"queue.buffering.max.kbytes", queue, true},
        {"queue.buffering.max.messages", "1000000", false}, /* the bytes are what counts */
        {"batch.size", "1000000", false},
        {"reconnect.backoff.max.ms", "1000", false},
        {"socket.keepalive.enable", "true", false},
        /* A topic that is not there is told at once; who creates topics waits for them itself. */
        {"topic.metadata.propagation.max.ms", "0", false},
    };
    rd_kafka_conf_t *c = kafka_client_conf(k, brokers, KAFKA_PRODUCER, "tenantry-router", err);
    for (size_t i = 0; c != NULL && i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (apply(c, k, &settings[i], err) < 0) {
            rd_kafka_conf_destroy(c);
            c = NULL;
        }
    }
    return c;
}
