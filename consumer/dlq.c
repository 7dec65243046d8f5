#include "consumer/dlq.h"

#include "base/clock.h"
#include "tenancy/kafka_producer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ACK_TIMEOUT_MS 30000
#define REASON_TEXT_BYTES                                                                          \
    1024 /* never payload text, and no header may push a record over its limit */
#define POLL_MS 100

struct dlq {
    rd_kafka_t *rk;
    const struct conf *conf;
    char *brokers;
    const struct tenant *tenant;
    bool (*cancelled)(void *arg); /* of the dlq_send under way */
    void *arg;
    unsigned waiting; /* delivery reports to come */
    rd_kafka_resp_err_t error;
};

static void on_delivery(rd_kafka_t *rk, const rd_kafka_message_t *message, void *opaque)
{
    (void)rk;
    struct dlq *d = opaque;
    struct batch_record *r = message->_private;
    d->waiting--;
    rd_kafka_resp_err_t error = kafka_delivery(message).error;
    if (error)
        d->error = error;
    else
        r->dlq_confirmed = true;
}

static int producer_open(struct dlq *d, struct errbuf *err)
{
    static const struct kafka_setting settings[] = {
        {"message.timeout.ms", "15000", true},
        {"linger.ms", "2", false},
        /* a topic that is missing is told soon, by its name */
        {"topic.metadata.propagation.max.ms", "2000", false},
    };
    char reason[256];
    rd_kafka_conf_t *kc = kafka_producer_conf(&d->conf->kafka, d->brokers, "tenantry-dlq", settings,
                                              sizeof(settings) / sizeof(settings[0]), err);
    if (kc == NULL)
        return -EINVAL;
    rd_kafka_conf_set_dr_msg_cb(kc, on_delivery);
    rd_kafka_conf_set_opaque(kc, d);
    d->rk = rd_kafka_new(RD_KAFKA_PRODUCER, kc, reason, sizeof(reason));
    if (d->rk != NULL)
        return 0;
    rd_kafka_conf_destroy(kc);
    return errbuf_set(err, EINVAL, "the dead letter producer cannot be made: %s", reason);
}

struct dlq *dlq_new(const struct conf *conf, const char *brokers, const struct tenant *t,
                    struct errbuf *err)
{
    struct dlq *d = calloc(1, sizeof(*d));
    if (d == NULL || (d->brokers = strdup(brokers)) == NULL) {
        free(d);
        errbuf_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    d->conf = conf;
    d->tenant = t;
    return d;
}

static void header_text(rd_kafka_headers_t *headers, const char *name, const char *text)
{
    size_t len = strlen(text);
    rd_kafka_header_remove(headers, name); /* a replayed record carries those of its last death */
    rd_kafka_header_add(headers, name, -1, text,
                        (ssize_t)(len < REASON_TEXT_BYTES ? len : REASON_TEXT_BYTES));
}

static void header_number(rd_kafka_headers_t *headers, const char *name, uint64_t n)
{
    char text[24];
    snprintf(text, sizeof(text), "%" PRIu64, n);
    header_text(headers, name, text);
}

/* Kafka Connect's names, so that the tools people have can read them, and ours. */
static void add_reason(rd_kafka_headers_t *headers, const struct batch_record *r,
                       const struct batch_unit *u, const struct tenant *t)
{
    char origin[128];
    snprintf(origin, sizeof(origin), "%" PRIu32 ":%" PRId32 ":%" PRId64 ":-", u->before.source,
             u->partition, r->offset);
    header_text(headers, DLQ_H_TOPIC, u->topic);
    header_number(headers, "__connect.errors.partition", (uint64_t)u->partition);
    header_number(headers, "__connect.errors.offset", (uint64_t)r->offset);
    header_text(headers, "__connect.errors.stage",
                strcmp(r->error_class, "data") == 0 ? "TASK_PUT" : "VALUE_CONVERTER");
    header_text(headers, "__connect.errors.connector.name", t->group);
    header_text(headers, "__connect.errors.exception.class.name", r->error_code);
    header_text(headers, DLQ_H_ERROR_TEXT, r->error_text);
    header_text(headers, DLQ_H_ORIGIN, origin);
    header_text(headers, DLQ_H_ERROR_CLASS, r->error_class);
    header_text(headers, DLQ_H_ERROR_CODE, r->error_code);
    header_number(headers, DLQ_H_ATTEMPTS, r->attempts);
    header_number(headers, DLQ_H_FAILED_AT, clock_wall_ns());
}

/* A record that another tenant's header made a dead letter keeps it. */
static void add_tenant(rd_kafka_headers_t *headers, const struct tenant *t)
{
    const void *value;
    size_t size;
    if (rd_kafka_header_get_last(headers, RECORD_H_TENANT, &value, &size))
        header_text(headers, RECORD_H_TENANT, t->id);
}

static rd_kafka_resp_err_t produce(struct dlq *d, struct batch_record *r,
                                   const struct batch_unit *u)
{
    const rd_kafka_message_t *m = r->message;
    rd_kafka_headers_t *original = NULL, *headers;
    rd_kafka_message_headers((rd_kafka_message_t *)m, &original);
    headers = original ? rd_kafka_headers_copy(original) : rd_kafka_headers_new(16);
    add_reason(headers, r, u, d->tenant);
    add_tenant(headers, d->tenant);
    rd_kafka_resp_err_t e =
        rd_kafka_producev(d->rk, RD_KAFKA_V_TOPIC(d->tenant->dlq_topic),
                          RD_KAFKA_V_KEY(m->key, m->key_len), RD_KAFKA_V_VALUE(m->payload, m->len),
                          RD_KAFKA_V_TIMESTAMP(r->timestamp > 0 ? r->timestamp : 0),
                          RD_KAFKA_V_HEADERS(headers), RD_KAFKA_V_OPAQUE(r), RD_KAFKA_V_END);
    if (e)
        rd_kafka_headers_destroy(headers);
    else
        d->waiting++;
    return e;
}

/* Serves delivery reports until no more than `most` are awaited. False when none came for too long,
 * or when it is no longer wanted. */
static bool drain(struct dlq *d, unsigned most)
{
    uint64_t last = clock_mono_ns();
    while (d->waiting > most) {
        if (rd_kafka_poll(d->rk, POLL_MS) > 0)
            last = clock_mono_ns();
        else if (clock_mono_ns() - last > ACK_TIMEOUT_MS * NS_PER_MS || d->cancelled(d->arg))
            return false;
    }
    return true;
}

/* A handle with records of unknown fate is given up: purged, so that no report can come later and
 * touch a batch that is gone. */
static void producer_close(struct dlq *d)
{
    if (d->rk == NULL)
        return;
    kafka_producer_give_up(d->rk);
    rd_kafka_destroy(d->rk);
    d->rk = NULL;
}

/* Hands all that are not confirmed to the producer; what went wrong is in d->error. */
static int produce_dead(struct dlq *d, struct batch *b, struct errbuf *err)
{
    d->error = RD_KAFKA_RESP_ERR_NO_ERROR;
    for (size_t i = 0; i < b->n_records; i++) {
        struct batch_record *r = &b->records[i];
        if (r->fate != RECORD_DEAD || r->dlq_confirmed)
            continue;
        if (d->rk == NULL && producer_open(d, err) < 0)
            return -EINVAL;
        rd_kafka_resp_err_t e = produce(d, r, &b->units[r->unit]);
        if (e == RD_KAFKA_RESP_ERR__QUEUE_FULL && drain(d, d->waiting / 2))
            e = produce(d, r, &b->units[r->unit]);
        if (e) {
            d->error = e;
            break;
        }
    }
    return 0;
}

static bool all_confirmed(const struct batch *b)
{
    for (size_t i = 0; i < b->n_records; i++)
        if (b->records[i].fate == RECORD_DEAD && !b->records[i].dlq_confirmed)
            return false;
    return true;
}

int dlq_send(struct dlq *d, struct batch *b, bool (*cancelled)(void *arg), void *arg,
             struct errbuf *err)
{
    d->cancelled = cancelled;
    d->arg = arg;
    int rc = produce_dead(d, b, err);
    if (rc < 0)
        return rc;
    if (d->rk != NULL && !drain(d, 0))
        d->error = RD_KAFKA_RESP_ERR__TIMED_OUT;
    if (all_confirmed(b))
        return 0;
    const char *reason = rd_kafka_err2str(d->error); /* before the purge leaves its own */
    producer_close(d);
    return errbuf_set(
        err, EIO,
        "tenant %s: dead letters are not acknowledged by topic %s: %s; nothing behind them is "
        "written until they are",
        d->tenant->id, d->tenant->dlq_topic, reason);
}

void dlq_free(struct dlq *d)
{
    if (d == NULL)
        return;
    producer_close(d);
    free(d->brokers);
    free(d);
}
