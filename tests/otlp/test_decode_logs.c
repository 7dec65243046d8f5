#include "tests/otlp/rows.h"

enum { RESOURCE_LOGS = 1, RESOURCE = 1, SCOPES = 2, SCHEMA_URL = 3, SCOPE = 1, RECORDS = 2 };
enum {
    TIME = 1,
    SEVERITY_NUMBER = 2,
    SEVERITY_TEXT = 3,
    BODY = 5,
    ATTRIBUTES = 6,
    FLAGS = 8,
    TRACE_ID = 9,
    SPAN_ID = 10,
    OBSERVED_TIME = 11,
    EVENT_NAME = 12
};

static void put_resource(struct buf *b)
{
    MESSAGE (b, RESOURCE) {
        put_attr(b, 1, "service.name", "shop");
        put_attr(b, 1, "host", "h1");
    }
}

static void put_scope(struct buf *b)
{
    MESSAGE (b, SCOPE) {
        put_text(b, 1, "lib");
        put_text(b, 2, "1.2");
        put_attr(b, 3, "s", "t");
        put_varint(b, 4, 7);
    }
}

static void put_record(struct buf *b)
{
    MESSAGE (b, RECORDS) {
        put_fixed64(b, TIME, 17);
        put_varint(b, SEVERITY_NUMBER, 9);
        put_text(b, SEVERITY_TEXT, "INFO");
        MESSAGE (b, BODY)
            put_text(b, 1, "hello");
        put_attr(b, ATTRIBUTES, "b", "2");
        put_attr(b, ATTRIBUTES, "a", "1");
        put_varint(b, 7, 3);
        put_fixed32(b, FLAGS, 0xffffff01);
        put_bytes(b, TRACE_ID,
                  SLICE_LIT("\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10"));
        put_bytes(b, SPAN_ID, SLICE_LIT("\x11\x12\x13\x14\x15\x16\x17\x18"));
        put_fixed64(b, OBSERVED_TIME, 18);
        put_text(b, EVENT_NAME, "started");
    }
}

static const char full_row[] = "Timestamp 17\n"
                               "TraceId 0102030405060708090a0b0c0d0e0f10\n"
                               "SpanId 1112131415161718\n"
                               "TraceFlags 1\n"
                               "SeverityText \"INFO\"\n"
                               "SeverityNumber 9\n"
                               "ServiceName \"shop\"\n"
                               "Body \"hello\"\n"
                               "ResourceSchemaUrl \"https://r\"\n"
                               "ResourceAttributes {\"host\":\"h1\",\"service.name\":\"shop\"}\n"
                               "ScopeSchemaUrl \"https://s\"\n"
                               "ScopeName \"lib\"\n"
                               "ScopeVersion \"1.2\"\n"
                               "ScopeAttributes {\"s\":\"t\"}\n"
                               "LogAttributes {\"a\":\"1\",\"b\":\"2\"}\n"
                               "EventName \"started\"\n";

static void test_every_column(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    MESSAGE (&b, RESOURCE_LOGS) {
        put_resource(&b);
        MESSAGE (&b, SCOPES) {
            put_scope(&b);
            put_record(&b);
            put_text(&b, SCHEMA_URL, "https://s");
        }
        put_text(&b, SCHEMA_URL, "https://r");
    }
    check_only_row(&b, TABLE_LOGS, full_row);
}

/* R216: fields in any order, unknown ones between them. */
static void test_resource_and_scope_behind_the_records(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    put_varint(&b, 77, 1);
    MESSAGE (&b, RESOURCE_LOGS) {
        put_text(&b, SCHEMA_URL, "https://r");
        MESSAGE (&b, SCOPES) {
            put_text(&b, SCHEMA_URL, "https://s");
            put_record(&b);
            put_fixed64(&b, 78, 1);
            put_scope(&b);
        }
        put_text(&b, 1000, "the old instrumentation library list"); /* R269 */
        put_resource(&b);
    }
    check_only_row(&b, TABLE_LOGS, full_row);
}

static void test_everything_absent(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    ITEM (&b) {
    }
    check_only_row(&b, TABLE_LOGS,
                   "Timestamp 99\nTraceId \nSpanId \nTraceFlags 0\nSeverityText \"\"\n"
                   "SeverityNumber 0\nServiceName \"\"\nBody \"\"\nResourceSchemaUrl \"\"\n"
                   "ResourceAttributes {}\nScopeSchemaUrl \"\"\nScopeName \"\"\nScopeVersion \"\"\n"
                   "ScopeAttributes {}\nLogAttributes {}\nEventName \"\"\n");
}

static void check_record_varint(uint32_t number, uint64_t n, const char *line)
{
    struct buf b = BUF_INIT;
    ITEM (&b)
        put_varint(&b, number, n);
    check_column(&b, SIGNAL_LOGS, line);
}

static void check_times(uint64_t time, uint64_t observed, const char *line)
{
    struct buf b = BUF_INIT;
    ITEM (&b) {
        put_fixed64(&b, TIME, time);
        put_fixed64(&b, OBSERVED_TIME, observed);
    }
    check_column(&b, SIGNAL_LOGS, line);
}

static void test_times_and_severities(void **state)
{
    (void)state;
    check_times(1, 2, "Timestamp 1");
    check_times(0, 2, "Timestamp 2");
    check_times(0, 0, "Timestamp 99");
    check_times(INT64_MAX, 0, "Timestamp 9223372036854775807");
    check_times(UINT64_MAX, 0, "Timestamp 9223372036854775807");
    check_times(0, (uint64_t)INT64_MAX + 1, "Timestamp 9223372036854775807");
    check_record_varint(SEVERITY_NUMBER, 24, "SeverityNumber 24");
    check_record_varint(SEVERITY_NUMBER, 255, "SeverityNumber 255");
    check_record_varint(SEVERITY_NUMBER, 256, "SeverityNumber 255");
    check_record_varint(SEVERITY_NUMBER, (uint64_t)-1, "SeverityNumber 0");
}

static void check_ids(struct slice trace_id, struct slice span_id, const char *line)
{
    struct buf b = BUF_INIT;
    ITEM (&b) {
        put_bytes(&b, TRACE_ID, trace_id);
        put_bytes(&b, SPAN_ID, span_id);
    }
    check_column(&b, SIGNAL_LOGS, line);
}

static void test_ids(void **state)
{
    (void)state;
    static const uint8_t zeros[16];
    check_ids(slice_of(zeros, 16), slice_of(zeros, 8), "TraceId ");
    check_ids(slice_of(zeros, 16), slice_of(zeros, 8), "SpanId ");
    check_ids(SLICE_LIT("\x01"), SLICE_LIT("\x02\x03"), "TraceId 01"); /* refused at the router */
    check_ids(SLICE_LIT("\x01"), SLICE_LIT("\x02\x03"), "SpanId 0203");
}

static void test_bodies(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    ITEM (&b)
        MESSAGE (&b, BODY) {
        }
    check_column(&b, SIGNAL_LOGS, "Body \"\"");
    ITEM (&b)
        MESSAGE (&b, BODY)
            put_varint(&b, 3, (uint64_t)INT64_MIN);
    check_column(&b, SIGNAL_LOGS, "Body \"-9223372036854775808\"");
    ITEM (&b)
        MESSAGE (&b, BODY)
            put_text(&b, 7, "bytes");
    check_column(&b, SIGNAL_LOGS, "Body \"Ynl0ZXM=\"");
    ITEM (&b)
        MESSAGE (&b, BODY)
            MESSAGE (&b, 6) {
                put_attr(&b, 1, "k", "v");
                put_attr(&b, 1, "a", "b");
            }
    check_column(&b, SIGNAL_LOGS, "Body \"{\\\"a\\\":\\\"b\\\",\\\"k\\\":\\\"v\\\"}\"");
}

static void test_a_text_that_is_not_utf8_is_kept(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b) {
        MESSAGE (&b, BODY)
            put_text(&b, 1, "a\xff-");
        put_attr(&b, ATTRIBUTES, "\xfe", "\xfd");
    }
    rows_decode(&r, SIGNAL_LOGS, &b);
    assert_true(slice_eq(r.row[0].cells[LOGS_BODY].text, SLICE_LIT("a\xff-")));
    const struct attrs *attrs = r.row[0].cells[LOGS_LOG_ATTRS].attrs;
    assert_true(slice_eq(attrs->at[0].key, SLICE_LIT("\xfe")));
    rows_release(&r);
    buf_release(&b);
}

static void put_int_array(struct buf *b, uint64_t n)
{
    MESSAGE (b, 5)
        MESSAGE (b, 1)
            put_varint(b, 3, n);
}

/* R216, R217: repeated singular fields. */
static void test_merging(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    MESSAGE (&b, RESOURCE_LOGS) {
        MESSAGE (&b, RESOURCE) {
            put_attr(&b, 1, "service.name", "old");
            put_attr(&b, 1, "host", "h1");
        }
        MESSAGE (&b, SCOPES) {
            MESSAGE (&b, SCOPE) {
                put_attr(&b, 3, "s", "t");
                put_text(&b, 1, "old");
            }
            MESSAGE (&b, RECORDS) {
                put_fixed64(&b, TIME, 16);
                put_text(&b, SEVERITY_TEXT, "WARN");
                put_text(&b, SEVERITY_TEXT, "INFO");
                put_attr(&b, ATTRIBUTES, "a", "0");
                MESSAGE (&b, BODY)
                    put_int_array(&b, 1);
                put_attr(&b, ATTRIBUTES, "a", "1");
                MESSAGE (&b, BODY)
                    put_int_array(&b, 2);
                put_fixed64(&b, TIME, 17);
                MESSAGE (&b, BODY) {
                }
            }
            MESSAGE (&b, SCOPE) {
                put_text(&b, 1, "lib");
                put_text(&b, 2, "1.2");
            }
        }
        put_text(&b, SCHEMA_URL, "https://old");
        put_text(&b, SCHEMA_URL, "https://r");
        MESSAGE (&b, RESOURCE)
            put_attr(&b, 1, "service.name", "shop");
    }
    check_only_row(&b, TABLE_LOGS,
                   "Timestamp 17\nTraceId \nSpanId \nTraceFlags 0\nSeverityText \"INFO\"\n"
                   "SeverityNumber 0\nServiceName \"shop\"\nBody \"[1,2]\"\n"
                   "ResourceSchemaUrl \"https://r\"\n"
                   "ResourceAttributes {\"host\":\"h1\",\"service.name\":\"shop\"}\n"
                   "ScopeSchemaUrl \"\"\nScopeName \"lib\"\nScopeVersion \"1.2\"\n"
                   "ScopeAttributes {\"s\":\"t\"}\nLogAttributes {\"a\":\"1\"}\nEventName \"\"\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_column),
        cmocka_unit_test(test_resource_and_scope_behind_the_records),
        cmocka_unit_test(test_everything_absent),
        cmocka_unit_test(test_times_and_severities),
        cmocka_unit_test(test_ids),
        cmocka_unit_test(test_bodies),
        cmocka_unit_test(test_a_text_that_is_not_utf8_is_kept),
        cmocka_unit_test(test_merging),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
