/* What a metadata answer says about tenants' topics. */
#include "tenancy/cluster.h"

#include "../base/unit.h"

#include <stdio.h>

#define MOST 8

/* A partition: leader, replicas, copies in step. */
struct p {
    int leader, replicas, in_sync;
};
struct t {
    const char *name;
    int err;
    int n;
    struct p p[3];
};
struct row {
    int line;
    struct t topics[MOST];
    struct cluster_counts ours, others;
    unsigned missing;
    const char *trouble; /* names, in order */
};

#define FINE(name)                                                                                 \
    {                                                                                              \
        name, 0, 1,                                                                                \
        {                                                                                          \
            {                                                                                      \
                1, 3, 3                                                                            \
            }                                                                                      \
        }                                                                                          \
    }
#define OURS FINE("otlp.a.logs"), FINE("otlp.a.metrics"), FINE("otlp.a.traces")

static const struct row rows[] = {
    {__LINE__, {OURS, FINE("otlp.a.dlq")}, {4, 4, 0, 0}, {0}, 0, ""},
    {__LINE__, {OURS, FINE("otlp.a.dlq"), FINE("other")}, {4, 4, 0, 0}, {1, 1, 0, 0}, 0, ""},
    {__LINE__, {OURS}, {3, 3, 0, 0}, {0}, 1, "otlp.a.dlq "},
    {__LINE__, {{0}}, {0}, {0}, 4, "otlp.a.dlq otlp.a.logs otlp.a.metrics otlp.a.traces "},
    {__LINE__,
     {OURS, {"otlp.a.dlq", 0, 3, {{-1, 3, 0}, {2, 3, 2}, {1, 3, 3}}}},
     {4, 6, 1, 2},
     {0},
     0,
     "otlp.a.dlq "},
    {__LINE__,
     {OURS, FINE("otlp.a.dlq"), {"other", 0, 2, {{-1, 1, 0}, {2, 2, 1}}}},
     {4, 4, 0, 0},
     {1, 2, 1, 2},
     0,
     ""},
    {__LINE__,
     {OURS, {"otlp.a.dlq", RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, 0, {{0}}}},
     {4, 3, 0, 0},
     {0},
     0,
     "otlp.a.dlq "},
    {__LINE__,
     {OURS, {"otlp.a.dlq", RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, 0, {{0}}}},
     {3, 3, 0, 0},
     {0},
     1,
     "otlp.a.dlq "},
};

static void check_counts(int line, const char *whose, struct cluster_counts is,
                         struct cluster_counts should)
{
    check_row(
        line,
        is.topics == should.topics && is.partitions == should.partitions &&
            is.leaderless == should.leaderless && is.under_replicated == should.under_replicated,
        "%s: %u %u %u %u", whose, is.topics, is.partitions, is.leaderless, is.under_replicated);
}

static void test_view(void **state)
{
    (void)state;
    struct tenant tenant = {.id = "a", .dlq_topic = "otlp.a.dlq"};
    tenant.topic[SIGNAL_LOGS] = "otlp.a.logs";
    tenant.topic[SIGNAL_METRICS] = "otlp.a.metrics";
    tenant.topic[SIGNAL_TRACES] = "otlp.a.traces";
    int32_t replicas[] = {2, 1, 7};
    struct rd_kafka_metadata_broker brokers[] = {{2, (char *)"two", 9092},
                                                 {1, (char *)"one", 9092}};
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct rd_kafka_metadata_partition partitions[MOST][3] = {0};
        struct rd_kafka_metadata_topic topics[MOST] = {0};
        struct rd_kafka_metadata m = {.broker_cnt = 2, .brokers = brokers, .topics = topics};
        for (int t = 0; t < MOST && rows[i].topics[t].name != NULL; t++, m.topic_cnt++) {
            const struct t *from = &rows[i].topics[t];
            topics[t] = (struct rd_kafka_metadata_topic){(char *)from->name, from->n, partitions[t],
                                                         from->err};
            for (int p = 0; p < from->n; p++)
                partitions[t][p] =
                    (struct rd_kafka_metadata_partition){.id = p,
                                                         .leader = from->p[p].leader,
                                                         .replica_cnt = from->p[p].replicas,
                                                         .replicas = replicas,
                                                         .isr_cnt = from->p[p].in_sync};
        }
        struct cluster_view v = {0};
        assert_int_equal(cluster_view_make(&m, &tenant, 1, &v), 0);
        check_counts(rows[i].line, "ours", v.ours, rows[i].ours);
        check_counts(rows[i].line, "others", v.others, rows[i].others);
        check_row(rows[i].line, v.missing == rows[i].missing, "%u missing", v.missing);
        char names[256] = "";
        for (size_t t = 0; t < v.n_trouble; t++)
            snprintf(names + strlen(names), sizeof(names) - strlen(names), "%s ",
                     v.trouble[t].name);
        check_row(rows[i].line, strcmp(names, rows[i].trouble) == 0, "%s", names);
        assert_int_equal(v.n_brokers, 2);
        check_row(rows[i].line, v.n_gone == (rows[i].topics[0].name != NULL), "%zu gone", v.n_gone);
        assert_true(v.n_gone == 0 || v.gone[0] == 7);
        assert_null(cluster_view_trouble(&v, "other"));
        assert_true((cluster_view_trouble(&v, "otlp.a.dlq") != NULL) ==
                    (strstr(rows[i].trouble, "dlq") != NULL));
        cluster_view_release(&v);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
