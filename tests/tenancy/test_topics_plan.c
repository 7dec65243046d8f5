/* Topics compared with what they are to be: a row per difference. */
#include "tenancy/topics/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define HOUR 3600000000000ull

static struct tenant_conf tenant_conf;
static struct conf conf;
static struct tenant acme;

static int set_up(void **state)
{
    (void)state;
    tenant_conf = (struct tenant_conf){
        .id = "acme",
        .topics = {.partitions = 4, .retention = 6 * HOUR, .dlq_retention = 168 * HOUR}};
    conf = (struct conf){.record.max_bytes = 10000000};
    acme = (struct tenant){.conf = &tenant_conf,
                           .id = "acme",
                           .topic = {"otlp.acme.traces", "otlp.acme.metrics", "otlp.acme.logs"},
                           .dlq_topic = "otlp.acme.dlq"};
    return 0;
}

/* As it should be, on a cluster of three; one entry, that of `name`, is another. */
static void compare(const char *name, const char *value, int kind, struct arena *arena,
                    struct topic_plan *ret)
{
    static struct topic_entry entries[16];
    static struct topic_seen seen;
    char text[TOPIC_VALUE_SIZE];
    int partitions = strcmp(name, "partitions") == 0 ? atoi(value) : 4;
    int copies = strcmp(name, "replication") == 0 ? atoi(value) : 3;
    *ret = (struct topic_plan){.facts = {&conf, &acme, kind, 3, copies, partitions},
                               .name = topic_name(&acme, kind)};
    seen = (struct topic_seen){
        .name = ret->name, .partitions = partitions, .copies = copies, .entries = entries};
    for (size_t i = TOPIC_FIRST_ENTRY; i < TOPIC_PROPERTY_COUNT; i++) {
        const struct topic_property *p = &topic_properties[i];
        const char *is = strcmp(p->name, name) == 0
                             ? value
                             : arena_strdup(arena, slice_str(topic_wanted(p, &ret->facts, text)));
        entries[seen.n_entries++] = (struct topic_entry){p->name, is, true};
    }
    ret->seen = &seen;
    assert_true(topic_compare(ret, arena));
}

static void test_differences(void **state)
{
    (void)state;
    static const struct {
        int line;
        int kind;
        const char *name, *value, *wanted; /* NULL = no difference */
        enum topic_care care;
        const char *effect;
    } rows[] = {
        {__LINE__, 0, "partitions", "4", NULL, 0, ""},
        {__LINE__, 0, "partitions", "2", "4", TOPIC_SAFE, "within seconds"},
        {__LINE__, 0, "partitions", "6", "4", TOPIC_BY_HAND, "set topics.partitions to 6"},
        {__LINE__, 0, "replication", "1", "3", TOPIC_BY_HAND, "add them with"},
        {__LINE__, 0, "replication", "4", NULL, 0, ""}, /* somebody wants more: none of ours */
        {__LINE__, 0, "retention.ms", "21600000", NULL, 0, ""},
        {__LINE__, 0, "retention.ms", "7200000", "21600000", TOPIC_SAFE, "may become 3 times"},
        {__LINE__, 0, "retention.ms", "14400000", "21600000", TOPIC_SAFE, "may become 1.5 times"},
        {__LINE__, 0, "retention.ms", "86400000", "21600000", TOPIC_ASKS, "records older than 6h"},
        {__LINE__, 0, "retention.ms", "-1", "21600000", TOPIC_ASKS, "records older than 6h"},
        {__LINE__, 3, "retention.ms", "21600000", "604800000", TOPIC_SAFE, "28 times"},
        {__LINE__, 0, "retention.bytes", "-1", NULL, 0, ""},
        {__LINE__, 0, "retention.bytes", "1000000", "-1", TOPIC_SAFE, "before their time"},
        {__LINE__, 0, "max.message.bytes", "1048588", "10092544", TOPIC_SAFE, "up to 9856KiB"},
        {__LINE__, 0, "max.message.bytes", "20000000", "10092544", TOPIC_SAFE,
         "that are there stay"},
        {__LINE__, 3, "max.message.bytes", "10092544", "11075584", TOPIC_SAFE, "instead of"},
        {__LINE__, 0, "cleanup.policy", "compact", "delete", TOPIC_ASKS, "are deleted when"},
        {__LINE__, 0, "cleanup.policy", "compact,delete", "delete", TOPIC_SAFE, "has its key"},
        {__LINE__, 0, "cleanup.policy", "deletes", "delete", TOPIC_ASKS, "are deleted when"},
        {__LINE__, 0, "min.insync.replicas", "1", "2", TOPIC_SAFE, "when 2 brokers have it"},
        {__LINE__, 0, "min.insync.replicas", "3", "2", TOPIC_ASKS, "no longer 3"},
        {__LINE__, 0, "compression.type", "gzip", "producer", TOPIC_SAFE, "less work"},
        {__LINE__, 0, "unclean.leader.election.enable", "true", "false", TOPIC_SAFE, "waits for"},
        /* the cluster does not know it */
        {__LINE__, 0, "unclean.leader.election.enable", NULL, NULL, 0, ""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = ARENA_INIT;
        struct topic_plan t;
        compare(rows[i].name, rows[i].value, rows[i].kind, &arena, &t);
        const struct topic_change *c = t.changes;
        bool same = rows[i].wanted == NULL;
        if (t.n != !same || (!same && (strcmp(c->property->name, rows[i].name) != 0 ||
                                       strcmp(c->wanted, rows[i].wanted) != 0 ||
                                       c->care != rows[i].care || strchr(c->effect, '{') != NULL ||
                                       strstr(c->effect, rows[i].effect) == NULL)))
            fail_msg("row at line %d: %zu differences, \"%s\": \"%s\"", rows[i].line, t.n,
                     t.n ? c->wanted : "", t.n ? c->effect : "");
        arena_release(&arena);
    }
}

/* What is wanted, from options and cluster. */
static void test_wanted(void **state)
{
    (void)state;
    static const struct {
        int line;
        int property, brokers, copies; /* of the cluster; of the topic, 0 = it is missing */
        uint64_t all, own, insync;     /* kafka.replication, topics.replication, .min_insync */
        int64_t wanted;
    } rows[] = {
        {__LINE__, TOPIC_REPLICATION, 1, 0, 0, 0, 0, 1},
        {__LINE__, TOPIC_REPLICATION, 2, 0, 0, 0, 0, 2},
        {__LINE__, TOPIC_REPLICATION, 5, 0, 0, 0, 0, 3},
        {__LINE__, TOPIC_REPLICATION, 2, 3, 0, 0, 0, 3}, /* one of three brokers is down */
        {__LINE__, TOPIC_REPLICATION, 3, 1, 0, 0, 0, 3},
        {__LINE__, TOPIC_REPLICATION, 3, 3, 2, 0, 0, 2},
        {__LINE__, TOPIC_REPLICATION, 3, 3, 2, 1, 0, 1},
        {__LINE__, 6, 1, 0, 0, 0, 0, 1},
        {__LINE__, 6, 3, 0, 0, 0, 0, 2},
        {__LINE__, 6, 2, 3, 0, 0, 0, 2},
        {__LINE__, 6, 3, 1, 0, 0, 0, 1}, /* as long as there is one copy, two would refuse all */
        {__LINE__, 6, 3, 3, 0, 0, 3, 3},
        {__LINE__, 6, 3, 3, 0, 0, 1, 1},
        {__LINE__, 6, 3, 2, 0, 0, 3, 2},
    };
    assert_string_equal(topic_properties[6].name, "min.insync.replicas");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        conf.kafka.replication = rows[i].all;
        tenant_conf.topics.replication = rows[i].own;
        tenant_conf.topics.min_insync = rows[i].insync;
        struct topic_facts f = {&conf, &acme, 0, rows[i].brokers, rows[i].copies, 0};
        int64_t wanted = topic_properties[rows[i].property].number(&f);
        if (wanted != rows[i].wanted)
            fail_msg("row at line %d: %lld", rows[i].line, (long long)wanted);
    }
}

static void test_partitions_that_were_added_are_no_difference(void **state)
{
    (void)state;
    static const struct {
        int line;
        int kind, there;
        uint64_t most;
        int64_t wanted;
    } rows[] = {
        {__LINE__, SIGNAL_LOGS, 6, 0, 4}, {__LINE__, SIGNAL_LOGS, 6, 8, 6},
        {__LINE__, SIGNAL_LOGS, 8, 8, 8}, {__LINE__, SIGNAL_LOGS, 9, 8, 4},
        {__LINE__, SIGNAL_LOGS, 2, 8, 4}, {__LINE__, SIGNAL_LOGS, 0, 8, 4},
        {__LINE__, TOPIC_DLQ, 6, 8, 4},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct topic_facts f = {&conf, &acme, rows[i].kind, 3, 3, rows[i].there};
        tenant_conf.topics.grow.most = rows[i].most;
        int64_t wanted = topic_properties[TOPIC_PARTITIONS].number(&f);
        if (wanted != rows[i].wanted)
            fail_msg("row at line %d: %lld", rows[i].line, (long long)wanted);
    }
}

static void test_partitions_by_trace_id_are_not_raised(void **state)
{
    (void)state;
    static const struct {
        int line;
        int kind;
        const char *there;
        enum topic_care care;
        const char *effect;
    } rows[] = {
        {__LINE__, SIGNAL_TRACES, "2", TOPIC_BY_HAND, "torn apart: set topics.partitions to 2"},
        {__LINE__, SIGNAL_LOGS, "2", TOPIC_BY_HAND, "torn apart"},
        {__LINE__, SIGNAL_METRICS, "2", TOPIC_SAFE, "within seconds"},
        {__LINE__, TOPIC_DLQ, "2", TOPIC_SAFE, "within seconds"},
        {__LINE__, SIGNAL_TRACES, "6", TOPIC_BY_HAND, "cannot take partitions away"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena arena = ARENA_INIT;
        struct topic_plan t;
        tenant_conf.topics.partition_by = PARTITION_BY_TRACE_ID;
        compare("partitions", rows[i].there, rows[i].kind, &arena, &t);
        if (t.n != 1 || t.changes->care != rows[i].care ||
            strstr(t.changes->effect, rows[i].effect) == NULL)
            fail_msg("row at line %d: %zu, \"%s\"", rows[i].line, t.n,
                     t.n ? t.changes->effect : "");
        arena_release(&arena);
    }
}

static void test_a_letter_may_be_larger(void **state)
{
    (void)state;
    struct topic_facts f = {&conf, &acme, TOPIC_DLQ, 1, 0, 0};
    tenant_conf.topics.dlq_max_bytes = 20000000;
    assert_in_range(topic_properties[4].number(&f), 20000000, 20000000 + 65536);
    f.kind = SIGNAL_LOGS;
    assert_in_range(topic_properties[4].number(&f), 10065536, 10065536 + 65536);
}

static void test_what_is_not_known_is_no_difference(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT;
    struct topic_seen missing = {.name = "otlp.acme.logs"};
    struct topic_seen refused = {.name = "otlp.acme.logs", .partitions = 2, .problem = "no"};
    struct topic_plan t = {.facts = {&conf, &acme, 0, 1, 0, 0}, .seen = &missing};
    assert_true(topic_compare(&t, &arena));
    assert_true(t.missing && t.n == 0 && t.problem == NULL);
    t.seen = &refused;
    assert_true(topic_compare(&t, &arena));
    assert_true(!t.missing && t.n == 0);
    assert_string_equal(t.problem, "no");
    arena_release(&arena);
}

static void test_reasons_say_what_to_do(void **state)
{
    (void)state;
    static const struct {
        int line;
        rd_kafka_resp_err_t error;
        const char *text, *told;
    } rows[] = {
        {__LINE__, RD_KAFKA_RESP_ERR_POLICY_VIOLATION, "Too many.\n",
         "Too many: the cluster has a policy against it: change the option, or the policy"},
        {__LINE__, RD_KAFKA_RESP_ERR_POLICY_VIOLATION, NULL,
         "Broker: Policy violation: the cluster has a policy against it: change the option, or the "
         "policy"},
        {__LINE__, RD_KAFKA_RESP_ERR_UNKNOWN, "Odd.", "Odd"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char told[256];
        admin_reason(rows[i].error, rows[i].text, told, sizeof(told));
        if (strcmp(told, rows[i].told) != 0)
            fail_msg("row at line %d: \"%s\"", rows[i].line, told);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_differences, set_up),
        cmocka_unit_test_setup(test_wanted, set_up),
        cmocka_unit_test_setup(test_partitions_that_were_added_are_no_difference, set_up),
        cmocka_unit_test_setup(test_partitions_by_trace_id_are_not_raised, set_up),
        cmocka_unit_test_setup(test_a_letter_may_be_larger, set_up),
        cmocka_unit_test_setup(test_what_is_not_known_is_no_difference, set_up),
        cmocka_unit_test_setup(test_reasons_say_what_to_do, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
