#include "tenancy/kafka_trouble.h"

#include <librdkafka/rdkafka.h>
#include <stdio.h>
#include <string.h>

#define SCRAM_WORKS_FROM 0x020601ff /* with Kafka 4, which is strict about the nonce */

enum only { ALWAYS, OLD_LIBRARY };

/* The first row whose text occurs in the reason counts. %s is the login's group of options. */
static const struct {
    const char *text;
    enum only only;
    const char *advice;
} rows[] = {
    {"mechanism SCRAM", OLD_LIBRARY,
     "SCRAM of librdkafka before 2.6.1 never logs in on Kafka 4: run with a newer librdkafka, or "
     "set sasl_mechanism = \"PLAIN\" with TLS; on an older Kafka compare user and password_file "
     "of %s with what the brokers know"},
    {"handshake failed: Broker: Unsupported SASL mechanism", ALWAYS,
     "set sasl_mechanism in kafka.client to one that the brokers offer"},
    {"SASL authentication error", ALWAYS,
     "compare user and password_file of %s with what the brokers know"},
    {"authentication failure", ALWAYS,
     "compare user and password_file of %s with what the brokers know"},
    {"certificate verify failed", ALWAYS,
     "name the CA of the brokers' certificates in ssl_ca_location of kafka.client, and the "
     "brokers in kafka.brokers as their certificates do"},
    {"alert certificate required", ALWAYS,
     "the brokers want a certificate: set certificate and private_key of %s"},
    {"alert bad certificate", ALWAYS,
     "the brokers do not take the certificate of %s, or want one: set certificate and private_key"},
    {"alert unknown ca", ALWAYS, "the brokers do not know the CA of the certificate of %s"},
    {"SSL handshake failed", ALWAYS,
     "see that security_protocol in kafka.client is what this port of the brokers speaks"},
    {"incorrect security.protocol", ALWAYS,
     "see that security_protocol in kafka.client is what this port of the brokers speaks"},
    {"verify that security.protocol", ALWAYS,
     "see that security_protocol in kafka.client is what this port of the brokers speaks"},
};

static const char *login_of(const char *client)
{
    static const struct {
        const char *begins, *login;
    } clients[] = {
        {"tenantry-router", "kafka.router (or kafka)"},
        {"tenantry-consumer", "kafka in the tenant's file (or kafka in tenantry.conf)"},
        {"tenantry-dlq", "kafka in the tenant's file (or kafka in tenantry.conf)"},
    };
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
        if (strncmp(client, clients[i].begins, strlen(clients[i].begins)) == 0)
            return clients[i].login;
    return "kafka.admin (or kafka)";
}

static const char *advice_for(const char *reason)
{
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strstr(reason, rows[i].text) != NULL &&
            (rows[i].only == ALWAYS || rd_kafka_version() < SCRAM_WORKS_FROM))
            return rows[i].advice;
    return NULL;
}

bool kafka_trouble(const char *client, const char *reason, char *out, size_t size)
{
    const char *advice = advice_for(reason), *more = strstr(reason, " (after ");
    size_t len = more ? (size_t)(more - reason) : strcspn(reason, "\n");
    while (len > 0 && (reason[len - 1] == '.' || reason[len - 1] == ' '))
        len--;
    int n = snprintf(out, size, "%.*s", (int)len, reason);
    if (advice == NULL || n < 0 || (size_t)n + 3 >= size)
        return false;
    memcpy(out + n, ": ", 3);
    snprintf(out + n + 2, size - (size_t)n - 2, advice, login_of(client));
    return true;
}
