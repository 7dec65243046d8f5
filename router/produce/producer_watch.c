#include "router/produce/producer_watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "tenancy/kafka_login.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define ASK_EVERY_MS 500
#define ASK_WAIT_MS  1000
#define LOST_AFTER_NS                                                                              \
    (3 * NS_PER_S)              /* one slow answer of a busy broker does not turn readiness off */
#define PAUSE_NS (2 * NS_PER_S) /* without an answer: Kafka was not there all along */

struct watch {
    rd_kafka_t *rk;
    struct partitions_table *topics;
    struct kafka_login_keeper login;
    pthread_t thread;
    _Atomic bool stop, reachable;
    _Atomic uint64_t since_ns, last_ns; /* struct kafka_alive */
};

static bool ask(struct watch *w)
{
    const struct rd_kafka_metadata *m;
    if (rd_kafka_metadata(w->rk, 0, NULL, &m, ASK_WAIT_MS) != RD_KAFKA_RESP_ERR_NO_ERROR)
        return false;
    bool found = m->broker_cnt > 0;
    partitions_note(w->topics, m);
    rd_kafka_metadata_destroy(m);
    return found;
}

static void note(struct watch *w, bool reachable)
{
    if (reachable == atomic_load(&w->reachable))
        return;
    atomic_store(&w->reachable, reachable);
    if (reachable)
        log_event(LOG_INFO, "Kafka is reachable");
    else
        log_event(LOG_WARN, "no Kafka broker is reachable");
}

static void note_answer(struct watch *w, uint64_t now_ns)
{
    uint64_t last_ns = atomic_load(&w->last_ns);
    if (last_ns == 0 || now_ns > last_ns + PAUSE_NS)
        atomic_store(&w->since_ns, now_ns);
    atomic_store(&w->last_ns, now_ns);
    note(w, true);
}

static void *watch_main(void *arg)
{
    struct watch *w = arg;
    uint64_t seen_ns = clock_mono_ns();
    while (!atomic_load(&w->stop)) {
        if (ask(w)) {
            seen_ns = clock_mono_ns();
            note_answer(w, seen_ns);
        } else if (clock_mono_ns() - seen_ns > LOST_AFTER_NS) {
            note(w, false);
        }
        kafka_login_keep(&w->login, w->rk);
        rd_kafka_poll(w->rk, ASK_EVERY_MS);
    }
    partitions_release(w->topics);
    rd_kafka_destroy(w->rk);
    return NULL;
}

struct watch *watch_start(const rd_kafka_conf_t *conf, const struct kafka_login *login,
                          struct errbuf *err)
{
    struct watch *w = calloc(1, sizeof(*w));
    char text[512] = "out of memory";
    rd_kafka_conf_t *own = rd_kafka_conf_dup(conf);
    if (w == NULL || (w->topics = partitions_new()) == NULL ||
        (w->rk = rd_kafka_new(RD_KAFKA_PRODUCER, own, text, sizeof(text))) == NULL) {
        errbuf_set(err, EINVAL, "Kafka client: %s.", text);
        rd_kafka_conf_destroy(own);
        if (w != NULL)
            partitions_free(w->topics);
        free(w);
        return NULL;
    }
    kafka_login_watch(&w->login, login);
    int rc = pthread_create(&w->thread, NULL, watch_main, w);
    if (rc != 0) {
        kafka_login_unwatch(&w->login);
        errbuf_set(err, rc, "Kafka client: no thread (%s).", strerror(rc));
        rd_kafka_destroy(w->rk);
        partitions_free(w->topics);
        free(w);
        return NULL;
    }
    return w;
}

bool watch_reachable(const struct watch *w)
{
    return atomic_load(&w->reachable);
}

/* The last answer is read first: with a newer `since` it says less, never too much. */
struct kafka_alive watch_alive(const struct watch *w)
{
    uint64_t last_ns = atomic_load(&w->last_ns);
    return (struct kafka_alive){atomic_load(&w->since_ns), last_ns};
}

struct partitions *watch_partitions(struct watch *w, const char *topic)
{
    return partitions_get(w->topics, w->rk, topic);
}

void watch_stop(struct watch *w)
{
    if (w != NULL)
        atomic_store(&w->stop, true);
}

void watch_free(struct watch *w)
{
    if (w == NULL)
        return;
    watch_stop(w);
    pthread_join(w->thread, NULL);
    kafka_login_unwatch(&w->login);
    partitions_free(w->topics);
    free(w);
}
