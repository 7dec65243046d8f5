#include "router/admission/guess.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MOST NS_PER_S
#define NOW  (1000 * NS_PER_S)

static struct address v6(const char *text)
{
    struct address a = {0};
    assert_int_equal(inet_pton(AF_INET6, text, a.at), 1);
    return a;
}

static int at_once(struct guesses *g, const struct address *a, uint64_t now_ns)
{
    int n = 0;
    while (n < 100000 && guess_failed(g, a, 10, MOST, now_ns) == 0)
        n++;
    return n;
}

static void test_an_address_has_a_budget(void **state)
{
    (void)state;
    struct guesses *g = guesses_new();
    struct address a = v6("::ffff:192.0.2.1"), b = v6("::ffff:192.0.2.2");
    assert_int_equal(at_once(g, &a, NOW), 20); /* two seconds of 10/s; the next waited */
    assert_true(guess_failed(g, &a, 10, MOST, NOW) == 200 * NS_PER_MS);
    for (int i = 0; i < 1000; i++)
        assert_true(guess_failed(g, &a, 10, MOST, NOW) <= MOST);
    assert_true(guess_failed(g, &a, 10, MOST, NOW) == MOST);
    assert_int_equal(at_once(g, &b, NOW), 20);
    /* What is owed is bounded: three seconds later it may fail 20 times again. */
    assert_int_equal(at_once(g, &a, NOW + 3 * NS_PER_S), 20);
    assert_true(guess_failed(g, &a, 0, MOST, NOW) == 0);
    guesses_free(g);
}

static void test_a_subscriber_of_ipv6_is_one(void **state)
{
    (void)state;
    struct guesses *g = guesses_new();
    struct address a = v6("2001:db8:0:1::1"), b = v6("2001:db8:0:1:ffff::9"),
                   c = v6("2001:db8:0:2::1");
    assert_int_equal(at_once(g, &a, NOW), 20);
    assert_int_equal(at_once(g, &b, NOW), 0);
    assert_int_equal(at_once(g, &c, NOW), 20);
    guesses_free(g);
}

/* More addresses than places: the table stays as it is, and one that fails all the time keeps its
 * place before those that fail once. */
static void test_many_addresses(void **state)
{
    (void)state;
    struct guesses *g = guesses_new();
    struct address busy = v6("::ffff:192.0.2.1");
    at_once(g, &busy, NOW);
    for (uint32_t i = 0; i < 300000; i++) {
        struct address a = v6("2001:db8::");
        memcpy(a.at + 4, &i, sizeof(i));
        guess_failed(g, &a, 10, MOST, NOW);
        if (i % 100 == 0)
            assert_true(guess_failed(g, &busy, 10, MOST, NOW) > 0);
    }
    guesses_free(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_address_has_a_budget),
        cmocka_unit_test(test_a_subscriber_of_ipv6_is_one),
        cmocka_unit_test(test_many_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
