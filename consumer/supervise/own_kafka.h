/* The single-node Kafka that `tenantry up` runs when no brokers are configured: a real Apache Kafka
 * (KRaft) as a supervised child, its data and cluster id in <state>/kafka, so that it survives
 * restarts. */
#ifndef CONSUMER_OWN_KAFKA_H
#define CONSUMER_OWN_KAFKA_H

#include "tenancy/conf.h"

struct own_kafka {
    char folder[2048]; /* <state>/kafka */
    char classpath[2048];
    char brokers[64]; /* "127.0.0.1:PORT" */
    char log[2112];   /* what it prints */
    char log_option[2200], folder_option[2200];
    char properties[2112];
    const char *argv[20]; /* for child_start */
};

/* Finds the jars, chooses and remembers the ports, writes server.properties, formats the data
 * folder on first use (runs java for some seconds). -ENOENT with a sentence that says what to run
 * when the jars or java are not there. */
int own_kafka_prepare(struct own_kafka *k, const struct conf *conf, struct errbuf *err);

#endif
