/* Whether some broker answers: a small client of its own asks for the list of brokers twice a
 * second, so that readiness does not depend on traffic and is not slowed by it. With the answer
 * come the partitions of topics that somebody asked for. */
#ifndef ROUTER_PRODUCER_WATCH_H
#define ROUTER_PRODUCER_WATCH_H

#include "base/errbuf.h"
#include "router/produce/partitions.h"
#include "router/produce/standing.h"
#include "tenancy/conf.h"

#include <librdkafka/rdkafka.h>
#include <stdbool.h>

struct watch;

/* `conf` is a template and stays the caller's. NULL with a sentence on failure. */
struct watch *watch_start(const rd_kafka_conf_t *conf, const struct kafka_login *login,
                          struct errbuf *err);
bool watch_reachable(const struct watch *w);           /* Thread: any */
struct kafka_alive watch_alive(const struct watch *w); /* Thread: any */
/* The entry of a topic, which is filled from the next answer on; NULL when out of memory. It lives
 * until watch_free. Thread: any, before watch_stop. */
struct partitions *watch_partitions(struct watch *w, const char *topic);
void watch_stop(struct watch *w); /* asks it to end; NULL is fine */
void watch_free(struct watch *w); /* joins; NULL is fine */

#endif
