#include "tests/base/unit.h"

#include "base/clock.h"
#include "router/net/address_table.h"

#include <pthread.h>
#include <string.h>

static struct address v4(unsigned n)
{
    const uint8_t at[4] = {10, (uint8_t)(n >> 16), (uint8_t)(n >> 8), (uint8_t)n};
    return address_v4(at, 1);
}

static struct address v6(unsigned subnet, unsigned host)
{
    struct address a = {{0x20, 0x01, 0x0D, 0xB8}, 1};
    a.at[7] = (uint8_t)subnet;
    a.at[15] = (uint8_t)host;
    return a;
}

static struct address_entry *enter(struct address_table *t, struct address a,
                                   struct address_limits limits, bool handshake, uint64_t now_ns,
                                   enum address_verdict expected)
{
    struct address_entry *e = NULL;
    assert_int_equal(address_enter(t, &a, &limits, handshake, now_ns, &e), expected);
    assert_int_equal(e != NULL, expected == ADDRESS_WELCOME);
    return e;
}

static void test_connections(void **state)
{
    (void)state;
    struct address_limits two = {.connections = 2};
    struct address_table *t = address_table_new();
    struct address_entry *a = enter(t, v4(1), two, false, 0, ADDRESS_WELCOME);
    enter(t, v4(1), two, false, 0, ADDRESS_WELCOME);
    enter(t, v4(1), two, false, 0, ADDRESS_CONNECTIONS);
    enter(t, v4(2), two, false, 0, ADDRESS_WELCOME); /* another one */
    address_leave(t, a, 0);
    enter(t, v4(1), two, false, 0, ADDRESS_WELCOME);
    enter(t, v4(1), two, false, 0, ADDRESS_CONNECTIONS);
    /* A /64 is one client, the next one another. */
    enter(t, v6(1, 1), two, false, 0, ADDRESS_WELCOME);
    enter(t, v6(1, 2), two, false, 0, ADDRESS_WELCOME);
    enter(t, v6(1, 3), two, false, 0, ADDRESS_CONNECTIONS);
    enter(t, v6(2, 3), two, false, 0, ADDRESS_WELCOME);
    address_table_free(t);
}

static void test_handshakes(void **state)
{
    (void)state;
    struct address_limits one = {.handshakes = 1};
    struct address_table *t = address_table_new();
    struct address_entry *a = enter(t, v4(1), one, true, 0, ADDRESS_WELCOME);
    enter(t, v4(1), one, true, 0, ADDRESS_HANDSHAKES);
    enter(t, v4(1), one, false, 0, ADDRESS_WELCOME); /* plaintext has none */
    address_handshake_done(t, a);
    enter(t, v4(1), one, true, 0, ADDRESS_WELCOME);
    address_table_free(t);
}

/* Two seconds of the rate at once, then the rate; refused ones cost nothing. */
static void test_rate(void **state)
{
    (void)state;
    struct address_limits limits = {.rate = 10};
    struct address_table *t = address_table_new();
    uint64_t now = 1000 * NS_PER_S;
    unsigned in = 0;
    for (int i = 0; i < 100; i++) {
        struct address a = v4(1);
        struct address_entry *e;
        if (address_enter(t, &a, &limits, false, now, &e) == ADDRESS_WELCOME) {
            address_leave(t, e, now);
            in++;
        }
    }
    assert_int_equal(in, 20);
    for (int i = 0; i < 1000; i++) { /* ten seconds in steps of 10 ms */
        struct address a = v4(1);
        struct address_entry *e;
        now += NS_PER_S / 100;
        if (address_enter(t, &a, &limits, false, now, &e) == ADDRESS_WELCOME) {
            address_leave(t, e, now);
            in++;
        }
    }
    assert_int_equal(in, 120);
    enter(t, v4(2), limits, false, now, ADDRESS_WELCOME);
    address_table_free(t);
}

static void test_it_forgets(void **state)
{
    (void)state;
    struct address_limits limits = {.rate = 1};
    struct address_table *t = address_table_new();
    uint64_t now = 1000 * NS_PER_S;
    for (unsigned i = 0; i < 3 * ADDRESS_TABLE_IDLE; i++)
        address_leave(t, enter(t, v4(i), limits, false, now, ADDRESS_WELCOME), now);
    assert_in_range(address_table_size(t), 1, ADDRESS_TABLE_IDLE + 16);
    struct address_entry *held = enter(t, v4(1), limits, false, now, ADDRESS_WELCOME);
    now += 10 * NS_PER_S;
    for (unsigned i = 0; i < ADDRESS_TABLE_IDLE; i++) /* those of before are of no interest */
        address_leave(t, enter(t, v4(i + 4), limits, false, now, ADDRESS_WELCOME), now);
    now += 10 * NS_PER_S;
    for (unsigned i = 0; i < ADDRESS_TABLE_IDLE; i++) {
        address_leave(t, enter(t, v4(7), (struct address_limits){0}, false, now, ADDRESS_WELCOME),
                      now);
        address_leave(t, enter(t, v4(i), (struct address_limits){0}, false, now, ADDRESS_WELCOME),
                      now);
    }
    assert_in_range(address_table_size(t), 1, 200);
    address_leave(t, held, now);
    address_table_free(t);
}

#define THREADS 4
#define TURNS   20000

static void *come_and_go(void *arg)
{
    struct address_table *t = arg;
    struct address_limits limits = {.connections = 3, .handshakes = 2, .rate = 1000000};
    for (unsigned i = 0; i < TURNS; i++) {
        struct address a = v4(i % 5);
        struct address_entry *e;
        if (address_enter(t, &a, &limits, true, i * NS_PER_MS, &e) != ADDRESS_WELCOME)
            continue;
        address_handshake_done(t, e);
        address_leave(t, e, i * NS_PER_MS);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct address_table *t = address_table_new();
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, come_and_go, t);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    /* Nothing is held any more: as many may come as ever. */
    struct address_limits limits = {.connections = 3, .handshakes = 3};
    for (int i = 0; i < 3; i++)
        enter(t, v4(1), limits, true, 3600 * NS_PER_S, ADDRESS_WELCOME);
    enter(t, v4(1), limits, true, 3600 * NS_PER_S, ADDRESS_CONNECTIONS);
    address_table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_connections), cmocka_unit_test(test_handshakes),
        cmocka_unit_test(test_rate),        cmocka_unit_test(test_it_forgets),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
