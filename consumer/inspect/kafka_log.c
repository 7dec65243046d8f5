#include "consumer/inspect/kafka_log.h"

#include "base/clock.h"
#include "consumer/session.h"
#include "otlp/json_transcode.h"
#include "otlp/scan.h"
#include "tenancy/kafka_trouble.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define ANSWER_MS 10000
#define ASK_MS    250
#define RETRY_NS  (100 * NS_PER_MS)

struct kafka_log {
    rd_kafka_t *rk;
    char *cluster;
    char problem[KAFKA_TROUBLE_SIZE]; /* what the client told last, for sentences */
    bool hopeless;                    /* waiting will not mend it */
};

static void on_error(rd_kafka_t *rk, int code, const char *reason, void *opaque)
{
    struct kafka_log *l = opaque;
    if (code != RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN)
        l->hopeless |= kafka_trouble(rd_kafka_name(rk), reason, l->problem, sizeof(l->problem));
}

/* Waits for the cluster's id; without it nothing can be asked. */
static int connect_to(struct kafka_log *l, const char *brokers, int timeout_ms, struct errbuf *err)
{
    rd_kafka_poll_set_consumer(l->rk);
    uint64_t until = clock_mono_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    while (!l->hopeless && clock_mono_ns() < until) {
        l->cluster = rd_kafka_clusterid(l->rk, ASK_MS);
        if (l->cluster != NULL)
            return 0;
        rd_kafka_message_t *none = rd_kafka_consumer_poll(l->rk, 0); /* calls on_error */
        if (none != NULL)
            rd_kafka_message_destroy(none);
    }
    return errbuf_set(err, EAGAIN, "Kafka at %s does not answer%s%s", brokers,
                      l->problem[0] ? ": " : "", l->problem);
}

static rd_kafka_conf_t *client_conf(struct kafka_log *l, const struct conf *conf,
                                    const char *brokers, const struct tenant *t, struct errbuf *err)
{
    const char *const settings[][2] = {
        {"group.id", t ? t->group : "tenantry-look"}, /* to ask for its commits; never joined */
        {"enable.auto.commit", "false"},
        {"auto.offset.reset", "error"},
        {"isolation.level", "read_committed"},
        {"enable.partition.eof", "true"},
        {"allow.auto.create.topics", "false"},
        {"fetch.wait.max.ms", "50"}, /* the end is told soon */
        {"log_level", "0"},          /* problems become sentences */
    };
    rd_kafka_conf_t *kc =
        kafka_client_conf(&conf->kafka, brokers, KAFKA_READER, "tenantry-look", err);
    if (kc == NULL)
        return NULL;
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        rd_kafka_conf_set(kc, settings[i][0], settings[i][1], NULL, 0);
    rd_kafka_conf_set_error_cb(kc, on_error);
    rd_kafka_conf_set_opaque(kc, l);
    return kc;
}

struct kafka_log *kafka_log_open(const struct conf *conf, const char *brokers,
                                 const struct tenant *t, int timeout_ms, struct errbuf *err)
{
    char reason[256];
    struct kafka_log *l = calloc(1, sizeof(*l));
    rd_kafka_conf_t *kc = l ? client_conf(l, conf, brokers, t, err) : NULL;
    if (kc == NULL)
        goto failed;
    l->rk = rd_kafka_new(RD_KAFKA_CONSUMER, kc, reason, sizeof(reason));
    if (l->rk == NULL) {
        rd_kafka_conf_destroy(kc);
        errbuf_set(err, EINVAL, "the Kafka client cannot be made: %s", reason);
        goto failed;
    }
    if (connect_to(l, brokers, timeout_ms, err) == 0)
        return l;
failed:
    kafka_log_close(l);
    return NULL;
}

const char *kafka_log_cluster(const struct kafka_log *l)
{
    return l->cluster;
}

static int failed(struct errbuf *err, const char *what, const char *topic, rd_kafka_resp_err_t e)
{
    return errbuf_set(err, EIO, "topic %s: %s: %s", topic, what, rd_kafka_err2str(e));
}

/* Errors of a cluster that has just started, moved a leader or a coordinator, or made a topic: true
 * after a pause, until ANSWER_MS have passed since `since_ns`. */
static bool try_again(rd_kafka_resp_err_t e, uint64_t since_ns)
{
    switch (e) {
    case RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS:
    case RD_KAFKA_RESP_ERR_COORDINATOR_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_COORDINATOR:
    case RD_KAFKA_RESP_ERR__WAIT_COORD:
    case RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE:
    case RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION:
        break;
    default:
        return false;
    }
    if (clock_mono_ns() - since_ns > ANSWER_MS * NS_PER_MS)
        return false;
    nanosleep(&(struct timespec){.tv_nsec = RETRY_NS}, NULL);
    return true;
}

/* *ret_n: 0 when there is no such topic. */
static rd_kafka_resp_err_t ask_partitions(struct kafka_log *l, const char *topic, int *ret_n)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_topic_t *rkt = rd_kafka_topic_new(l->rk, topic, NULL);
    rd_kafka_resp_err_t e = rd_kafka_metadata(l->rk, 0, rkt, &metadata, ANSWER_MS);
    rd_kafka_topic_destroy(rkt);
    *ret_n = 0;
    if (e)
        return e;
    if (metadata->topic_cnt == 1) {
        e = metadata->topics[0].err;
        *ret_n = e ? 0 : metadata->topics[0].partition_cnt;
    }
    rd_kafka_metadata_destroy(metadata);
    return e == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART ? RD_KAFKA_RESP_ERR_NO_ERROR : e;
}

int kafka_log_partitions(struct kafka_log *l, const char *topic, struct errbuf *err)
{
    uint64_t since = clock_mono_ns();
    rd_kafka_resp_err_t e;
    int n;
    do
        e = ask_partitions(l, topic, &n);
    while (try_again(e, since));
    return e ? failed(err, "its partitions cannot be asked for", topic, e) : n;
}

int kafka_log_range(struct kafka_log *l, const char *topic, int32_t partition, int64_t *low,
                    int64_t *high, struct errbuf *err)
{
    uint64_t since = clock_mono_ns();
    rd_kafka_resp_err_t e;
    do
        e = rd_kafka_query_watermark_offsets(l->rk, topic, partition, low, high, ANSWER_MS);
    while (try_again(e, since));
    return e ? failed(err, "its offsets cannot be asked for", topic, e) : 0;
}

static rd_kafka_resp_err_t ask_commit(struct kafka_log *l, rd_kafka_topic_partition_list_t *list)
{
    rd_kafka_resp_err_t e = rd_kafka_committed(l->rk, list, ANSWER_MS);
    return e ? e : list->elems[0].err;
}

int kafka_log_committed(struct kafka_log *l, const char *topic, int32_t partition, int64_t *offset,
                        struct progress *p, bool *has_totals, struct errbuf *err)
{
    uint64_t since = clock_mono_ns();
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_t *at = rd_kafka_topic_partition_list_add(list, topic, partition);
    rd_kafka_resp_err_t e;
    do
        e = ask_commit(l, list);
    while (try_again(e, since));
    *has_totals = false;
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR) {
        char text[512] = "";
        *offset = at->offset >= 0 ? at->offset : -1;
        if (at->metadata != NULL && at->metadata_size < sizeof(text)) {
            memcpy(text, at->metadata, at->metadata_size);
            *has_totals = *offset >= 0 && progress_from_metadata(text, p);
        }
    }
    rd_kafka_topic_partition_list_destroy(list);
    return e ? failed(err, "the group's commits cannot be asked for", topic, e) : 0;
}

static int assign_at(struct kafka_log *l, const char *topic, int32_t partition, int64_t from)
{
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, topic, partition)->offset = from;
    rd_kafka_resp_err_t e = rd_kafka_assign(l->rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    return e ? -EIO : 0;
}

struct reading {
    const char *topic;
    int32_t partition;
    int64_t from, to;
    int (*each)(void *arg, const rd_kafka_message_t *m);
    void *arg;
    rd_kafka_resp_err_t problem; /* the last one told; reading may go on */
    struct errbuf *err;
};

static int no_answer(const struct reading *r)
{
    return errbuf_set(r->err, ETIMEDOUT, "topic %s, partition %d: no record came for %d s%s%s",
                      r->topic, (int)r->partition, ANSWER_MS / 1000, r->problem ? ": " : "",
                      r->problem ? rd_kafka_err2str(r->problem) : "");
}

/* 0 = go on, 1 = the end, negative with a sentence. */
static int read_error(struct reading *r, rd_kafka_resp_err_t e)
{
    switch (e) {
    case RD_KAFKA_RESP_ERR__PARTITION_EOF:
        return 1;
    case RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET:
    case RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE:
        return errbuf_set(r->err, ERANGE, "topic %s, partition %d: offset %lld is not in the log",
                          r->topic, (int)r->partition, (long long)r->from);
    case RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC:
    case RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION:
    case RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART:
    case RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED:
        return failed(r->err, "it cannot be read", r->topic, e);
    default:
        r->problem = e;
        return 0;
    }
}

static int read_message(struct reading *r, const rd_kafka_message_t *m)
{
    if (m->err)
        return read_error(r, m->err);
    if (m->offset >= r->to)
        return 1;
    int rc = r->each(r->arg, m);
    return rc != 0 ? rc : m->offset + 1 >= r->to;
}

int kafka_log_read(struct kafka_log *l, const char *topic, int32_t partition, int64_t from,
                   int64_t to, int (*each)(void *arg, const rd_kafka_message_t *m), void *arg,
                   struct errbuf *err)
{
    struct reading r = {topic, partition, from, to, each, arg, RD_KAFKA_RESP_ERR_NO_ERROR, err};
    if (from >= to)
        return 0;
    if (assign_at(l, topic, partition, from) < 0)
        return errbuf_set(err, EIO, "topic %s: cannot be read", topic);
    uint64_t last = clock_mono_ns();
    int rc = 0;
    while (rc == 0) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(l->rk, 200);
        if (m != NULL) {
            rc = read_message(&r, m);
            if (!m->err)
                last = clock_mono_ns();
            rd_kafka_message_destroy(m);
        }
        if (rc == 0 && clock_mono_ns() - last > ANSWER_MS * NS_PER_MS)
            rc = no_answer(&r);
    }
    rd_kafka_assign(l->rk, NULL);
    return rc > 0 ? 0 : rc;
}

struct comparing {
    const struct progress *p;
    enum last_record last;
};

static int compare_last(void *arg, const rd_kafka_message_t *m)
{
    struct comparing *c = arg;
    uint32_t sum = record_checksum(slice_of(m->key, m->key_len), slice_of(m->payload, m->len));
    if (m->offset == c->p->next - 1)
        c->last = sum == c->p->last_checksum &&
                          rd_kafka_message_timestamp(m, NULL) == c->p->last_timestamp
                      ? LAST_SAME
                      : LAST_OTHER;
    return 1;
}

int kafka_log_compare(struct kafka_log *l, const char *topic, int32_t partition, int64_t low,
                      int64_t high, const struct progress *p, enum last_record *ret,
                      struct errbuf *err)
{
    struct comparing c = {p, p->known && p->next > high ? LAST_OTHER : LAST_GONE};
    int rc = 0;
    if (p->known && p->next > p->first && p->next > low && p->next <= high)
        rc = kafka_log_read(l, topic, partition, p->next - 1, p->next, compare_last, &c, err);
    *ret = c.last;
    return rc;
}

int kafka_log_brokers(struct kafka_log *l, struct errbuf *err)
{
    const struct rd_kafka_metadata *metadata;
    rd_kafka_resp_err_t e = rd_kafka_metadata(l->rk, 0, NULL, &metadata, ANSWER_MS);
    if (e)
        return errbuf_set(err, EIO, "Kafka does not tell its brokers: %s", rd_kafka_err2str(e));
    int n = metadata->broker_cnt;
    rd_kafka_metadata_destroy(metadata);
    return n;
}

int kafka_log_view(struct kafka_log *l, const struct tenant *tenants, size_t n,
                   struct cluster_view *ret, struct errbuf *err)
{
    const struct rd_kafka_metadata *m = cluster_ask(l->rk, KAFKA_LOG_PATIENCE_MS, err);
    if (m == NULL)
        return -EAGAIN;
    int rc = cluster_view_make(m, tenants, n, ret);
    rd_kafka_metadata_destroy(m);
    if (rc < 0)
        return errbuf_set(err, ENOMEM, "out of memory");
    cluster_view_identify(ret, l->rk, KAFKA_LOG_PATIENCE_MS);
    return 0;
}

void kafka_log_close(struct kafka_log *l)
{
    if (l == NULL)
        return;
    if (l->cluster != NULL)
        rd_kafka_mem_free(l->rk, l->cluster);
    if (l->rk != NULL)
        rd_kafka_destroy_flags(l->rk, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
    free(l);
}

enum signal tenant_signal_of(const struct tenant *t, struct slice topic)
{
    int s = 0;
    while (s < SIGNAL_COUNT && !slice_eq(slice_str(t->topic[s]), topic))
        s++;
    return (enum signal)s;
}

struct slice kafka_log_header(const rd_kafka_message_t *m, const char *name)
{
    rd_kafka_headers_t *headers;
    const void *value;
    size_t size;
    if (rd_kafka_message_headers(m, &headers) ||
        rd_kafka_header_get_last(headers, name, &value, &size))
        return SLICE_NULL;
    return slice_of(value, size);
}

static struct record_headers items_header(const rd_kafka_message_t *m)
{
    struct record_headers h = {0};
    record_header_read(&h, RECORD_H_ITEMS, kafka_log_header(m, RECORD_H_ITEMS));
    return h;
}

uint64_t kafka_log_told_items(const rd_kafka_message_t *m)
{
    struct record_headers h = items_header(m);
    return h.has_items ? h.items : 0;
}

struct slice kafka_log_value(const rd_kafka_message_t *m, enum signal signal, struct buf *json)
{
    struct record_headers h = {0};
    struct slice value = slice_of(m->payload, m->len);
    struct json_error why;
    record_header_read(&h, RECORD_H_VERSION, kafka_log_header(m, RECORD_H_VERSION));
    if (signal >= SIGNAL_COUNT || !record_is_json(&h, value) ||
        json_transcode(signal, value, json, &why) != JSON_OK)
        return value;
    return buf_slice(json);
}

uint64_t kafka_log_items(const rd_kafka_message_t *m, enum signal signal)
{
    struct record_headers h = items_header(m);
    if (h.has_items)
        return h.items;
    struct scan_result counted = {0};
    struct buf json = BUF_INIT;
    struct slice value = kafka_log_value(m, signal, &json);
    bool ok = signal < SIGNAL_COUNT && scan_request(signal, value, NULL, &counted) == SCAN_OK;
    buf_release(&json);
    return ok ? counted.items : 0;
}
