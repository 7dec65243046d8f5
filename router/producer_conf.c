#include "router/producer_conf.h"

#include "base/clock.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The same setting: in the config `_` may stand for a dot. */
static bool same_name(const char *a, const char *b)
{
    for (; *a != 0 && *b != 0; a++, b++)
        if ((*a == '_' ? '.' : *a) != (*b == '_' ? '.' : *b))
            return false;
    return *a == *b;
}

static bool names(const struct option_map *map, const char *name)
{
    for (size_t i = 0; i < map->n; i++)
        if (same_name(map->at[i].name, name))
            return true;
    return false;
}

struct setting {
    const char *name, *value;
    bool fixed; /* the promises rest on it, or an option of ours says it */
};

static int apply(rd_kafka_conf_t *c, const struct kafka_conf *k, const struct setting *s,
                 struct errbuf *err)
{
    char text[256];
    if (!s->fixed && (names(&k->producer, s->name) || names(&k->client, s->name)))
        return 0;
    if (rd_kafka_conf_set(c, s->name, s->value, text, sizeof(text)) == RD_KAFKA_CONF_OK)
        return 0;
    return errbuf_set(err, EINVAL, "Kafka producer setting %s: %s.", s->name, text);
}

rd_kafka_conf_t *producer_conf_new(const struct conf *conf, const char *brokers, struct errbuf *err)
{
    const struct kafka_conf *k = &conf->kafka;
    brokers = brokers ? brokers : k->brokers;
    char timeout[32], linger[32], queue[32];
    snprintf(timeout, sizeof(timeout), "%llu",
             (unsigned long long)(conf->router.answer_timeout / NS_PER_MS));
    snprintf(linger, sizeof(linger), "%.3f", (double)k->linger / (double)NS_PER_MS);
    snprintf(queue, sizeof(queue), "%llu", (unsigned long long)(k->queue_bytes / 1024));
    const struct setting settings[] = {
        {"acks", "all", true},
        /* docs/decisions/0014-each-record-once-on-the-wire.md */
        {"enable.idempotence", "false", true},
        {"message.send.max.retries", "0", true},
        {"message.timeout.ms", timeout, true},     /* docs/decisions/0001-produce-deadline.md */
        {"message.max.bytes", "1000000000", true}, /* record.max_bytes is admission's to watch */
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
    if (brokers[0] == 0) {
        errbuf_set(err, EINVAL,
                   "kafka.brokers is empty: name the brokers, or use `tenantry up`, which runs a "
                   "Kafka of its own");
        return NULL;
    }
    rd_kafka_conf_t *c = kafka_client_conf(k, brokers, KAFKA_PRODUCER, "tenantry-router", err);
    for (size_t i = 0; c != NULL && i < sizeof(settings) / sizeof(settings[0]); i++) {
        if (apply(c, k, &settings[i], err) < 0) {
            rd_kafka_conf_destroy(c);
            c = NULL;
        }
    }
    return c;
}
