#include "tenancy/topics.h"

#include "base/log.h"
#include "tenancy/kafka_login.h"
#include "tenancy/kafka_trouble.h"

#include <errno.h>
#include <stdio.h>

/* librdkafka names hold dots, which the names of a config group cannot: there `_` stands for each,
 * unless the name is known as it is. */
static rd_kafka_conf_res_t set_by_either_name(rd_kafka_conf_t *c, const struct option_pair *p,
                                              char *why, size_t size)
{
    char dotted[256];
    rd_kafka_conf_res_t res = rd_kafka_conf_set(c, p->name, p->value, why, size);
    if (res != RD_KAFKA_CONF_UNKNOWN || strchr(p->name, '_') == NULL)
        return res;
    snprintf(dotted, sizeof(dotted), "%s", p->name);
    for (char *at = dotted; *at != 0; at++)
        if (*at == '_')
            *at = '.';
    return rd_kafka_conf_set(c, dotted, p->value, why, size);
}

/* Settings that are ours to make: elsewhere they would be overwritten without a word. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = {
        "bootstrap.servers",    "bootstrap_servers", "metadata.broker.list",
        "metadata_broker_list", "client.id",         "client_id"};
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return false;
}

/* Values are not told: they may be secrets. */
static int set_map(rd_kafka_conf_t *c, const char *option, const struct option_map *map,
                   struct errbuf *err)
{
    char why[512];
    for (size_t i = 0; i < map->n; i++) {
        const struct option_pair *p = &map->at[i];
        if (is_ours(p->name))
            return errbuf_set(err, EINVAL,
                              "%s: %s is set by Tenantry: brokers stand in kafka.brokers", option,
                              p->name);
        rd_kafka_conf_res_t res = set_by_either_name(c, p, why, sizeof(why));
        if (res == RD_KAFKA_CONF_UNKNOWN)
            return errbuf_set(err, EINVAL, "%s: librdkafka has no setting \"%s\"", option, p->name);
        if (res != RD_KAFKA_CONF_OK)
            return errbuf_set(err, EINVAL, "%s: librdkafka does not take this value of \"%s\"",
                              option, p->name);
    }
    return 0;
}

static int set_fixed(rd_kafka_conf_t *c, const char *name, const char *value, struct errbuf *err)
{
    char why[512];
    if (rd_kafka_conf_set(c, name, value, why, sizeof(why)) == RD_KAFKA_CONF_OK)
        return 0;
    return errbuf_set(err, EINVAL, "librdkafka: %s", why);
}

static enum log_level level_of(int syslog_level)
{
    if (syslog_level <= 3)
        return LOG_ERROR;
    if (syslog_level == 4)
        return LOG_WARN;
    return syslog_level <= 6 ? LOG_INFO : LOG_DEBUG;
}

/* One line per facility ("FAIL", "BROKERDOWN") and client in a period. */
void kafka_client_log(const rd_kafka_t *rk, int level, const char *facility, const char *text)
{
    char key[128], told[KAFKA_TROUBLE_SIZE];
    const char *client = rk ? rd_kafka_name(rk) : "";
    snprintf(key, sizeof(key), "%s %s", facility, client);
    bool trouble = kafka_trouble(client, text, told, sizeof(told));
    log_repeated(level_of(level), "kafka client", key, log_str("client", client),
                 log_str("facility", facility), log_str("reason", trouble ? told : text));
}

static int set_all(rd_kafka_conf_t *c, const struct kafka_conf *k, const char *brokers,
                   enum kafka_role role, const struct kafka_login *login, const char *client_id,
                   struct errbuf *err)
{
    int rc = set_fixed(c, "socket.nagle.disable", "true", err);
    if (rc == 0)
        rc = set_map(c, "kafka.client", &k->client, err);
    if (rc == 0 && role == KAFKA_PRODUCER)
        rc = set_map(c, "kafka.producer", &k->producer, err);
    if (rc == 0 && (role == KAFKA_CONSUMER || role == KAFKA_READER))
        rc = set_map(c, "kafka.consumer", &k->consumer, err);
    if (rc == 0)
        rc = kafka_login_apply(c, kafka_login_of(k, login), err);
    if (rc == 0)
        rc = set_fixed(c, "bootstrap.servers", brokers, err);
    return rc == 0 ? set_fixed(c, "client.id", client_id, err) : rc;
}

rd_kafka_conf_t *kafka_client_conf(const struct kafka_conf *k, const char *brokers,
                                   enum kafka_role role, const char *client_id, struct errbuf *err)
{
    const struct kafka_login *login = NULL;
    if (role == KAFKA_PRODUCER)
        login = &k->router;
    else if (role == KAFKA_ADMIN || role == KAFKA_READER)
        login = &k->admin;
    return kafka_client_conf_as(k, brokers, role, login, client_id, err);
}

rd_kafka_conf_t *kafka_client_conf_as(const struct kafka_conf *k, const char *brokers,
                                      enum kafka_role role, const struct kafka_login *login,
                                      const char *client_id, struct errbuf *err)
{
    rd_kafka_conf_t *c = rd_kafka_conf_new();
    rd_kafka_conf_set_log_cb(c, kafka_client_log);
    if (set_all(c, k, brokers, role, login, client_id, err) == 0)
        return c;
    rd_kafka_conf_destroy(c);
    return NULL;
}
