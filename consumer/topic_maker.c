#include "consumer/topic_maker.h"

#include "base/log.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define ANSWER_MS 5000
#define RETRY_S   1

struct topic_maker {
    char *brokers;
    void (*wake)(void);
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct snapshot *snapshot;
    char **done; /* ids of tenants whose topics are there */
    size_t n_done;
    bool connected, stop;
};

static bool is_done(const struct topic_maker *m, const char *tenant)
{
    for (size_t i = 0; i < m->n_done; i++)
        if (strcmp(m->done[i], tenant) == 0)
            return true;
    return false;
}

static void mark_done(struct topic_maker *m, const char *tenant)
{
    char *id = strdup(tenant), **done = realloc(m->done, (m->n_done + 1) * sizeof(*done));
    if (done != NULL)
        m->done = done;
    if (id != NULL && done != NULL)
        m->done[m->n_done++] = id;
    else
        free(id);
}

static void forget_gone(struct topic_maker *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n_done; i++) {
        if (snapshot_tenant(m->snapshot, slice_str(m->done[i])) != NULL)
            m->done[kept++] = m->done[i];
        else
            free(m->done[i]);
    }
    m->n_done = kept;
}

static rd_kafka_t *connect_admin(struct topic_maker *m, const struct conf *conf)
{
    struct errbuf err = ERRBUF_INIT;
    char reason[256];
    rd_kafka_conf_t *kc =
        kafka_client_conf(&conf->kafka, m->brokers, KAFKA_ADMIN, "tenantry-supervisor", &err);
    rd_kafka_t *rk = kc ? rd_kafka_new(RD_KAFKA_PRODUCER, kc, reason, sizeof(reason)) : NULL;
    if (kc != NULL && rk == NULL)
        rd_kafka_conf_destroy(kc);
    if (rk == NULL)
        log_repeated(LOG_ERROR, "the Kafka client cannot be made", "admin",
                     log_str("reason", kc ? reason : err.text));
    return rk;
}

static bool answers(rd_kafka_t *rk)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(rk, 0, NULL, &metadata, 1000) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    rd_kafka_metadata_destroy(metadata);
    return true;
}

/* One pass over all tenants. True when all have their topics. */
static bool make_all(struct topic_maker *m, rd_kafka_t *rk, const struct snapshot *s)
{
    bool all = true;
    for (size_t i = 0; i < s->n_tenants; i++) {
        const struct tenant *t = &s->tenants[i];
        struct errbuf err = ERRBUF_INIT;
        pthread_mutex_lock(&m->lock);
        bool skip = is_done(m, t->id) || m->stop;
        pthread_mutex_unlock(&m->lock);
        if (skip)
            continue;
        int made = topics_ensure(rk, s->conf, t, ANSWER_MS, &err);
        if (made < 0) {
            all = false;
            log_repeated(LOG_WARN, "a tenant's topics are not there yet, trying again", t->id,
                         log_str("tenant", t->id), log_str("reason", err.text));
            continue;
        }
        if (made > 0)
            log_event(LOG_INFO, "topics are made", log_str("tenant", t->id),
                      log_i64("topics", made));
        pthread_mutex_lock(&m->lock);
        mark_done(m, t->id);
        pthread_mutex_unlock(&m->lock);
        if (m->wake != NULL)
            m->wake();
    }
    return all;
}

/* Waits for a change, or for the next try when something is left to do. NULL = stop. */
static struct snapshot *next_snapshot(struct topic_maker *m, const struct snapshot *last,
                                      bool again)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += RETRY_S;
    pthread_mutex_lock(&m->lock);
    while (!m->stop && (m->snapshot == NULL || m->snapshot == last)) {
        if (!again)
            pthread_cond_wait(&m->changed, &m->lock);
        else if (pthread_cond_timedwait(&m->changed, &m->lock, &until) == ETIMEDOUT)
            break;
    }
    struct snapshot *s = m->stop || m->snapshot == NULL ? NULL : snapshot_ref(m->snapshot);
    pthread_mutex_unlock(&m->lock);
    return s;
}

static void *maker_main(void *arg)
{
    struct topic_maker *m = arg;
    rd_kafka_t *rk = NULL;
    struct snapshot *s = NULL, *next;
    bool again = false;
    while ((next = next_snapshot(m, s, again)) != NULL) {
        snapshot_release(s);
        s = next;
        if (rk == NULL)
            rk = connect_admin(m, s->conf);
        again = rk == NULL || !answers(rk);
        if (again)
            continue;
        pthread_mutex_lock(&m->lock);
        bool first = !m->connected;
        m->connected = true;
        pthread_mutex_unlock(&m->lock);
        if (first && m->wake != NULL)
            m->wake();
        again = !make_all(m, rk, s);
    }
    snapshot_release(s);
    if (rk != NULL)
        rd_kafka_destroy(rk);
    return NULL;
}

struct topic_maker *topic_maker_new(const char *brokers, void (*wake)(void), struct errbuf *err)
{
    struct topic_maker *m = calloc(1, sizeof(*m));
    if (m == NULL || (m->brokers = strdup(brokers)) == NULL) {
        free(m);
        errbuf_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    m->wake = wake;
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&m->lock, NULL);
    pthread_cond_init(&m->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = pthread_create(&m->thread, NULL, maker_main, m);
    if (rc != 0) {
        errbuf_set(err, rc, "cannot start a thread: %s", strerror(rc));
        free(m->brokers);
        free(m);
        return NULL;
    }
    return m;
}

void topic_maker_set(struct topic_maker *m, struct snapshot *s)
{
    pthread_mutex_lock(&m->lock);
    snapshot_release(m->snapshot);
    m->snapshot = snapshot_ref(s);
    forget_gone(m);
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
}

bool topic_maker_connected(struct topic_maker *m)
{
    pthread_mutex_lock(&m->lock);
    bool connected = m->connected;
    pthread_mutex_unlock(&m->lock);
    return connected;
}

bool topic_maker_done(struct topic_maker *m, const char *tenant)
{
    pthread_mutex_lock(&m->lock);
    bool done = is_done(m, tenant);
    pthread_mutex_unlock(&m->lock);
    return done;
}

void topic_maker_free(struct topic_maker *m)
{
    if (m == NULL)
        return;
    pthread_mutex_lock(&m->lock);
    m->stop = true;
    pthread_cond_signal(&m->changed);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    snapshot_release(m->snapshot);
    for (size_t i = 0; i < m->n_done; i++)
        free(m->done[i]);
    free(m->done);
    free(m->brokers);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->changed);
    free(m);
}
