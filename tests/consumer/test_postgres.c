/* The PostgreSQL exporter against a real server, a schema for each test. */
#include "tests/consumer/export_fixture.h"
#include "tests/consumer/postgres_fixture.h"

static struct fixture f;
static char schema[32];

static int begin(void **state)
{
    static int n;
    (void)state;
    snprintf(schema, sizeof(schema), "test_%d", n++);
    f = (struct fixture){.conf = {.id = "acme",
                                  .database = {.kind = DATABASE_POSTGRES,
                                               .url = server.url,
                                               .name = "",
                                               .user = "",
                                               .password_file = "",
                                               .schema = schema,
                                               .tls = DATABASE_TLS_DISABLE,
                                               .ca_file = "",
                                               .cert_file = "",
                                               .key_file = "",
                                               .target = "the test's",
                                               .timeout = 60 * NS_PER_S}}};
    f.tenant = (struct tenant){.conf = &f.conf, .id = "acme"};
    return 0;
}

static struct exporter *open_exporter(void)
{
    struct exporter *x = postgres_exporter.open(&f.tenant, EXPORTER_WRITE, &f.err);
    assert_non_null(x);
    return x;
}

static long long sql(const char *text)
{
    return server_sql(schema, text);
}

static void test_second_writer_is_fenced(void **state)
{
    (void)state;
    struct exporter *x = open_exporter(), *y = open_exporter();
    struct progress px = fixture_load(&f, x, TOPIC, 0), py = fixture_load(&f, y, TOPIC, 0);
    px = fixture_write(&f, x, px, 2, EXPORT_OK);     /* the first entry of the unit */
    py = fixture_write(&f, y, py, 2, EXPORT_FENCED); /* knows of none */
    py = fixture_load(&f, y, TOPIC, 0);
    px = fixture_write(&f, x, px, 1, EXPORT_OK);
    py = fixture_write(&f, y, py, 1, EXPORT_FENCED);
    assert_int_equal(py.next, 2);
    fixture_write(&f, y, fixture_load(&f, y, TOPIC, 0), 1, EXPORT_OK);
    assert_int_equal(sql("SELECT count(*) FROM otel_logs"), 4);
    assert_int_equal(sql("SELECT count(DISTINCT _ko) FROM otel_logs"), 4);
    assert_int_equal(sql("SELECT count(*) FROM tenantry_progress"
                         " WHERE next = first + records AND records = 4 AND items = 4"),
                     1);
    x->ops->close(x);
    y->ops->close(y);
}

/* A commit whose answer was lost: the same batch once more changes nothing. */
static void test_a_batch_twice_is_fenced(void **state)
{
    (void)state;
    struct exporter *x = open_exporter();
    struct progress before = fixture_load(&f, x, TOPIC, 0);
    fixture_write(&f, x, before, 3, EXPORT_OK);
    fixture_write(&f, x, before, 3, EXPORT_FENCED);
    assert_int_equal(fixture_load(&f, x, TOPIC, 0).next, 3);
    assert_int_equal(sql("SELECT count(*) FROM otel_logs"), 3);
    x->ops->close(x);
}

static void test_generations(void **state)
{
    (void)state;
    struct exporter *x = open_exporter();
    struct progress first = fixture_load(&f, x, TOPIC, 0), next;
    assert_true(!first.known && first.generation == 1 && first.next == 0);
    fixture_write(&f, x, first, 1, EXPORT_OK);
    assert_result(&f, x->ops->next_generation(x, CLUSTER, TOPIC, 1, &next, &f.err), EXPORT_OK);
    assert_true(!next.known && next.generation == 2 && next.source != first.source);
    assert_int_equal(fixture_load(&f, x, TOPIC, 0).generation, 1); /* it has an entry */
    assert_int_equal(fixture_load(&f, x, TOPIC, 1).generation, 2);
    uint64_t rows;
    assert_result(&f, x->ops->count_rows(x, SIGNAL_LOGS, first.source, 0, 0, 10, &rows, &f.err),
                  EXPORT_OK);
    assert_int_equal(rows, 1);
    x->ops->close(x);
}

/* Nine records of three rows; every fourth has one that the table refuses. */
static void test_refused_records_are_found(void **state)
{
    (void)state;
    struct exporter *x = open_exporter();
    struct fixture_batch fb;
    struct progress before = fixture_load(&f, x, TOPIC, 0);
    sql("ALTER TABLE otel_logs ADD CONSTRAINT not_here CHECK (\"Body\" <> 'poison')");
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, before);
    for (int i = 0; i < 9; i++)
        fixture_record(&fb, x, u, 3, i % 4 == 1 ? "poison" : "fine");
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_DATA);
    for (int i = 0; i < 9; i++) {
        bool poison = i % 4 == 1;
        assert_int_equal(fb.records[i].fate, poison ? RECORD_REFUSED : RECORD_GOOD);
        if (poison)
            assert_string_equal(fb.records[i].error_code, "23514");
        fb.records[i].fate = poison ? RECORD_DEAD : RECORD_GOOD;
    }
    assert_int_equal(sql("SELECT count(*) FROM otel_logs"), 0);
    assert_false(fixture_load(&f, x, TOPIC, 0).known);
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    assert_int_equal(sql("SELECT count(*) FROM otel_logs"), 21);
    assert_int_equal(fb.units[0].before.totals.dlq_records, 2);
    fixture_batch_release(&fb);
    x->ops->close(x);
}

/* Copies in one batch and in the next; other partitions and times are others. */
static void test_a_record_that_kafka_holds_twice(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint64_t received_ns;
        bool repeated;
    } rows[] = {{"a", 5, false}, {"b", 5, false}, {"a", 5, true}, {"", 5, false},
                {"", 5, false},  {"a", 6, false}, {"b", 5, true}};
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    struct exporter *x = open_exporter();
    struct progress before = fixture_load(&f, x, TOPIC, 0);
    for (int split = 0; split < 2; split++) {
        struct fixture_batch fb;
        fixture_batch_init(&fb, x);
        uint32_t u = fixture_unit(&fb, TOPIC, 0, before);
        for (int i = split ? 4 : 0; i < (split ? ROWS : 4); i++) {
            struct batch_record *r = fixture_record(&fb, x, u, 1, rows[i].name);
            r->name = slice_str(rows[i].name);
            r->received_ns = rows[i].received_ns;
        }
        assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
        for (size_t i = 0; i < fb.b.n_records; i++)
            assert_int_equal(fb.records[i].repeated, rows[i + (split ? 4 : 0)].repeated);
        before = fb.units[u].before;
        fixture_batch_release(&fb);
    }
    assert_int_equal(before.totals.items, 5);
    assert_int_equal(before.totals.dropped, 2);
    assert_int_equal(sql("SELECT count(*) FROM otel_logs"), 5);
    x->ops->close(x);
}

/* What PostgreSQL's text and jsonb cannot hold, and numbers at their ends. */
static void test_values_at_the_edge(void **state)
{
    (void)state;
    static const uint64_t numbers[] = {0, 9999, 10000, 100000000, UINT64_MAX};
    struct exporter *x = open_exporter();
    struct fixture_batch fb;
    struct progress before = fixture_load(&f, x, TOPIC, 0);
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, before);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        static const struct attrs none;
        static const uint8_t nul[] = {0x0A, 3, 'a', 0, '\\'}; /* AnyValue.string_value */
        static const struct attr one = {{(const uint8_t *)"k\0", 2}, {nul, sizeof(nul)}};
        static const struct attrs odd = {1, &one};
        struct cell cells[TRACES_COLUMN_COUNT] = {0};
        cells[TRACES_DURATION].u64 = numbers[i];
        cells[TRACES_SPAN_NAME].text = SLICE_LIT("a\0b\xFF");
        cells[TRACES_RESOURCE_ATTRS].attrs = &odd;
        cells[TRACES_SPAN_ATTRS].attrs = &none;
        fixture_record(&fb, x, u, 0, "");
        assert_int_equal(
            x->ops->rows_add(fb.b.encoded, (uint32_t)fb.b.n_records - 1, TABLE_TRACES, cells), 0);
    }
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    fixture_batch_release(&fb);
    assert_int_equal(sql("SELECT count(*) FROM otel_traces WHERE \"Duration\" IN"
                         " (0, 9999, 10000, 100000000, 18446744073709551615)"),
                     5);
    assert_int_equal(
        sql("SELECT count(*) FROM otel_traces"
            " WHERE \"SpanName\" = U&'a\\FFFDb\\FFFD'"
            " AND \"ResourceAttributes\" = U&'{\"k\\FFFD\": \"a\\FFFD\\\\\\\\\"}'::jsonb"),
        5);
    x->ops->close(x);
}

static void test_another_tenants_schema_is_refused(void **state)
{
    (void)state;
    struct exporter *x = open_exporter();
    fixture_load(&f, x, TOPIC, 0);
    x->ops->close(x);
    f.tenant.id = "beta";
    x = open_exporter();
    assert_result(&f, x->ops->prepare(x, &f.err), EXPORT_CONFIGURATION);
    assert_non_null(strstr(f.err.text, "holds the tables of tenant acme"));
    x->ops->close(x);
}

/* Tables that are gone would make the worker begin anew and write everything twice. */
static void test_lost_tables_park(void **state)
{
    (void)state;
    struct exporter *x = open_exporter();
    struct progress p = fixture_write(&f, x, fixture_load(&f, x, TOPIC, 0), 1, EXPORT_OK);
    sql("DELETE FROM tenantry_progress");
    fixture_write(&f, x, p, 1, EXPORT_CONFIGURATION);
    assert_non_null(strstr(f.err.text, "has lost the offset of partition 0"));
    sql("DROP TABLE tenantry_progress");
    fixture_write(&f, x, p, 1, EXPORT_CONFIGURATION);
    x->ops->close(x);
    x = open_exporter();
    assert_result(&f, x->ops->prepare(x, &f.err), EXPORT_CONFIGURATION);
    assert_non_null(strstr(f.err.text, "has lost some of its tables"));
    x->ops->close(x);
}

#define IN_SCHEMA(test) cmocka_unit_test_setup(test, begin)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCHEMA(test_second_writer_is_fenced),
        IN_SCHEMA(test_a_batch_twice_is_fenced),
        IN_SCHEMA(test_generations),
        IN_SCHEMA(test_refused_records_are_found),
        IN_SCHEMA(test_a_record_that_kafka_holds_twice),
        IN_SCHEMA(test_values_at_the_edge),
        IN_SCHEMA(test_another_tenants_schema_is_refused),
        IN_SCHEMA(test_lost_tables_park),
    };
    return cmocka_run_group_tests(tests, server_start, server_stop);
}
