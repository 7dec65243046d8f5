#include "consumer/dlq.h"

#include "base/clock.h"
#include "base/log.h"
#include "tenancy/kafka_producer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define ACK_TIMEOUT_MS 30000
#define REASON_TEXT_BYTES                                                                          \
    1024 /* never payload text, and no header may push a record over its limit */
#define POLL_MS           100
#define RECORD_ROOM       (64 * 1024) /* of a record beside its value, as topics are made */
#define CUT_HEADERS_BYTES (64 * 1024) /* that a letter without its value keeps */
#define LARGEST_REQUEST   (95u << 20) /* brokers close the connection at 100 MiB */

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
    r->dlq_too_large |= error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE;
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
        {"batch.size", "1000000", true}, /* a larger batch is one record: what is too large is it */
        /* a topic that is missing is told soon, by its name */
        {"topic.metadata.propagation.max.ms", "2000", false},
    };
    char reason[256];
    rd_kafka_conf_t *kc =
        kafka_producer_conf(&d->conf->kafka, d->brokers, &d->tenant->conf->kafka, "tenantry-dlq",
                            settings, sizeof(settings) / sizeof(settings[0]), err);
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

/* ---- records that the DLQ does not take whole ---- */

static size_t record_size(const rd_kafka_message_t *m)
{
    rd_kafka_headers_t *headers = NULL;
    const char *name;
    const void *value;
    size_t size, sum = m->key_len + m->len;
    rd_kafka_message_headers((rd_kafka_message_t *)m, &headers);
    for (size_t i = 0;
         headers != NULL && rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++)
        sum += strlen(name) + size;
    return sum;
}

/* Larger than any record that the router makes: the DLQ was not made for it. One of our own that is
 * refused means that the DLQ's topic is set up wrongly, which is waited for. */
static bool is_foreign_size(const struct dlq *d, const struct batch_record *r)
{
    return record_size(r->message) > d->conf->record.max_bytes + RECORD_ROOM;
}

/* Without what made it large: short headers, as far as they fit. */
static rd_kafka_headers_t *cut_headers(const rd_kafka_headers_t *original)
{
    rd_kafka_headers_t *kept = rd_kafka_headers_new(32);
    const char *name;
    const void *value;
    size_t size, room = CUT_HEADERS_BYTES;
    for (size_t i = 0;
         original != NULL && rd_kafka_header_get_all(original, i, &name, &value, &size) == 0; i++) {
        size_t whole = strlen(name) + size;
        if (size > REASON_TEXT_BYTES || whole > room)
            continue;
        room -= whole;
        rd_kafka_header_add(kept, name, -1, value, (ssize_t)size);
    }
    return kept;
}

static void tell_cut(const struct dlq *d, const struct batch_record *r, const struct batch_unit *u)
{
    log_repeated(LOG_ERROR,
                 "a foreign record is too large for the DLQ: its letter has the headers alone, its "
                 "bytes stay in their topic until they expire",
                 u->topic, log_str("tenant", d->tenant->id), log_str("topic", u->topic),
                 log_i64("partition", u->partition), log_i64("offset", r->offset),
                 log_u64("bytes", r->message->len), log_str("dlq", d->tenant->dlq_topic));
}

/* ---- sending ---- */

static rd_kafka_resp_err_t produce(struct dlq *d, struct batch_record *r,
                                   const struct batch_unit *u)
{
    rd_kafka_message_t kept = *r->message, *m = &kept;
    rd_kafka_headers_t *original = NULL, *headers;
    bool cut = r->dlq_too_large && is_foreign_size(d, r);
    rd_kafka_message_headers((rd_kafka_message_t *)r->message, &original);
    if (cut)
        headers = cut_headers(original);
    else
        headers = original ? rd_kafka_headers_copy(original) : rd_kafka_headers_new(16);
    add_reason(headers, r, u, d->tenant);
    add_tenant(headers, d->tenant);
    if (cut) {
        header_number(headers, DLQ_H_OMITTED, m->len);
        tell_cut(d, r, u);
        m->payload = NULL;
        m->len = 0;
        m->key_len = m->key_len > REASON_TEXT_BYTES ? 0 : m->key_len;
    }
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
        r->dlq_too_large |= r->message->len > LARGEST_REQUEST;
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

static size_t count_too_large(const struct batch *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->n_records; i++)
        n += b->records[i].dlq_too_large;
    return n;
}

int dlq_send(struct dlq *d, struct batch *b, bool (*cancelled)(void *arg), void *arg,
             struct errbuf *err)
{
    size_t too_large;
    d->cancelled = cancelled;
    d->arg = arg;
    do { /* once more when it is known now which are too large */
        too_large = count_too_large(b);
        int rc = produce_dead(d, b, err);
        if (rc < 0)
            return rc;
        if (d->rk != NULL && !drain(d, 0))
            d->error = RD_KAFKA_RESP_ERR__TIMED_OUT;
        if (all_confirmed(b))
            return 0;
    } while (d->waiting == 0 && count_too_large(b) > too_large);
    const char *reason = rd_kafka_err2str(d->error); /* before the purge leaves its own */
    producer_close(d);
    return errbuf_set(
        err, EIO,
        "tenant %s: dead letters are not acknowledged by topic %s: %s; nothing behind them is "
        "written until they are%s",
        d->tenant->id, d->tenant->dlq_topic, reason,
        d->error == RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE ? ": raise max.message.bytes of that topic"
                                                         : "");
}

void dlq_free(struct dlq *d)
{
    if (d == NULL)
        return;
    producer_close(d);
    free(d->brokers);
    free(d);
}
