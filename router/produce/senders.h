/* The tenants as the producers know them: made when a tenant first sends, kept until the pool goes.
 * Bounded, as the runtimes of tenants are, by the tenants that were ever configured. */
#ifndef ROUTER_SENDERS_H
#define ROUTER_SENDERS_H

#include "router/produce/standing.h"

#include <pthread.h>

struct sender {
    char *id;
    uint64_t hash;            /* of the id: which producer of the fast lane it uses */
    pthread_mutex_t lock;     /* of: */
    struct standing standing; /* with Kafka */
};

struct senders;
struct senders *senders_new(void); /* NULL when out of memory */
void senders_free(struct senders *s);
/* NULL when out of memory. Thread: any. */
struct sender *senders_get(struct senders *s, const char *tenant);
/* NULL when it never sent. Thread: any. */
struct sender *senders_find(struct senders *s, const char *tenant);

#endif
