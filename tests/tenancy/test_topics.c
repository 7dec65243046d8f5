/* The client's settings, and what is said when brokers refuse. That topics are made is a test with
 * a real cluster (tests/e2e): librdkafka's mock knows no CreateTopics. */
#include "tenancy/topics.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *setting(const rd_kafka_conf_t *c, const char *name)
{
    static char value[256];
    size_t size = sizeof(value);
    assert_int_equal(rd_kafka_conf_get(c, name, value, &size), RD_KAFKA_CONF_OK);
    return value;
}

static void test_settings_reach_their_role(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    struct option_pair client[] = {{"security.protocol", "ssl"}, {"ssl_ca_location", "/ca.pem"}};
    struct option_pair producer[] = {{"batch.size", "4321"}};
    struct kafka_conf k = {.client = {client, 2}, .producer = {producer, 1}};
    rd_kafka_conf_t *c = kafka_client_conf(&k, "b:1", KAFKA_PRODUCER, "tenantry-test", &err);
    assert_non_null(c);
    assert_string_equal(setting(c, "bootstrap.servers"), "b:1");
    assert_string_equal(setting(c, "client.id"), "tenantry-test");
    assert_string_equal(setting(c, "security.protocol"), "ssl");
    assert_string_equal(setting(c, "ssl.ca.location"), "/ca.pem");
    assert_string_equal(setting(c, "socket.nagle.disable"), "true");
    assert_string_equal(setting(c, "batch.size"), "4321");
    rd_kafka_conf_destroy(c);
    c = kafka_client_conf(&k, "b:1", KAFKA_ADMIN, "tenantry-test", &err);
    assert_string_not_equal(setting(c, "batch.size"), "4321");
    rd_kafka_conf_destroy(c);
}

static void test_refused_settings_are_named(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct option_pair pair;
        const char *sentence;
    } rows[] = {
        {__LINE__, {"no.such", "1"}, "kafka.client: librdkafka has no setting \"no.such\""},
        {__LINE__, {"no_such", "1"}, "kafka.client: librdkafka has no setting \"no_such\""},
        {__LINE__,
         {"security.protocol", "secret"},
         "does not take this value of \"security.protocol\""},
        {__LINE__, {"bootstrap.servers", "x:1"}, "brokers stand in kafka.brokers"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        struct option_pair pair = rows[i].pair;
        struct kafka_conf k = {.client = {&pair, 1}};
        if (kafka_client_conf(&k, "b:1", KAFKA_ADMIN, "t", &err) != NULL ||
            strstr(err.text, rows[i].sentence) == NULL || strstr(err.text, "secret") != NULL)
            fail_msg("row at line %d: \"%s\"", rows[i].line, err.text);
    }
}

/* With a client of these settings, topics are asked for. */
static int ensure_acme(struct option_pair setting_pair, struct errbuf *err)
{
    static const struct tenant_conf tenant_conf = {
        .id = "acme",
        .topics = {.partitions = 2, .retention = 3600000000000, .dlq_retention = 7200000000000}};
    static const struct tenant acme = {
        .conf = &tenant_conf,
        .id = "acme",
        .topic = {"otlp.acme.traces", "otlp.acme.metrics", "otlp.acme.logs"},
        .dlq_topic = "otlp.acme.dlq"};
    struct conf conf = {.kafka.client = {&setting_pair, 1}, .record.max_bytes = 1000000};
    rd_kafka_conf_t *client =
        kafka_client_conf(&conf.kafka, "127.0.0.1:1", KAFKA_ADMIN, "tenantry-test", err);
    rd_kafka_t *rk = rd_kafka_new(RD_KAFKA_PRODUCER, client, NULL, 0);
    assert_non_null(rk);
    int rc = topics_ensure(rk, &conf, &acme, 1000, err);
    rd_kafka_destroy(rk);
    return rc;
}

static void test_what_is_said_when_nothing_is_made(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct option_pair setting;
        const char *sentence;
    } rows[] = {
        {__LINE__, {"test.mock.num.brokers", "1"}, "the Kafka brokers made no topics: "},
        {__LINE__, {"log_level", "0"}, "the Kafka brokers do not answer: "},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        if (ensure_acme(rows[i].setting, &err) != -EAGAIN || !strstr(err.text, rows[i].sentence))
            fail_msg("row at line %d: \"%s\"", rows[i].line, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settings_reach_their_role),
        cmocka_unit_test(test_refused_settings_are_named),
        cmocka_unit_test(test_what_is_said_when_nothing_is_made),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
