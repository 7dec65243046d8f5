/* The producer pool against librdkafka's mock cluster: what the report says, how soon, and what
 * is sent how often. */
#include "base/clock.h"
#include "otlp/record.h"
#include "router/produce/producer.h"

#include <assert.h>
#include <librdkafka/rdkafka_mock.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
/* after the five above */
#include <cmocka.h>

#define API_PRODUCE 0
#define PATIENCE_MS 60000 /* a busy machine is slow */
#define SHORT_MS    3000  /* answer timeout of the tests that wait for it */

struct fixture {
    rd_kafka_t *owner;
    rd_kafka_mock_cluster_t *cluster;
    struct conf conf;
    struct producers *producers;
    struct tenant acme, beta;
};

struct sent {
    struct producer_record record;
    _Atomic bool reported;
    rd_kafka_resp_err_t error;
    bool possibly_persisted;
    uint64_t took_ns;
};

static void on_done(void *arg, rd_kafka_resp_err_t error, bool possibly_persisted)
{
    struct sent *s = arg;
    assert(!atomic_load(&s->reported));
    s->error = error;
    s->possibly_persisted = possibly_persisted;
    s->took_ns = clock_mono_ns() - s->took_ns;
    atomic_store(&s->reported, true);
}

static rd_kafka_resp_err_t send_one(struct fixture *f, const struct tenant *t, struct slice value,
                                    struct sent *s)
{
    *s = (struct sent){.took_ns = clock_mono_ns()};
    s->record = (struct producer_record){.value = value,
                                         .tenant = t,
                                         .signal = SIGNAL_LOGS,
                                         .key_id = SLICE_LIT("k1234567"),
                                         .received_ns = 1700000000123456789,
                                         .items = 7,
                                         .done = on_done,
                                         .arg = s};
    memset(s->record.request_hash, 0xA5, 16);
    return producer_send(f->producers, &s->record);
}

static void wait_for(struct sent *s)
{
    for (int i = 0; i < PATIENCE_MS && !atomic_load(&s->reported); i++)
        usleep(1000);
    assert_true(atomic_load(&s->reported));
}

/* Sends until one is confirmed; how many were needed. */
static int send_until_confirmed(struct fixture *f, const struct tenant *t)
{
    uint64_t until_ns = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;
    for (int n = 1; clock_mono_ns() < until_ns; n++) {
        struct sent s;
        if (send_one(f, t, SLICE_LIT("again"), &s) == 0) {
            wait_for(&s);
            if (s.error == 0)
                return n;
        }
        usleep(20000);
    }
    fail_msg("nothing was confirmed within %d ms", PATIENCE_MS);
    return 0;
}

static struct fixture *open_fixture(uint64_t queue_bytes, unsigned producers, unsigned answer_ms)
{
    struct fixture *f = calloc(1, sizeof(*f));
    char text[512];
    struct errbuf err = ERRBUF_INIT;
    f->owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), text, sizeof(text));
    f->cluster = rd_kafka_mock_cluster_new(f->owner, 1);
    f->conf.kafka = (struct kafka_conf){.prefix = "otlp",
                                        .compression = COMPRESSION_LZ4,
                                        .producers = producers,
                                        .linger = NS_PER_MS,
                                        .queue_bytes = queue_bytes,
                                        .brokers = ""};
    f->conf.record.max_bytes = 1000000;
    f->conf.router.answer_timeout = answer_ms * NS_PER_MS;
    f->acme = (struct tenant){.id = "acme",
                              .topic = {"otlp.acme.traces", "otlp.acme.metrics", "otlp.acme.logs"}};
    f->beta = (struct tenant){.id = "beta",
                              .topic = {"otlp.beta.traces", "otlp.beta.metrics", "otlp.beta.logs"}};
    rd_kafka_mock_topic_create(f->cluster, "otlp.acme.logs", 1, 1);
    rd_kafka_mock_topic_create(f->cluster, "otlp.beta.logs", 1, 1);
    f->producers = producers_new(&f->conf, rd_kafka_mock_cluster_bootstraps(f->cluster), &err);
    if (f->producers == NULL)
        fail_msg("%s", err.text);
    return f;
}

static void close_fixture(struct fixture *f)
{
    producers_free(f->producers);
    rd_kafka_mock_cluster_destroy(f->cluster);
    rd_kafka_destroy(f->owner);
    free(f);
}

/* An independent consumer of a topic's only partition, from its start. */
static rd_kafka_t *open_consumer(struct fixture *f, const char *topic)
{
    char text[512];
    const char *const settings[][2] = {
        {"bootstrap.servers", rd_kafka_mock_cluster_bootstraps(f->cluster)},
        {"group.id", "test"},
        {"enable.partition.eof", "true"}};
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    for (size_t i = 0; i < sizeof(settings) / sizeof(settings[0]); i++)
        rd_kafka_conf_set(c, settings[i][0], settings[i][1], text, sizeof(text));
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, c, text, sizeof(text));
    rd_kafka_topic_partition_list_t *parts = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(parts, topic, 0)->offset = 0;
    rd_kafka_assign(rk, parts);
    rd_kafka_topic_partition_list_destroy(parts);
    return rk;
}

static void close_consumer(rd_kafka_t *rk)
{
    rd_kafka_consumer_close(rk);
    rd_kafka_destroy(rk);
}

static int count_records(struct fixture *f, const char *topic)
{
    rd_kafka_t *rk = open_consumer(f, topic);
    int n = 0;
    rd_kafka_message_t *m;
    while ((m = rd_kafka_consumer_poll(rk, PATIENCE_MS)) != NULL && m->err == 0) {
        n++;
        rd_kafka_message_destroy(m);
    }
    assert_true(m != NULL && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF);
    rd_kafka_message_destroy(m);
    close_consumer(rk);
    return n;
}

static void test_record_as_the_contract_says(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 2, PATIENCE_MS);
    struct sent s;
    producers_warm(f->producers, &f->acme);
    assert_int_equal(send_one(f, &f->acme, SLICE_LIT("the bytes"), &s), 0);
    wait_for(&s);
    assert_int_equal(s.error, 0);
    assert_false(s.possibly_persisted);
    assert_int_equal(producers_flush(f->producers, PATIENCE_MS), 0);
    assert_int_equal(producers_queued_bytes(f->producers), 0);

    rd_kafka_t *rk = open_consumer(f, "otlp.acme.logs");
    rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, PATIENCE_MS);
    assert_non_null(m);
    assert_int_equal(m->err, 0);
    assert_true(slice_eq(slice_of(m->payload, m->len), SLICE_LIT("the bytes")));
    assert_null(m->key);
    rd_kafka_headers_t *headers;
    assert_int_equal(rd_kafka_message_headers(m, &headers), 0);
    struct record_headers h = {0};
    const char *name;
    const void *value;
    size_t size;
    for (size_t i = 0; rd_kafka_header_get_all(headers, i, &name, &value, &size) == 0; i++)
        record_header_read(&h, name, slice_of(value, size));
    assert_int_equal(h.version, RECORD_VERSION);
    assert_true(slice_eq(h.tenant, SLICE_LIT("acme")));
    assert_true(slice_eq(h.key, SLICE_LIT("k1234567")));
    assert_true(h.received_ns == 1700000000123456789);
    assert_true(h.has_items && h.items == 7);
    assert_true(slice_eq(h.request, SLICE_LIT("a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5")));
    rd_kafka_message_destroy(m);
    close_consumer(rk);
    close_fixture(f);
}

/* A topic that was never warmed does not wait for the next look at the metadata, which would be a
 * second. One of several has to show it: the machine may be busy. */
static void test_first_use_is_quick(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 1, PATIENCE_MS);
    uint64_t quickest_ns = UINT64_MAX;
    send_until_confirmed(f, &f->acme);
    for (int i = 0; i < 20 && quickest_ns >= 300 * NS_PER_MS; i++) {
        struct tenant fresh = {.id = "fresh"};
        struct sent s;
        char topic[32];
        snprintf(topic, sizeof(topic), "otlp.fresh%d.logs", i);
        fresh.topic[SIGNAL_LOGS] = topic;
        rd_kafka_mock_topic_create(f->cluster, topic, 1, 1);
        assert_int_equal(send_one(f, &fresh, SLICE_LIT("x"), &s), 0);
        wait_for(&s);
        assert_int_equal(s.error, 0);
        quickest_ns = s.took_ns < quickest_ns ? s.took_ns : quickest_ns;
    }
    assert_true(quickest_ns < 300 * NS_PER_MS);
    close_fixture(f);
}

static void test_broker_down(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 1, SHORT_MS);
    struct sent s;
    send_until_confirmed(f, &f->acme);
    rd_kafka_mock_broker_set_down(f->cluster, -1);
    assert_int_equal(send_one(f, &f->acme, SLICE_LIT("x"), &s), 0);
    wait_for(&s);
    assert_int_equal(producer_outcome(s.error), OUTCOME_KAFKA_DOWN);
    assert_false(s.possibly_persisted);
    for (int i = 0; i < PATIENCE_MS && producers_ready(f->producers); i++)
        usleep(1000);
    assert_false(producers_ready(f->producers));

    rd_kafka_mock_broker_set_up(f->cluster, -1);
    send_until_confirmed(f, &f->acme);
    for (int i = 0; i < PATIENCE_MS && !producers_ready(f->producers); i++)
        usleep(1000);
    assert_true(producers_ready(f->producers));
    close_fixture(f);
}

/* A record that the broker did not take, says the broker, is produced again: here the first one,
 * while the second is under way. Success of the second alone proves nothing about the first. */
static void test_turned_away_is_sent_again(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 1, PATIENCE_MS);
    struct sent first, second;
    producers_warm(f->producers, &f->beta);
    send_until_confirmed(f, &f->acme); /* connected */
    rd_kafka_mock_broker_set_rtt(f->cluster, 1, 200);
    rd_kafka_mock_push_request_errors(f->cluster, API_PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    assert_int_equal(send_one(f, &f->beta, SLICE_LIT("first"), &first), 0);
    usleep(50000); /* on its way, in a request of its own; the answer takes longer */
    assert_int_equal(send_one(f, &f->beta, SLICE_LIT("second"), &second), 0);
    wait_for(&second);
    wait_for(&first);
    assert_int_equal(first.error, 0);
    assert_int_equal(second.error, 0);
    assert_int_equal(count_records(f, "otlp.beta.logs"), 2);
    close_fixture(f);
}

/* A record whose answer got lost may be stored: it is reported so, and not produced again. */
static void test_unanswered_is_not_sent_again(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 1, SHORT_MS);
    struct sent s;
    producers_warm(f->producers, &f->beta);
    send_until_confirmed(f, &f->acme);
    rd_kafka_mock_push_request_errors(f->cluster, API_PRODUCE, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
    assert_int_equal(send_one(f, &f->beta, SLICE_LIT("x"), &s), 0);
    wait_for(&s);
    assert_int_equal(producer_outcome(s.error), OUTCOME_KAFKA_DOWN);
    assert_true(s.possibly_persisted);
    int n = send_until_confirmed(f, &f->beta);
    assert_int_equal(n, 1);
    assert_int_equal(count_records(f, "otlp.beta.logs"), 1);
    close_fixture(f);
}

/* One tenant fills no more than half of the queue, all together fill it. */
static void test_queue_full(void **state)
{
    (void)state;
    enum { SIZE = 200000, MOST = 10 };
    struct fixture *f = open_fixture(1 << 20, 1, SHORT_MS);
    struct sent sent[MOST];
    char names[MOST][8];
    uint8_t *value = calloc(1, SIZE);
    send_until_confirmed(f, &f->acme);
    rd_kafka_mock_broker_set_down(f->cluster, -1);
    int n = 0;
    while (n < MOST && send_one(f, &f->acme, slice_of(value, SIZE), &sent[n]) == 0)
        n++;
    assert_int_equal(n, 2);
    rd_kafka_resp_err_t error = send_one(f, &f->acme, slice_of(value, SIZE), &sent[n]);
    assert_int_equal(producer_outcome(error), OUTCOME_OVER_SHARE);
    error = 0;
    while (n < MOST && error == 0) {
        struct tenant other = f->acme; /* with the same topic: it counts by its id */
        snprintf(names[n], sizeof(names[n]), "t%d", n);
        other.id = names[n];
        if ((error = send_one(f, &other, slice_of(value, SIZE), &sent[n])) == 0)
            n++;
    }
    assert_int_equal(producer_outcome(error), OUTCOME_QUEUE_FULL);
    assert_int_equal(n, 5);
    assert_int_equal(producers_queued_bytes(f->producers), 5 * SIZE);
    for (int i = 0; i < n; i++)
        wait_for(&sent[i]);
    assert_int_equal(producers_flush(f->producers, PATIENCE_MS), 0);
    assert_int_equal(producers_queued_bytes(f->producers), 0);
    close_fixture(f);
    free(value);
}

/* Sends acme's records, one at a time, until it stands as wanted; beta's are all confirmed
 * meanwhile. Returns whether any of acme's was refused at once as stalled. */
static bool send_until_slow(struct fixture *f, bool slow)
{
    static struct sent acme[4096]; /* what goes out may be reported after this */
    bool stalled = false;
    uint64_t until_ns = clock_mono_ns() + PATIENCE_MS * NS_PER_MS;
    size_t n = 0;
    while (producer_standing(f->producers, "acme").slow != slow && clock_mono_ns() < until_ns) {
        struct sent beta;
        assert_int_equal(send_one(f, &f->beta, SLICE_LIT("x"), &beta), 0);
        wait_for(&beta);
        assert_int_equal(beta.error, 0);
        assert_true(n < 4096);
        if (send_one(f, &f->acme, SLICE_LIT("x"), &acme[n]) == PRODUCER_STALLED)
            stalled = true;
        else
            n++;
        usleep(50000);
    }
    assert_int_equal(producer_standing(f->producers, "acme").slow, slow);
    producers_flush(f->producers, PATIENCE_MS);
    return stalled;
}

/* A partition without a leader: its tenant moves to the slow lane, with a little under way, and
 * comes back by itself; its neighbour notices nothing. */
static void test_without_a_leader(void **state)
{
    (void)state;
    enum { SIZE = 200000 };
    struct fixture *f = open_fixture(8 << 20, 1, SHORT_MS);
    struct sent s[3];
    uint8_t *value = calloc(1, SIZE);
    send_until_confirmed(f, &f->acme);
    send_until_confirmed(f, &f->beta);
    assert_false(producer_standing(f->producers, "acme").slow);
    rd_kafka_mock_partition_set_leader(f->cluster, "otlp.acme.logs", 0, -1);
    send_until_slow(f, true);
    int n = 0;
    rd_kafka_resp_err_t error = 0;
    while (n < 3 && (error = send_one(f, &f->acme, slice_of(value, SIZE), &s[n])) == 0)
        n++;
    assert_int_equal(n, 1); /* 256 KiB are for trying */
    assert_int_equal(producer_outcome(error), OUTCOME_STALLED);
    wait_for(&s[0]);
    assert_int_equal(producer_outcome(s[0].error), OUTCOME_KAFKA_DOWN);
    assert_false(s[0].possibly_persisted);
    rd_kafka_mock_partition_set_leader(f->cluster, "otlp.acme.logs", 0, 1);
    send_until_slow(f, false);
    assert_false(producer_standing(f->producers, "beta").ever_slow);
    assert_true(producer_standing(f->producers, "acme").ever_slow);
    close_fixture(f);
    free(value);
}

/* The broker's own word is told as it is, and to the one it concerns. */
static void test_what_the_broker_says(void **state)
{
    static const struct {
        rd_kafka_resp_err_t error;
        enum outcome outcome;
        bool slow, possibly;
    } rows[] = {
        {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, OUTCOME_RECORD_TOO_LARGE, false, false},
        {RD_KAFKA_RESP_ERR_INVALID_RECORD, OUTCOME_NOT_PERMITTED, false, false},
        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, OUTCOME_TOO_FEW_REPLICAS, true, false},
        {RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, OUTCOME_TOO_FEW_REPLICAS, true, true},
        {RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT, OUTCOME_KAFKA_DOWN, true, true},
        /* librdkafka keeps this one for the topic: the last */
        {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, OUTCOME_NOT_PERMITTED, false, false},
    };
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 1, PATIENCE_MS);
    send_until_confirmed(f, &f->beta);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char id[] = {'t', (char)('0' + i), 0};
        struct tenant tenant = f->beta; /* one with the same topic: it counts by its id */
        struct sent s;
        tenant.id = id;
        rd_kafka_mock_push_request_errors(f->cluster, API_PRODUCE, 1, rows[i].error);
        assert_int_equal(send_one(f, &tenant, SLICE_LIT("x"), &s), 0);
        wait_for(&s);
        assert_int_equal(s.error, rows[i].error);
        assert_int_equal(producer_outcome(s.error), rows[i].outcome);
        assert_int_equal(s.possibly_persisted, rows[i].possibly);
        assert_int_equal(producer_standing(f->producers, id).slow, rows[i].slow);
    }
    close_fixture(f);
}

/* Errors that librdkafka's own settings keep away, or that the mock cluster cannot make. */
static void test_what_errors_mean(void **state)
{
    static const struct {
        rd_kafka_resp_err_t error;
        enum outcome outcome;
        enum standing_report report;
        bool advice;
    } rows[] = {
        {RD_KAFKA_RESP_ERR__QUEUE_FULL, OUTCOME_QUEUE_FULL, STANDING_OTHER, true},
        {PRODUCER_OVER_SHARE, OUTCOME_OVER_SHARE, STANDING_OTHER, false},
        {PRODUCER_STALLED, OUTCOME_STALLED, STANDING_OTHER, false},
        {RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, OUTCOME_TOPIC_MISSING, STANDING_OTHER, true},
        {RD_KAFKA_RESP_ERR__AUTHENTICATION, OUTCOME_NOT_PERMITTED, STANDING_OTHER, true},
        {RD_KAFKA_RESP_ERR_LEADER_NOT_AVAILABLE, OUTCOME_KAFKA_DOWN, STANDING_UNTAKEN, true},
        {RD_KAFKA_RESP_ERR_KAFKA_STORAGE_ERROR, OUTCOME_KAFKA_DOWN, STANDING_UNTAKEN, true},
        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, OUTCOME_KAFKA_DOWN, STANDING_LATE, true},
        {RD_KAFKA_RESP_ERR__TRANSPORT, OUTCOME_KAFKA_DOWN, STANDING_OTHER, false},
        {RD_KAFKA_RESP_ERR__PURGE_INFLIGHT, OUTCOME_KAFKA_DOWN, STANDING_OTHER, false},
        {RD_KAFKA_RESP_ERR_NO_ERROR, OUTCOME_ACCEPTED, STANDING_STORED, false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(producer_outcome(rows[i].error), rows[i].outcome);
        assert_int_equal(producer_report(rows[i].error), rows[i].report);
        assert_int_equal(producer_advice(rows[i].error) != NULL, rows[i].advice);
    }
}

/* A missing topic is told soon, hurts no other topic, and is found once it is there. */
static void test_unknown_topic(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 1, PATIENCE_MS);
    struct sent missing, other;
    send_until_confirmed(f, &f->beta);
    rd_kafka_mock_topic_set_error(f->cluster, "otlp.acme.logs",
                                  RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART);
    /* Told at once when the broker's answer is as quick as we are. */
    rd_kafka_resp_err_t error = send_one(f, &f->acme, SLICE_LIT("x"), &missing);
    assert_int_equal(send_one(f, &f->beta, SLICE_LIT("x"), &other), 0);
    wait_for(&other);
    assert_int_equal(other.error, 0);
    if (error == 0) {
        wait_for(&missing);
        error = missing.error;
        assert_false(missing.possibly_persisted);
    }
    assert_int_equal(producer_outcome(error), OUTCOME_TOPIC_MISSING);

    rd_kafka_mock_topic_set_error(f->cluster, "otlp.acme.logs", RD_KAFKA_RESP_ERR_NO_ERROR);
    send_until_confirmed(f, &f->acme);
    close_fixture(f);
}

/* What is still waiting when the pool goes is reported first. */
static void test_free_reports_all(void **state)
{
    (void)state;
    struct fixture *f = open_fixture(1 << 20, 2, PATIENCE_MS);
    struct sent s;
    send_until_confirmed(f, &f->acme);
    rd_kafka_mock_broker_set_down(f->cluster, -1);
    assert_int_equal(send_one(f, &f->acme, SLICE_LIT("x"), &s), 0);
    assert_int_equal(producers_flush(f->producers, 50), 1);
    close_fixture(f);
    assert_true(atomic_load(&s.reported));
    assert_int_equal(producer_outcome(s.error), OUTCOME_KAFKA_DOWN);
    producers_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_record_as_the_contract_says),
        cmocka_unit_test(test_first_use_is_quick),
        cmocka_unit_test(test_broker_down),
        cmocka_unit_test(test_turned_away_is_sent_again),
        cmocka_unit_test(test_unanswered_is_not_sent_again),
        cmocka_unit_test(test_queue_full),
        cmocka_unit_test(test_without_a_leader),
        cmocka_unit_test(test_what_the_broker_says),
        cmocka_unit_test(test_what_errors_mean),
        cmocka_unit_test(test_unknown_topic),
        cmocka_unit_test(test_free_reports_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
