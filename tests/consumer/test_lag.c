/* Where reading goes on, by what database, commit and log say. */
#include "consumer/inspect/lag.h"

#include "../base/unit.h"

struct row {
    int line;
    int64_t db;        /* the database's next; NOT_KNOWN, NOT_READABLE */
    int64_t committed; /* -1 = nothing */
    int64_t low, high;
    enum lag_source source;
    int64_t next;
};

#define NOT_KNOWN    (-1)
#define NOT_READABLE (-2)
#define ROW          __LINE__

static const struct row rows[] = {
    {ROW, 5, -1, 0, 9, LAG_DATABASE, 5},         {ROW, 9, -1, 0, 9, LAG_DATABASE, 9},
    {ROW, 5, 3, 0, 9, LAG_DATABASE, 5},          /* the database is right, the commit late */
    {ROW, 5, 9, 0, 9, LAG_DATABASE, 5},          /* set back: it is what will be written next */
    {ROW, 5, -1, 7, 9, LAG_DATABASE, 7},         /* expired: those are lost, not late */
    {ROW, 5, -1, 5, 5, LAG_DATABASE, 5},         /* expired to the end */
    {ROW, 10, -1, 2, 9, LAG_START, 2},           /* another log */
    {ROW, NOT_KNOWN, -1, 2, 9, LAG_START, 2},    /* nothing written yet */
    {ROW, NOT_KNOWN, 4, 2, 9, LAG_START, 2},     /* a new database begins anew */
    {ROW, NOT_READABLE, 4, 2, 9, LAG_COMMIT, 4}, /* the commit stands in */
    {ROW, NOT_READABLE, 1, 2, 9, LAG_COMMIT, 2}, /* expired behind it */
    {ROW, NOT_READABLE, 12, 2, 9, LAG_START, 2}, /* a commit of another log */
    {ROW, NOT_READABLE, -1, 2, 9, LAG_START, 2}, /* never committed */
    {ROW, NOT_READABLE, -1, 0, 0, LAG_START, 0}, /* an empty log */
    {ROW, NOT_READABLE, 0, 0, 0, LAG_COMMIT, 0},
};

static void test_next(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct row *r = &rows[i];
        struct progress p = {.known = r->db >= 0, .next = r->db >= 0 ? r->db : 0};
        int64_t next = -9;
        enum lag_source source =
            lag_next(r->db == NOT_READABLE ? NULL : &p, r->committed, r->low, r->high, &next);
        check_row(r->line, source == r->source, "%s", lag_source_name[source]);
        check_row(r->line, next == r->next, "%lld", (long long)next);
    }
}

static void test_sum(void **state)
{
    (void)state;
    struct lag_unit units[] = {
        {.signal = SIGNAL_LOGS, .records = 5, .seconds = 1.5},
        {.signal = SIGNAL_LOGS, .records = 7, .seconds = 0.5},
        {.signal = SIGNAL_TRACES, .records = 1, .seconds = 9},
    };
    struct lag l = {.units = units, .n = COUNT(units)};
    assert_int_equal(lag_sum(&l, SIGNAL_LOGS).records, 12);
    assert_float_equal(lag_sum(&l, SIGNAL_LOGS).seconds, 1.5, 0);
    assert_int_equal(lag_sum(&l, SIGNAL_COUNT).records, 13);
    assert_float_equal(lag_sum(&l, SIGNAL_COUNT).seconds, 9, 0);
    assert_int_equal(lag_sum(&l, SIGNAL_METRICS).records, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_next),
        cmocka_unit_test(test_sum),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
