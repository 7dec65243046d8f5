/* The pool: a tenant's records always go through the same producer. Senders hold the lock of its
 * slot shared; it is exclusive only while a topic is used for the first time. (librdkafka takes
 * locks of its own for each message; a shared one that is hardly ever waited for does not show
 * beside them.) */
#include "router/produce/producer.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/log_repeat.h"
#include "router/produce/producer_conf.h"
#include "router/produce/producer_handle.h"
#include "router/produce/producer_watch.h"
#include "router/produce/senders.h"
#include "tenancy/kafka_login.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define FLUSH_STEP_MS 5
/* So long may Kafka take for a tenant's records, but no longer than half of the time to answer. */
#define MOST_STALL_NS (2 * NS_PER_S)

struct slot {
    pthread_rwlock_t lock;
    struct handle *handle;
    _Atomic uint64_t tenants; /* that have records in it */
};

struct producers {
    rd_kafka_conf_t *conf; /* template of all handles */
    struct slot *slots;    /* the last one is the slow lane */
    unsigned n;
    struct watch *watch;
    struct senders *senders;
    uint64_t stall_ns, queue_bytes;
};

static void on_report(void *arg, struct producer_record *r, const char *topic,
                      const struct kafka_delivery *d);

static int start_slots(struct producers *p, unsigned n, const struct kafka_login *login,
                       struct errbuf *err)
{
    p->slots = calloc(n, sizeof(*p->slots));
    if (p->slots == NULL)
        return errbuf_set(err, ENOMEM, "Out of memory for Kafka producers.");
    for (; p->n < n; p->n++) {
        struct slot *s = &p->slots[p->n];
        s->handle = handle_start(p->conf, login, on_report, p, err);
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
    const uint64_t half_ns = conf->router.answer_timeout / 2;
    p->stall_ns = half_ns < MOST_STALL_NS ? half_ns : MOST_STALL_NS;
    p->queue_bytes = conf->kafka.queue_bytes;
    p->senders = senders_new();
    p->conf = producer_conf_new(conf, brokers, err);
    /* The watch first: reports ask it. */
    if (p->senders == NULL || p->conf == NULL ||
        (p->watch = watch_start(p->conf, login, err)) == NULL ||
        start_slots(p, (unsigned)conf->kafka.producers + 1, login, err) < 0) {
        producers_free(p);
        return NULL;
    }
    return p;
}

/* --- a tenant's standing ------------------------------------------------------------------- */

static struct slot *slot_of(struct producers *p, const struct sender *m, enum lane lane)
{
    return &p->slots[lane == LANE_SLOW ? p->n - 1 : m->hash % (p->n - 1)];
}

static struct lane_load load_of(const struct producers *p, const struct slot *s)
{
    return (struct lane_load){p->queue_bytes, handle_load(s->handle).bytes,
                              atomic_load(&s->tenants)};
}

/* `before`: as it was under the same lock, which is not held any more. */
static void tell_change(const struct sender *m, const struct standing *before,
                        const struct standing *after, const char *topic, const char *why)
{
    if (before->lane == after->lane)
        return;
    if (after->lane == LANE_SLOW)
        log_event(LOG_WARN, "Kafka does not take a tenant's records: this tenant alone has to wait",
                  log_str("tenant", m->id), log_str("topic", topic), log_str("reason", why));
    else
        log_event(LOG_INFO, "Kafka takes the tenant's records again", log_str("tenant", m->id),
                  log_f64("after_s", (double)(after->moved_ns - before->moved_ns) / NS_PER_S));
}

/* All of them or none: they are of one request, which is sent whole or not at all. */
static rd_kafka_resp_err_t admit(struct producers *p, struct sender *m,
                                 struct producer_record *const *records, size_t n)
{
    uint64_t bytes = 0, now_ns = clock_mono_ns();
    for (size_t i = 0; i < n; i++)
        bytes += records[i]->value.len;
    const struct kafka_alive alive = watch_alive(p->watch);
    const struct lane_load loads[LANE_COUNT] = {[LANE_FAST] = load_of(p, slot_of(p, m, LANE_FAST)),
                                                [LANE_SLOW] = load_of(p, slot_of(p, m, LANE_SLOW))};
    pthread_mutex_lock(&m->lock);
    const struct standing before = m->standing;
    const struct lane_load *load = &loads[before.lane];
    if (n > 1 && load->bytes + bytes > load->ceiling) { /* one alone: librdkafka tells */
        pthread_mutex_unlock(&m->lock);
        return RD_KAFKA_RESP_ERR__QUEUE_FULL;
    }
    enum standing_answer answer =
        standing_admit(&m->standing, n, bytes, loads, p->stall_ns, alive, now_ns);
    const struct standing after = m->standing;
    if (answer == STANDING_SEND && after.records[after.lane] == n)
        atomic_fetch_add(&slot_of(p, m, after.lane)->tenants, 1);
    pthread_mutex_unlock(&m->lock);
    for (size_t i = 0; i < n; i++) {
        records[i]->sender = m;
        records[i]->lane = after.lane;
        records[i]->sent_ns = now_ns;
    }
    tell_change(m, &before, &after, records[0]->tenant->topic[records[0]->signal],
                "nothing was confirmed in time");
    return answer == STANDING_SEND      ? RD_KAFKA_RESP_ERR_NO_ERROR
           : answer == STANDING_STALLED ? PRODUCER_STALLED
                                        : PRODUCER_OVER_SHARE;
}

static void settle(struct producers *p, const struct producer_record *r, const char *topic,
                   rd_kafka_resp_err_t error)
{
    struct sender *m = r->sender;
    const struct kafka_alive alive = watch_alive(p->watch);
    pthread_mutex_lock(&m->lock);
    const struct standing before = m->standing;
    standing_done(&m->standing, r->lane, r->value.len, r->sent_ns, producer_report(error),
                  p->stall_ns, alive, clock_mono_ns());
    const struct standing after = m->standing;
    if (after.records[r->lane] == 0)
        atomic_fetch_sub(&slot_of(p, m, r->lane)->tenants, 1);
    pthread_mutex_unlock(&m->lock);
    tell_change(m, &before, &after, topic, rd_kafka_err2str(error));
}

/* Kafka being away altogether is told elsewhere, once. */
static void tell_failure(struct producers *p, const struct sender *m, const char *topic,
                         rd_kafka_resp_err_t error)
{
    char key[LOG_REPEAT_KEY_SIZE];
    const char *advice = producer_advice(error);
    if (advice == NULL || !watch_reachable(p->watch))
        return;
    snprintf(key, sizeof(key), "%s %s", m->id, rd_kafka_err2name(error));
    log_repeated(LOG_WARN, "Kafka did not take a record", key, log_str("tenant", m->id),
                 log_str("topic", topic), log_str("error", rd_kafka_err2name(error)),
                 log_str("reason", rd_kafka_err2str(error)), log_str("advice", advice));
}

static void on_report(void *arg, struct producer_record *r, const char *topic,
                      const struct kafka_delivery *d)
{
    struct producers *p = arg;
    settle(p, r, topic, d->error);
    tell_failure(p, r->sender, topic, d->error);
    r->done(r->arg, d->error, d->possibly_stored);
}

/* --- sending -------------------------------------------------------------------------------- */

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

static rd_kafka_resp_err_t send_to(struct slot *s, const char *topic, struct producer_record *r)
{
    rd_kafka_topic_t *rkt = lock_topic(s, topic);
    rd_kafka_resp_err_t error = RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
    if (rkt != NULL)
        error = handle_send(s->handle, rkt, r);
    pthread_rwlock_unlock(&s->lock);
    return error;
}

size_t producer_send_all(struct producers *p, struct producer_record *const *records, size_t n,
                         rd_kafka_resp_err_t *ret_error)
{
    const char *topic = records[0]->tenant->topic[records[0]->signal];
    struct sender *m = senders_get(p->senders, records[0]->tenant->id);
    size_t sent = 0;
    *ret_error = m ? admit(p, m, records, n) : RD_KAFKA_RESP_ERR__QUEUE_FULL;
    if (*ret_error != RD_KAFKA_RESP_ERR_NO_ERROR)
        return 0;
    struct slot *s = slot_of(p, m, records[0]->lane);
    while (sent < n &&
           (*ret_error = send_to(s, topic, records[sent])) == RD_KAFKA_RESP_ERR_NO_ERROR)
        if (++sent < n)
            FAULT_POINT("between_records");
    for (size_t i = sent; i < n; i++)
        settle(p, records[i], topic, *ret_error);
    if (sent < n)
        tell_failure(p, m, topic, *ret_error);
    return sent;
}

rd_kafka_resp_err_t producer_send(struct producers *p, struct producer_record *r)
{
    rd_kafka_resp_err_t error;
    producer_send_all(p, &r, 1, &error);
    return error;
}

struct partitions *producer_partitions(struct producers *p, const struct tenant *t,
                                       enum signal signal)
{
    return watch_partitions(p->watch, t->topic[signal]);
}

void producers_warm(struct producers *p, const struct tenant *t)
{
    const struct sender *m = senders_get(p->senders, t->id);
    if (m == NULL)
        return;
    struct slot *s = slot_of(p, m, LANE_FAST);
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        lock_topic(s, t->topic[i]);
        pthread_rwlock_unlock(&s->lock);
        if (tenant_partitions_by_trace(t, (enum signal)i))
            producer_partitions(p, t, (enum signal)i);
    }
}

/* --- state ---------------------------------------------------------------------------------- */

bool producers_ready(struct producers *p)
{
    return watch_reachable(p->watch);
}

struct producer_standing producer_standing(struct producers *p, const char *tenant)
{
    struct sender *m = senders_find(p->senders, tenant);
    if (m == NULL)
        return (struct producer_standing){0};
    pthread_mutex_lock(&m->lock);
    const struct standing s = m->standing;
    pthread_mutex_unlock(&m->lock);
    return (struct producer_standing){.known = true,
                                      .slow = s.lane == LANE_SLOW,
                                      .since_ns = s.moved_ns,
                                      .ever_slow = s.moved_ns != 0};
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
    watch_free(p->watch);
    senders_free(p->senders);
    if (p->conf != NULL)
        rd_kafka_conf_destroy(p->conf);
    free(p);
}
