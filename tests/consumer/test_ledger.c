/* The ledger's checks: one thing is changed in a unit whose books balance, and the finding says
 * what. */
#include "consumer/inspect/ledger.h"

#include "../base/unit.h"

/* Records 10..109 of a log that still holds all of them: 90 written with 9 items each, 10 dead
 * letters with 5 items each; the last commit is of offset 100 and its copy lacks the last 10
 * records, which were written. */
static struct ledger_unit balanced(void)
{
    struct progress db = {
        .source = 3,
        .generation = 1,
        .known = true,
        .first = 10,
        .next = 110,
        .totals = {.records = 87,
                   .items = 792,
                   .dlq_records = 10,
                   .dlq_items = 50,
                   .lost_records = 2,
                   .gaps = 1},
    };
    struct ledger_unit u = {
        .topic = "otlp.acme.logs",
        .signal = SIGNAL_LOGS,
        .partition = 4,
        .current = true,
        .in_log = true,
        .db = db,
        .low = 10,
        .high = 130,
        .committed = 100,
        .has_copy = true,
        .copy = db,
        .last = LAST_SAME,
        .since_items = 90,
        .letters = 10,
        .letters_complete = true,
        .living_items = 792,
        .rows = 792,
    };
    u.copy.totals.records = 78;
    u.copy.totals.items = 702;
    return u;
}

static void check(const struct ledger_unit *u, bool recounted, const char *expected, int line)
{
    struct ledger l = {.recounted = recounted};
    ledger_check(&l, u);
    const char *found = l.findings ? l.findings->text : "";
    check_row(line, (expected == NULL) == (l.findings == NULL), "%s", found);
    if (expected != NULL) {
        check_row(line, strstr(found, expected) != NULL, "%s", found);
        check_row(line, strstr(found, "otlp.acme.logs, partition 4: ") == found, "%s", found);
    }
    ledger_release(&l);
}

/* Runs `change` on a balanced unit `u` and looks for `expected` in the first finding. */
#define CHANGED(change, expected)                                                                  \
    do {                                                                                           \
        struct ledger_unit u = balanced();                                                         \
        change;                                                                                    \
        check(&u, false, (expected), __LINE__);                                                    \
    } while (0)
#define RECOUNTED(change, expected)                                                                \
    do {                                                                                           \
        struct ledger_unit u = balanced();                                                         \
        change;                                                                                    \
        check(&u, true, (expected), __LINE__);                                                     \
    } while (0)

static void test_balanced(void **state)
{
    (void)state;
    CHANGED((void)u, NULL);
    CHANGED(u.in_log = false, NULL);
    CHANGED(u.last = LAST_GONE, NULL);
    CHANGED(u.committed = -1; u.has_copy = false; u.since_items = 842, NULL);
    CHANGED(u.committed = 110; u.copy = u.db; u.since_items = 0, NULL);
    /* The worker was down so long that the records since its last commit have expired. */
    CHANGED(u.low = 105; u.since_items = 0, NULL);
    /* Dead letters have expired. */
    CHANGED(u.letters_complete = false; u.letters = 3, NULL);
    CHANGED(u.db = (struct progress){0}; u.has_copy = false; u.committed = -1, NULL);
}

static void test_database_alone(void **state)
{
    (void)state;
    CHANGED(u.db.totals.records++, "first 10 + 88 written + 10 dead-lettered + 2 lost");
    CHANGED(u.db.totals.lost_records--, "1 lost records + 1 offsets without one make 109");
    CHANGED(u.db.totals.gaps--, "+ 0 offsets without one make 109");
    CHANGED(u.db.totals.dlq_records++, "11 dead-lettered");
    CHANGED(u.db.next--, "stands at offset 109");
    CHANGED(u.db.first++, "first 11");
    CHANGED(u.in_log = false; u.db.next++, "stands at offset 111");
}

static void test_place(void **state)
{
    (void)state;
    CHANGED(u.high = 109, "beyond the end of the log at 109");
    CHANGED(u.committed = 111, "set back");
    CHANGED(u.last = LAST_OTHER, "not the one that the database wrote last");
    CHANGED(u.db = (struct progress){0}, "it was removed or replaced");
}

static void test_totals(void **state)
{
    (void)state;
    CHANGED(u.db.totals.items++, "tell of 843 items up to offset 110, Kafka's records from offset "
                                 "100 on and the last commit of 842");
    CHANGED(u.db.totals.dropped++, "of 842");
    CHANGED(u.db.totals.dlq_items++, "of 842");
    CHANGED(u.since_items--, "of 841");
    CHANGED(u.committed = -1; u.has_copy = false;
            u.since_items = 841, "Kafka's records from offset 10 on of 841");
    /* Moved from one total to another: their sum is right, the copy tells. */
    CHANGED(u.committed = 110; u.copy = u.db; u.since_items = 0; u.db.totals.items--;
            u.db.totals.dlq_items++, "differ from those that were committed");
    CHANGED(u.committed = 110; u.copy = u.db; u.since_items = 0; u.copy.totals.dropped = 1;
            u.copy.totals.items--, "differ from those that were committed");
}

static void test_letters(void **state)
{
    (void)state;
    CHANGED(u.letters--, "tells of 10 dead-lettered records, the DLQ holds 9");
    CHANGED(u.letters++, "the DLQ holds 11");
    CHANGED(u.letters_complete = false; u.letters++, "the DLQ holds 11");
}

static void test_recount(void **state)
{
    (void)state;
    RECOUNTED(u.since_items = 842, NULL); /* from the first record on */
    RECOUNTED(u.since_items = 842; u.rows--, "792 items that should be rows, the tables hold 791");
    RECOUNTED(u.since_items = 842; u.rows++, "the tables hold 793");
    /* Totals that were changed by hand and then committed by a worker that believed them. */
    RECOUNTED(u.since_items = 842; u.db.totals.items++; u.committed = 110;
              u.copy = u.db, "tell of 843 items");
    /* The log's start has expired: the commit is the baseline again. */
    RECOUNTED(u.low = 50, NULL);
    RECOUNTED(u.low = 50; u.rows--, "records [50, 110)");
    CHANGED(u.rows--, NULL);
}

static void test_sums(void **state)
{
    (void)state;
    struct ledger_unit a = balanced(), b = balanced();
    a.waiting_items = 7;
    a.next = &b;
    b.signal = SIGNAL_TRACES;
    struct ledger l = {.units = &a};
    struct ledger_sums s = ledger_sum(&l, SIGNAL_LOGS);
    assert_int_equal(s.written, 792);
    assert_int_equal(s.dlq, 50);
    assert_int_equal(s.lost_records, 2);
    assert_int_equal(s.accepted, 7 + 792 + 50);
    assert_int_equal(ledger_sum(&l, SIGNAL_METRICS).accepted, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_balanced), cmocka_unit_test(test_database_alone),
        cmocka_unit_test(test_place),    cmocka_unit_test(test_totals),
        cmocka_unit_test(test_letters),  cmocka_unit_test(test_recount),
        cmocka_unit_test(test_sums),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
