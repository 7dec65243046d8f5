#include "tenancy/topics/look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DESCRIBED_AT_ONCE = 200 };

static int no_memory(struct errbuf *err)
{
    return errbuf_set(err, ENOMEM, "out of memory");
}

/* ---- metadata ---- */

static int by_name(const void *a, const void *b)
{
    const struct topic_seen *const *x = a, *const *y = b;
    return strcmp((*x)->name, (*y)->name);
}

static struct topic_seen *find(struct topic_seen **sorted, size_t n, const char *name)
{
    struct topic_seen key = {.name = name}, *at = &key;
    struct topic_seen **found = bsearch(&at, sorted, n, sizeof(struct topic_seen *), by_name);
    return found ? *found : NULL;
}

static int fewest_copies(const rd_kafka_metadata_topic_t *t)
{
    int fewest = t->partition_cnt > 0 ? t->partitions[0].replica_cnt : 0;
    for (int i = 1; i < t->partition_cnt; i++)
        if (t->partitions[i].replica_cnt < fewest)
            fewest = t->partitions[i].replica_cnt;
    return fewest;
}

static void take_metadata(const struct rd_kafka_metadata *m, struct topic_seen **sorted,
                          struct cluster_seen *ret)
{
    ret->brokers = m->broker_cnt;
    for (int i = 0; i < m->topic_cnt; i++) {
        const rd_kafka_metadata_topic_t *topic = &m->topics[i];
        struct topic_seen *seen = find(sorted, ret->n, topic->topic);
        for (int p = 0; p < topic->partition_cnt; p++)
            ret->replicas += (uint64_t)topic->partitions[p].replica_cnt;
        if (seen != NULL && topic->err != RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART) {
            seen->partitions = topic->partition_cnt;
            seen->copies = fewest_copies(topic);
        }
    }
}

/* ---- configuration ---- */

static int keep_entries(const rd_kafka_ConfigResource_t *resource, struct topic_seen *t,
                        struct arena *arena, struct errbuf *err)
{
    size_t n;
    const rd_kafka_ConfigEntry_t **entries = rd_kafka_ConfigResource_configs(resource, &n);
    t->entries = arena_calloc(arena, n + 1, sizeof(*t->entries));
    t->n_entries = 0;
    for (size_t i = 0; t->entries != NULL && i < n; i++) {
        struct topic_entry *e = &t->entries[t->n_entries++];
        const char *value = rd_kafka_ConfigEntry_value(entries[i]);
        e->own =
            rd_kafka_ConfigEntry_source(entries[i]) == RD_KAFKA_CONFIG_SOURCE_DYNAMIC_TOPIC_CONFIG;
        e->name = arena_strdup(arena, slice_str(rd_kafka_ConfigEntry_name(entries[i])));
        e->value = value ? arena_strdup(arena, slice_str(value)) : NULL;
        if (e->name == NULL || (value != NULL && e->value == NULL))
            return no_memory(err);
    }
    return t->entries ? 0 : no_memory(err);
}

static int keep_problem(const rd_kafka_ConfigResource_t *resource, struct topic_seen *t,
                        struct arena *arena, struct errbuf *err)
{
    char reason[512];
    admin_reason(rd_kafka_ConfigResource_error(resource),
                 rd_kafka_ConfigResource_error_string(resource), reason, sizeof(reason));
    t->problem = arena_strdup(arena, slice_str(reason));
    return t->problem ? 0 : no_memory(err);
}

static int keep_described(rd_kafka_event_t *event, struct topic_seen **sorted, size_t n,
                          struct arena *arena, struct errbuf *err)
{
    size_t got;
    int rc = 0;
    const rd_kafka_ConfigResource_t **resources = rd_kafka_DescribeConfigs_result_resources(
        rd_kafka_event_DescribeConfigs_result(event), &got);
    for (size_t i = 0; rc == 0 && i < got; i++) {
        struct topic_seen *t = find(sorted, n, rd_kafka_ConfigResource_name(resources[i]));
        if (t == NULL)
            continue;
        t->problem = NULL;
        if (rd_kafka_ConfigResource_error(resources[i]) == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)
            t->partitions = 0; /* deleted a moment ago */
        else if (rd_kafka_ConfigResource_error(resources[i]))
            rc = keep_problem(resources[i], t, arena, err);
        else
            rc = keep_entries(resources[i], t, arena, err);
    }
    return rc;
}

static int describe_some(const struct topic_admin *a, struct topic_seen **sorted, size_t n,
                         struct arena *arena, struct errbuf *err)
{
    rd_kafka_ConfigResource_t *asked[DESCRIBED_AT_ONCE];
    for (size_t i = 0; i < n; i++)
        asked[i] = rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, sorted[i]->name);
    struct admin_call call = admin_begin(a, RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS);
    rd_kafka_DescribeConfigs(a->rk, asked, n, call.options, call.queue);
    rd_kafka_event_t *event = admin_end(a, &call, "told no configuration", err);
    int rc = event ? keep_described(event, sorted, n, arena, err) : -EAGAIN;
    if (event != NULL)
        rd_kafka_event_destroy(event);
    rd_kafka_ConfigResource_destroy_array(asked, n);
    return rc;
}

int topics_describe(const struct topic_admin *a, struct topic_seen *const *topics, size_t n,
                    struct arena *arena, struct errbuf *err)
{
    int rc = 0;
    struct topic_seen **sorted = calloc(n + 1, sizeof(*sorted));
    if (sorted == NULL)
        return no_memory(err);
    memcpy(sorted, topics, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), by_name);
    for (size_t i = 0; i < n; i++)
        sorted[i]->problem = "Kafka did not tell its configuration";
    for (size_t at = 0; rc == 0 && at < n; at += DESCRIBED_AT_ONCE)
        rc = describe_some(a, sorted + at, n - at < DESCRIBED_AT_ONCE ? n - at : DESCRIBED_AT_ONCE,
                           arena, err);
    free(sorted);
    return rc;
}

/* ---- both ---- */

static int describe_there(const struct topic_admin *a, struct cluster_seen *seen,
                          struct topic_seen **list, struct arena *arena, struct errbuf *err)
{
    size_t there = 0;
    for (size_t i = 0; i < seen->n; i++)
        if (seen->topics[i].partitions > 0)
            list[there++] = &seen->topics[i];
    return topics_describe(a, list, there, arena, err);
}

int cluster_look(const struct topic_admin *a, const char *const *names, size_t n,
                 struct arena *arena, struct cluster_seen *ret, struct errbuf *err)
{
    const struct rd_kafka_metadata *m;
    *ret =
        (struct cluster_seen){.topics = arena_calloc(arena, n + 1, sizeof(*ret->topics)), .n = n};
    struct topic_seen **sorted = calloc(n + 1, sizeof(*sorted));
    int rc = ret->topics && sorted ? 0 : no_memory(err);
    for (size_t i = 0; rc == 0 && i < n; i++) {
        ret->topics[i].name = names[i];
        sorted[i] = &ret->topics[i];
    }
    if (rc == 0) {
        qsort(sorted, n, sizeof(*sorted), by_name);
        rd_kafka_resp_err_t e = rd_kafka_metadata(a->rk, 1, NULL, &m, a->timeout_ms);
        if (e != RD_KAFKA_RESP_ERR_NO_ERROR) {
            rc =
                errbuf_set(err, EAGAIN, "the Kafka brokers do not answer: %s", rd_kafka_err2str(e));
        } else {
            take_metadata(m, sorted, ret);
            rd_kafka_metadata_destroy(m);
            rc = describe_there(a, ret, sorted, arena, err);
        }
    }
    free(sorted);
    return rc;
}

const char *topic_seen_value(const struct topic_seen *t, const char *name)
{
    for (size_t i = 0; i < t->n_entries; i++)
        if (strcmp(t->entries[i].name, name) == 0)
            return t->entries[i].value;
    return NULL;
}
