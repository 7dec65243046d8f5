/* How each kind of cell stands in the database, value by value; and all seven tables with random
 * requests that went through the decoder. */
#include "tests/base/unit.h"
#include "tests/consumer/sqlite_fixture.h"

#include "otlp/decode.h"
#include "otlp/request_type.h"
#include "tests/otlp/generator.h"
#include "tests/otlp/row_text.h"

#include <math.h>

static struct fixture f;
static struct exporter *x;

static int setup(void **state)
{
    (void)state;
    fixture_init(&f);
    x = fixture_open(&f, EXPORTER_WRITE);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    x->ops->close(x);
    fixture_release(&f);
    return 0;
}

static const struct attr two_attrs[] = {
    {SLICE_LIT("a"), SLICE_LIT("\x0a\x03one")},    /* string_value */
    {SLICE_LIT("b\"\xFF"), SLICE_LIT("\x18\x07")}, /* int_value */
};
static const struct attrs two = {2, two_attrs}, none = {0, NULL};
static const struct attrs *const attrs_list[] = {&two, &none};
static const uint64_t u64s[] = {0, INT64_MAX, UINT64_MAX};
static const double f64s[] = {0.1, -INFINITY, NAN};
static const struct number numbers[] = {{true, {.i64 = INT64_MIN}}, {false, {.f64 = 2.5}}};
static const struct slice ids[] = {SLICE_LIT("\x00\xAB"), SLICE_LIT("")};
static const struct slice texts[] = {SLICE_LIT("x\0y"), SLICE_LIT("\xFFz")};

#define LIST(field, array)                                                                         \
    {                                                                                              \
        .list = {.n = COUNT(array), .field = array }                                               \
    }
static const struct {
    int line;
    enum table table;
    int column;
    struct cell cell;
    const char *condition; /* on v */
} values[] = {
#define ROW(table, column, condition, ...)                                                         \
    {                                                                                              \
        __LINE__, TABLE_##table, table##_##column, __VA_ARGS__, condition                          \
    }
    ROW(LOGS, TIMESTAMP, "typeof(v)='integer' AND v=9223372036854775807", {.u64 = INT64_MAX}),
    ROW(LOGS, SEVERITY_NUMBER, "typeof(v)='integer' AND v=255", {.u64 = 255}),
    ROW(LOGS, TRACE_ID, "v='00ffa0'", {.text = SLICE_LIT("\x00\xFF\xA0")}),
    ROW(LOGS, TRACE_ID, "typeof(v)='text' AND v=''", {.text = SLICE_NULL}),
    ROW(LOGS, BODY, "v='\xC3\xA9t\xC3\xA9'", {.text = SLICE_LIT("\xC3\xA9t\xC3\xA9")}),
    ROW(LOGS, BODY, "v=('a'||char(65533)||'b'||char(65533))", {.text = SLICE_LIT("a\0b\xFF")}),
    ROW(LOGS, BODY, "typeof(v)='text' AND v=''", {.text = SLICE_NULL}),
    ROW(LOGS, BODY, "typeof(v)='text' AND v='0012'", {.text = SLICE_LIT("0012")}),
    ROW(LOGS, LOG_ATTRS, "v='{\"a\":\"one\",\"b\\\"\xEF\xBF\xBD\":7}'", {.attrs = &two}),
    ROW(LOGS, LOG_ATTRS, "v='{}'", {.attrs = &none}),
    ROW(LOGS, LOG_ATTRS, "json_extract(v, '$.a')='one'", {.attrs = &two}),
    ROW(TRACES, DURATION, "typeof(v)='integer' AND v=9223372036854775807", {.u64 = INT64_MAX}),
    ROW(TRACES, DURATION, "typeof(v)='text' AND v='9223372036854775808'",
        {.u64 = (uint64_t)INT64_MAX + 1}),
    ROW(TRACES, DURATION, "typeof(v)='text' AND v='18446744073709551615'", {.u64 = UINT64_MAX}),
    ROW(TRACES, EVENT_TIMES, "v='[0,9223372036854775807,18446744073709551615]'", LIST(u64, u64s)),
    ROW(TRACES, EVENT_TIMES, "v='[]'", {.list = {.n = 0}}),
    ROW(TRACES, EVENT_NAMES, "v='[\"x\\u0000y\",\"\xEF\xBF\xBDz\"]'", LIST(text, texts)),
    ROW(TRACES, EVENT_ATTRS, "json_extract(v, '$[0].a')='one' AND json_array_length(v)=2",
        LIST(attrs, attrs_list)),
    ROW(TRACES, LINK_TRACE_IDS, "v='[\"00ab\",\"\"]'", LIST(text, ids)),
    ROW(GAUGE, VALUE, "typeof(v)='integer' AND v=-9223372036854775807-1",
        {.number = {true, {.i64 = INT64_MIN}}}),
    ROW(GAUGE, VALUE, "typeof(v)='integer' AND v=9007199254740993",
        {.number = {true, {.i64 = 9007199254740993}}}),
    ROW(GAUGE, VALUE, "typeof(v)='real' AND v=3.0", {.number = {false, {.f64 = 3}}}),
    ROW(GAUGE, VALUE, "typeof(v)='text' AND v='NaN'", {.number = {false, {.f64 = NAN}}}),
    ROW(GAUGE, EX_VALUES, "v='[-9223372036854775808,2.5]'", LIST(number, numbers)),
    ROW(SUM, TEMPORALITY, "typeof(v)='integer' AND v=-5", {.i64 = -5}),
    ROW(SUM, MONOTONIC, "typeof(v)='integer' AND v=1", {.u64 = 1}),
    ROW(HISTOGRAM, FLAGS, "typeof(v)='integer' AND v=4294967295", {.u64 = UINT32_MAX}),
    ROW(HISTOGRAM, SUM, "typeof(v)='null'", {.null = true}),
    ROW(HISTOGRAM, SUM, "typeof(v)='text' AND v='NaN'", {.f64 = NAN}),
    ROW(HISTOGRAM, SUM, "typeof(v)='real' AND v=9e999", {.f64 = INFINITY}),
    ROW(HISTOGRAM, MIN, "typeof(v)='real' AND v=-9e999", {.f64 = -INFINITY}),
    ROW(HISTOGRAM, MAX, "typeof(v)='real' AND v=5e-324", {.f64 = 5e-324}),
    ROW(HISTOGRAM, MAX, "typeof(v)='real' AND v=4.0", {.f64 = 4}),
    ROW(HISTOGRAM, BUCKET_COUNTS, "v='[0,9223372036854775807,18446744073709551615]'",
        LIST(u64, u64s)),
    ROW(HISTOGRAM, BOUNDS, "v='[0.1,\"-Infinity\",\"NaN\"]'", LIST(f64, f64s)),
#undef ROW
};

static void empty_cells(enum table table, struct cell *cells)
{
    memset(cells, 0, TABLE_MAX_COLUMNS * sizeof(*cells));
    for (size_t c = 0; c < table_info[table].n; c++)
        if (table_info[table].columns[c].type == COL_ATTRS)
            cells[c].attrs = &none;
}

/* One row with the cell in it: does the condition hold? */
static bool holds(enum table table, int column, const struct cell *cell, const char *condition)
{
    struct cell cells[TABLE_MAX_COLUMNS];
    empty_cells(table, cells);
    cells[column] = *cell;
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, fixture_load(&f, x, TOPIC, 0));
    fixture_record(&fb, x, u, 0, "");
    assert_int_equal(x->ops->rows_add(fb.b.encoded, 0, table, cells), 0);
    assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
    fixture_batch_release(&fb);
    char sql[512];
    const char *name = table_info[table].name;
    snprintf(sql, sizeof(sql), "SELECT %s FROM (SELECT \"%s\" AS v FROM %s)", condition,
             table_info[table].columns[column].name, name);
    bool yes = fixture_sql(&f, sql) == 1;
    snprintf(sql, sizeof(sql), "DELETE FROM %s", name);
    fixture_sql(&f, sql);
    return yes;
}

static void test_values(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(values); i++)
        check_row(values[i].line,
                  holds(values[i].table, values[i].column, &values[i].cell, values[i].condition),
                  "%s", values[i].condition);
}

/* ------- random requests: what the decoder says is what the database holds ------- */

/* The cell as a text that differs whenever values differ. */
static void expected_text(struct buf *out, enum column_type type, const struct cell *c)
{
    static const char *const separators[] = {"[", ","};
    if (c->null) {
        buf_append_str(out, "null");
    } else if (type == COL_F64 || (type == COL_NUMBER && !c->number.is_int)) {
        buf_append_str(out, "real ");
        json_double(out, type == COL_F64 ? c->f64 : c->number.f64);
    } else if (type == COL_NUMBER) {
        buf_printf(out, "%" PRId64, c->number.i64);
    } else if (type == COL_IDS || type == COL_NUMBERS) {
        for (size_t i = 0; i < c->list.n; i++) {
            buf_append_str(out, separators[i > 0]);
            if (type == COL_IDS) {
                buf_append_byte(out, '"');
                text_id(out, c->list.text[i]);
                buf_append_byte(out, '"');
            } else if (c->list.number[i].is_int) {
                buf_printf(out, "%" PRId64, c->list.number[i].i64);
            } else {
                json_double(out, c->list.number[i].f64);
            }
        }
        buf_append_str(out, c->list.n > 0 ? "]" : "[]");
    } else {
        text_cell(out, type, c);
    }
}

static void stored_text(struct buf *out, enum column_type type, sqlite3_stmt *st, int column)
{
    const void *text;
    bool is_double = type == COL_F64 || type == COL_NUMBER;
    switch (sqlite3_column_type(st, column)) {
    case SQLITE_INTEGER:
        buf_printf(out, "%lld", sqlite3_column_int64(st, column));
        break;
    case SQLITE_FLOAT:
        buf_append_str(out, "real ");
        json_double(out, sqlite3_column_double(st, column));
        break;
    case SQLITE_TEXT:
        text = sqlite3_column_text(st, column);
        struct slice s = slice_of(text, (size_t)sqlite3_column_bytes(st, column));
        if (is_double)
            buf_append_str(out, "real ");
        if (is_double || type == COL_TEXT || type == COL_LABEL)
            json_string(out, s);
        else
            buf_append_slice(out, s);
        break;
    default:
        buf_append_str(out, "null");
    }
}

struct copy { /* goes to the database and, as text, to `expected` */
    void *rows;
    struct buf expected[TABLE_COUNT];
};

static int add_row(void *arg, enum table table, const struct cell *cells)
{
    struct copy *copy = arg;
    for (size_t c = 0; c < table_info[table].n; c++) {
        expected_text(&copy->expected[table], table_info[table].columns[c].type, &cells[c]);
        buf_append_byte(&copy->expected[table], '\n');
    }
    return x->ops->rows_add(copy->rows, 0, table, cells);
}

static void read_table(struct buf *out, enum table table)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT * FROM %s ORDER BY rowid", table_info[table].name);
    sqlite3_stmt *st = sqlite_statement((struct sqlite *)x, sql);
    assert_non_null(st);
    while (sqlite3_step(st) == SQLITE_ROW)
        for (size_t c = 0; c < table_info[table].n; c++) {
            stored_text(out, table_info[table].columns[c].type, st, (int)c);
            buf_append_byte(out, '\n');
        }
    sqlite3_finalize(st);
}

static void compare_tables(struct copy *copy, size_t rows[TABLE_COUNT])
{
    for (int t = 0; t < TABLE_COUNT; t++) {
        struct buf stored = BUF_INIT;
        char sql[128];
        read_table(&stored, (enum table)t);
        assert_string_equal(buf_cstr(&stored), buf_cstr(&copy->expected[t]));
        rows[t] += stored.len > 0;
        buf_release(&stored);
        buf_clear(&copy->expected[t]);
        snprintf(sql, sizeof(sql), "DELETE FROM %s", table_info[t].name);
        assert_int_equal(sqlite_run((struct sqlite *)x, sql), SQLITE_OK);
    }
}

static void test_random_requests(void **state)
{
    (void)state;
    struct generator g = {.state = 4711, .levels = 14};
    struct copy copy = {0};
    size_t rows[TABLE_COUNT] = {0}; /* requests that had some */
    struct progress unit = fixture_load(&f, x, TOPIC, 0);
    for (int i = 0; i < 300; i++) {
        enum signal signal = (enum signal)(i % SIGNAL_COUNT);
        ProtobufCMessage *m = generate(&g, request_type[signal]);
        size_t len = protobuf_c_message_get_packed_size(m);
        uint8_t *at = generator_alloc(len);
        protobuf_c_message_pack(m, at);
        protobuf_c_message_free_unpacked(m, NULL);

        struct fixture_batch fb;
        struct decode_result result;
        fixture_batch_init(&fb, x);
        uint32_t u = fixture_unit(&fb, TOPIC, 0, unit);
        fixture_record(&fb, x, u, 0, "");
        copy.rows = fb.b.encoded;
        if (decode_record(signal, slice_of(at, len), 5, NULL, &fb.b.arena, add_row, &copy,
                          &result) == DECODE_OK) {
            fb.records[0].items = result.rows;
            assert_result(&f, x->ops->write(x, &fb.b, &f.err), EXPORT_OK);
            unit = fb.units[u].before;
        }
        compare_tables(&copy, rows);
        fixture_batch_release(&fb);
        free(at);
    }
    for (int t = 0; t < TABLE_COUNT; t++) {
        assert_true(rows[t] > 3);
        buf_release(&copy.expected[t]);
    }
}

static void test_indexes_serve_people(void **state)
{
    (void)state;
    static const char *const questions[] = {
        "SELECT * FROM otel_logs WHERE TraceId='x'",
        "SELECT * FROM otel_traces WHERE TraceId='x'",
        "SELECT * FROM otel_traces WHERE Timestamp>=1 AND Timestamp<2",
        "SELECT * FROM otel_metrics_sum WHERE TimeUnix>=1 AND TimeUnix<2",
        "SELECT count(*) FROM otel_metrics_gauge WHERE _ks=1 AND _kp=0 AND _ko>=5 AND _ko<9",
    };
    assert_result(&f, x->ops->prepare(x, &f.err), EXPORT_OK);
    for (size_t i = 0; i < COUNT(questions); i++) {
        char sql[256];
        snprintf(sql, sizeof(sql), "EXPLAIN QUERY PLAN %s", questions[i]);
        sqlite3_stmt *st = sqlite_statement((struct sqlite *)x, sql);
        assert_int_equal(sqlite3_step(st), SQLITE_ROW);
        assert_non_null(strstr((const char *)sqlite3_column_text(st, 3), "SEARCH"));
        sqlite3_finalize(st);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_values, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_indexes_serve_people, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
