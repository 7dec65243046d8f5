#include "tests/otlp/rows.h"

enum { RESOURCE_SPANS = 1, RESOURCE = 1, SCOPES = 2, SCHEMA_URL = 3, SCOPE = 1, SPANS = 2 };
enum {
    TRACE_ID = 1,
    SPAN_ID,
    TRACE_STATE,
    PARENT_SPAN_ID,
    NAME,
    KIND,
    START,
    END,
    ATTRIBUTES,
    EVENTS = 11,
    LINKS = 13,
    STATUS = 15,
    FLAGS = 16
};
enum { STATUS_MESSAGE = 2, STATUS_CODE = 3 };

static const char id16[] = "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f\x10";

static void put_id(struct buf *b, uint32_t number, size_t len)
{
    put_bytes(b, number, slice_of(id16, len));
}

static void put_span(struct buf *b)
{
    put_id(b, TRACE_ID, 16);
    put_id(b, SPAN_ID, 8);
    put_text(b, TRACE_STATE, "x=1");
    put_bytes(b, PARENT_SPAN_ID, slice_of(id16 + 8, 8));
    put_text(b, NAME, "GET /");
    put_varint(b, KIND, 2);
    put_fixed64(b, START, 1000);
    put_fixed64(b, END, 1500);
    put_attr(b, ATTRIBUTES, "k", "v");
    put_varint(b, 10, 1);
    MESSAGE (b, EVENTS) {
        put_fixed64(b, 1, 1100);
        put_text(b, 2, "e1");
        put_attr(b, 3, "b", "2");
        put_attr(b, 3, "a", "1");
    }
    MESSAGE (b, LINKS) {
        put_id(b, 1, 16);
        put_id(b, 2, 8);
        put_text(b, 3, "y=2");
        put_attr(b, 4, "l", "m");
        put_fixed32(b, 6, 0x300);
    }
    MESSAGE (b, EVENTS) {
    }
    MESSAGE (b, LINKS) {
    }
    MESSAGE (b, STATUS) {
        put_text(b, STATUS_MESSAGE, "broken");
        put_varint(b, STATUS_CODE, 2);
    }
    put_fixed32(b, FLAGS, 0x101);
}

static void test_every_column(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    MESSAGE (&b, RESOURCE_SPANS) {
        MESSAGE (&b, SCOPES) {
            MESSAGE (&b, SPANS)
                put_span(&b);
            MESSAGE (&b, SCOPE) {
                put_text(&b, 1, "lib");
                put_text(&b, 2, "1.2");
            }
        }
        MESSAGE (&b, RESOURCE)
            put_attr(&b, 1, "service.name", "shop");
    }
    check_only_row(&b, TABLE_TRACES,
                   "Timestamp 1000\n"
                   "TraceId 0102030405060708090a0b0c0d0e0f10\n"
                   "SpanId 0102030405060708\n"
                   "ParentSpanId 090a0b0c0d0e0f10\n"
                   "TraceState \"x=1\"\n"
                   "SpanName \"GET /\"\n"
                   "SpanKind \"Server\"\n"
                   "ServiceName \"shop\"\n"
                   "ResourceAttributes {\"service.name\":\"shop\"}\n"
                   "ScopeName \"lib\"\n"
                   "ScopeVersion \"1.2\"\n"
                   "SpanAttributes {\"k\":\"v\"}\n"
                   "Duration 500\n"
                   "StatusCode \"Error\"\n"
                   "StatusMessage \"broken\"\n"
                   "Events.Timestamp [1100,0]\n"
                   "Events.Name [\"e1\",\"\"]\n"
                   "Events.Attributes [{\"a\":\"1\",\"b\":\"2\"},{}]\n"
                   "Links.TraceId [0102030405060708090a0b0c0d0e0f10,]\n"
                   "Links.SpanId [0102030405060708,]\n"
                   "Links.TraceState [\"y=2\",\"\"]\n"
                   "Links.Attributes [{\"l\":\"m\"},{}]\n");
}

static void test_everything_absent(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    ITEM (&b) {
    }
    check_only_row(
        &b, TABLE_TRACES,
        "Timestamp 99\nTraceId \nSpanId \nParentSpanId \nTraceState \"\"\nSpanName \"\"\n"
        "SpanKind \"Unspecified\"\nServiceName \"\"\nResourceAttributes {}\n"
        "ScopeName \"\"\nScopeVersion \"\"\nSpanAttributes {}\nDuration 0\n"
        "StatusCode \"Unset\"\nStatusMessage \"\"\nEvents.Timestamp []\nEvents.Name []\n"
        "Events.Attributes []\nLinks.TraceId []\nLinks.SpanId []\nLinks.TraceState []\n"
        "Links.Attributes []\n");
}

static void check_times(uint64_t start, uint64_t end, const char *line)
{
    struct buf b = BUF_INIT;
    ITEM (&b) {
        put_fixed64(&b, START, start);
        put_fixed64(&b, END, end);
    }
    check_column(&b, SIGNAL_TRACES, line);
}

static void test_times(void **state)
{
    (void)state;
    check_times(5, 5, "Duration 0");
    check_times(6, 5, "Duration 0");
    check_times(0, 5, "Timestamp 99");
    check_times(0, 5, "Duration 5");
    check_times(1, UINT64_MAX, "Duration 18446744073709551614");
    check_times(UINT64_MAX - 1, UINT64_MAX, "Timestamp 9223372036854775807");
    check_times(UINT64_MAX - 1, UINT64_MAX, "Duration 1");
}

static void check_kind(uint64_t n, const char *line)
{
    struct buf b = BUF_INIT;
    ITEM (&b)
        put_varint(&b, KIND, n);
    check_column(&b, SIGNAL_TRACES, line);
}

static void check_code(uint64_t n, const char *line)
{
    struct buf b = BUF_INIT;
    ITEM (&b)
        MESSAGE (&b, STATUS)
            put_varint(&b, STATUS_CODE, n);
    check_column(&b, SIGNAL_TRACES, line);
}

/* R223 */
static void test_enums(void **state)
{
    (void)state;
    check_kind(0, "SpanKind \"Unspecified\"");
    check_kind(1, "SpanKind \"Internal\"");
    check_kind(2, "SpanKind \"Server\"");
    check_kind(3, "SpanKind \"Client\"");
    check_kind(4, "SpanKind \"Producer\"");
    check_kind(5, "SpanKind \"Consumer\"");
    check_kind(6, "SpanKind \"6\"");
    check_kind((uint64_t)INT32_MIN, "SpanKind \"-2147483648\"");
    check_kind(1ull << 32 | 3, "SpanKind \"Client\""); /* an enum has 32 bits */
    check_code(0, "StatusCode \"Unset\"");
    check_code(1, "StatusCode \"Ok\"");
    check_code(2, "StatusCode \"Error\"");
    check_code(3, "StatusCode \"3\"");
    check_code((uint64_t)-1, "StatusCode \"-1\"");
}

static void test_merging(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b) {
        MESSAGE (&b, STATUS) {
            put_varint(&b, STATUS_CODE, 1);
            put_text(&b, STATUS_MESSAGE, "kept");
        }
        MESSAGE (&b, EVENTS)
            put_text(&b, 2, "first");
        put_text(&b, NAME, "old");
        MESSAGE (&b, STATUS)
            put_varint(&b, STATUS_CODE, 2);
        MESSAGE (&b, EVENTS) {
            put_text(&b, 2, "old");
            put_attr(&b, 3, "x", "1");
            put_text(&b, 2, "second");
            put_attr(&b, 3, "x", "2");
        }
        put_text(&b, NAME, "new");
    }
    rows_decode(&r, SIGNAL_TRACES, &b);
    check_line(&r, 0, "SpanName \"new\"");
    check_line(&r, 0, "StatusCode \"Error\"");
    check_line(&r, 0, "StatusMessage \"kept\"");
    check_line(&r, 0, "Events.Name [\"first\",\"second\"]");
    check_line(&r, 0, "Events.Attributes [{},{\"x\":\"2\"}]");
    rows_release(&r);
    buf_release(&b);
}

static void test_ids_of_zeros_are_absent(void **state)
{
    (void)state;
    static const uint8_t zeros[16];
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b) {
        put_id(&b, TRACE_ID, 16);
        put_bytes(&b, PARENT_SPAN_ID, slice_of(zeros, 8));
        MESSAGE (&b, LINKS) {
            put_bytes(&b, 1, slice_of(zeros, 16));
            put_bytes(&b, 2, slice_of(zeros, 8));
        }
    }
    rows_decode(&r, SIGNAL_TRACES, &b);
    check_line(&r, 0, "TraceId 0102030405060708090a0b0c0d0e0f10");
    check_line(&r, 0, "ParentSpanId ");
    check_line(&r, 0, "Links.TraceId []");
    assert_int_equal(r.row[0].cells[TRACES_LINK_TRACE_IDS].list.n, 1);
    check_line(&r, 0, "Links.SpanId []");
    rows_release(&r);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_column), cmocka_unit_test(test_everything_absent),
        cmocka_unit_test(test_times),        cmocka_unit_test(test_enums),
        cmocka_unit_test(test_merging),      cmocka_unit_test(test_ids_of_zeros_are_absent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
