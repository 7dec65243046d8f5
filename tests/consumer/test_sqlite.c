/* The contract of exporter.h on SQLite: offsets, totals and rows move together, by whoever knows
 * where they stood. */
#include "tests/consumer/sqlite_fixture.h"

static struct fixture f;

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_release(&f);
    return 0;
}

static void test_generations(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct progress first = fixture_load(&f, x, TOPIC, 0), second, again;
    assert_int_equal(first.generation, 1);
    assert_false(first.known);
    assert_int_equal(first.next, 0);
    assert_int_equal(fixture_load(&f, x, TOPIC, 1).source, first.source);
    assert_int_not_equal(fixture_load(&f, x, "otlp.acme.traces", 0).source, first.source);

    first = fixture_write(&f, x, first, 3, EXPORT_OK);
    assert_true(first.known);
    assert_int_equal(x->ops->next_generation(x, CLUSTER, TOPIC, 1, &second, &f.err), EXPORT_OK);
    assert_int_equal(second.generation, 2);
    assert_false(second.known);
    assert_int_not_equal(second.source, first.source);
    assert_int_equal(x->ops->next_generation(x, CLUSTER, TOPIC, 1, &again, &f.err), EXPORT_OK);
    assert_int_equal(again.source, second.source);

    /* An entry of this partition counts before a later generation without one. */
    assert_int_equal(fixture_load(&f, x, TOPIC, 0).source, first.source);
    assert_int_equal(fixture_load(&f, x, TOPIC, 1).source, second.source);
    fixture_write(&f, x, second, 1, EXPORT_OK);
    assert_int_equal(fixture_load(&f, x, TOPIC, 0).source, second.source);
    x->ops->close(x);
}

static void test_write_moves_everything(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct progress before = fixture_load(&f, x, TOPIC, 0);
    before.next = 100; /* the topic begins there */
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, before);
    fixture_record(&fb, x, u, 3, "three rows");
    fixture_record(&fb, x, u, 0, "none");
    fixture_record(&fb, x, u, 5, "dead")->fate = RECORD_DEAD;
    fixture_record(&fb, x, u, 2, "two rows")->dropped = 4;
    fb.units[u].next += 17;
    fb.units[u].lost = 10;
    fb.units[u].gaps = 7;
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);

    struct progress p = fixture_load(&f, x, TOPIC, 0);
    assert_memory_equal(&p.totals, &fb.units[u].before.totals, sizeof(p.totals));
    assert_int_equal(p.next, fb.units[u].before.next);
    assert_int_equal(p.first, 100);
    assert_int_equal(p.next, 121);
    assert_int_equal(p.totals.records, 3);
    assert_int_equal(p.totals.items, 5);
    assert_int_equal(p.totals.dropped, 4);
    assert_int_equal(p.totals.dlq_records, 1);
    assert_int_equal(p.totals.dlq_items, 5);
    assert_int_equal(p.totals.lost_records, 10);
    assert_int_equal(p.totals.gaps, 7);
    assert_int_equal(p.last_timestamp, 1003);
    assert_int_equal(p.last_checksum, 80);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 5);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs WHERE Body='dead'"), 0);

    uint64_t n = 0;
    x->ops->count_rows(x, SIGNAL_LOGS, p.source, 0, 100, 103, &n, &f.err);
    assert_int_equal(n, 3);
    x->ops->count_rows(x, SIGNAL_LOGS, p.source, 0, 0, 1000, &n, &f.err);
    assert_int_equal(n, 5);
    x->ops->count_rows(x, SIGNAL_LOGS, p.source, 1, 0, 1000, &n, &f.err);
    assert_int_equal(n, 0);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

/* A record that was given up half decoded leaves rows behind, with a number that is not used. */
static void test_rows_past_the_records_are_left_out(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, fixture_load(&f, x, TOPIC, 0));
    fixture_record(&fb, x, u, 1, "whole");
    fixture_record(&fb, x, u, 1, "half");
    fb.b.n_records--;
    fb.units[u].next--;
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 1);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

static void test_second_writer_is_fenced(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct exporter *y = fixture_open(&f, EXPORTER_WRITE);
    struct progress px = fixture_load(&f, x, TOPIC, 0), py = fixture_load(&f, y, TOPIC, 0);
    px = fixture_write(&f, x, px, 2, EXPORT_OK);     /* the first entry of the unit */
    py = fixture_write(&f, y, py, 2, EXPORT_FENCED); /* knows of none */
    assert_false(py.known);
    py = fixture_load(&f, y, TOPIC, 0);
    px = fixture_write(&f, x, px, 1, EXPORT_OK);
    py = fixture_write(&f, y, py, 1, EXPORT_FENCED);
    assert_int_equal(py.next, 2);
    fixture_write(&f, y, fixture_load(&f, y, TOPIC, 0), 1, EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 4);
    assert_int_equal(fixture_sql(&f, "SELECT count(DISTINCT _ko) FROM otel_logs"), 4);
    x->ops->close(x);
    y->ops->close(y);
}

/* A batch of records of one row each in partition 0, with names; "" = none. */
static struct progress write_named(struct exporter *x, struct progress before,
                                   const char *const *names, size_t n, uint64_t received_ns)
{
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, before);
    for (size_t i = 0; i < n; i++) {
        struct batch_record *r = fixture_record(&fb, x, u, 1, names[i]);
        r->name = slice_str(names[i]);
        r->received_ns = received_ns;
    }
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    struct progress after = fb.units[u].before;
    fixture_batch_release(&fb);
    return after;
}

#define MINUTE (60 * UINT64_C(1000000000))

static void test_a_record_that_kafka_holds_twice(void **state)
{
    (void)state;
    static const struct {
        const char *names[3];
        uint64_t received_ns;
        uint64_t rows, repeated; /* in all, after the batch */
    } batches[] = {
        {{"a", "b", "a"}, 100 * MINUTE, 2, 1},  /* in one batch */
        {{"b", "c", "d"}, 100 * MINUTE, 4, 2},  /* in a later one */
        {{"", "", "e"}, 100 * MINUTE, 7, 2},    /* without names nothing is known */
        {{"a", "f", "g"}, 101 * MINUTE, 10, 2}, /* a name counts with its time */
        {{"h", "i", "j"}, 90 * MINUTE, 13, 2},  /* what is older forgets nothing */
        {{"d", "c", "e"}, 100 * MINUTE, 13, 5},
        {{"k", "l", "m"}, 117 * MINUTE, 16, 5}, /* forgets all but its own */
        {{"a", "f", "m"}, 117 * MINUTE, 18, 6},
    };
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct progress p = fixture_load(&f, x, TOPIC, 0);
    for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
        p = write_named(x, p, batches[i].names, 3, batches[i].received_ns);
        x->ops->close(x); /* it is the database that remembers */
        x = fixture_open(&f, EXPORTER_WRITE);
        assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), batches[i].rows);
        assert_int_equal(p.totals.items, batches[i].rows);
        assert_int_equal(p.totals.dropped, batches[i].repeated);
        assert_int_equal(p.totals.records, 3 * (i + 1));
    }
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM tenantry_recent"), 5);
    x->ops->close(x);
}

/* One that went to the DLQ, or was refused, is not written: its name is not taken. */
static void test_a_dead_record_takes_no_name(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, fixture_load(&f, x, TOPIC, 0));
    for (int i = 0; i < 2; i++) {
        struct batch_record *r = fixture_record(&fb, x, u, 1, "again");
        r->name = slice_str("a");
        r->received_ns = 100 * MINUTE;
        r->fate = i == 0 ? RECORD_DEAD : RECORD_GOOD;
    }
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 1);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

/* What the check is worth: without it the same two writers write the same offsets. */
static void test_without_compare_and_set_rows_double(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct exporter *y = fixture_open(&f, EXPORTER_WRITE);
    ((struct sqlite *)y)->no_compare_and_set = true;
    struct progress px = fixture_load(&f, x, TOPIC, 0), py = fixture_load(&f, y, TOPIC, 0);
    px = fixture_write(&f, x, px, 2, EXPORT_OK);
    py = fixture_write(&f, y, py, 2, EXPORT_OK);
    fixture_write(&f, x, px, 1, EXPORT_OK);
    fixture_write(&f, y, py, 1, EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 6);
    assert_int_equal(fixture_sql(&f, "SELECT count(DISTINCT _ko) FROM otel_logs"), 3);
    x->ops->close(x);
    y->ops->close(y);
}

static void test_one_fenced_unit_stops_the_batch(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    fixture_write(&f, x, fixture_load(&f, x, TOPIC, 0), 1, EXPORT_OK);
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    struct progress old = fixture_load(&f, x, TOPIC, 0);
    old.next = 0;
    old.totals = (struct totals){0};
    uint32_t fresh = fixture_unit(&fb, TOPIC, 1, fixture_load(&f, x, TOPIC, 1));
    uint32_t stale = fixture_unit(&fb, TOPIC, 0, old);
    fixture_record(&fb, x, fresh, 1, "b");
    fixture_record(&fb, x, stale, 1, "b");
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_FENCED);
    assert_true(fb.units[stale].fenced);
    assert_false(fb.units[fresh].fenced);
    assert_non_null(strstr(f.err.text, "partition 0 of " TOPIC));
    assert_false(fixture_load(&f, x, TOPIC, 1).known);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 1);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

/* Nine records of three rows; those whose body is "poison" are refused by `trigger_action`. */
static void write_with_poison(const char *trigger_action, struct fixture_batch *fb,
                              struct exporter *x)
{
    char sql[256];
    struct progress before = fixture_load(&f, x, TOPIC, 0);
    snprintf(sql, sizeof(sql),
             "CREATE TRIGGER t BEFORE INSERT ON otel_logs WHEN NEW.Body='poison'"
             " BEGIN SELECT RAISE(%s, 'not here'); END",
             trigger_action);
    fixture_sql(&f, sql);
    fixture_batch_init(fb, x);
    uint32_t u = fixture_unit(fb, TOPIC, 0, before);
    for (int i = 0; i < 9; i++)
        fixture_record(fb, x, u, 3, i % 4 == 1 ? "poison" : "fine");
}

static void test_refused_records_are_found(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct fixture_batch fb;
    write_with_poison("ABORT", &fb, x);
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_DATA);
    for (int i = 0; i < 9; i++) {
        bool poison = i % 4 == 1;
        assert_int_equal(fb.records[i].fate, poison ? RECORD_REFUSED : RECORD_GOOD);
        if (!poison)
            continue;
        assert_string_equal(fb.records[i].error_class, "data");
        assert_string_equal(fb.records[i].error_code, "SQLITE_CONSTRAINT");
        assert_non_null(strstr(fb.records[i].error_text, "not here"));
    }
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 0);
    assert_false(fixture_load(&f, x, TOPIC, 0).known);

    for (int i = 0; i < 9; i++)
        if (fb.records[i].fate == RECORD_REFUSED)
            fb.records[i].fate = RECORD_DEAD;
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 21);
    assert_int_equal(fb.units[0].before.totals.dlq_records, 2);
    assert_int_equal(fb.units[0].before.totals.dlq_items, 6);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

/* The person mends the table: what was refused gets in. */
static void test_refused_records_are_tried_again(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct fixture_batch fb;
    write_with_poison("FAIL", &fb, x);
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_DATA);
    fixture_sql(&f, "DROP TRIGGER t");
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 27);
    assert_int_equal(fb.records[1].fate, RECORD_GOOD);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

/* A trigger that rolls all back ends the search, so each try finds one. */
static void test_trigger_that_rolls_back(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct fixture_batch fb;
    write_with_poison("ROLLBACK", &fb, x);
    for (int found = 1; found <= 2; found++) {
        assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_DATA);
        int dead = 0;
        for (int i = 0; i < 9; i++) {
            if (fb.records[i].fate == RECORD_REFUSED)
                fb.records[i].fate = RECORD_DEAD;
            dead += fb.records[i].fate == RECORD_DEAD;
        }
        assert_int_equal(dead, found);
    }
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 21);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

struct seen {
    int units, sources;
    int64_t next;
};

static void see(void *arg, const char *cluster, const char *topic, int32_t partition,
                const struct progress *p)
{
    struct seen *seen = arg;
    assert_string_equal(cluster, CLUSTER);
    assert_string_equal(topic, TOPIC);
    assert_int_equal(partition, p->known ? 0 : -1);
    assert_int_equal(p->generation, 1);
    seen->units += p->known;
    seen->sources += !p->known;
    seen->next = p->next;
}

static void test_reader(void **state)
{
    (void)state;
    struct exporter *r = fixture_open(&f, EXPORTER_READ);
    struct seen seen = {0};
    assert_result(&f, r->ops->each_progress(r, see, &seen, &f.err), EXPORT_MISSING);
    assert_int_equal(access(f.path, F_OK), -1); /* a reader makes nothing */

    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    struct progress p = fixture_load(&f, x, TOPIC, 0);
    assert_result(&f, r->ops->each_progress(r, see, &seen, &f.err), EXPORT_OK);
    assert_int_equal(seen.units, 0);
    assert_int_equal(seen.sources, 1); /* its generation is made, nothing is written */
    assert_int_equal(fixture_load(&f, r, "otlp.acme.other", 0).source, 0);
    p = fixture_write(&f, x, p, 4, EXPORT_OK);
    assert_result(&f, r->ops->each_progress(r, see, &seen, &f.err), EXPORT_OK);
    assert_int_equal(seen.units, 1);
    assert_int_equal(seen.next, 4);
    fixture_write(&f, r, p, 1, EXPORT_TRANSIENT);
    x->ops->close(x);
    r->ops->close(r);
}

/* A file of a program before gaps had a column of their own. */
static void test_version_1_is_brought_up_to_date(void **state)
{
    (void)state;
    struct exporter *x = fixture_open(&f, EXPORTER_WRITE);
    fixture_write(&f, x, fixture_load(&f, x, TOPIC, 0), 4, EXPORT_OK);
    x->ops->close(x);
    fixture_sql(&f, "ALTER TABLE tenantry_progress DROP COLUMN gaps");
    fixture_sql(&f, "UPDATE tenantry_schema SET version = 1");
    struct exporter *reader = fixture_open(&f, EXPORTER_READ);
    assert_result(&f, reader->ops->prepare(reader, &f.err), EXPORT_CONFIGURATION);
    assert_non_null(strstr(f.err.text, "Start the tenant's worker"));
    x = fixture_open(&f, EXPORTER_WRITE);
    struct progress p = fixture_load(&f, x, TOPIC, 0);
    assert_true(p.known && p.next == 4 && p.totals.records == 4 && p.totals.gaps == 0);
    fixture_write(&f, x, p, 2, EXPORT_OK);
    assert_int_equal(fixture_sql(&f, "SELECT version FROM tenantry_schema"), 2);
    assert_result(&f, reader->ops->prepare(reader, &f.err), EXPORT_OK);
    reader->ops->close(reader);
    x->ops->close(x);
}

/* Two writers, one of them always behind, random batches and fates: the books balance. */
static void test_random_batches_balance(void **state)
{
    (void)state;
    srandom(11);
    struct exporter *x[2] = {fixture_open(&f, EXPORTER_WRITE), fixture_open(&f, EXPORTER_WRITE)};
    struct progress known[2] = {fixture_load(&f, x[0], TOPIC, 0), fixture_load(&f, x[1], TOPIC, 0)};
    struct totals sum = {0};
    for (int round = 0; round < 200; round++) {
        int w = (int)(random() % 2);
        struct fixture_batch fb;
        fixture_batch_init(&fb, x[w]);
        uint32_t u = fixture_unit(&fb, TOPIC, 0, known[w]);
        struct totals add = {0};
        for (long n = random() % 6; n > 0; n--) {
            uint64_t items = (uint64_t)random() % 4;
            struct batch_record *r = fixture_record(&fb, x[w], u, items, "b");
            r->fate = random() % 4 == 0 ? RECORD_DEAD : RECORD_GOOD;
            *(r->fate == RECORD_DEAD ? &add.dlq_records : &add.records) += 1;
            *(r->fate == RECORD_DEAD ? &add.dlq_items : &add.items) += items;
        }
        add.lost_records = fb.units[u].lost = random() % 8 == 0;
        add.gaps = fb.units[u].gaps = (uint64_t)random() % 3;
        fb.units[u].next += (int64_t)(add.lost_records + add.gaps);
        if (x[w]->ops->write(x[w], &fb.b, &f.err) == EXPORT_OK) {
            known[w] = fb.units[u].before;
            sum.records += add.records;
            sum.items += add.items;
            sum.dlq_records += add.dlq_records;
            sum.dlq_items += add.dlq_items;
            sum.lost_records += add.lost_records;
            sum.gaps += add.gaps;
        } else {
            assert_true(fb.units[u].fenced);
            known[w] = fixture_load(&f, x[w], TOPIC, 0);
        }
        fixture_batch_release(&fb);
    }
    struct progress p = fixture_load(&f, x[0], TOPIC, 0);
    assert_memory_equal(&p.totals, &sum, sizeof(sum));
    assert_int_equal(
        p.next, p.first + (int64_t)(sum.records + sum.dlq_records + sum.lost_records + sum.gaps));
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), sum.items);
    x[0]->ops->close(x[0]);
    x[1]->ops->close(x[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        ROW(test_generations),
        ROW(test_write_moves_everything),
        ROW(test_rows_past_the_records_are_left_out),
        ROW(test_a_record_that_kafka_holds_twice),
        ROW(test_a_dead_record_takes_no_name),
        ROW(test_second_writer_is_fenced),
        ROW(test_without_compare_and_set_rows_double),
        ROW(test_one_fenced_unit_stops_the_batch),
        ROW(test_refused_records_are_found),
        ROW(test_refused_records_are_tried_again),
        ROW(test_trigger_that_rolls_back),
        ROW(test_reader),
        ROW(test_version_1_is_brought_up_to_date),
        ROW(test_random_batches_balance),
#undef ROW
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
