#include "tenancy/kafka_producer.h"

#include "base/log.h"
#include "tenancy/kafka_trouble.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <stdio.h>

#define POLL_MS 100

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

static int apply(rd_kafka_conf_t *c, const struct kafka_conf *k,
                 const struct kafka_setting *settings, size_t n, struct errbuf *err)
{
    char text[256];
    for (size_t i = 0; i < n; i++) {
        const struct kafka_setting *s = &settings[i];
        if (!s->fixed && (names(&k->producer, s->name) || names(&k->client, s->name)))
            continue;
        if (rd_kafka_conf_set(c, s->name, s->value, text, sizeof(text)) != RD_KAFKA_CONF_OK)
            return errbuf_set(err, EINVAL, "Kafka producer setting %s: %s.", s->name, text);
    }
    return 0;
}

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    (void)opaque;
    char text[KAFKA_TROUBLE_SIZE];
    kafka_trouble(rd_kafka_name(rk), reason, text, sizeof(text));
    log_repeated(LOG_WARN, "producer has trouble", rd_kafka_err2name(code),
                 log_str("error", rd_kafka_err2name(code)), log_str("reason", text));
}

rd_kafka_conf_t *kafka_producer_conf(const struct kafka_conf *k, const char *brokers,
                                     const struct kafka_login *login, const char *client_id,
                                     const struct kafka_setting *settings, size_t n,
                                     struct errbuf *err)
{
    char level[24];
    snprintf(level, sizeof(level), "%d", k->compression_level ? (int)k->compression_level : -1);
    const struct kafka_setting durable[] = {
        {"acks", "all", true},
        {"enable.idempotence", "false", true},
        {"message.send.max.retries", "0", true},
        {"allow.auto.create.topics", "false", true},
        {"message.max.bytes", "1000000000", true}, /* whoever sends watches the size */
        {"compression.codec", kafka_compression_name(k->compression), true},
        {"compression.level", level, true},
        {"reconnect.backoff.max.ms", "1000", false},
        {"topic.metadata.refresh.interval.ms", "5000", false}, /* partitions that are added */
        {"socket.keepalive.enable", "true", false},
    };
    rd_kafka_conf_t *c = kafka_client_conf_as(k, brokers, KAFKA_PRODUCER, login, client_id, err);
    if (c == NULL)
        return NULL;
    if (apply(c, k, durable, sizeof(durable) / sizeof(durable[0]), err) < 0 ||
        apply(c, k, settings, n, err) < 0) {
        rd_kafka_conf_destroy(c);
        return NULL;
    }
    rd_kafka_conf_set_error_cb(c, on_error);
    return c;
}

struct kafka_delivery kafka_delivery(const rd_kafka_message_t *report)
{
    struct kafka_delivery d = {report->err, false};
    if (report->err == RD_KAFKA_RESP_ERR_NO_ERROR && report->offset < 0)
        d.error = RD_KAFKA_RESP_ERR__NO_OFFSET;
    d.possibly_stored =
        d.error && rd_kafka_message_status(report) != RD_KAFKA_MSG_STATUS_NOT_PERSISTED;
    return d;
}

void kafka_producer_give_up(rd_kafka_t *rk)
{
    rd_kafka_purge(rk, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    while (rd_kafka_outq_len(rk) > 0)
        rd_kafka_poll(rk, POLL_MS);
}
