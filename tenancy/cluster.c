#include "tenancy/cluster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A topic that should be there. */
struct wanted {
    const char *name, *tenant;
    bool seen;
};

const struct rd_kafka_metadata *cluster_ask(rd_kafka_t *rk, int timeout_ms, struct errbuf *err)
{
    const struct rd_kafka_metadata *m = NULL;
    rd_kafka_resp_err_t e = rd_kafka_metadata(rk, 1, NULL, &m, timeout_ms);
    if (e == RD_KAFKA_RESP_ERR_NO_ERROR)
        return m;
    errbuf_set(err, EAGAIN, "Kafka does not tell of its topics within %d s: %s", timeout_ms / 1000,
               rd_kafka_err2str(e));
    return NULL;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct wanted *)a)->name, ((const struct wanted *)b)->name);
}

static struct wanted *wanted_topics(const struct tenant *tenants, size_t n, size_t *ret_n)
{
    struct wanted *w = calloc(n * (SIGNAL_COUNT + 1) + 1, sizeof(*w));
    *ret_n = 0;
    for (size_t i = 0; w != NULL && i < n; i++) {
        for (int s = 0; s < SIGNAL_COUNT; s++)
            w[(*ret_n)++] = (struct wanted){tenants[i].topic[s], tenants[i].id, false};
        w[(*ret_n)++] = (struct wanted){tenants[i].dlq_topic, tenants[i].id, false};
    }
    if (w != NULL)
        qsort(w, *ret_n, sizeof(*w), by_name);
    return w;
}

static bool is_in_trouble(const struct rd_kafka_metadata_partition *p)
{
    return p->leader < 0 || p->isr_cnt < p->replica_cnt;
}

static void note_gone(struct cluster_view *v, const struct rd_kafka_metadata_topic *t)
{
    for (int p = 0; p < t->partition_cnt; p++)
        for (int r = 0; r < t->partitions[p].replica_cnt && v->n_gone < CLUSTER_MOST_GONE; r++) {
            int32_t id = t->partitions[p].replicas[r];
            bool known = false;
            for (size_t b = 0; b < v->n_brokers; b++)
                known = known || v->brokers[b].id == id;
            for (size_t g = 0; g < v->n_gone; g++)
                known = known || v->gone[g] == id;
            if (!known)
                v->gone[v->n_gone++] = id;
        }
}

static void count(struct cluster_counts *c, const struct rd_kafka_metadata_topic *t)
{
    c->topics++;
    for (int i = 0; i < t->partition_cnt; i++) {
        const struct rd_kafka_metadata_partition *p = &t->partitions[i];
        c->partitions++;
        c->leaderless += p->leader < 0;
        c->under_replicated += p->isr_cnt < p->replica_cnt;
    }
}

static void count_leads(struct cluster_view *v, const struct rd_kafka_metadata_topic *t)
{
    for (int i = 0; i < t->partition_cnt; i++)
        for (size_t b = 0; b < v->n_brokers; b++)
            v->brokers[b].leads += v->brokers[b].id == t->partitions[i].leader;
}

static const char *keep(struct cluster_view *v, const char *text)
{
    const char *kept = arena_strdup(&v->arena, slice_str(text));
    return kept ? kept : "";
}

/* Whoever looks wants to know which partitions, so all of them stand there. */
static int add_trouble(struct cluster_view *v, const struct wanted *w,
                       const struct rd_kafka_metadata_topic *t)
{
    struct cluster_topic *c = &v->trouble[v->n_trouble];
    int partitions = t ? t->partition_cnt : 0;
    *c = (struct cluster_topic){
        .name = keep(v, w->name),
        .tenant = keep(v, w->tenant),
        .missing = t == NULL,
        .error = t && t->err ? rd_kafka_err2str(t->err) : "",
        .partitions = (unsigned)partitions,
        .at = arena_calloc(&v->arena, (size_t)partitions + 1, sizeof(*c->at)),
    };
    if (c->at == NULL)
        return -ENOMEM;
    for (int i = 0; i < partitions; i++) {
        const struct rd_kafka_metadata_partition *p = &t->partitions[i];
        if (is_in_trouble(p))
            c->at[c->n++] = (struct cluster_partition){p->id, p->leader, (unsigned)p->replica_cnt,
                                                       (unsigned)p->isr_cnt};
    }
    if (c->n > 0 || c->missing || c->error[0] != 0)
        v->n_trouble++;
    return 0;
}

static int add_topics(struct cluster_view *v, const struct rd_kafka_metadata *m, struct wanted *w,
                      size_t n)
{
    int rc = 0;
    for (int i = 0; i < m->topic_cnt && rc == 0; i++) {
        const struct rd_kafka_metadata_topic *t = &m->topics[i];
        struct wanted key = {.name = t->topic};
        struct wanted *ours = n ? bsearch(&key, w, n, sizeof(*w), by_name) : NULL;
        note_gone(v, t);
        if (ours == NULL) {
            count(&v->others, t);
        } else if (t->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
            ours->seen = true;
            count(&v->ours, t);
            count_leads(v, t);
            rc = add_trouble(v, ours, t);
        }
    }
    for (size_t i = 0; i < n && rc == 0; i++)
        if (!w[i].seen) {
            v->missing++;
            rc = add_trouble(v, &w[i], NULL);
        }
    return rc;
}

static int by_topic(const void *a, const void *b)
{
    return strcmp(((const struct cluster_topic *)a)->name, ((const struct cluster_topic *)b)->name);
}

int cluster_view_make(const struct rd_kafka_metadata *m, const struct tenant *tenants, size_t n,
                      struct cluster_view *ret)
{
    size_t n_wanted;
    struct wanted *w = wanted_topics(tenants, n, &n_wanted);
    *ret = (struct cluster_view){.id = "", .controller = -1};
    ret->brokers = arena_calloc(&ret->arena, (size_t)m->broker_cnt + 1, sizeof(*ret->brokers));
    ret->trouble = arena_calloc(&ret->arena, n_wanted + 1, sizeof(*ret->trouble));
    if (w == NULL || ret->brokers == NULL || ret->trouble == NULL) {
        free(w);
        return -ENOMEM;
    }
    for (int i = 0; i < m->broker_cnt; i++)
        ret->brokers[ret->n_brokers++] = (struct cluster_broker){
            m->brokers[i].id, keep(ret, m->brokers[i].host), m->brokers[i].port, 0};
    int rc = add_topics(ret, m, w, n_wanted);
    qsort(ret->trouble, ret->n_trouble, sizeof(*ret->trouble), by_topic);
    free(w);
    return rc;
}

void cluster_view_identify(struct cluster_view *v, rd_kafka_t *rk, int timeout_ms)
{
    char *id = rd_kafka_clusterid(rk, timeout_ms);
    if (id != NULL) {
        v->id = keep(v, id);
        rd_kafka_mem_free(rk, id);
    }
    v->controller = rd_kafka_controllerid(rk, timeout_ms);
}

const struct cluster_topic *cluster_view_trouble(const struct cluster_view *v, const char *topic)
{
    struct cluster_topic key = {.name = topic};
    if (v->n_trouble == 0)
        return NULL;
    return bsearch(&key, v->trouble, v->n_trouble, sizeof(key), by_topic);
}

void cluster_view_release(struct cluster_view *v)
{
    arena_release(&v->arena);
    *v = (struct cluster_view){.id = "", .controller = -1};
}
