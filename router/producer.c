/* The pool: a slot per configured producer, a tenant always in the same one. A slot's handle is
 * swapped when it broke; senders hold the slot's lock shared, so that none is inside a handle that
 * is being retired. (librdkafka takes locks of its own for each message; a shared one that is
 * hardly ever waited for does not show beside them.)
 *
 * A retired handle lives on until its last report came, in the list `retired`, and is freed by the
 * next replacement or with the pool. */
#include "router/producer.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "router/producer_conf.h"
#include "router/producer_handle.h"
#include "router/producer_watch.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

#define FLUSH_STEP_MS 5
#define GRACE_ROOM_MS 2000 /* librdkafka looks for timed-out messages once a second */

struct slot {
    struct producers *pool;
    pthread_rwlock_t lock; /* shared: handle is used; exclusive: it is swapped or gets a topic */
    struct handle *handle;
    bool closed; /* the pool is being freed: no more replacing */
};

struct retired {
    struct handle *handle;
    struct retired *next;
};

struct producers {
    rd_kafka_conf_t *conf; /* template of all handles */
    int grace_ms;          /* what is on the wire when a handle broke may take this long */
    struct slot *slots;
    unsigned n;
    struct watch *watch;
    pthread_mutex_t retired_lock;
    struct retired *retired;
};

/* --- handles -------------------------------------------------------------------------------- */

static void count_replaced(void)
{
    static const struct metric replaced = {"tenantry_producer_replaced_total",
                                           METRIC_COUNTER,
                                           "Kafka producers replaced after a fatal error.",
                                           {NULL}};
    metric_add(metric_series(&replaced, NULL), 1);
}

/* Takes the ended ones out of the list; all of them when `wait`. */
static void free_retired(struct producers *p, bool wait)
{
    pthread_mutex_lock(&p->retired_lock);
    struct retired *done = NULL, **link = &p->retired;
    while (*link != NULL) {
        struct retired *r = *link;
        if (wait || handle_ended(r->handle)) {
            *link = r->next;
            r->next = done;
            done = r;
        } else {
            link = &r->next;
        }
    }
    pthread_mutex_unlock(&p->retired_lock);
    while (done != NULL) {
        struct retired *r = done;
        done = r->next;
        handle_retire(r->handle, 0);
        handle_free(r->handle);
        free(r);
    }
}

/* Puts `fresh` in the place of the slot's handle; false when the pool is being freed. */
static bool swap(struct slot *s, struct handle *fresh, struct retired *r)
{
    struct producers *p = s->pool;
    pthread_rwlock_wrlock(&s->lock);
    bool closed = s->closed;
    if (!closed) {
        pthread_mutex_lock(&p->retired_lock);
        *r = (struct retired){s->handle, p->retired};
        p->retired = r;
        pthread_mutex_unlock(&p->retired_lock);
        s->handle = fresh;
    }
    pthread_rwlock_unlock(&s->lock);
    return !closed;
}

/* Thread: that of `broken`. */
static bool replace(void *arg, struct handle *broken)
{
    struct slot *s = arg;
    struct errbuf err = ERRBUF_INIT;
    free_retired(s->pool, false);
    struct retired *r = calloc(1, sizeof(*r));
    struct handle *fresh = r ? handle_start(s->pool->conf, replace, s, &err) : NULL;
    if (fresh == NULL) {
        log_event(LOG_ERROR, "producer cannot be replaced yet", log_str("reason", err.text));
        free(r);
        return false;
    }
    if (!swap(s, fresh, r)) {
        handle_retire(fresh, 0);
        handle_free(fresh);
        free(r);
        return false;
    }
    handle_retire(broken, s->pool->grace_ms);
    count_replaced();
    return true;
}

static int start_slots(struct producers *p, unsigned n, struct errbuf *err)
{
    p->slots = calloc(n, sizeof(*p->slots));
    if (p->slots == NULL)
        return errbuf_set(err, ENOMEM, "Out of memory for Kafka producers.");
    for (; p->n < n; p->n++) {
        struct slot *s = &p->slots[p->n];
        s->pool = p;
        pthread_rwlock_init(&s->lock, NULL);
        pthread_rwlock_wrlock(&s->lock);
        s->handle = handle_start(p->conf, replace, s, err);
        pthread_rwlock_unlock(&s->lock);
        if (s->handle == NULL) {
            pthread_rwlock_destroy(&s->lock);
            return -EINVAL;
        }
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
    pthread_mutex_init(&p->retired_lock, NULL);
    p->grace_ms = (int)(conf->router.answer_timeout / NS_PER_MS) + GRACE_ROOM_MS;
    p->conf = producer_conf_new(conf, brokers, err);
    if (p->conf == NULL || start_slots(p, (unsigned)conf->kafka.producers, err) < 0 ||
        (p->watch = watch_start(p->conf, err)) == NULL) {
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
        pthread_rwlock_rdlock(&p->slots[i].lock);
        struct handle_load l = handle_load(p->slots[i].handle);
        pthread_rwlock_unlock(&p->slots[i].lock);
        sum = (struct handle_load){sum.records + l.records, sum.bytes + l.bytes};
    }
    pthread_mutex_lock(&p->retired_lock);
    for (struct retired *r = p->retired; r != NULL; r = r->next) {
        struct handle_load l = handle_load(r->handle);
        sum = (struct handle_load){sum.records + l.records, sum.bytes + l.bytes};
    }
    pthread_mutex_unlock(&p->retired_lock);
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
    for (unsigned i = 0; i < p->n; i++) {
        pthread_rwlock_wrlock(&p->slots[i].lock);
        p->slots[i].closed = true;
        handle_retire(p->slots[i].handle, 0);
        pthread_rwlock_unlock(&p->slots[i].lock);
    }
    for (unsigned i = 0; i < p->n; i++)
        handle_free(p->slots[i].handle);
    free_retired(p, true);
    for (unsigned i = 0; i < p->n; i++)
        pthread_rwlock_destroy(&p->slots[i].lock);
    free(p->slots);
    if (p->conf != NULL)
        rd_kafka_conf_destroy(p->conf);
    pthread_mutex_destroy(&p->retired_lock);
    free(p);
}
