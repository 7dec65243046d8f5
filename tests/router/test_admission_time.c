/* Stories that need time, limits or several requests: waits, deadlines, late reports, clients that
 * go, caps. "Nothing is counted that did not happen." */
#include "admission_home.h"

#define ANSWER_NS (4500 * NS_PER_MS)
#define GRPC_LOGS "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

/* A gRPC call of acme with one record and this grpc-timeout, NULL: none. */
static struct request *run_grpc(struct home *h, const char *timeout)
{
    char headers[128];
    struct buf b = BUF_INIT;
    snprintf(headers, sizeof(headers), "content-type: application/grpc|x-api-key: $0%s%s",
             timeout ? "|grpc-timeout: " : "", timeout ? timeout : "");
    put_logs(&b, 2, 10);
    struct request *req = make_request(h, REQUEST_GRPC, GRPC_LOGS, headers);
    run(req, buf_slice(&b));
    buf_release(&b);
    return req;
}

/* R95 */
static void test_accepted_is_counted(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    double requests = counted("requests", "accepted"), items = counted("items", "accepted");
    double bytes = counted("bytes", "accepted"), duplicates = possible_duplicates();
    struct request *req = run_logs(h, 3, 10);
    size_t size = fake.record->value.len;
    assert_int_equal(fake.answers, 0); /* only the report lets it be answered */
    assert_true(counted("requests", "accepted") == requests);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_int_equal(fake.answers, 1);
    assert_true(counted("requests", "accepted") == requests + 1);
    assert_true(counted("items", "accepted") == items + 3);
    assert_true(counted("bytes", "accepted") == bytes + (double)size);
    assert_true(possible_duplicates() == duplicates);
    request_unref(req);
    home_close(h);
}

static void test_failed_reports(void **state)
{
    (void)state;
    static const struct {
        int line;
        rd_kafka_resp_err_t error;
        bool possibly;
        enum outcome outcome;
    } rows[] = {
        {__LINE__, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, false, OUTCOME_KAFKA_DOWN},
        {__LINE__, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, true, OUTCOME_KAFKA_DOWN},
        {__LINE__, RD_KAFKA_RESP_ERR__FATAL, false, OUTCOME_KAFKA_DOWN},
        {__LINE__, RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND, true,
         OUTCOME_TOO_FEW_REPLICAS},
        {__LINE__, RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC, false, OUTCOME_TOPIC_MISSING},
        {__LINE__, RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, false, OUTCOME_NOT_PERMITTED},
        {__LINE__, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, false, OUTCOME_RECORD_TOO_LARGE},
    };
    struct home *h = home_open("", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double duplicates = possible_duplicates(), accepted = counted("items", "accepted");
        struct request *req = run_logs(h, 3, 10);
        report(rows[i].error, rows[i].possibly);
        if (fake.outcome != rows[i].outcome ||
            possible_duplicates() != duplicates + (rows[i].possibly ? 3 : 0))
            fail_msg("row of line %d: %s", rows[i].line, outcome_info[fake.outcome].reason);
        assert_true(counted("items", "accepted") == accepted);
        request_unref(req);
    }
    home_close(h);
}

static void test_refused_by_the_producer(void **state)
{
    static const struct {
        rd_kafka_resp_err_t error;
        enum outcome outcome;
        uint64_t retry_ns; /* 0: the transport's */
    } rows[] = {
        {RD_KAFKA_RESP_ERR__QUEUE_FULL, OUTCOME_QUEUE_FULL, 0},
        {PRODUCER_OVER_SHARE, OUTCOME_OVER_SHARE, 0},
        {PRODUCER_STALLED, OUTCOME_STALLED, 3 * NS_PER_S},
    };
    (void)state;
    struct home *h = home_open("", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        fake.send_error = rows[i].error;
        struct request *req = run_logs(h, 1, 1);
        assert_int_equal(fake.outcome, rows[i].outcome);
        assert_int_equal(fake.retry_delay_ns, rows[i].retry_ns);
        assert_int_equal(req->refs, 1);
        assert_nothing_held(h);
        request_unref(req);
    }
    home_close(h);
}

/* Answered in time; what Kafka then says is counted and not told. */
static void test_report_after_the_deadline(void **state)
{
    (void)state;
    static const struct {
        const char *timeout; /* of the call; NULL = none, "" = HTTP */
        uint64_t after_ns;
        enum outcome outcome;
        rd_kafka_resp_err_t error;
        bool possibly;
        int duplicates;
    } rows[] = {
        {"", ANSWER_NS, OUTCOME_KAFKA_DOWN, RD_KAFKA_RESP_ERR_NO_ERROR, false, 2},
        {"", ANSWER_NS, OUTCOME_KAFKA_DOWN, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, true, 2},
        {"", ANSWER_NS, OUTCOME_KAFKA_DOWN, RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, false, 0},
        {"700m", 700 * NS_PER_MS, OUTCOME_DEADLINE, RD_KAFKA_RESP_ERR_NO_ERROR, false,
         2}, /* R147 */
        {"30S", ANSWER_NS, OUTCOME_KAFKA_DOWN, RD_KAFKA_RESP_ERR_NO_ERROR, false, 2},
        {NULL, ANSWER_NS, OUTCOME_KAFKA_DOWN, RD_KAFKA_RESP_ERR_NO_ERROR, false, 2}, /* R145 */
    };
    struct home *h = home_open("", "");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        double before = possible_duplicates(), accepted = counted("requests", "accepted");
        fake.answers = 0;
        struct request *req = rows[i].timeout == NULL || rows[i].timeout[0]
                                  ? run_grpc(h, rows[i].timeout)
                                  : run_logs(h, 2, 10);
        advance(h, rows[i].after_ns - 1);
        assert_int_equal(fake.answers, 0);
        advance(h, 1);
        assert_int_equal(fake.answers, 1);
        assert_int_equal(fake.outcome, rows[i].outcome);
        assert_true(req->body.len > 0); /* Kafka has it by reference */
        request_unref(req);             /* the transport's */
        report(rows[i].error, rows[i].possibly);
        assert_int_equal(fake.answers, 1);
        assert_true(possible_duplicates() == before + rows[i].duplicates);
        assert_true(counted("requests", "accepted") == accepted);
        assert_nothing_held(h);
    }
    home_close(h);
}

/* R147: also while the body is still arriving. */
static void test_deadline_before_the_body(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct request *req =
        make_request(h, REQUEST_GRPC, GRPC_LOGS,
                     "content-type: application/grpc|x-api-key: $0|grpc-timeout: 1S");
    assert_int_equal(admission_headers(req), ADMISSION_CONTINUE);
    assert_int_equal(admission_data(req, 50), ADMISSION_CONTINUE);
    advance(h, NS_PER_S);
    assert_int_equal(fake.outcome, OUTCOME_DEADLINE);
    assert_nothing_held(h);
    request_unref(req);
    home_close(h);
}

/* A slow upload does not use up the time that Kafka has. */
static void test_slow_upload(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf b = BUF_INIT;
    put_logs(&b, 1, 10);
    struct request *req = make_logs_request(h);
    assert_int_equal(admission_headers(req), ADMISSION_CONTINUE);
    advance(h, 8 * NS_PER_S);
    feed(req, buf_slice(&b));
    advance(h, NS_PER_S);
    assert_int_equal(fake.answers, 0);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
    request_unref(req);
    buf_release(&b);
    home_close(h);
}

/* R149 */
static void test_client_gone(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    double gone = counted("requests", "client_gone"), accepted = counted("requests", "accepted");
    double before = possible_duplicates();
    struct request *req = run_logs(h, 3, 10); /* while Kafka has it */
    admission_gone(req, OUTCOME_CLIENT_GONE);
    assert_true(counted("requests", "client_gone") == gone + 1);
    assert_true(req->body.len > 0);
    request_unref(req);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_true(possible_duplicates() == before + 3);
    assert_nothing_held(h);

    req = make_logs_request(h); /* within its body */
    assert_int_equal(admission_headers(req), ADMISSION_CONTINUE);
    assert_int_equal(admission_data(req, 50), ADMISSION_CONTINUE);
    admission_gone(req, OUTCOME_CLIENT_GONE);
    assert_nothing_held(h);
    request_unref(req);
    assert_true(counted("requests", "client_gone") == gone + 2);
    assert_true(counted("requests", "accepted") == accepted);
    assert_true(possible_duplicates() == before + 3);
    assert_int_equal(fake.answers, 0);
    home_close(h);
}

/* --- limits -------------------------------------------------------------------------------- */

/* R204, R207, R211: the text names limit and time, the delay is the bucket's within 1-5 s. R129:
 * nothing of what is refused was produced. */
static void test_over_a_limit(void **state)
{
    (void)state;
    static const struct {
        const char *limits;
        int passing; /* requests of 10 items that fit */
        enum outcome outcome;
        const char *says;
        uint64_t min_ns, max_ns;
    } rows[] = {
        {"requests = \"1/s\"; wait = \"0s\";", 2, OUTCOME_OVER_REQUESTS, "(1/s for all signals)",
         NS_PER_S, NS_PER_S},
        {"logs = { requests = \"1/s\"; }; wait = \"0s\";", 2, OUTCOME_OVER_REQUESTS,
         "(1/s for logs)", NS_PER_S, NS_PER_S},
        {"items = \"5/s\"; wait = \"0s\";", 1, OUTCOME_OVER_ITEMS,
         "(5/s for all signals): 0 items of the burst of 10 are left and the request needs 10; "
         "come back in 2.0 s",
         2 * NS_PER_S, 2 * NS_PER_S},
        {"logs = { items = \"1/s\"; }; wait = \"0s\";", 1, OUTCOME_OVER_ITEMS, "for logs",
         4 * NS_PER_S, 5 * NS_PER_S},
        {"rate = \"10KB/s\"; wait = \"0s\";", 10, OUTCOME_OVER_BYTES, "(10KB/s for all signals)",
         NS_PER_S, 5 * NS_PER_S},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct home *h = home_open(rows[i].limits, "");
        bool bytes = rows[i].outcome == OUTCOME_OVER_BYTES;
        int n = 0;
        for (;; n++) {
            fake.answers = 0;
            struct request *req = run_logs(h, 10, bytes ? 600 : 1);
            if (fake.record != NULL)
                report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
            request_unref(req);
            if (fake.outcome != OUTCOME_ACCEPTED || n > 100)
                break;
        }
        assert_null(fake.record);
        if (fake.outcome != rows[i].outcome || n != rows[i].passing ||
            strstr(fake.message, rows[i].says) == NULL || fake.retry_delay_ns < rows[i].min_ns ||
            fake.retry_delay_ns > rows[i].max_ns)
            fail_msg("%s: %s after %d, %llu ns, %s", rows[i].limits,
                     outcome_info[fake.outcome].reason, n, (unsigned long long)fake.retry_delay_ns,
                     fake.message);
        home_close(h);
    }
}

/* A later limit that refuses gives the earlier ones back. */
static void test_refusal_takes_nothing(void **state)
{
    (void)state;
    struct home *h =
        home_open("rate = \"40KB/s\"; logs = { items = \"5/s\"; }; wait = \"0s\";", "");
    const struct tenant *t = snapshot_tenant(h->loop.snapshot, SLICE_LIT("acme"));
    struct request *req = run_logs(h, 10, 1);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);
    uint64_t left = limit_available(&t->runtime->limits[SIGNAL_COUNT].bytes,
                                    &t->limits[SIGNAL_COUNT].bytes, h->loop.now_ns);
    req = run_logs(h, 10, 1);
    assert_int_equal(fake.outcome, OUTCOME_OVER_ITEMS);
    request_unref(req);
    assert_true(limit_available(&t->runtime->limits[SIGNAL_COUNT].bytes,
                                &t->limits[SIGNAL_COUNT].bytes, h->loop.now_ns) == left);
    home_close(h);
}

/* Slow before refuse: what fits within limits.wait is held back and then produced. */
static void test_waits_for_its_bucket(void **state)
{
    (void)state;
    struct home *h = home_open("items = \"100/s\"; wait = \"500ms\";", "");
    struct request *req = run_logs(h, 200, 1); /* the burst */
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);

    fake.answers = 0;
    req = run_logs(h, 40, 1);
    assert_null(fake.record);
    assert_true(atomic_load(&runtime_of(h, "acme")->in_flight) > 0);
    advance(h, 399 * NS_PER_MS);
    assert_null(fake.record);
    advance(h, NS_PER_MS);
    assert_non_null(fake.record);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
    assert_int_equal(fake.answers, 1);
    request_unref(req);

    req = run_logs(h, 51, 1); /* would need more than 500 ms */
    assert_int_equal(fake.outcome, OUTCOME_OVER_ITEMS);
    request_unref(req);

    req = run_logs(h, 40, 1); /* gone while it waits */
    assert_null(fake.record);
    admission_gone(req, OUTCOME_CLIENT_GONE);
    assert_nothing_held(h);
    request_unref(req);
    advance(h, NS_PER_S);
    assert_null(fake.record);
    home_close(h);
}

/* It never waits past its own deadline. */
static void test_wait_is_shorter_than_the_deadline(void **state)
{
    (void)state;
    struct home *h = home_open("requests = \"1/s\"; wait = \"5s\";", "");
    for (int i = 0; i < 2; i++) {
        struct request *req = run_grpc(h, "100m");
        report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
        request_unref(req);
    }
    struct request *req = run_grpc(h, "100m");
    assert_int_equal(fake.outcome, OUTCOME_OVER_REQUESTS);
    request_unref(req);
    home_close(h);
}

/* --- the day's quota ------------------------------------------------------------------------ */

static uint64_t used_today(struct home *h, int scope)
{
    return day_count_read(&runtime_of(h, "acme")->limits[scope].today, day_of(clock_wall_ns()));
}

/* It counts what Kafka has or may have, in bytes of protobuf; what fails is given back. */
static void test_quota_counts_what_is_stored(void **state)
{
    (void)state;
    static const struct {
        rd_kafka_resp_err_t error;
        bool possibly, counted;
    } rows[] = {
        {RD_KAFKA_RESP_ERR_NO_ERROR, false, true},
        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, true, true},
        {RD_KAFKA_RESP_ERR__MSG_TIMED_OUT, false, false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct home *h = home_open("daily = \"100KB\";", "");
        struct request *req = run_logs(h, 3, 1000);
        uint64_t n = req->body.len;
        assert_true(n > 3000 && used_today(h, SIGNAL_COUNT) == n);
        report(rows[i].error, rows[i].possibly);
        request_unref(req);
        uint64_t left = rows[i].counted ? n : 0;
        if (used_today(h, SIGNAL_COUNT) != left || used_today(h, SIGNAL_LOGS) != left ||
            used_today(h, SIGNAL_TRACES) != 0)
            fail_msg("row %zu: %llu of %llu", i, (unsigned long long)used_today(h, SIGNAL_COUNT),
                     (unsigned long long)n);
        home_close(h);
    }
}

/* What does not fit is refused until midnight, smaller requests still pass; at the end nothing is
 * even read. */
static void test_quota_spent(void **state)
{
    (void)state;
    static const char *const limits[] = {"daily = \"10KB\";", "logs = { daily = \"10KB\"; };"};
    for (size_t i = 0; i < 2; i++) {
        struct home *h = home_open(limits[i], "");
        struct request *req = run_logs(h, 1, 9000);
        report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
        request_unref(req);
        req = run_logs(h, 1, 2000);
        assert_int_equal(fake.outcome, OUTCOME_OVER_QUOTA);
        assert_non_null(
            strstr(fake.message, i ? "the tenant's daily quota is spent (10KB for logs): "
                                   : "(10KB for all signals): "));
        assert_non_null(
            strstr(fake.message, "bytes were used since 00:00 UTC and the request needs "));
        uint64_t left_ns = ns_until_next_day(clock_wall_ns());
        assert_true(fake.retry_delay_ns + 60 * NS_PER_S > left_ns &&
                    fake.retry_delay_ns < left_ns + 60 * NS_PER_S);
        request_unref(req);
        req = run_logs(h, 1, 500);
        report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
        assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
        request_unref(req);
        day_count_take(&runtime_of(h, "acme")->limits[i ? SIGNAL_LOGS : SIGNAL_COUNT].today, 500, 0,
                       day_of(clock_wall_ns()));
        req = make_request(h, REQUEST_HTTP, "/v1/logs", GOOD_HEADERS);
        assert_int_equal(admission_headers(req), ADMISSION_ANSWERED);
        assert_int_equal(fake.outcome, OUTCOME_OVER_QUOTA);
        request_unref(req);
        home_close(h);
    }
}

/* Counted since the program's start. */
static int would_be_refused(struct home *h, const char *reason)
{
    struct buf json = BUF_INIT;
    char name[64];
    int n = 0;
    router_metrics_json(h->router.metrics, runtime_of(h, "acme"), &json);
    const char *at = strstr(buf_cstr(&json), "\"dry_run\":{");
    snprintf(name, sizeof(name), "\"%s\":", reason);
    if (at != NULL && (at = strstr(at, name)) != NULL)
        n = atoi(at + strlen(name));
    buf_release(&json);
    return n;
}

/* Nothing is refused or slowed, each request that would have been is counted once, by its reason.
 */
static void test_dry_run(void **state)
{
    (void)state;
    static const struct {
        const char *limits, *reason;
        int would; /* of 10 requests of 10 items, and of those of the rows before */
    } rows[] = {
        {"requests = \"1/s\"; wait = \"0s\";", "over_requests", 8},
        {"items = \"10/s\"; wait = \"0s\";", "over_items", 8},
        {"items = \"10/s\"; wait = \"1s\";", "over_items", 8 + 7},
        {"requests = \"1/s\"; items = \"5/s\"; wait = \"0s\";", "over_items", 8 + 7 + 1},
        {"daily = \"100\";", "over_quota", 10},
        {"rate = \"1KB/s\";", "over_bytes", 0},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char limits[128];
        snprintf(limits, sizeof(limits), "dry_run = true; %s", rows[i].limits);
        struct home *h = home_open(limits, "");
        for (int n = 0; n < 10; n++) {
            fake.record = NULL;
            struct request *req = run_logs(h, 10, 40);
            assert_non_null(fake.record); /* at once */
            report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
            assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
            request_unref(req);
        }
        assert_true(used_today(h, SIGNAL_COUNT) > 10 * 400);
        if (would_be_refused(h, rows[i].reason) != rows[i].would)
            fail_msg("%s: %d %s", rows[i].limits, would_be_refused(h, rows[i].reason),
                     rows[i].reason);
        home_close(h);
    }
}

/* --- caps ---------------------------------------------------------------------------------- */

/* Measured as received and then decompressed; what others hold counts, one that is alone passes. */
static void test_in_flight(void **state)
{
    (void)state;
    struct home *h = home_open("in_flight = \"64KiB\"; wait = \"0s\";", "");
    atomic_fetch_add(&runtime_of(h, "acme")->in_flight, 60000); /* others' */
    struct request *req = run_logs(h, 1, 10000);
    assert_int_equal(fake.outcome, OUTCOME_OVER_IN_FLIGHT);
    assert_non_null(strstr(fake.message, ", and its limit is 64KiB"));
    assert_true(atomic_load(&runtime_of(h, "acme")->in_flight) == 60000);
    request_unref(req);
    atomic_fetch_sub(&runtime_of(h, "acme")->in_flight, 60000);

    struct buf plain = BUF_INIT, body = BUF_INIT; /* small as received, large decompressed */
    put_logs(&plain, 1, 60000);
    gzip_append(&body, buf_slice(&plain));
    atomic_fetch_add(&runtime_of(h, "acme")->in_flight, 10000);
    req = make_request(h, REQUEST_HTTP, "/v1/logs", GOOD_HEADERS "|content-encoding: gzip");
    run(req, buf_slice(&body));
    assert_int_equal(fake.outcome, OUTCOME_OVER_IN_FLIGHT);
    request_unref(req);
    atomic_fetch_sub(&runtime_of(h, "acme")->in_flight, 10000);
    buf_release(&plain);
    buf_release(&body);
    home_close(h);
}

/* Before it is refused its client may not send on: paused, until others' bytes are gone or the wait
 * is over. */
static void test_over_the_cap_it_is_slowed(void **state)
{
    (void)state;
    enum { GOES_ON, ENDS_THEN_GOES_ON, IS_REFUSED, CLIENT_GOES, AT_ONCE };
    static const struct {
        uint64_t others;
        int what;
    } rows[] = {
        {60000, GOES_ON},     {60000, ENDS_THEN_GOES_ON}, {60000, IS_REFUSED},
        {60000, CLIENT_GOES}, {98000, AT_ONCE}, /* more than a tenth of the cap above it */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct home *h = home_open("in_flight = \"64KiB\"; wait = \"300ms\";", "");
        struct tenant_runtime *rt = runtime_of(h, "acme");
        struct buf b = BUF_INIT;
        put_logs(&b, 1, 8000);
        struct slice whole = buf_slice(&b), first = slice_of(whole.at, 6000),
                     rest = slice_of(whole.at + 6000, whole.len - 6000);
        bool all_at_once = rows[i].what == ENDS_THEN_GOES_ON;
        atomic_fetch_add(&rt->in_flight, rows[i].others);
        fake.answers = fake.resumed = 0;
        struct request *req = make_logs_request(h);
        assert_int_equal(admission_headers(req), ADMISSION_CONTINUE);
        enum admission_step step = admission_data(req, all_at_once ? whole.len : first.len);
        if (rows[i].what == AT_ONCE) {
            assert_int_equal(step, ADMISSION_ANSWERED);
            assert_int_equal(fake.outcome, OUTCOME_OVER_IN_FLIGHT);
        } else {
            assert_int_equal(step, ADMISSION_CONTINUE);
            assert_true(req->paused && fake.answers == 0);
            buf_append_slice(&req->body, all_at_once ? whole : first);
            if (all_at_once)
                admission_body(req);
            for (int k = 0; k < 14; k++)
                advance(h, 20 * NS_PER_MS);
            assert_true(req->paused && fake.answers == 0 && fake.resumed == 0);
        }
        if (rows[i].what == IS_REFUSED) {
            advance(h, 20 * NS_PER_MS);
            assert_int_equal(fake.outcome, OUTCOME_OVER_IN_FLIGHT);
            assert_int_equal(fake.answers, 1);
        } else if (rows[i].what == CLIENT_GOES) {
            admission_gone(req, OUTCOME_CLIENT_GONE);
        }
        atomic_fetch_sub(&rt->in_flight, rows[i].others);
        if (rows[i].what == GOES_ON || all_at_once) {
            advance(h, 20 * NS_PER_MS);
            assert_true(!req->paused && fake.resumed == 1);
        }
        if (rows[i].what == GOES_ON) {
            assert_int_equal(admission_data(req, rest.len), ADMISSION_CONTINUE);
            buf_append_slice(&req->body, rest);
            admission_body(req);
        }
        if (rows[i].what == GOES_ON || all_at_once) {
            report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
            assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
        }
        request_unref(req);
        buf_release(&b);
        home_close(h);
    }
}

static void test_global_budget(void **state)
{
    (void)state;
    struct home *h = home_open("", "max_buffered = \"1MiB\";");
    atomic_fetch_add(&h->router.buffered, (1 << 20) - 5000);
    struct request *req = run_logs(h, 1, 5000);
    assert_int_equal(fake.outcome, OUTCOME_OVERLOADED);
    assert_true(atomic_load(&h->router.buffered) == (1 << 20) - 5000);
    request_unref(req);
    atomic_store(&h->router.buffered, 0);
    home_close(h);
}

/* --- status -------------------------------------------------------------------------------- */

static void test_status_json(void **state)
{
    (void)state;
    struct home *h = home_open("", "");
    struct buf json = BUF_INIT;
    router_metrics_json(h->router.metrics, runtime_of(h, "beta"), &json);
    assert_string_equal(buf_cstr(&json), "{}");
    buf_clear(&json);
    struct request *req = run_logs(h, 3, 10);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    request_unref(req);
    router_metrics_json(h->router.metrics, runtime_of(h, "acme"), &json);
    assert_non_null(strstr(buf_cstr(&json), "{\"logs\":{\"accepted\":{\"requests\":"));
    assert_non_null(strstr(buf_cstr(&json), "},\"refused\":{"));
    buf_release(&json);
    home_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accepted_is_counted),
        cmocka_unit_test(test_failed_reports),
        cmocka_unit_test(test_refused_by_the_producer),
        cmocka_unit_test(test_report_after_the_deadline),
        cmocka_unit_test(test_deadline_before_the_body),
        cmocka_unit_test(test_slow_upload),
        cmocka_unit_test(test_client_gone),
        cmocka_unit_test(test_over_a_limit),
        cmocka_unit_test(test_refusal_takes_nothing),
        cmocka_unit_test(test_waits_for_its_bucket),
        cmocka_unit_test(test_wait_is_shorter_than_the_deadline),
        cmocka_unit_test(test_quota_counts_what_is_stored),
        cmocka_unit_test(test_quota_spent),
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_over_the_cap_it_is_slowed),
        cmocka_unit_test(test_global_budget),
        cmocka_unit_test(test_status_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
