#include "router/produce/producer_handle.h"

#include "base/clock.h"
#include "otlp/record.h"
#include "tenancy/kafka_login.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <xxhash.h>

#define POLL_MS 100

/* Topic objects by name, open addressing. librdkafka's own look-up walks a list of all topics, and
 * producing to a name it has not met waits up to a second for the next look at its metadata. */
struct topics {
    rd_kafka_topic_t **slots;
    size_t capacity, count; /* capacity: a power of two, 0 at first */
};

struct handle {
    rd_kafka_t *rk;
    struct kafka_login_keeper login;
    struct topics topics;
    handle_report_fn *report;
    void *report_arg;
    pthread_t thread;
    _Atomic bool stopping;
    _Atomic uint64_t records, bytes; /* handed over and not reported */
};

/* --- topics -------------------------------------------------------------------------------- */

static rd_kafka_topic_t **find_slot(const struct topics *t, const char *name)
{
    size_t i = XXH3_64bits(name, strlen(name));
    for (;; i++) {
        rd_kafka_topic_t **slot = &t->slots[i & (t->capacity - 1)];
        if (*slot == NULL || strcmp(rd_kafka_topic_name(*slot), name) == 0)
            return slot;
    }
}

static bool grow_topics(struct topics *t)
{
    struct topics bigger = {.capacity = t->capacity ? t->capacity * 2 : 64, .count = t->count};
    bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
    if (bigger.slots == NULL)
        return false;
    for (size_t i = 0; i < t->capacity; i++)
        if (t->slots[i] != NULL)
            *find_slot(&bigger, rd_kafka_topic_name(t->slots[i])) = t->slots[i];
    free(t->slots);
    *t = bigger;
    return true;
}

static void release_topics(struct topics *t)
{
    for (size_t i = 0; i < t->capacity; i++)
        if (t->slots[i] != NULL)
            rd_kafka_topic_destroy(t->slots[i]);
    free(t->slots);
    *t = (struct topics){0};
}

rd_kafka_topic_t *handle_topic(const struct handle *h, const char *name)
{
    return h->topics.capacity ? *find_slot(&h->topics, name) : NULL;
}

rd_kafka_topic_t *handle_add_topic(struct handle *h, const char *name)
{
    struct topics *t = &h->topics;
    if (t->count * 2 >= t->capacity && !grow_topics(t))
        return NULL;
    rd_kafka_topic_t **slot = find_slot(t, name);
    if (*slot != NULL)
        return *slot;
    *slot = rd_kafka_topic_new(h->rk, name, NULL);
    t->count += *slot != NULL;
    return *slot;
}

/* --- sending ------------------------------------------------------------------------------- */

static void hex_text(const uint8_t hash[16], char out[33])
{
    for (int i = 0; i < 16; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* A record's name: the number of this run of the router, drawn at its start, and a count.
 * librdkafka may produce a record twice under it
 * (docs/decisions/0030-a-record-that-kafka-holds-twice.md). */
static uint64_t run;
static pthread_once_t run_once = PTHREAD_ONCE_INIT;
static _Atomic uint64_t records_named;

static void draw_run(void)
{
    if (getrandom(&run, sizeof(run), 0) != sizeof(run))
        run = clock_wall_ns(); /* not before Linux 3.17 */
}

static uint64_t run_number(void)
{
    pthread_once(&run_once, draw_run);
    return run;
}

struct values {
    char version[12], received[24], items[24], request[33], name[48], part[32];
};

/* The headers of a record; librdkafka copies them. */
static rd_kafka_headers_t *headers_of(const struct producer_record *r)
{
    struct values v;
    snprintf(v.version, sizeof(v.version), "%d", RECORD_VERSION);
    snprintf(v.received, sizeof(v.received), "%" PRIu64, r->received_ns);
    snprintf(v.items, sizeof(v.items), "%" PRIu64, r->items);
    snprintf(v.part, sizeof(v.part), "%u/%u", r->part, r->parts);
    snprintf(v.name, sizeof(v.name), "%016" PRIx64 ".%" PRIu64, run_number(),
             atomic_fetch_add(&records_named, 1));
    hex_text(r->request_hash, v.request);
    const struct {
        const char *name;
        struct slice value;
    } rows[] = {
        {RECORD_H_VERSION, slice_str(v.version)},
        {RECORD_H_TENANT, slice_str(r->tenant->id)},
        {RECORD_H_KEY, r->key_id},
        {RECORD_H_RECEIVED, slice_str(v.received)},
        {RECORD_H_ITEMS, slice_str(v.items)},
        {RECORD_H_REQUEST, slice_str(v.request)},
        {RECORD_H_NAME, slice_str(v.name)},
        {RECORD_H_PART, slice_str(v.part)},
    };
    size_t n = sizeof(rows) / sizeof(rows[0]) - (r->parts < 2); /* the last is for several */
    rd_kafka_headers_t *headers = rd_kafka_headers_new(n);
    for (size_t i = 0; i < n; i++)
        rd_kafka_header_add(headers, rows[i].name, -1, rows[i].value.at,
                            (ssize_t)rows[i].value.len);
    return headers;
}

static rd_kafka_resp_err_t produce(rd_kafka_t *rk, rd_kafka_topic_t *rkt, struct producer_record *r)
{
    rd_kafka_headers_t *headers = headers_of(r);
    /* clang-format off */
    rd_kafka_resp_err_t error = rd_kafka_producev(rk,
        RD_KAFKA_V_RKT(rkt),
        RD_KAFKA_V_PARTITION(r->to_partition ? r->partition : RD_KAFKA_PARTITION_UA),
        RD_KAFKA_V_MSGFLAGS(0), /* by reference: not copied, not freed */
        RD_KAFKA_V_VALUE((void *)r->value.at, r->value.len),
        RD_KAFKA_V_KEY(r->key.at, r->key.len),
        RD_KAFKA_V_HEADERS(headers), /* librdkafka's from now on, unless it fails */
        RD_KAFKA_V_OPAQUE(r),
        RD_KAFKA_V_END);
    /* clang-format on */
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        rd_kafka_headers_destroy(headers);
    return error;
}

static void count_out(struct handle *h, uint64_t bytes)
{
    atomic_fetch_sub(&h->bytes, bytes);
    atomic_fetch_sub(&h->records, 1);
}

rd_kafka_resp_err_t handle_send(struct handle *h, rd_kafka_topic_t *rkt, struct producer_record *r)
{
    atomic_fetch_add(&h->records, 1); /* before it goes: the report may be quicker than we are */
    atomic_fetch_add(&h->bytes, r->value.len);
    rd_kafka_resp_err_t error = produce(h->rk, rkt, r);
    if (error != RD_KAFKA_RESP_ERR_NO_ERROR)
        count_out(h, r->value.len);
    return error;
}

struct handle_load handle_load(const struct handle *h)
{
    return (struct handle_load){atomic_load(&h->records), atomic_load(&h->bytes)};
}

/* --- callbacks, on the handle's thread ----------------------------------------------------- */

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct handle *h = opaque;
    struct kafka_delivery d = kafka_delivery(m);
    /* The record and its bytes are gone after this. */
    h->report(h->report_arg, m->_private, rd_kafka_topic_name(m->rkt), &d);
    count_out(h, m->len);
}

/* --- the thread ---------------------------------------------------------------------------- */

static void *handle_main(void *arg)
{
    struct handle *h = arg;
    while (!atomic_load(&h->stopping)) {
        rd_kafka_poll(h->rk, POLL_MS);
        kafka_login_keep(&h->login, h->rk);
    }
    kafka_producer_give_up(h->rk);
    release_topics(&h->topics);
    rd_kafka_destroy(h->rk);
    return NULL;
}

struct handle *handle_start(const rd_kafka_conf_t *conf, const struct kafka_login *login,
                            handle_report_fn *report, void *arg, struct errbuf *err)
{
    struct handle *h = calloc(1, sizeof(*h));
    if (h == NULL) {
        errbuf_set(err, ENOMEM, "Out of memory for a Kafka producer.");
        return NULL;
    }
    h->report = report;
    h->report_arg = arg;
    rd_kafka_conf_t *own = rd_kafka_conf_dup(conf);
    rd_kafka_conf_set_opaque(own, h);
    rd_kafka_conf_set_dr_msg_cb(own, on_report);
    char text[512];
    h->rk = rd_kafka_new(RD_KAFKA_PRODUCER, own, text, sizeof(text));
    if (h->rk == NULL) {
        errbuf_set(err, EINVAL, "Kafka producer: %s.", text);
        rd_kafka_conf_destroy(own);
        free(h);
        return NULL;
    }
    kafka_login_watch(&h->login, login);
    int rc = pthread_create(&h->thread, NULL, handle_main, h);
    if (rc != 0) {
        kafka_login_unwatch(&h->login);
        errbuf_set(err, rc, "Kafka producer: no thread (%s).", strerror(rc));
        rd_kafka_destroy(h->rk);
        free(h);
        return NULL;
    }
    return h;
}

void handle_stop(struct handle *h)
{
    atomic_store(&h->stopping, true);
}

void handle_free(struct handle *h)
{
    if (h == NULL)
        return;
    pthread_join(h->thread, NULL);
    kafka_login_unwatch(&h->login);
    free(h);
}
