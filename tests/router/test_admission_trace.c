/* topics.partition_by = "trace_id": which record goes where, and when none goes. */
#include "admission_home.h"

#include "otlp/trace_partition.h"
#include "tests/otlp/message.h"

#define PARTITIONS 6

static struct home *open_by_trace(void)
{
    struct home *h = home_open("}; topics = { partition_by = \"trace_id\"; ", "");
    atomic_store(&fake.partitions.n, PARTITIONS);
    return h;
}

/* Spans of so many traces, each with as many spans; the id of trace i ends in i. */
static void put_traces(struct buf *b, int traces, int spans)
{
    uint8_t id[16] = "trace.........";
    MESSAGE (b, 1)
        MESSAGE (b, 2)
            for (int i = 0; i < traces * spans; i++)
                MESSAGE (b, 2) {
                    id[15] = (uint8_t)(i % traces);
                    put_bytes(b, 1, slice_of(id, 16));
                    put_text(b, 2, "span-id.");
                }
}

static struct request *run_traces(struct home *h, int traces, int spans)
{
    struct buf b = BUF_INIT;
    put_traces(&b, traces, spans);
    struct request *req = make_request(h, REQUEST_HTTP, "/v1/traces", GOOD_HEADERS);
    run(req, buf_slice(&b));
    buf_release(&b);
    return req;
}

/* The items of the record for this partition; 0 without one. */
static uint64_t items_in(int32_t partition)
{
    uint64_t items = 0;
    for (size_t i = 0; i < fake.n_records; i++)
        if (fake.records[i]->partition == partition) {
            assert_true(items == 0); /* at most one */
            items = fake.records[i]->items;
        }
    return items;
}

/* DESIGN §4: one record for each partition, not for each trace. */
static void test_a_record_for_each_partition(void **state)
{
    (void)state;
    struct home *h = open_by_trace();
    struct request *req = run_traces(h, 20, 3);
    uint64_t want[PARTITIONS] = {0};
    uint8_t id[16] = "trace.........";
    for (int i = 0; i < 20; i++) {
        id[15] = (uint8_t)i;
        want[trace_partition(id, PARTITIONS)] += 3;
    }
    for (int32_t i = 0; i < PARTITIONS; i++)
        assert_int_equal(items_in(i), want[i]);
    for (size_t i = 0; i < fake.n_records; i++) {
        char key[16];
        snprintf(key, sizeof(key), "%d/%d", (int)fake.records[i]->partition, PARTITIONS);
        assert_true(fake.records[i]->to_partition);
        assert_true(slice_eq(fake.records[i]->key, slice_str(key)));
    }
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
    request_unref(req);
    home_close(h);
}

/* Log records without a trace go with one record to a partition that is chosen in turn; a request
 * of such alone goes anywhere. */
static void test_logs_without_a_trace(void **state)
{
    (void)state;
    struct home *h = open_by_trace();
    struct request *req = run_logs(h, 3, 10);
    assert_true(fake.n_records == 1 && !fake.record->to_partition && fake.record->key.len == 0);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);

    struct buf b = BUF_INIT;
    MESSAGE (&b, 1)
        MESSAGE (&b, 2)
            for (int i = 0; i < 5; i++)
                MESSAGE (&b, 2)
                    if (i == 2)
                        put_text(&b, 9, "0123456789abcdef");
    req = make_logs_request(h);
    run(req, buf_slice(&b));
    uint64_t items = 0;
    for (size_t i = 0; i < fake.n_records; i++) {
        assert_true(fake.records[i]->to_partition);
        items += fake.records[i]->items;
    }
    assert_true(fake.n_records <= 2 && items == 5);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);
    buf_release(&b);
    home_close(h);
}

/* Nothing is produced while a partition that is needed has no leader: at the deadline it is told.
 */
static void test_without_a_leader(void **state)
{
    (void)state;
    struct home *h = open_by_trace();
    for (int returns = 0; returns < 2; returns++) {
        atomic_store(&fake.partitions.leaderless[0], 1u << PARTITIONS / 2);
        fake.answers = 0;
        struct request *req = run_traces(h, 60, 1); /* in every partition */
        for (int i = 0; i < 10; i++)
            advance(h, 20 * NS_PER_MS);
        assert_true(fake.n_records == 0 && fake.answers == 0);
        if (returns) {
            atomic_store(&fake.partitions.leaderless[0], 0);
            advance(h, 20 * NS_PER_MS);
            assert_int_equal(fake.n_records, PARTITIONS);
            report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
        } else {
            advance(h, 4500 * NS_PER_MS);
        }
        assert_int_equal(fake.answers, 1);
        assert_int_equal(fake.outcome, returns ? OUTCOME_ACCEPTED : OUTCOME_KAFKA_DOWN);
        assert_nothing_held(h);
        request_unref(req);
    }
    home_close(h);
}

/* As long as the partitions are not known it waits; a topic that is not there is told at once. */
static void test_unknown_partitions(void **state)
{
    (void)state;
    struct home *h = open_by_trace();
    atomic_store(&fake.partitions.n, 0);
    struct request *req = run_traces(h, 2, 1);
    assert_true(fake.n_records == 0 && fake.answers == 0);
    atomic_store(&fake.partitions.n, 1);
    advance(h, 20 * NS_PER_MS);
    assert_true(fake.n_records == 1 && fake.record->items == 2 && fake.record->partition == 0);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);

    atomic_store(&fake.partitions.n, 0);
    atomic_store(&fake.partitions.missing, true);
    req = run_traces(h, 2, 1);
    assert_int_equal(fake.outcome, OUTCOME_TOPIC_MISSING);
    request_unref(req);

    atomic_store(&fake.partitions.missing, false);
    req = run_traces(h, 2, 1); /* gone while it waits */
    admission_gone(req, OUTCOME_CLIENT_GONE);
    assert_nothing_held(h);
    request_unref(req);
    home_close(h);
}

/* Where Kafka's default partitioner puts the same id as a key; librdkafka has its own copy of it.
 */
static void test_the_partition_is_kafkas(void **state)
{
    (void)state;
    uint8_t id[16] = {0};
    char hex[33];
    for (int i = 0; i < 1000; i++) {
        for (int k = 0; k < 16; k++) {
            id[k] = (uint8_t)(id[k] * 7 + i + 31 * k);
            snprintf(hex + 2 * k, 3, "%02x", id[k]);
        }
        for (int n = 1; n < 1000; n += 83)
            assert_int_equal(trace_partition(id, (unsigned)n),
                             rd_kafka_msg_partitioner_murmur2(NULL, hex, 32, n, NULL, NULL));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_record_for_each_partition),
        cmocka_unit_test(test_logs_without_a_trace),
        cmocka_unit_test(test_without_a_leader),
        cmocka_unit_test(test_unknown_partitions),
        cmocka_unit_test(test_the_partition_is_kafkas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
