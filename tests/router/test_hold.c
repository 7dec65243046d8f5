/* Answers to failed keys wait when their address failed too often; good keys never do. */
#include "admission_home.h"

#include "router/admission/guess.h"

#define PB   "content-type: application/x-protobuf"
#define GOOD PB "|x-api-key: $0"
#define BAD  PB "|x-api-key: $4"

static struct home *open_home(void)
{
    struct home *h = home_open("", "guess_rate = \"1/s\"; guess_delay = \"500ms\";");
    h->router.guesses = guesses_new();
    assert_non_null(h->router.guesses);
    return h;
}

static void close_home(struct home *h)
{
    assert_int_equal(atomic_load(&h->router.guesses->held), 0);
    guesses_free(h->router.guesses);
    home_close(h);
}

static struct request *ask(struct home *h, const char *headers)
{
    struct buf b = BUF_INIT;
    put_logs(&b, 100, 300);
    struct request *req = make_request(h, REQUEST_HTTP, "/v1/logs", headers);
    fake.answers = 0;
    run(req, slice_of(b.at, 15000));
    buf_release(&b);
    return req;
}

static void test_the_third_failure_waits(void **state)
{
    (void)state;
    struct home *h = open_home();
    for (int i = 0; i < 2; i++) {
        struct request *req = ask(h, i ? BAD : PB);
        assert_int_equal(fake.answers, 1);
        request_unref(req);
    }
    struct request *req =
        ask(h, BAD); /* its body comes in three pieces: none is kept, one at most */
    assert_int_equal(fake.answers, 0);
    assert_true(req->body.len < 8000 && req->held == 0);
    advance(h, 499 * NS_PER_MS);
    assert_int_equal(fake.answers, 0);
    advance(h, NS_PER_MS);
    assert_int_equal(fake.answers, 1);
    assert_int_equal(fake.outcome, OUTCOME_BAD_KEY);
    assert_true(metric_value("tenantry_auth_slowed_total{how=\"delayed\"}") >= 1);
    request_unref(req);
    close_home(h);
}

static void test_a_good_key_passes(void **state)
{
    (void)state;
    struct home *h = open_home();
    for (int i = 0; i < 2; i++)
        request_unref(ask(h, BAD));
    struct request *req = run_logs(h, 3, 10);
    report(RD_KAFKA_RESP_ERR_NO_ERROR, false);
    assert_int_equal(fake.outcome, OUTCOME_ACCEPTED);
    request_unref(req);
    close_home(h);
}

/* Nobody is told, and nothing stays behind. */
static void test_a_client_that_goes_away(void **state)
{
    (void)state;
    struct home *h = open_home();
    for (int i = 0; i < 2; i++)
        request_unref(ask(h, BAD));
    struct request *req = ask(h, BAD);
    assert_int_equal(atomic_load(&h->router.guesses->held), 1);
    admission_gone(req, OUTCOME_CLIENT_GONE);
    request_unref(req);
    assert_int_equal(fake.answers, 0);
    req = ask(h, BAD);
    admission_refuse(req, OUTCOME_BAD_REQUEST, NULL); /* the transport found it broken */
    assert_int_equal(fake.answers, 1);
    request_unref(req);
    close_home(h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_third_failure_waits),
        cmocka_unit_test(test_a_good_key_passes),
        cmocka_unit_test(test_a_client_that_goes_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
