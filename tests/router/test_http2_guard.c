/* The buckets of http2_guard.h: bursts pass, floods do not, requests and time give room. */
#include "router/http/http2_guard.h"
#include "tests/base/unit.h"

#include "base/clock.h"

static const uint64_t rates[] = {100, 50, 4u << 20}; /* the defaults, in the order of the kinds */

/* How many single events pass when one comes every `gap_ns`; at most `most`. */
static unsigned passing(enum http2_guard_kind kind, uint64_t gap_ns, unsigned most)
{
    struct http2_guard g = {0};
    uint64_t now_ns = NS_PER_S;
    unsigned n = 0;
    while (n < most && http2_guard_add(&g, kind, 1, rates[kind], now_ns)) {
        n++;
        now_ns += gap_ns;
    }
    return n;
}

static void test_burst_and_rate(void **state)
{
    (void)state;
    assert_int_equal(passing(HTTP2_GUARD_CONTROL, 0, 5000), 1000);
    assert_int_equal(passing(HTTP2_GUARD_ABANDONED, 0, 5000), 1000);
    /* twice the leak: cut after about twice the burst */
    assert_in_range(passing(HTTP2_GUARD_CONTROL, NS_PER_S / 200, 5000), 1990, 2010);
    /* a PING every 10 s or a hundred events a second: for ever (R293) */
    assert_int_equal(passing(HTTP2_GUARD_CONTROL, 10 * NS_PER_S, 100000), 100000);
    assert_int_equal(passing(HTTP2_GUARD_CONTROL, NS_PER_S / 99, 100000), 100000);
}

/* Frames that come with requests are not held against them (R294). */
static void test_requests_give_room(void **state)
{
    (void)state;
    struct http2_guard g = {0};
    for (int i = 0; i < 100000; i++) {
        http2_guard_request(&g);
        for (int k = 0; k < 4; k++)
            assert_true(http2_guard_add(&g, HTTP2_GUARD_CONTROL, 1, 100, NS_PER_S));
    }
}

static void test_bytes(void **state)
{
    (void)state;
    struct http2_guard g = {0};
    assert_true(http2_guard_add(&g, HTTP2_GUARD_IGNORED, 64u << 20, 4u << 20, NS_PER_S));
    assert_false(http2_guard_add(&g, HTTP2_GUARD_IGNORED, 1, 4u << 20, NS_PER_S));
    assert_true(http2_guard_add(&g, HTTP2_GUARD_IGNORED, 1 << 20, 4u << 20, 2 * NS_PER_S));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_and_rate),
        cmocka_unit_test(test_requests_give_room),
        cmocka_unit_test(test_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
