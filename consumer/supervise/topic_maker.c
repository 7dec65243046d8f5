#include "consumer/supervise/topic_maker.h"

#include "base/log.h"
#include "tenancy/kafka_login.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define ANSWER_MS 5000
#define RETRY_S   1
#define LOOK_S    3 /* a topic that is missing twice in a row is made anew */

struct done_tenant {
    char *id;
    bool missed; /* a topic of it was not there at the last look */
};

struct topic_maker {
    char *brokers;
    void (*wake)(void);
    pthread_t thread;
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t changed;
    struct snapshot *snapshot;
    struct done_tenant *done; /* whose topics are there */
    size_t n_done;
    bool connected, stop;
};

static struct done_tenant *find_done(const struct topic_maker *m, const char *tenant)
{
    for (size_t i = 0; i < m->n_done; i++)
        if (strcmp(m->done[i].id, tenant) == 0)
            return &m->done[i];
    return NULL;
}

static void mark_done(struct topic_maker *m, const char *tenant)
{
    struct done_tenant *done = realloc(m->done, (m->n_done + 1) * sizeof(*done));
    char *id = strdup(tenant);
    if (done != NULL)
        m->done = done;
    if (id != NULL && done != NULL)
        m->done[m->n_done++] = (struct done_tenant){id, false};
    else
        free(id);
}

static void forget_gone(struct topic_maker *m)
{
    size_t kept = 0;
    for (size_t i = 0; i < m->n_done; i++) {
        if (snapshot_tenant(m->snapshot, slice_str(m->done[i].id)) != NULL)
            m->done[kept++] = m->done[i];
        else
            free(m->done[i].id);
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
        bool skip = find_done(m, t->id) != NULL || m->stop;
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

/* ---- topics that go away ---- */

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The first of the tenant's topics that is not among the sorted names, or NULL. */
static const char *first_missing(const struct tenant *t, const char *const *names, size_t n)
{
    const char *wanted[SIGNAL_COUNT + 1];
    memcpy(wanted, t->topic, sizeof(t->topic));
    wanted[SIGNAL_COUNT] = t->dlq_topic;
    for (size_t i = 0; i < SIGNAL_COUNT + 1; i++)
        if (bsearch(&wanted[i], names, n, sizeof(*names), by_text) == NULL)
            return wanted[i];
    return NULL;
}

/* True when it was missing at the last look already: a broker that has just started, or somebody
 * who is making the topic anew, gets a moment. */
static bool missed_again(struct topic_maker *m, const char *tenant, bool missing)
{
    pthread_mutex_lock(&m->lock);
    struct done_tenant *d = find_done(m, tenant);
    bool again = d != NULL && d->missed && missing;
    if (d != NULL)
        d->missed = missing && !again;
    pthread_mutex_unlock(&m->lock);
    return again;
}

static void make_anew(rd_kafka_t *rk, const struct snapshot *s, const struct tenant *t,
                      const char *missing)
{
    struct errbuf err = ERRBUF_INIT;
    int made = topics_ensure(rk, s->conf, t, ANSWER_MS, &err);
    if (made < 0)
        log_repeated(LOG_ERROR, "a tenant's topic is gone and cannot be made anew", t->id,
                     log_str("tenant", t->id), log_str("topic", missing),
                     log_str("reason", err.text));
    else if (made > 0)
        log_event(LOG_ERROR,
                  "a tenant's topic was deleted and is made anew, empty: what it held and was not "
                  "written yet is lost",
                  log_str("tenant", t->id), log_str("topic", missing), log_i64("topics", made));
}

/* Metadata of all topics never makes one. Who decides what exists is the controller, when
 * topics_ensure asks it. */
static void look_for_missing(struct topic_maker *m, rd_kafka_t *rk, const struct snapshot *s)
{
    const struct rd_kafka_metadata *metadata;
    if (rd_kafka_metadata(rk, 1, NULL, &metadata, ANSWER_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return;
    size_t n = 0;
    const char **names = calloc((size_t)metadata->topic_cnt + 1, sizeof(*names));
    for (int i = 0; names != NULL && i < metadata->topic_cnt; i++)
        if (metadata->topics[i].err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            names[n++] = metadata->topics[i].topic;
    if (names != NULL)
        qsort(names, n, sizeof(*names), by_text);
    for (size_t i = 0; names != NULL && i < s->n_tenants; i++) {
        const char *missing = first_missing(&s->tenants[i], names, n);
        if (missed_again(m, s->tenants[i].id, missing != NULL))
            make_anew(rk, s, &s->tenants[i], missing);
    }
    free(names);
    rd_kafka_metadata_destroy(metadata);
}

/* ---- the thread ---- */

/* Waits for a change, or for the time of the next look. NULL = stop. */
static struct snapshot *next_snapshot(struct topic_maker *m, const struct snapshot *last,
                                      bool again)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += again ? RETRY_S : LOOK_S;
    pthread_mutex_lock(&m->lock);
    while (!m->stop && (m->snapshot == NULL || m->snapshot == last))
        if (pthread_cond_timedwait(&m->changed, &m->lock, &until) == ETIMEDOUT)
            break;
    struct snapshot *s = m->stop || m->snapshot == NULL ? NULL : snapshot_ref(m->snapshot);
    pthread_mutex_unlock(&m->lock);
    return s;
}

static void *maker_main(void *arg)
{
    struct topic_maker *m = arg;
    rd_kafka_t *rk = NULL;
    struct kafka_login_keeper login = {0};
    struct snapshot *s = NULL, *next;
    bool again = false;
    while ((next = next_snapshot(m, s, again)) != NULL) {
        snapshot_release(s);
        s = next;
        if (rk == NULL && (rk = connect_admin(m, s->conf)) != NULL)
            kafka_login_watch(&login, kafka_login_of(&s->conf->kafka, &s->conf->kafka.admin));
        if (rk != NULL)
            kafka_login_keep(&login, rk);
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
        if (!again)
            look_for_missing(m, rk, s);
    }
    snapshot_release(s);
    kafka_login_unwatch(&login);
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
    bool done = find_done(m, tenant) != NULL;
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
        free(m->done[i].id);
    free(m->done);
    free(m->brokers);
    pthread_mutex_destroy(&m->lock);
    pthread_cond_destroy(&m->changed);
    free(m);
}
