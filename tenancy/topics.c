#include "tenancy/topics.h"

#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <stdio.h>

enum { TOPIC_COUNT = SIGNAL_COUNT + 1 }; /* and the DLQ */

#define REPLICATION     3
#define RECORD_ROOM     (64ul * 1024)   /* key, headers and batch framing */
#define DLQ_RECORD_ROOM (1024ul * 1024) /* and the reason headers of a dead letter */
#define ROUND_TO        (64ul * 1024)

struct topic_spec {
    const char *name;
    uint64_t max_message_bytes, retention_ms;
};

static uint64_t with_room(uint64_t record, uint64_t room)
{
    return (record + room + ROUND_TO - 1) / ROUND_TO * ROUND_TO;
}

static void specify(const struct conf *conf, const struct tenant *t, struct topic_spec *specs)
{
    const struct topics_conf *topics = &t->conf->topics;
    for (int i = 0; i < SIGNAL_COUNT; i++)
        specs[i] = (struct topic_spec){t->topic[i], with_room(conf->record.max_bytes, RECORD_ROOM),
                                       topics->retention / NS_PER_MS};
    specs[SIGNAL_COUNT] =
        (struct topic_spec){t->dlq_topic, with_room(conf->record.max_bytes, DLQ_RECORD_ROOM),
                            topics->dlq_retention / NS_PER_MS};
}

/* The replication to ask for, or a negative errno. */
static int choose_replication(rd_kafka_t *rk, const struct conf *conf, const struct tenant *t,
                              int timeout_ms, struct errbuf *err)
{
    if (conf->kafka.replication != 0)
        return (int)conf->kafka.replication;
    const struct rd_kafka_metadata *m;
    rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 0, NULL, &m, timeout_ms);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        return errbuf_set(err, EAGAIN, "the Kafka brokers do not answer: %s", rd_kafka_err2str(e));
    int brokers = m->broker_cnt;
    rd_kafka_metadata_destroy(m);
    if (brokers >= REPLICATION)
        return REPLICATION;
    log_repeated(LOG_WARN, "the cluster has too few brokers to keep three copies of each topic",
                 t->id, log_str("tenant", t->id), log_i64("brokers", brokers));
    return brokers > 0 ? brokers : 1;
}

static rd_kafka_NewTopic_t *topic_new(const struct topic_spec *s, uint64_t partitions,
                                      int replication, struct errbuf *err)
{
    char why[512], bytes[32], ms[32];
    rd_kafka_NewTopic_t *topic =
        rd_kafka_NewTopic_new(s->name, (int)partitions, replication, why, sizeof(why));
    if (topic == NULL) {
        errbuf_set(err, EINVAL, "topic %s: %s", s->name, why);
        return NULL;
    }
    snprintf(bytes, sizeof(bytes), "%llu", (unsigned long long)s->max_message_bytes);
    snprintf(ms, sizeof(ms), "%llu", (unsigned long long)s->retention_ms);
    rd_kafka_NewTopic_set_config(topic, "retention.ms", ms);
    rd_kafka_NewTopic_set_config(topic, "max.message.bytes", bytes);
    rd_kafka_NewTopic_set_config(topic, "cleanup.policy", "delete");
    if (replication >= REPLICATION) /* what is acked survives the loss of any one broker */
        rd_kafka_NewTopic_set_config(topic, "min.insync.replicas", "2");
    return topic;
}

/* Sends the request and waits for its result; NULL with a sentence when there is none. The event
 * owns the result. */
static rd_kafka_event_t *create(rd_kafka_t *rk, rd_kafka_NewTopic_t **topics, size_t n,
                                int timeout_ms, struct errbuf *err)
{
    char why[512];
    rd_kafka_queue_t *queue = rd_kafka_queue_new(rk);
    rd_kafka_AdminOptions_t *options =
        rd_kafka_AdminOptions_new(rk, RD_KAFKA_ADMIN_OP_CREATETOPICS);
    /* The broker waits until the topics have leaders, and answers before we stop listening. */
    rd_kafka_AdminOptions_set_operation_timeout(options, timeout_ms, why, sizeof(why));
    rd_kafka_AdminOptions_set_request_timeout(options, timeout_ms, why, sizeof(why));
    rd_kafka_CreateTopics(rk, topics, n, options, queue);
    rd_kafka_event_t *event = rd_kafka_queue_poll(queue, timeout_ms + 1000);
    rd_kafka_AdminOptions_destroy(options);
    rd_kafka_queue_destroy(queue);
    if (event == NULL) {
        errbuf_set(err, EAGAIN, "the Kafka brokers did not answer within %d ms", timeout_ms);
    } else if (rd_kafka_event_error(event) != RD_KAFKA_RESP_ERR_NO_ERROR) {
        errbuf_set(err, EAGAIN, "the Kafka brokers made no topics: %s",
                   rd_kafka_event_error_string(event));
        rd_kafka_event_destroy(event);
        event = NULL;
    }
    return event;
}

/* How many were made; what exists already is fine. */
static int count_made(rd_kafka_event_t *event, struct errbuf *err)
{
    size_t n;
    int made = 0;
    const rd_kafka_CreateTopics_result_t *result = rd_kafka_event_CreateTopics_result(event);
    const rd_kafka_topic_result_t **topics = rd_kafka_CreateTopics_result_topics(result, &n);
    for (size_t i = 0; i < n; i++) {
        rd_kafka_resp_err_t e = rd_kafka_topic_result_error(topics[i]);
        const char *text = rd_kafka_topic_result_error_string(topics[i]);
        if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
            made++;
        else if (e != RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS)
            return errbuf_set(err, EIO, "topic %s could not be made: %s",
                              rd_kafka_topic_result_name(topics[i]),
                              text ? text : rd_kafka_err2str(e));
    }
    return made;
}

int topics_ensure(rd_kafka_t *rk, const struct conf *conf, const struct tenant *t, int timeout_ms,
                  struct errbuf *err)
{
    struct topic_spec specs[TOPIC_COUNT];
    rd_kafka_NewTopic_t *topics[TOPIC_COUNT];
    rd_kafka_event_t *event = NULL;
    size_t n = 0;
    int rc = choose_replication(rk, conf, t, timeout_ms, err);
    if (rc < 0)
        return rc;
    specify(conf, t, specs);
    while (n < TOPIC_COUNT) {
        topics[n] = topic_new(&specs[n], t->conf->topics.partitions, rc, err);
        if (topics[n] == NULL) {
            rc = -EINVAL;
            goto out;
        }
        n++;
    }
    event = create(rk, topics, n, timeout_ms, err);
    rc = event ? count_made(event, err) : -EAGAIN;
out:
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_NewTopic_destroy_array(topics, n);
    return rc;
}
