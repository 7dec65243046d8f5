/* Requests that become several records: what each of them says, how their reports become one
 * answer, and what is counted. */
#include "admission_home.h"

#include "otlp/scan.h"

#define PARTS 3

#define OK   RD_KAFKA_RESP_ERR_NO_ERROR
#define LATE RD_KAFKA_RESP_ERR__MSG_TIMED_OUT

/* A request of so many items that it takes PARTS records. */
static struct request *run_parts(struct home *h)
{
    return run_logs(h, (PARTS - 1) * RECORD_ITEMS + 7, 1);
}

/* Larger than max_body lets it be as it is. */
static struct request *run_zipped(struct home *h, struct slice plain)
{
    struct buf zipped = BUF_INIT;
    gzip_append(&zipped, plain);
    struct request *req =
        make_request(h, REQUEST_HTTP, "/v1/logs", GOOD_HEADERS "|content-encoding: gzip");
    run(req, buf_slice(&zipped));
    buf_release(&zipped);
    return req;
}

/* DESIGN §4: each record holds what it may and says what it holds. */
static void test_records(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct request *req = run_parts(h);
    static const int items[PARTS] = {RECORD_ITEMS, RECORD_ITEMS, 7};
    uint64_t bytes = 0;
    assert_int_equal(fake.n_records, PARTS);
    for (unsigned i = 0; i < PARTS; i++) {
        const struct producer_record *r = fake.records[i];
        struct scan_result found;
        assert_int_equal(scan_request(SIGNAL_LOGS, r->value, NULL, &found), SCAN_OK);
        assert_int_equal(found.items, items[i]);
        assert_int_equal(r->items, items[i]);
        assert_true(r->part == i + 1 && r->parts == PARTS && !r->to_partition);
        assert_memory_equal(r->request_hash, req->hash, 16);
        bytes += r->value.len;
    }
    assert_null(req->body.at);
    assert_true(atomic_load(&h->router.buffered) == bytes);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_nothing_held(h);
    request_unref(req);
    home_close(h);
}

/* R95: no answer before the last report, whichever that is; then each item is counted once. */
static void test_all_are_confirmed(void **state)
{
    (void)state;
    static const int orders[][PARTS] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
    struct home *h = home_open("", "");
    for (size_t i = 0; i < COUNT(orders); i++) {
        double items = counted("items", "accepted"), requests = counted("requests", "accepted");
        double duplicates = possible_duplicates();
        fake.n_records = 0;
        fake.answers = 0;
        struct request *req = run_parts(h);
        for (int k = 0; k < PARTS; k++) {
            assert_int_equal(fake.answers, 0);
            report_on(fake.records[orders[i][k]], RD_KAFKA_RESP_ERR_NO_ERROR, false);
        }
        assert_int_equal(fake.answers, 1);
        assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
        assert_true(counted("items", "accepted") == items + 2 * RECORD_ITEMS + 7);
        assert_true(counted("requests", "accepted") == requests + 1);
        assert_true(possible_duplicates() == duplicates);
        request_unref(req);
    }
    home_close(h);
}

/* Promise 3: a failed request is repeated whole, so what Kafka has of it is told. */
static void test_some_fail(void **state)
{
    (void)state;
    static const struct {
        int line;
        rd_kafka_resp_err_t errors[PARTS];
        bool possibly;
        enum outcome outcome;
        int duplicates;
    } rows[] = {
        {__LINE__, {LATE, OK, OK}, false, OUTCOME_KAFKA_DOWN, RECORD_ITEMS + 7},
        {__LINE__, {OK, OK, LATE}, false, OUTCOME_KAFKA_DOWN, 2 * RECORD_ITEMS},
        {__LINE__, {OK, OK, LATE}, true, OUTCOME_KAFKA_DOWN, 2 * RECORD_ITEMS + 7},
        {__LINE__, {LATE, LATE, LATE}, false, OUTCOME_KAFKA_DOWN, 0},
        {__LINE__, {LATE, LATE, LATE}, true, OUTCOME_KAFKA_DOWN, 2 * RECORD_ITEMS + 7},
        /* what can never pass is not to be tried again */
        {__LINE__,
         {LATE, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, OK},
         false,
         OUTCOME_RECORD_TOO_LARGE,
         7},
        {__LINE__,
         {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, LATE, OK},
         false,
         OUTCOME_RECORD_TOO_LARGE,
         7},
    };
    struct home *h = home_open("", "");
    for (size_t i = 0; i < COUNT(rows); i++) {
        double before = possible_duplicates(), accepted = counted("items", "accepted");
        fake.n_records = 0;
        struct request *req = run_parts(h);
        for (int k = 0; k < PARTS; k++)
            report_on(fake.records[k], rows[i].errors[k],
                      rows[i].possibly && rows[i].errors[k] == LATE);
        check_row(rows[i].line, fake.outcome == rows[i].outcome, "%s",
                  outcome_info[fake.outcome].reason);
        check_row(rows[i].line, possible_duplicates() == before + rows[i].duplicates, "%g counted",
                  possible_duplicates() - before);
        assert_true(counted("items", "accepted") == accepted);
        assert_nothing_held(h);
        request_unref(req);
    }
    home_close(h);
}

/* Nothing of a request goes unless all of it is admitted; what was taken before an error came
 * up is waited for and told. */
static void test_refused_by_the_producer(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    fake.send_error = PRODUCER_OVER_SHARE;
    struct request *req = run_parts(h);
    assert_int_equal(fake.outcome, OUTCOME_OVER_SHARE);
    assert_int_equal(fake.n_records, 0);
    assert_nothing_held(h);
    request_unref(req);

    double before = possible_duplicates();
    fake.answers = 0;
    fake.send_error = RD_KAFKA_RESP_ERR__QUEUE_FULL;
    fake.send_after = 1;
    req = run_parts(h);
    assert_int_equal(fake.answers, 0);
    assert_int_equal(fake.n_records, 1);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_int_equal(fake.answers, 1);
    assert_int_equal(fake.outcome, OUTCOME_QUEUE_FULL);
    assert_true(possible_duplicates() == before + RECORD_ITEMS);
    request_unref(req);
    home_close(h);
}

/* Answered at the deadline or gone before it; the reports come later, and the parts stay as long.
 */
static void test_late_reports(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    for (int gone = 0; gone < 2; gone++) {
        double before = possible_duplicates();
        fake.n_records = 0;
        fake.answers = 0;
        struct request *req = run_parts(h);
        report_on(fake.records[1], RD_KAFKA_RESP_ERR_NO_ERROR, false);
        if (gone)
            admission_gone(req, OUTCOME_CLIENT_GONE);
        else
            advance(h, 4500 * NS_PER_MS);
        assert_int_equal(fake.answers, !gone);
        request_unref(req);
        assert_int_equal(fake.records[0]->value.at[0], 0x0A); /* still there */
        report_on(fake.records[0], RD_KAFKA_RESP_ERR_NO_ERROR, false);
        report_on(fake.records[2], RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, false);
        assert_int_equal(fake.answers, !gone);
        assert_true(possible_duplicates() == before + 2 * RECORD_ITEMS);
        assert_nothing_held(h);
    }
    home_close(h);
}

static double rejected_logs(void)
{
    return metric_value("tenantry_items_rejected_total{tenant=\"acme\",signal=\"logs\","
                        "reason=\"too_large\"}");
}

/* R104: one that no record may hold is left out alone. */
static void test_an_item_too_large(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf b = BUF_INIT;
    double before = rejected_logs();
    put_logs(&b, 1, 10);
    put_logs(&b, 1, RECORD_BYTES);
    put_logs(&b, 1, 20);
    struct request *req = run_zipped(h, buf_slice(&b));
    assert_int_equal(fake.n_records, 1);
    assert_true(fake.record->items == 2 && fake.record->parts == 1);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
    assert_int_equal(fake.rejected, 1);
    assert_string_equal(fake.message, "1 of 3 log records rejected; in the first one, with its "
                                      "resource and scope it is larger than one record may be");
    assert_true(rejected_logs() == before + 1);
    request_unref(req);
    buf_release(&b);
    home_close(h);
}

/* A fat resource in every record: what they take together has a ceiling, twice max_decompressed. */
static void test_too_much_in_all(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf b = BUF_INIT;
    char *fat = calloc(1, RECORD_BYTES);
    memset(fat, 'f', RECORD_BYTES - 5000);
    MESSAGE (&b, 1) {
        MESSAGE (&b, 1)
            put_attr(&b, 1, "fat", fat);
        MESSAGE (&b, 2)
            for (int i = 0; i < 16; i++)
                MESSAGE (&b, 2)
                    put_bytes(&b, 3, slice_of(fat, 1900));
    }
    struct request *req = run_zipped(h, buf_slice(&b));
    assert_int_equal(fake.outcome, OUTCOME_TOO_MANY_EXPANDED);
    assert_int_equal(fake.n_records, 0);
    assert_non_null(
        strstr(fake.message, "at most 4 records of 65536 bytes, and 200000 bytes in all"));
    request_unref(req);
    free(fat);
    buf_release(&b);
    home_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records),         cmocka_unit_test(test_all_are_confirmed),
        cmocka_unit_test(test_some_fail),       cmocka_unit_test(test_refused_by_the_producer),
        cmocka_unit_test(test_late_reports),    cmocka_unit_test(test_an_item_too_large),
        cmocka_unit_test(test_too_much_in_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
