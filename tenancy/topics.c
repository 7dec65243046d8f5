#include "tenancy/topics.h"

#include "base/clock.h"
#include "base/log.h"
#include "tenancy/topics/apply.h"

#include <errno.h>

enum { COPIES = 3 };

/* How many are alive, or a negative errno. */
static int count_brokers(const struct topic_admin *a, struct errbuf *err)
{
    const struct rd_kafka_metadata *m;
    rd_kafka_resp_err_t e = rd_kafka_metadata(a->rk, 0, NULL, &m, a->timeout_ms);
    if (e != RD_KAFKA_RESP_ERR_NO_ERROR)
        return errbuf_set(err, EAGAIN, "the Kafka brokers do not answer: %s", rd_kafka_err2str(e));
    int brokers = m->broker_cnt;
    rd_kafka_metadata_destroy(m);
    return brokers;
}

static void warn_of_few(const struct topic_facts *f)
{
    bool told = f->conf->kafka.replication != 0 || f->tenant->conf->topics.replication != 0;
    if (!told && f->brokers < COPIES)
        log_repeated(LOG_WARN, "the cluster has too few brokers to keep three copies of each topic",
                     f->tenant->id, log_str("tenant", f->tenant->id),
                     log_i64("brokers", f->brokers));
}

int topics_ensure(rd_kafka_t *rk, const struct conf *conf, const struct tenant *t, int timeout_ms,
                  struct errbuf *err)
{
    struct topic_admin admin = {rk, timeout_ms};
    struct arena arena = ARENA_INIT;
    struct topic_plan topics[TOPIC_COUNT], *list[TOPIC_COUNT];
    int brokers = count_brokers(&admin, err);
    if (brokers < 0)
        return brokers;
    for (int i = 0; i < TOPIC_COUNT; i++) {
        topics[i] =
            (struct topic_plan){.facts = {conf, t, i, brokers, 0, 0}, .name = topic_name(t, i)};
        list[i] = &topics[i];
    }
    warn_of_few(&topics[0].facts);
    int rc = topics_make(&admin, list, TOPIC_COUNT, &arena, err);
    for (int i = 0; rc >= 0 && i < TOPIC_COUNT; i++)
        if (topics[i].problem != NULL)
            rc = errbuf_set(err, EIO, "topic %s: %s", topics[i].name, topics[i].problem);
    arena_release(&arena);
    return rc;
}
