/* What a durable producer rests on cannot be configured away, and what its reports say. */
#include "tenancy/kafka_producer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const char *setting(const rd_kafka_conf_t *c, const char *name)
{
    static char value[256];
    size_t size = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(c, name, value, &size), RD_KAFKA_CONF_OK);
    return value;
}

static void test_settings(void **state)
{
    (void)state;
    struct option_pair client[] = {{"enable_idempotence", "true"}, {"linger.ms", "7"}};
    struct option_pair producer[] = {
        {"acks", "1"}, {"batch_size", "4321"}, {"message.timeout.ms", "9"}, {"retries", "5"}};
    const struct kafka_conf k = {.client = {client, 2}, .producer = {producer, 4}};
    const struct kafka_setting own[] = {{"message.timeout.ms", "1234", true},
                                        {"batch.size", "1000", false},
                                        {"linger.ms", "2", false},
                                        {"topic.metadata.propagation.max.ms", "11", false}};
    static const struct {
        int line;
        const char *name, *value;
    } rows[] = {
        {__LINE__, "acks", "-1"}, /* all */
        {__LINE__, "enable.idempotence", "false"},
        {__LINE__, "message.send.max.retries", "0"},
        {__LINE__, "allow.auto.create.topics", "false"},
        {__LINE__, "message.timeout.ms", "1234"},
        {__LINE__, "batch.size", "4321"}, /* the config may choose these */
        {__LINE__, "linger.ms", "7"},
        {__LINE__, "topic.metadata.propagation.max.ms", "11"},
        {__LINE__, "client.id", "tenantry-test"},
    };
    struct errbuf err = ERRBUF_INIT;
    rd_kafka_conf_t *c = kafka_producer_conf(&k, "b:1", NULL, "tenantry-test", own, 4, &err);
    assert_non_null(c);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(setting(c, rows[i].name), rows[i].value) != 0)
            fail_msg("line %d: %s is \"%s\"", rows[i].line, rows[i].name, setting(c, rows[i].name));
    rd_kafka_conf_destroy(c);
}

static void test_a_wrong_setting_is_named(void **state)
{
    (void)state;
    const struct kafka_conf k = {0};
    const struct kafka_setting own[] = {{"linger.ms", "soon", false}};
    struct errbuf err = ERRBUF_INIT;
    assert_null(kafka_producer_conf(&k, "b:1", NULL, "tenantry-test", own, 1, &err));
    assert_non_null(strstr(err.text, "linger.ms"));
}

/* --- reports, from librdkafka itself -------------------------------------------------------- */

struct reports {
    int n;
    struct kafka_delivery last;
};

static void on_report(rd_kafka_t *rk, const rd_kafka_message_t *m, void *opaque)
{
    (void)rk;
    struct reports *r = opaque;
    r->n++;
    r->last = kafka_delivery(m);
}

static rd_kafka_t *open_producer(struct option_pair pair, struct reports *r)
{
    const struct kafka_conf k = {.client = {&pair, 1}};
    const struct kafka_setting own[] = {{"message.timeout.ms", "20000", true},
                                        {"linger.ms", "0", true}};
    struct errbuf err = ERRBUF_INIT;
    rd_kafka_conf_t *c =
        kafka_producer_conf(&k, "127.0.0.1:1", NULL, "tenantry-test", own, 2, &err);
    assert_non_null(c);
    rd_kafka_conf_set_dr_msg_cb(c, on_report);
    rd_kafka_conf_set_opaque(c, r);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, c, NULL, 0);
    assert_non_null(rk);
    return rk;
}

static void send_one(rd_kafka_t *rk)
{
    char value[] = "v";
    rd_kafka_resp_err_t e =
        rd_kafka_producev(rk, RD_KAFKA_V_TOPIC("t"), RD_KAFKA_V_VALUE(value, 1), RD_KAFKA_V_END);
    assert_int_equal(e, 0);
}

static void test_a_stored_record_has_an_offset(void **state)
{
    (void)state;
    struct reports r = {0};
    rd_kafka_t *rk = open_producer((struct option_pair){"test.mock.num.brokers", "1"}, &r);
    send_one(rk);
    while (r.n == 0)
        rd_kafka_poll(rk, 100);
    assert_int_equal(r.last.error, RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_false(r.last.possibly_stored);
    rd_kafka_destroy(rk);
}

static void test_given_up_records_are_all_reported(void **state)
{
    (void)state;
    struct reports r = {0};
    rd_kafka_t *rk = open_producer((struct option_pair){"log_level", "0"}, &r);
    for (int i = 0; i < 5; i++)
        send_one(rk);
    kafka_producer_give_up(rk);
    assert_int_equal(r.n, 5);
    assert_int_equal(r.last.error, RD_KAFKA_RESP_ERR__PURGE_QUEUE);
    assert_false(r.last.possibly_stored); /* it never left */
    rd_kafka_destroy(rk);
}

static void test_success_without_an_offset_is_none(void **state)
{
    (void)state;
    const struct {
        rd_kafka_message_t message;
        char rest[512]; /* librdkafka's own part of a message, all zero */
    } report = {.message = {.err = RD_KAFKA_RESP_ERR_NO_ERROR, .offset = -1001}};
    assert_int_equal(kafka_delivery(&report.message).error, RD_KAFKA_RESP_ERR__NO_OFFSET);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings),
        cmocka_unit_test(test_a_wrong_setting_is_named),
        cmocka_unit_test(test_a_stored_record_has_an_offset),
        cmocka_unit_test(test_given_up_records_are_all_reported),
        cmocka_unit_test(test_success_without_an_offset_is_none),
    };
    return cmocka_run_group_tests_name("kafka_producer", tests, NULL, NULL);
}
