/* Limits of a key below those of its tenant. */
#include "admission_home.h"

#include "tenancy/keys/key_runtime.h"
#include "tenancy/keys/keystore.h"

/* Gives the key `name` these limits and takes them into use. */
static void put_limits(struct home *h, enum key_name name, const char *tenant,
                       struct rate_conf *limits)
{
    struct errbuf err = ERRBUF_INIT;
    issue(h, name, tenant, (struct key){.limits = limits});
    if (tenancy_reload(h->tenancy, &err) != 1)
        fail_msg("%s", err.text);
    snapshot_release(h->loop.snapshot);
    h->loop.snapshot = tenancy_acquire(h->tenancy);
}

/* One request with three log records; true when it was accepted. */
static bool push(struct home *h, const char *path, enum key_name name)
{
    char headers[80];
    struct buf b = BUF_INIT;
    snprintf(headers, sizeof(headers), "content-type: application/x-protobuf|x-api-key: $%d", name);
    struct request *req = make_request(h, REQUEST_HTTP, path, headers);
    int before = fake.answers;
    put_logs(&b, 3, 10);
    run(req, buf_slice(&b));
    if (fake.answers == before)
        report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    buf_release(&b);
    request_unref(req);
    return fake.outcome == OUTCOME_ACCEPTED;
}

#define LOGS_PATH "/v1/logs"

static void test_a_key_has_its_own_limit(void **state)
{
    (void)state;
    struct home *h = home_open("requests = \"100/s\"; wait = \"0s\";", "");
    struct rate_conf limits[LIMIT_SCOPE_COUNT] = {[SIGNAL_COUNT] = {.requests = 2}};
    put_limits(h, KEY_TRACES, "acme", limits);
    for (int i = 0; i < 4; i++) /* two seconds at once */
        assert_true(push(h, LOGS_PATH, KEY_TRACES));
    assert_false(push(h, LOGS_PATH, KEY_TRACES));
    assert_int_equal(fake.outcome, OUTCOME_OVER_REQUESTS);
    assert_non_null(strstr(fake.message, "the key's limit of requests per second is reached (2/s"));
    assert_true(fake.retry_delay_ns >= NS_PER_S);
    /* other keys of the tenant have theirs */
    assert_true(push(h, LOGS_PATH, KEY_ACME));
    advance(h, NS_PER_S);
    assert_true(push(h, LOGS_PATH, KEY_TRACES));
    home_close(h);
}

static void test_the_tenants_limit_holds_for_all_keys(void **state)
{
    (void)state;
    struct home *h = home_open("requests = \"2/s\"; wait = \"0s\";", "");
    struct rate_conf limits[LIMIT_SCOPE_COUNT] = {[SIGNAL_COUNT] = {.requests = 100}};
    put_limits(h, KEY_TRACES, "acme", limits);
    for (int i = 0; i < 4; i++)
        assert_true(push(h, LOGS_PATH, i % 2 ? KEY_TRACES : KEY_ACME));
    assert_false(push(h, LOGS_PATH, KEY_TRACES));
    assert_non_null(strstr(fake.message, "the tenant's limit of requests"));
    /* what was refused for the tenant cost the key nothing */
    const struct snapshot *s = h->loop.snapshot;
    const struct tenant *t;
    const struct key *k;
    assert_int_equal(snapshot_authenticate(s, slice_str(h->keys[KEY_TRACES]), 1, &t, &k), AUTH_OK);
    const struct limit *l = &snapshot_key_limits(s, k)[SIGNAL_COUNT].requests;
    struct limit_state *ls = &atomic_load(&k->runtime->limits)[SIGNAL_COUNT].requests;
    assert_true(limit_available(ls, l, h->loop.now_ns) == 200 - 2);
    home_close(h);
}

static void test_of_one_signal(void **state)
{
    (void)state;
    struct home *h = home_open("wait = \"0s\";", "");
    struct rate_conf limits[LIMIT_SCOPE_COUNT] = {[SIGNAL_LOGS] = {.items = 3}};
    put_limits(h, KEY_TRACES, "acme", limits);
    assert_true(push(h, LOGS_PATH, KEY_TRACES));
    assert_true(push(h, LOGS_PATH, KEY_TRACES));
    assert_false(push(h, LOGS_PATH, KEY_TRACES));
    assert_int_equal(fake.outcome, OUTCOME_OVER_ITEMS);
    assert_non_null(strstr(fake.message, "the key's limit of items per second is reached (3/s for "
                                         "logs)"));
    home_close(h);
}

/* A burst is never below the largest request, as for tenants, and a reload that leaves a key as it
 * is leaves its bucket as it is. */
static void test_bytes_and_reloads(void **state)
{
    (void)state;
    struct home *h = home_open("wait = \"0s\";", "");
    struct rate_conf limits[LIMIT_SCOPE_COUNT] = {[SIGNAL_COUNT] = {.rate = 1, .requests = 1}};
    put_limits(h, KEY_TRACES, "acme", limits);
    const struct snapshot *s = h->loop.snapshot;
    const struct tenant *t;
    const struct key *k;
    assert_int_equal(snapshot_authenticate(s, slice_str(h->keys[KEY_TRACES]), 1, &t, &k), AUTH_OK);
    assert_true(snapshot_key_limits(s, k)[SIGNAL_COUNT].bytes.burst == RECORD_BYTES);
    assert_true(push(h, LOGS_PATH, KEY_TRACES) && push(h, LOGS_PATH, KEY_TRACES));
    assert_false(push(h, LOGS_PATH, KEY_TRACES));
    put_limits(h, KEY_BETA, "beta", NULL);
    assert_false(push(h, LOGS_PATH, KEY_TRACES));
    assert_int_equal(
        snapshot_authenticate(h->loop.snapshot, slice_str(h->keys[KEY_BETA]), 1, &t, &k), AUTH_OK);
    assert_null(snapshot_key_limits(h->loop.snapshot, k));
    home_close(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_has_its_own_limit),
        cmocka_unit_test(test_the_tenants_limit_holds_for_all_keys),
        cmocka_unit_test(test_of_one_signal),
        cmocka_unit_test(test_bytes_and_reloads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
