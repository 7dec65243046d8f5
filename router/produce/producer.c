/* The pool: a tenant's records always go through the same producer. Senders hold the lock of its
 * slot shared; it is exclusive only while a topic is used for the first time. (librdkafka takes
 * locks of its own for each message; a shared one that is hardly ever waited for does not show
 * beside them.) */
#include "router/produce/producer.h"

#include "base/clock.h"
#include "router/produce/producer_conf.h"
#include "router/produce/producer_handle.h"
#include "router/produce/producer_watch.h"
#include "tenancy/kafka_login.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#define FLUSH_STEP_MS 5

struct slot {
    pthread_rwlock_t lock;
    struct handle *handle;
};

struct producers {
    rd_kafka_conf_t *conf; /* template of all handles */
    struct slot *slots;
    unsigned n;
    struct watch *watch;
};

static int start_slots(struct producers *p, unsigned n, const struct kafka_login *login,
                       struct errbuf *err)
{
    p->slots = calloc(n, sizeof(*p->slots));
    if (p->slots == NULL)
        return errbuf_set(err, ENOMEM, "Out of memory for Kafka producers.");
    for (; p->n < n; p->n++) {
        struct slot *s = &p->slots[p->n];
        s->handle = handle_start(p->conf, login, err);
        if (s->handle == NULL)
            return -EINVAL;
        pthread_rwlock_init(&s->lock, NULL);
    }
    return 0;
}

struct producers *producers_new(const struct conf *conf, const char *brokers, struct errbuf *err)
{
    struct producers *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        errbuf_set(err, ENOMEM, "Out of memory for Kafka producers.");
        return NULL;
    }
    const struct kafka_login *login = kafka_login_of(&conf->kafka, &conf->kafka.router);
    p->conf = producer_conf_new(conf, brokers, err);
    if (p->conf == NULL || start_slots(p, (unsigned)conf->kafka.producers, login, err) < 0 ||
        (p->watch = watch_start(p->conf, login, err)) == NULL) {
        producers_free(p);
        return NULL;
    }
    return p;
}

/* --- sending -------------------------------------------------------------------------------- */

static struct slot *slot_of(struct producers *p, const struct tenant *t)
{
    return &p->slots[XXH3_64bits(t->id, strlen(t->id)) % p->n];
}

/* Locks the slot, shared if the topic was used before, and finds the topic: NULL when there can be
 * none of that name. */
static rd_kafka_topic_t *lock_topic(struct slot *s, const char *name)
{
    pthread_rwlock_rdlock(&s->lock);
    rd_kafka_topic_t *rkt = handle_topic(s->handle, name);
    if (rkt != NULL)
        return rkt;
    pthread_rwlock_unlock(&s->lock);
    pthread_rwlock_wrlock(&s->lock);
    return handle_add_topic(s->handle, name);
}

rd_kafka_resp_err_t producer_send(struct producers *p, struct producer_record *r)
{
    struct slot *s = slot_of(p, r->tenant);
    rd_kafka_topic_t *rkt = lock_topic(s, r->tenant->topic[r->signal]);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (rkt != NULL)
        error = handle_send(s->handle, rkt, r);
    pthread_rwlock_unlock(&s->lock);
    return error;
}

void producers_warm(struct producers *p, const struct tenant *t)
{
    struct slot *s = slot_of(p, t);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        lock_topic(s, t->topic[i]);
        pthread_rwlock_unlock(&s->lock);
    }
}

/* --- state ---------------------------------------------------------------------------------- */

bool producers_ready(struct producers *p)
{
    return watch_reachable(p->watch);
}

static struct handle_load total_load(struct producers *p)
{
    struct handle_load sum = {0, 0};
    for (unsigned i = 0; i < p->n; i++) {
        struct handle_load l = handle_load(p->slots[i].handle);
        sum = (struct handle_load){sum.records + l.records, sum.bytes + l.bytes};
    }
    return sum;
}

uint64_t producers_queued_bytes(struct producers *p)
{
    return total_load(p).bytes;
}

int producers_flush(struct producers *p, int timeout_ms)
{
    uint64_t until_ns = clock_mono_ns() + (uint64_t)timeout_ms * NS_PER_MS;
    uint64_t left;
    while ((left = total_load(p).records) > 0 && clock_mono_ns() < until_ns)
        usleep(FLUSH_STEP_MS * 1000);
    return left < INT_MAX ? (int)left : INT_MAX;
}

void producers_free(struct producers *p)
{
    if (p == NULL)
        return;
    watch_stop(p->watch);
    for (unsigned i = 0; i < p->n; i++)
        handle_stop(p->slots[i].handle);
    for (unsigned i = 0; i < p->n; i++) {
        handle_free(p->slots[i].handle);
        pthread_rwlock_destroy(&p->slots[i].lock);
    }
    free(p->slots);
    if (p->conf != NULL)
        rd_kafka_conf_destroy(p->conf);
    free(p);
}
