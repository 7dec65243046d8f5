#include "consumer/session.h"

#include "base/clock.h"

#include <librdkafka/rdkafka_mock.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include <cmocka.h>

static void check_round_trip(const struct progress *p)
{
    char text[320];
    struct progress back = {0};
    progress_to_metadata(p, text, sizeof(text));
    assert_true(strlen(text) < 319); /* the largest numbers fit */
    assert_true(progress_from_metadata(text, &back));
    assert_int_equal(back.source, p->source);
    assert_int_equal(back.generation, p->generation);
    assert_int_equal(back.first, p->first);
    assert_memory_equal(&back.totals, &p->totals, sizeof(p->totals));
}

static void test_metadata_round_trip(void **state)
{
    (void)state;
    check_round_trip(&(struct progress){0});
    check_round_trip(&(struct progress){.source = 3,
                                        .generation = 2,
                                        .first = 17,
                                        .totals = {.records = 1,
                                                   .items = 2,
                                                   .dropped = 3,
                                                   .dlq_records = 4,
                                                   .dlq_items = 5,
                                                   .lost_records = 6,
                                                   .gaps = 7}});
    struct progress most = {.source = UINT32_MAX, .generation = UINT32_MAX, .first = INT64_MAX};
    memset(&most.totals, 0xff, sizeof(most.totals));
    check_round_trip(&most);
}

static void test_metadata_of_others(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "tnt1", "tnt2 source=1 generation=1 first=0 records=0", "from kafka-consumer-groups",
        "tnt1 source=1 generation=1 first=0 records=1 items=2 dropped=3 dlq_records=4 dlq_items=5"};
    struct progress p;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(progress_from_metadata(texts[i], &p));
}

/* --- what session.c counts on in librdkafka --------------------------------------------------- */

#define TOPIC "otlp.acme.logs"

static atomic_bool told;

static void on_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    (void)rk, (void)level, (void)text;
    if (strcmp(facility, "BROKERUA") == 0)
        atomic_store(&told, true);
}

/* One of its log lines tells that a partition could not be fetched. Nothing else does, so a release
 * without it must not go unnoticed: a topic that is made anew under a busy worker would. */
static void test_a_partition_that_cannot_be_fetched_is_told(void **state)
{
    (void)state;
    rd_kafka_t *owner = rd_kafka_new(RD_KAFKA_PRODUCER, rd_kafka_conf_new(), NULL, 0);
    rd_kafka_mock_cluster_t *cluster = rd_kafka_mock_cluster_new(owner, 1);
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    rd_kafka_mock_topic_create(cluster, TOPIC, 1, 1);
    rd_kafka_conf_set(c, "bootstrap.servers", rd_kafka_mock_cluster_bootstraps(cluster), NULL, 0);
    rd_kafka_conf_set(c, "group.id", "tenantry.acme", NULL, 0);
    rd_kafka_conf_set(c, "debug", "topic", NULL, 0);
    rd_kafka_conf_set(c, "enable.partition.eof", "true", NULL, 0);
    rd_kafka_conf_set_log_cb(c, on_log);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_CONSUMER, c, NULL, 0);
    assert_non_null(rk);
    rd_kafka_topic_partition_list_t *list = rd_kafka_topic_partition_list_new(1);
    rd_kafka_topic_partition_list_add(list, TOPIC, 0)->offset = 0;
    rd_kafka_assign(rk, list);
    rd_kafka_topic_partition_list_destroy(list);
    for (uint64_t due = clock_mono_ns() + 60 * NS_PER_S; !atomic_load(&told);) {
        rd_kafka_message_t *m = rd_kafka_consumer_poll(rk, 20);
        if (m != NULL && m->err == RD_KAFKA_RESP_ERR__PARTITION_EOF) /* it fetches */
            rd_kafka_mock_partition_set_leader(cluster, TOPIC, 0, -1);
        if (m != NULL)
            rd_kafka_message_destroy(m);
        assert_true(clock_mono_ns() < due);
    }
    rd_kafka_destroy(rk);
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(owner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata_round_trip),
        cmocka_unit_test(test_metadata_of_others),
        cmocka_unit_test(test_a_partition_that_cannot_be_fetched_is_told),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
