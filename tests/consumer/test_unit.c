/* The unit's question "where to read on": as stories of what the database and Kafka say. */
#include "consumer/unit.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define SUM   0xabcdu
#define STAMP 1000

enum step_kind {
    LOADED,       /* a: first, b: next; known when b > 0 */
    RECORD,       /* a: offset, b: checksum, low: the log's start -> enum unit_take */
    OUT_OF_RANGE, /* -> 1 when the worker must reload */
    WATERMARKS,   /* a: low, b: high */
    REGENERATED,
};

struct step {
    int line;
    enum step_kind kind;
    int64_t a, b, low;
    int expect; /* of RECORD, OUT_OF_RANGE */
    enum unit_state state;
    int64_t read_next;
    uint64_t lost;
};

#define STEP __LINE__
#define END                                                                                        \
    {                                                                                              \
        0, LOADED, 0, 0, 0, 0, UNIT_LOADING, 0, 0                                                  \
    }

static void run_step(struct unit *u, const struct step *s)
{
    int got = s->expect;
    switch (s->kind) {
    case LOADED:
        unit_loaded(u, &(struct progress){.source = 1,
                                          .generation = 1,
                                          .known = s->b > 0,
                                          .first = s->a,
                                          .next = s->b,
                                          .last_timestamp = STAMP,
                                          .last_checksum = SUM});
        break;
    case RECORD:
        got = unit_record(u, s->a, STAMP, (uint32_t)s->b, s->low);
        break;
    case OUT_OF_RANGE:
        got = unit_out_of_range(u, 0);
        break;
    case WATERMARKS:
        unit_watermarks(u, s->a, s->b, 0);
        break;
    case REGENERATED:
        unit_regenerated(u, &(struct progress){.source = 2, .generation = 2});
        break;
    }
    if (got != s->expect || u->state != s->state || u->read_next != s->read_next ||
        u->lost != s->lost)
        fail_msg("line %d: returned %d (expected %d), state %d (%d), reads at %lld (%lld), lost "
                 "%llu (%llu)",
                 s->line, got, s->expect, u->state, s->state, (long long)u->read_next,
                 (long long)s->read_next, (unsigned long long)u->lost, (unsigned long long)s->lost);
}

static void run_story(const struct step *steps)
{
    char topic[] = "otlp.acme.logs";
    struct unit u = {.topic = topic, .state = UNIT_LOADING};
    for (; steps->line != 0; steps++)
        run_step(&u, steps);
}

static void test_a_new_unit_begins_at_the_first_record_that_is_there(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 0, 0, 0, UNIT_RUNNING, UNIT_READ_ANY, 0},
        {STEP, RECORD, 7, SUM, 7, UNIT_TAKE, UNIT_RUNNING, 8, 7}, /* what was below is lost */
        {STEP, RECORD, 8, SUM, 7, UNIT_TAKE, UNIT_RUNNING, 9, 7},
        END,
    });
}

static void test_the_last_written_record_is_compared_before_going_on(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, RECORD, 9, SUM, 0, UNIT_SKIP, UNIT_RUNNING, 10, 0},
        {STEP, RECORD, 10, 1, 0, UNIT_TAKE, UNIT_RUNNING, 11, 0},
        END,
    });
}

static void test_another_record_in_its_place_means_another_log(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, RECORD, 9, 77, 0, UNIT_SKIP, UNIT_REGENERATING, 9, 0},
        {STEP, RECORD, 10, SUM, 0, UNIT_SKIP, UNIT_REGENERATING, 9, 0},
        {STEP, REGENERATED, 0, 0, 0, 0, UNIT_RUNNING, UNIT_READ_ANY, 0},
        {STEP, RECORD, 0, SUM, 0, UNIT_TAKE, UNIT_RUNNING, 1, 0},
        END,
    });
}

static void test_beyond_the_end_is_asked_three_times_before_it_is_believed(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, OUT_OF_RANGE, 0, 0, 0, false, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 0, 4, 0, 0, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 0, 4, 0, 0, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 0, 4, 0, 0, UNIT_REGENERATING, 9, 0},
        END,
    });
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, OUT_OF_RANGE, 0, 0, 0, false, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 0, 4, 0, 0, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 0, 12, 0, 0, UNIT_VERIFYING, 9,
         0}, /* a leader that did not know its end */
        END,
    });
}

static void test_what_retention_ate_is_counted_as_lost(void **state)
{
    (void)state;
    run_story((const struct step[]){
        /* all that was written has expired, nothing else */
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, OUT_OF_RANGE, 0, 0, 0, false, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 10, 20, 0, 0, UNIT_RUNNING, 10, 0},
        END,
    });
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, OUT_OF_RANGE, 0, 0, 0, false, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 15, 20, 0, 0, UNIT_RUNNING, 15, 5},
        {STEP, RECORD, 15, SUM, 15, UNIT_TAKE, UNIT_RUNNING, 16, 5},
        END,
    });
    run_story((const struct step[]){
        /* it expired while we were reading */
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, RECORD, 14, SUM, 14, UNIT_TAKE, UNIT_RUNNING, 15, 4},
        END,
    });
}

static void test_a_gap_is_read_again_before_it_is_believed(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, RECORD, 9, SUM, 0, UNIT_SKIP, UNIT_RUNNING, 10, 0},
        {STEP, RECORD, 12, SUM, 0, UNIT_RESTART, UNIT_RUNNING, 10, 0},
        {STEP, RECORD, 10, SUM, 0, UNIT_TAKE, UNIT_RUNNING, 11, 0}, /* it had been a stale one */
        {STEP, RECORD, 13, SUM, 0, UNIT_RESTART, UNIT_RUNNING, 11, 0},
        {STEP, RECORD, 13, SUM, 0, UNIT_TAKE, UNIT_RUNNING, 14, 0}, /* two gaps, none lost */
        END,
    });
}

/* A transaction's mark follows each record. Lost is what lies below the log's start, nothing else.
 */
static void test_proven_gaps_are_believed_until_records_may_be_missing(void **state)
{
    (void)state;
    struct unit u = {.topic = (char[]){"otlp.acme.logs"}, .state = UNIT_LOADING};
    unit_loaded(&u, &(struct progress){.known = true, .first = 0, .next = 0});
    int64_t offset = 0;
    assert_int_equal(unit_record(&u, offset, STAMP, SUM, 0), UNIT_TAKE);
    for (int round = 0; round < 2; round++) {
        for (int proof = 0; proof < 3; proof++) {
            offset += 2;
            assert_true(unit_wants_low(&u, offset));
            assert_int_equal(unit_record(&u, offset, STAMP, SUM, 0), UNIT_RESTART);
            assert_int_equal(unit_record(&u, offset, STAMP, SUM, 0), UNIT_TAKE);
        }
        for (int believed = 0; believed < 10; believed++) {
            offset += 2;
            assert_false(unit_wants_low(&u, offset));
            assert_int_equal(unit_record(&u, offset, STAMP, SUM, -1), UNIT_TAKE);
        }
        unit_distrust_gaps(&u);
    }
    assert_int_equal(u.gaps, 2 * 13);
    assert_int_equal(u.lost, 0);
    offset += 2; /* and then retention overtakes it */
    assert_int_equal(unit_record(&u, offset, STAMP, SUM, offset), UNIT_TAKE);
    assert_int_equal(u.lost, 1);
}

/* What expired before a unit was read for the first time. */
static void test_what_expired_before_the_first_record(void **state)
{
    (void)state;
    static const struct {
        int line;
        uint32_t generation;
        int64_t written_before, low, first;
        uint64_t lost;
    } rows[] = {
        {__LINE__, 1, -1, 0, 0, 0},   {__LINE__, 1, -1, 30, 0, 30}, {__LINE__, 1, 20, 30, 20, 10},
        {__LINE__, 1, 30, 30, 30, 0}, {__LINE__, 1, 70, 30, 30, 0}, /* by an earlier database */
        {__LINE__, 2, 20, 30, 0, 30}, /* a commit of the topic before it was made anew */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct unit u = {.topic = (char[]){"otlp.acme.logs"}, .state = UNIT_LOADING};
        unit_loaded(&u, &(struct progress){.generation = rows[i].generation});
        assert_int_equal(unit_wants_written_before(&u, rows[i].low), rows[i].low > 0);
        u.written_before = rows[i].written_before;
        assert_int_equal(unit_record(&u, rows[i].low, STAMP, SUM, rows[i].low), UNIT_TAKE);
        if (u.lost != rows[i].lost || u.progress.first != rows[i].first || u.gaps != 0 ||
            u.read_next != rows[i].low + 1)
            fail_msg("line %d: lost %llu, first %lld", rows[i].line, (unsigned long long)u.lost,
                     (long long)u.progress.first);
    }
}

static void test_stale_records_are_not_written_again(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, RECORD, 3, SUM, 0, UNIT_SKIP, UNIT_VERIFYING, 9, 0},
        {STEP, RECORD, 9, SUM, 0, UNIT_SKIP, UNIT_RUNNING, 10, 0},
        {STEP, RECORD, 10, SUM, 0, UNIT_TAKE, UNIT_RUNNING, 11, 0},
        {STEP, RECORD, 10, SUM, 0, UNIT_SKIP, UNIT_RUNNING, 11, 0},
        {STEP, RECORD, 5, SUM, 0, UNIT_SKIP, UNIT_RUNNING, 11, 0},
        END,
    });
}

static void test_out_of_range_while_running_asks_for_a_reload(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, RECORD, 9, SUM, 0, UNIT_SKIP, UNIT_RUNNING, 10, 0},
        {STEP, OUT_OF_RANGE, 0, 0, 0, true, UNIT_RUNNING, 10, 0},
        END,
    });
}

static void test_a_log_that_ends_just_before_the_record_to_compare_with(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0},
        {STEP, WATERMARKS, 0, 10, 0, 0, UNIT_VERIFYING, 9, 0}, /* it is there, only slow to come */
        {STEP, WATERMARKS, 0, 9, 0, 0, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 0, 9, 0, 0, UNIT_DOUBTFUL, 9, 0},
        {STEP, WATERMARKS, 0, 9, 0, 0, UNIT_REGENERATING, 9, 0},
        END,
    });
}

static void test_watermarks_are_wanted_when_nothing_comes(void **state)
{
    (void)state;
    struct unit u = {.state = UNIT_LOADING};
    const uint64_t start = 100 * NS_PER_S;
    assert_false(unit_wants_watermarks(&u, start));
    unit_loaded(&u, &(struct progress){.known = true, .next = 10});
    assert_false(unit_wants_watermarks(&u, start));
    assert_false(unit_wants_watermarks(&u, start + NS_PER_S));
    assert_true(unit_wants_watermarks(&u, start + 3 * NS_PER_S));
    unit_watermarks_unknown(&u, start + 3 * NS_PER_S);
    assert_false(unit_wants_watermarks(&u, start + 3 * NS_PER_S));
    assert_true(unit_wants_watermarks(&u, start + 5 * NS_PER_S));
}

static void test_a_stale_record_is_not_taken_for_the_first(void **state)
{
    (void)state;
    run_story((const struct step[]){
        {STEP, LOADED, 0, 0, 0, 0, UNIT_RUNNING, UNIT_READ_ANY, 0},
        {STEP, RECORD, 57, SUM, 0, UNIT_RESTART, UNIT_RUNNING, UNIT_READ_ANY, 0},
        {STEP, RECORD, 0, SUM, 0, UNIT_TAKE, UNIT_RUNNING, 1, 0},
        END,
    });
    run_story((const struct step[]){
        /* no record stands in front of it: transaction markers do */
        {STEP, LOADED, 0, 0, 0, 0, UNIT_RUNNING, UNIT_READ_ANY, 0},
        {STEP, RECORD, 2, SUM, 0, UNIT_RESTART, UNIT_RUNNING, UNIT_READ_ANY, 0},
        {STEP, RECORD, 2, SUM, 0, UNIT_TAKE, UNIT_RUNNING, 3, 0},
        END,
    });
}

static void test_an_idle_unit_is_compared_again(void **state)
{
    (void)state;
    struct unit u = {.state = UNIT_LOADING};
    uint64_t now = 100 * NS_PER_S;
    const struct progress p = {.known = true, .next = 10, .last_timestamp = STAMP};
    assert_false(unit_idle(&u, NS_PER_S, now));
    unit_loaded(&u, &p);
    assert_false(unit_idle(&u, NS_PER_S, now)); /* it is being compared */
    assert_int_equal(unit_record(&u, 9, STAMP, 0, -1), UNIT_SKIP);
    assert_int_equal(u.state, UNIT_RUNNING);
    assert_false(unit_idle(&u, NS_PER_S, now));
    assert_true(unit_idle(&u, NS_PER_S, now + NS_PER_S));
    unit_record(&u, 10, STAMP, 0, -1); /* read and not written */
    assert_false(unit_idle(&u, NS_PER_S, now + 2 * NS_PER_S));
    u.progress.next = 11;
    assert_false(unit_idle(&u, NS_PER_S, now + 3 * NS_PER_S));
    u.progress.next = u.read_next = 12; /* it moved between two looks */
    assert_false(unit_idle(&u, NS_PER_S, now + 5 * NS_PER_S));
    assert_true(unit_idle(&u, NS_PER_S, now + 6 * NS_PER_S));
    unit_look_again(&u);
    assert_int_equal(u.state, UNIT_VERIFYING);
    assert_int_equal(unit_fetch_offset(&u), 11);
    assert_true(u.restart);
    unit_record(&u, 11, STAMP, SUM, -1); /* another checksum: another topic */
    assert_int_equal(u.state, UNIT_REGENERATING);
    u = (struct unit){.state = UNIT_RUNNING, .read_next = UNIT_READ_ANY};
    assert_false(unit_idle(&u, 0, now)); /* nothing was written yet */
}

static void test_a_stopped_unit_is_looked_at_again(void **state)
{
    (void)state;
    struct unit u = {.state = UNIT_RUNNING, .writing_since = 77};
    uint64_t now = 100 * NS_PER_S, pause = 0;
    for (int i = 0; i < 8; i++) {
        u.writing_since = 77;
        unit_stop(&u, now);
        assert_int_equal(u.state, UNIT_PARKED);
        assert_int_equal(u.parked_since, 77);
        assert_true(u.look_pause_ns >= pause && u.look_pause_ns <= 60 * NS_PER_S);
        pause = u.look_pause_ns;
        assert_false(unit_looks_again(&u, now));
        now += pause;
        assert_true(unit_looks_again(&u, now));
        u.state = UNIT_LOADING;
        assert_false(unit_looks_again(&u, now));
    }
    assert_int_equal(pause, 60 * NS_PER_S);
    unit_loaded(&u, &(struct progress){.known = true, .next = 10});
    assert_true(u.stopped); /* until something of it is written */
    assert_true(unit_written(&u));
    assert_false(u.stopped);
    assert_false(unit_written(&u));
    unit_stop(&u, now);
    assert_int_equal(u.look_pause_ns, 5 * NS_PER_S);
}

static void test_letters_that_were_told_are_known(void **state)
{
    (void)state;
    struct unit u = {0};
    assert_false(unit_told(&u, 0));
    for (int64_t offset = 10; offset < 40; offset += 3)
        unit_tell(&u, offset);
    unit_tell(&u, 10); /* told again after another look */
    assert_int_equal(u.told.n, 10);
    for (int64_t offset = 0; offset < 50; offset++)
        assert_int_equal(unit_told(&u, offset), offset >= 10 && offset < 40 && offset % 3 == 1);
    unit_regenerated(&u, &(struct progress){.generation = 2});
    assert_false(unit_told(&u, 10)); /* other records stand there now */
    free(u.told.at);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_new_unit_begins_at_the_first_record_that_is_there),
        cmocka_unit_test(test_the_last_written_record_is_compared_before_going_on),
        cmocka_unit_test(test_another_record_in_its_place_means_another_log),
        cmocka_unit_test(test_beyond_the_end_is_asked_three_times_before_it_is_believed),
        cmocka_unit_test(test_what_retention_ate_is_counted_as_lost),
        cmocka_unit_test(test_a_gap_is_read_again_before_it_is_believed),
        cmocka_unit_test(test_proven_gaps_are_believed_until_records_may_be_missing),
        cmocka_unit_test(test_what_expired_before_the_first_record),
        cmocka_unit_test(test_stale_records_are_not_written_again),
        cmocka_unit_test(test_out_of_range_while_running_asks_for_a_reload),
        cmocka_unit_test(test_a_log_that_ends_just_before_the_record_to_compare_with),
        cmocka_unit_test(test_watermarks_are_wanted_when_nothing_comes),
        cmocka_unit_test(test_a_stale_record_is_not_taken_for_the_first),
        cmocka_unit_test(test_an_idle_unit_is_compared_again),
        cmocka_unit_test(test_a_stopped_unit_is_looked_at_again),
        cmocka_unit_test(test_letters_that_were_told_are_known),
    };
    return cmocka_run_group_tests_name("unit", tests, NULL, NULL);
}
