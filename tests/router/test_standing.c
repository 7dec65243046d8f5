/* How a tenant stands with Kafka: shares, the way into the slow lane and back. */
#include "router/produce/standing.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define STALL_NS (2 * NS_PER_S)
#define KB       1024ull

static const struct kafka_alive dead = {0, 0};

static uint64_t at(double s)
{
    return (uint64_t)((1000 + s) * NS_PER_S);
}

/* Kafka answered from the second `since` to `last`. */
static struct kafka_alive alive(double since, double last)
{
    return (struct kafka_alive){at(since), at(last)};
}

/* A record at `s` seconds, into a queue that is as empty as can be. */
static enum standing_answer admit(struct standing *s, uint64_t bytes, struct kafka_alive a,
                                  double now)
{
    const struct lane_load loads[LANE_COUNT] = {{1 << 30, s->bytes[LANE_FAST], 1},
                                                {1 << 30, s->bytes[LANE_SLOW], 1}};
    return standing_admit(s, 1, bytes, loads, STALL_NS, a, at(now));
}

static void test_share_of_the_queue(void **state)
{
    static const struct {
        uint64_t mine, my_records, queued, tenants, bytes;
        enum standing_answer answer;
    } rows[] = {
        /* below the half everybody may */
        {40, 4, 49, 1, 1, STANDING_SEND},
        {49, 4, 49, 1, 2, STANDING_OVER_SHARE}, /* half the queue is left for one who comes */
        /* above, an equal share, with one more than there are */
        {10, 1, 90, 3, 15, STANDING_SEND},
        {10, 1, 90, 3, 16, STANDING_OVER_SHARE},
        {30, 1, 60, 3, 1, STANDING_OVER_SHARE},
        /* one record is always possible, also of one who was not there yet */
        {0, 0, 99, 3, 80, STANDING_SEND},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct standing s = {.bytes[LANE_FAST] = rows[i].mine,
                             .records[LANE_FAST] = rows[i].my_records,
                             .waiting_ns = at(0)};
        const struct lane_load loads[LANE_COUNT] = {{100, rows[i].queued, rows[i].tenants}};
        assert_int_equal(standing_admit(&s, 1, rows[i].bytes, loads, STALL_NS, dead, at(1)),
                         rows[i].answer);
        bool sent = rows[i].answer == STANDING_SEND;
        assert_int_equal(s.records[LANE_FAST], rows[i].my_records + sent);
        assert_int_equal(s.bytes[LANE_FAST], rows[i].mine + (sent ? rows[i].bytes : 0));
    }
}

static void test_slow_when_nothing_is_confirmed(void **state)
{
    static const struct {
        struct kafka_alive a; /* seconds */
        double now;
        enum lane lane;
    } rows[] = {
        {{0, 0}, 60, LANE_FAST},   /* Kafka never answered: not the tenant's trouble */
        {{0, 1}, 60, LANE_FAST},   /* answers ended a second after the record began to wait */
        {{0, 12}, 12, LANE_SLOW},  /* it answered all along, two seconds later still */
        {{11, 12}, 12, LANE_FAST}, /* it is back for a second only */
        {{11, 13}, 13, LANE_SLOW},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct standing s = {0};
        assert_int_equal(admit(&s, 1, alive(0, 10), 10), STANDING_SEND);
        struct kafka_alive a = {at((double)rows[i].a.since_ns), at((double)rows[i].a.last_ns)};
        assert_int_equal(admit(&s, 1, a, rows[i].now), STANDING_SEND);
        assert_int_equal(s.lane, rows[i].lane);
    }
}

static void test_slow_by_reports(void **state)
{
    static const struct {
        enum standing_report report;
        double sent, now, last_alive;
        enum lane lane;
    } rows[] = {
        {STANDING_STORED, 10, 14, 14, LANE_FAST},  {STANDING_OTHER, 10, 14, 14, LANE_FAST},
        {STANDING_UNTAKEN, 10, 10, 10, LANE_SLOW}, /* its own word is enough */
        {STANDING_LATE, 10, 14.5, 14, LANE_SLOW},  {STANDING_LATE, 10, 14.5, 10.5, LANE_FAST},
        {STANDING_LATE, 10, 11, 11, LANE_FAST},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct standing s = {0};
        assert_int_equal(admit(&s, 5, alive(0, 10), rows[i].sent), STANDING_SEND);
        standing_done(&s, LANE_FAST, 5, at(rows[i].sent), rows[i].report, STALL_NS,
                      alive(0, rows[i].last_alive), at(rows[i].now));
        assert_int_equal(s.lane, rows[i].lane);
        assert_int_equal(s.records[LANE_FAST] + s.bytes[LANE_FAST], 0);
    }
}

static void fail_one(struct standing *s, double now)
{
    standing_done(s, s->lane, 100 * KB, at(now), STANDING_UNTAKEN, STALL_NS, dead, at(now));
}

static void succeed_one(struct standing *s, double now)
{
    standing_done(s, s->lane, 100 * KB, at(now), STANDING_STORED, STALL_NS, dead, at(now));
}

/* Few records go ahead; each success lets twice as many. */
static void test_window_of_the_slow_lane(void **state)
{
    (void)state;
    struct standing s = {0};
    admit(&s, 100 * KB, dead, 0);
    fail_one(&s, 0);
    for (int i = 0; i < 2; i++)
        assert_int_equal(admit(&s, 100 * KB, dead, 1), STANDING_SEND);
    assert_int_equal(admit(&s, 100 * KB, dead, 1), STANDING_STALLED); /* 256 KiB */
    succeed_one(&s, 2);
    for (int i = 0; i < 4; i++)
        assert_int_equal(admit(&s, 100 * KB, dead, 2), STANDING_SEND);
    assert_int_equal(admit(&s, 100 * KB, dead, 2), STANDING_STALLED); /* 512 KiB */
    for (int i = 0; i < 5; i++)
        fail_one(&s, 3);
    assert_int_equal(admit(&s, 900 * KB, dead, 3), STANDING_SEND); /* one goes, whatever its size */
    assert_int_equal(admit(&s, 1, dead, 3), STANDING_STALLED);
    assert_int_equal(s.lane, LANE_SLOW);
}

/* Back after a quiet time, which is longer for one that comes back soon. */
static void test_way_back(void **state)
{
    (void)state;
    struct standing s = {0};
    double now = 0;
    static const double quiet[] = {5, 10, 20, 40, 60, 60};
    for (size_t i = 0; i < sizeof(quiet) / sizeof(quiet[0]); i++) {
        admit(&s, 100 * KB, dead, now);
        fail_one(&s, now);
        assert_int_equal(s.lane, LANE_SLOW);
        admit(&s, 100 * KB, dead, now);
        succeed_one(&s, now + quiet[i] - 0.5);
        assert_int_equal(s.lane, LANE_SLOW);
        admit(&s, 100 * KB, dead, now);
        succeed_one(&s, now + quiet[i] + 0.1);
        assert_int_equal(s.lane, LANE_FAST);
        now += quiet[i] + 1;
    }
    now += 100; /* long well: from the start again */
    admit(&s, 100 * KB, dead, now);
    fail_one(&s, now);
    assert_int_equal(s.quiet_ns, 5 * NS_PER_S);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_share_of_the_queue),
        cmocka_unit_test(test_slow_when_nothing_is_confirmed),
        cmocka_unit_test(test_slow_by_reports),
        cmocka_unit_test(test_window_of_the_slow_lane),
        cmocka_unit_test(test_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
