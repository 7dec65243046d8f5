/* Topics of tenants on a real cluster: created as the config says, never by auto-creation. Blocking
 * calls for CLI and supervisor threads, not for event loops. */
#ifndef TENANCY_TOPICS_H
#define TENANCY_TOPICS_H

#include "tenancy/tenancy.h"

#include <librdkafka/rdkafka.h>

/* A librdkafka configuration with brokers, `kafka.client` and the role's settings and login
 * applied, plus the fixed ones we always want (socket.nagle.disable, log callback into our log,
 * client.id tenantry-<role>). Caller owns it. NULL with a sentence naming the option. */
enum kafka_role {
    KAFKA_PRODUCER, /* kafka.producer; the router's login */
    KAFKA_CONSUMER, /* kafka.consumer; the common login */
    KAFKA_READER,   /* kafka.consumer, to look from outside; the admin login */
    KAFKA_ADMIN,    /* the admin login */
};
rd_kafka_conf_t *kafka_client_conf(const struct kafka_conf *k, const char *brokers,
                                   enum kafka_role role, const char *client_id, struct errbuf *err);
/* The same with a login of its own: a tenant's. */
rd_kafka_conf_t *kafka_client_conf_as(const struct kafka_conf *k, const char *brokers,
                                      enum kafka_role role, const struct kafka_login *login,
                                      const char *client_id, struct errbuf *err);

/* The log callback that those configurations have: for one that looks first. */
void kafka_client_log(const rd_kafka_t *rk, int level, const char *facility, const char *text);

/* Makes what is missing of the tenant's topics (three signals and the DLQ); existing ones are left
 * as they are. Returns the number made, or a negative errno with a sentence naming topic and
 * broker's reason. */
int topics_ensure(rd_kafka_t *rk, const struct conf *conf, const struct tenant *t, int timeout_ms,
                  struct errbuf *err);

#endif
