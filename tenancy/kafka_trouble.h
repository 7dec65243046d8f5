/* What to do about an error that a Kafka client tells of its connections: wrong password, TLS that
 * does not fit, a mechanism that the library cannot. Pure. */
#ifndef TENANCY_KAFKA_TROUBLE_H
#define TENANCY_KAFKA_TROUBLE_H

#include <stdbool.h>
#include <stddef.h>

#define KAFKA_TROUBLE_SIZE 640

/* `reason` without librdkafka's own advice and state, and behind it ours, if there is any. `client`
 * is the client's name ("tenantry-router#producer-1"), by which the advice names the options of its
 * login. True when waiting will not mend it. */
bool kafka_trouble(const char *client, const char *reason, char *out, size_t size);

#endif
