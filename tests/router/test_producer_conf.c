/* What the config makes of the producers' settings. */
#include "router/produce/producer_conf.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static const struct conf sample = {
    .router = {.answer_timeout = 4200 * NS_PER_MS},
    .kafka = {.brokers = "a:1,b:2",
              .linger = 7500 * NS_PER_US,
              .queue_bytes = 96 << 20,
              .compression = COMPRESSION_ZSTD,
              .compression_level = 7},
};

static void test_settings_follow_the_config(void **state)
{
    static const struct {
        const char *name, *value;
    } rows[] = {
        /* a record ends when its sender is answered: nothing is delivered after a failure was told
         */
        {"message.timeout.ms", "4200"},
        /* the broker gives up waiting for replicas before that, and says so */
        {"request.timeout.ms", "2800"},
        {"linger.ms", "7.5"},
        {"queue.buffering.max.kbytes", "98304"},
        {"bootstrap.servers", "a:1,b:2"},
        {"acks", "-1"},
        {"message.send.max.retries", "0"},
        {"enable.idempotence", "false"},
        {"compression.codec", "zstd"},
        {"compression.level", "7"},
        {"topic.metadata.refresh.interval.ms", "5000"}, /* more partitions are used soon */
    };
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    rd_kafka_conf_t *made = producer_conf_new(&sample, NULL, &err);
    assert_non_null(made);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char value[128] = "";
        size_t size = sizeof(value);
        assert_int_equal(rd_kafka_conf_get(made, rows[i].name, value, &size), RD_KAFKA_CONF_OK);
        if (strcmp(value, rows[i].value) != 0)
            fail_msg("%s is %s, not %s", rows[i].name, value, rows[i].value);
    }
    rd_kafka_conf_destroy(made);
}

static void test_other_brokers_and_none(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    struct conf nobody = sample;
    nobody.kafka.brokers = "";
    assert_null(producer_conf_new(&nobody, NULL, &err));
    assert_non_null(strstr(err.text, "kafka.brokers is empty"));
    rd_kafka_conf_t *made = producer_conf_new(&nobody, "c:3", &err);
    assert_non_null(made);
    rd_kafka_conf_destroy(made);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_follow_the_config),
        cmocka_unit_test(test_other_brokers_and_none),
    };
    return cmocka_run_group_tests_name("producer_conf", tests, NULL, NULL);
}
