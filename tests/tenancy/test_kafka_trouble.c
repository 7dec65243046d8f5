/* What is said about connections that brokers refuse. The reasons are librdkafka's, as seen. */
#include "tenancy/kafka_trouble.h"

#include <librdkafka/rdkafka.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define SCRAM                                                                                      \
    "sasl_ssl://b:1/bootstrap: SASL authentication error: Authentication failed during "           \
    "authentication due to invalid credentials with SASL mechanism SCRAM-SHA-512"

static void test_sentences(void **state)
{
    (void)state;
    bool old = rd_kafka_version() < 0x020601ff;
    const struct {
        int line;
        const char *client, *reason;
        bool told;
        const char *sentence;
    } rows[] = {
        {__LINE__, "tenantry-router#producer-1",
         "sasl_ssl://b:1/1: SASL authentication error: Authentication failed: Invalid username or "
         "password (after 302ms in state AUTH_REQ)",
         true, "or password: compare user and password_file of kafka.router (or kafka) with"},
        {__LINE__, "tenantry-consumer-acme#consumer-1", "x: SASL authentication error: y", true,
         "password_file of kafka in the tenant's file"},
        {__LINE__, "tenantry-look#consumer-1", "x: SASL authentication error: y", true,
         "of kafka.admin (or kafka) with"},
        {__LINE__, "tenantry-look#consumer-1", SCRAM, true,
         old ? "SCRAM of librdkafka before 2.6.1 never logs in on Kafka 4" : "compare user"},
        {__LINE__, "tenantry-look#consumer-1",
         "ssl://b:1/bootstrap: SSL handshake failed: error:0A000086:SSL routines::certificate "
         "verify failed: broker certificate could not be verified",
         true, "ssl_ca_location of kafka.client"},
        {__LINE__, "tenantry-look#consumer-1",
         "ssl://b:1/bootstrap: SSL handshake failed: Disconnected: connecting to a PLAINTEXT "
         "broker listener? (after 1ms in state SSL_HANDSHAKE)",
         true, "broker listener?: see that security_protocol in kafka.client is"},
        {__LINE__, "tenantry-look#consumer-1",
         "b:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused (after 0ms in "
         "state CONNECT)",
         false, "failed: Connection refused"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[KAFKA_TROUBLE_SIZE];
        bool told = kafka_trouble(rows[i].client, rows[i].reason, out, sizeof(out));
        if (told != rows[i].told || strstr(out, rows[i].sentence) == NULL ||
            strstr(out, "(after") != NULL)
            fail_msg("row at line %d: %d, \"%s\"", rows[i].line, told, out);
        kafka_trouble(rows[i].client, rows[i].reason, out, 40); /* fits what there is */
        assert_true(strlen(out) < 40);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_sentences)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
