/* What goes wrong around a database: each time nothing is lost, nothing doubles, the sentence says
 * what to do, and writing goes on by itself where it can. */
#include "tests/consumer/sqlite_fixture.h"

static struct fixture f;
static struct exporter *x;
static struct progress unit;

/* Two rows are in, partition 0 stands at offset 2. */
static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    x = fixture_open(&f, EXPORTER_WRITE);
    unit = fixture_write(&f, x, fixture_load(&f, x, TOPIC, 0), 2, EXPORT_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    x->ops->close(x);
    fixture_release(&f);
    return 0;
}

static void expect_sentence(const char *part)
{
    if (strstr(f.err.text, part) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", f.err.text, part);
    assert_non_null(strstr(f.err.text, f.path));
    assert_non_null(strstr(f.err.text, "acme"));
}

static void expect_rows(int64_t n)
{
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), n);
    assert_int_equal(fixture_sql(&f, "SELECT count(DISTINCT _ko) FROM otel_logs"), n);
    assert_int_equal(fixture_sql(&f, "SELECT next FROM tenantry_progress"), n);
}

static void test_locked(void **state)
{
    (void)state;
    sqlite3 *other;
    assert_int_equal(sqlite3_open(f.path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN EXCLUSIVE", NULL, NULL, NULL), SQLITE_OK);
    fixture_write(&f, x, unit, 1, EXPORT_TRANSIENT);
    expect_sentence("SQLITE_BUSY");
    struct exporter *late = fixture_open(&f, EXPORTER_WRITE);
    assert_result(&f, late->ops->prepare(late, &f.err), EXPORT_TRANSIENT);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    fixture_write(&f, x, unit, 1, EXPORT_OK);
    assert_int_equal(fixture_load(&f, late, TOPIC, 0).next, 3);
    late->ops->close(late);
    expect_rows(3);
}

/* A connection that was opened while the file was read-only stays so: it must not be kept. */
static void test_read_only(void **state)
{
    (void)state;
    assert_int_equal(sqlite_run((struct sqlite *)x, "PRAGMA query_only=1"), SQLITE_OK);
    fixture_write(&f, x, unit, 1, EXPORT_TRANSIENT);
    expect_sentence("SQLITE_READONLY");
    expect_rows(2);
    fixture_write(&f, x, unit, 1, EXPORT_OK);
    expect_rows(3);
}

static void test_full(void **state)
{
    (void)state;
    struct sqlite *s = (struct sqlite *)x;
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, unit);
    char body[2001] = {0};
    memset(body, 'b', sizeof(body) - 1);
    for (int i = 0; i < FIXTURE_RECORDS; i++)
        fixture_record(&fb, x, u, 1, body);
    int64_t pages = fixture_sql(&f, "PRAGMA page_count");
    char sql[64];
    snprintf(sql, sizeof(sql), "PRAGMA max_page_count=%d", (int)pages + 4);
    assert_int_equal(sqlite_run(s, sql), SQLITE_OK);
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_TRANSIENT);
    expect_sentence("SQLITE_FULL");
    expect_rows(2);
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    fixture_batch_release(&fb);
    expect_rows(2 + FIXTURE_RECORDS);
}

static void test_removed_file(void **state)
{
    (void)state;
    char aside[128];
    snprintf(aside, sizeof(aside), "%s/db/aside.db", f.folder);
    assert_int_equal(rename(f.path, aside), 0);
    fixture_write(&f, x, unit, 1, EXPORT_CONFIGURATION);
    expect_sentence("was removed while it was in use");
    assert_int_equal(access(f.path, F_OK), -1);
    assert_int_equal(rename(aside, f.path), 0);
    fixture_write(&f, x, unit, 1, EXPORT_OK);
    expect_rows(3);
}

static void test_replaced_file(void **state)
{
    (void)state;
    char aside[128];
    snprintf(aside, sizeof(aside), "%s/db/aside.db", f.folder);
    assert_int_equal(sqlite_run((struct sqlite *)x, "PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    assert_int_equal(rename(f.path, aside), 0);
    fclose(fopen(f.path, "w"));
    fixture_write(&f, x, unit, 1, EXPORT_CONFIGURATION);
    expect_sentence("was replaced");
    x->ops->close(x);

    /* A worker that starts now takes what it finds. */
    x = fixture_open(&f, EXPORTER_WRITE);
    unit = fixture_load(&f, x, TOPIC, 0);
    assert_false(unit.known);
    fixture_write(&f, x, unit, 1, EXPORT_OK);
    expect_rows(1);
}

/* An older copy is put in its place: the offsets in it decide. */
static void test_restored_copy(void **state)
{
    (void)state;
    char sql[160], aside[128];
    snprintf(aside, sizeof(aside), "%s/db/aside.db", f.folder);
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", aside);
    fixture_sql(&f, sql);
    unit = fixture_write(&f, x, unit, 3, EXPORT_OK);
    assert_int_equal(sqlite_run((struct sqlite *)x, "PRAGMA wal_checkpoint(TRUNCATE)"), SQLITE_OK);
    assert_int_equal(rename(aside, f.path), 0);
    fixture_write(&f, x, unit, 1, EXPORT_FENCED);
    unit = fixture_load(&f, x, TOPIC, 0);
    assert_int_equal(unit.next, 2);
    fixture_write(&f, x, unit, 4, EXPORT_OK);
    expect_rows(6);
}

static const struct {
    int line;
    const char *sql, *sentence;
} misfits[] = {
    {__LINE__, "UPDATE tenantry_schema SET version = 3", "Upgrade this program"},
    {__LINE__, "DROP TABLE tenantry_progress", "has lost some of its tables"},
    {__LINE__, "DELETE FROM tenantry_progress", "was replaced by one without our offsets"},
    {__LINE__, "DROP TABLE otel_logs; CREATE TABLE otel_logs (Body TEXT)",
     "as Tenantry makes them"},
    {__LINE__, "ALTER TABLE otel_traces DROP COLUMN \"Links.TraceState\"", "write to otel_traces"},
};

static void test_misfits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(misfits) / sizeof(misfits[0]); i++) {
        fixture_sql(&f, misfits[i].sql);
        ((struct sqlite *)x)->stale = true; /* as after a restart, but knowing the unit */
        print_message("line %d\n", misfits[i].line);
        fixture_write(&f, x, unit, 1, EXPORT_CONFIGURATION);
        expect_sentence(misfits[i].sentence);
        teardown(state);
        setup(state);
    }
}

static void test_not_a_database(void **state)
{
    (void)state;
    x->ops->close(x);
    FILE *file = fopen(f.path, "w");
    for (int i = 0; i < 1000; i++)
        fputs("this is a text about databases\n", file);
    fclose(file);
    x = fixture_open(&f, EXPORTER_WRITE);
    assert_result(&f, x->ops->prepare(x, &f.err), EXPORT_CONFIGURATION);
    expect_sentence("SQLITE_NOTADB");
}

static void test_dropped_table_parks(void **state)
{
    (void)state;
    fixture_sql(&f, "DROP TABLE otel_logs");
    fixture_write(&f, x, unit, 1, EXPORT_CONFIGURATION);
    expect_sentence("otel_logs");
}

/* Fenced would mean: load again; and the load would begin anew. */
static void test_lost_offset_parks(void **state)
{
    (void)state;
    fixture_sql(&f, "DELETE FROM tenantry_progress");
    fixture_write(&f, x, unit, 1, EXPORT_CONFIGURATION);
    expect_sentence("has lost the offset of partition 0 of " TOPIC);
    assert_int_equal(fixture_sql(&f, "SELECT count(*) FROM otel_logs"), 2);
}

static void test_path_that_cannot_be(void **state)
{
    (void)state;
    struct fixture g = f;
    snprintf(g.path, sizeof(g.path), "%s/db/acme.db/below.db", f.folder);
    g.conf.database.path = g.path;
    g.tenant.conf = &g.conf;
    struct exporter *y = fixture_open(&g, EXPORTER_WRITE);
    assert_result(&g, y->ops->prepare(y, &g.err), EXPORT_TRANSIENT);
    assert_non_null(strstr(g.err.text, "Not a directory"));
    y->ops->close(y);
    g.conf.database.path = "";
    assert_null(sqlite_exporter.open(&g.tenant, EXPORTER_WRITE, &g.err));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define ROW(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
        ROW(test_locked),
        ROW(test_read_only),
        ROW(test_full),
        ROW(test_removed_file),
        ROW(test_replaced_file),
        ROW(test_restored_copy),
        ROW(test_misfits),
        ROW(test_not_a_database),
        ROW(test_dropped_table_parks),
        ROW(test_lost_offset_parks),
        ROW(test_path_that_cannot_be),
#undef ROW
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
