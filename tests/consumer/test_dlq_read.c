/* Dead letters for people: grouped, each once; what stands in them. */
#include "consumer/inspect/dlq_read.h"

#include "tests/base/unit.h"
#include "tests/otlp/message.h"

static void add(struct dlq_summary *s, const char *code, int64_t offset, int64_t died_ms)
{
    struct dlq_facts f = {
        .has_origin = offset >= 0,
        .origin = {SIGNAL_LOGS, 1, 0, offset},
        .error_class = SLICE_LIT("decode"),
        .code = slice_str(code),
        .topic = SLICE_LIT("otlp.acme.logs"),
        .text = slice_str(code),
        .items = 3,
        .died_ms = died_ms,
    };
    assert_int_equal(dlq_summary_add(s, &f), 0);
}

static void test_groups(void **state)
{
    (void)state;
    struct dlq_summary s = {0};
    add(&s, "rare", 4, 50);
    add(&s, "malformed", 7, 30);
    add(&s, "malformed", 5, 10);
    add(&s, "malformed", 7, 99); /* sent twice */
    add(&s, "malformed", -1, 20);
    dlq_summary_settle(&s);
    assert_int_equal(s.letters, 4);
    assert_int_equal(s.copies, 1);
    const struct dlq_group *g = s.groups;
    assert_string_equal(g->code, "malformed");
    assert_string_equal(g->error_class, "decode");
    assert_string_equal(g->topic, "otlp.acme.logs");
    assert_int_equal(g->letters, 3);
    assert_int_equal(g->items, 9);
    assert_int_equal(g->oldest_ms, 10);
    assert_int_equal(g->newest_ms, 30);
    assert_string_equal(g->next->code, "rare");
    assert_int_equal(g->next->letters, 1);
    assert_null(g->next->next);
    dlq_summary_release(&s);
}

static void test_nothing(void **state)
{
    (void)state;
    struct dlq_summary s = {0};
    dlq_summary_settle(&s);
    assert_int_equal(s.letters, 0);
    assert_null(s.groups);
    dlq_summary_release(&s);
}

static void check_value(int line, enum signal signal, struct slice value, bool json,
                        const char *expected)
{
    struct buf out = BUF_INIT;
    dlq_show_value(signal, value, 2, json, &out);
    check_row(line, strcmp(buf_cstr(&out), expected) == 0, "%s", buf_cstr(&out));
    buf_release(&out);
}

static struct buf logs(int n)
{
    struct buf b = BUF_INIT;
    MESSAGE (&b, 1) {
        MESSAGE (&b, 1)
            MESSAGE (&b, 1) {
                put_text(&b, 1, "service.name");
                MESSAGE (&b, 2)
                    put_text(&b, 1, "shop");
            }
        MESSAGE (&b, 2)
            for (int i = 0; i < n; i++)
                MESSAGE (&b, 2) {
                    put_fixed64(&b, 1, (uint64_t)i + 1);
                    MESSAGE (&b, 5)
                        put_text(&b, 1, "hi");
                }
    }
    return b;
}

#define ROW_OF(time)                                                                               \
    "{\"Timestamp\":" time ",\"ServiceName\":\"shop\",\"Body\":\"hi\","                            \
    "\"ResourceAttributes\":{\"service.name\":\"shop\"}}"

static void test_rows(void **state)
{
    (void)state;
    struct buf one = logs(1), three = logs(3);
    check_value(__LINE__, SIGNAL_LOGS, buf_slice(&one), false,
                "  1 log record:\n    " ROW_OF("1") "\n");
    check_value(__LINE__, SIGNAL_LOGS, buf_slice(&three), false,
                "  3 log records, the first of them:\n    " ROW_OF("1") "\n    " ROW_OF("2") "\n");
    check_value(__LINE__, SIGNAL_LOGS, buf_slice(&three), true,
                "\"items\":3,\"rows\":[" ROW_OF("1") "," ROW_OF("2") "]");
    check_value(__LINE__, SIGNAL_LOGS, SLICE_NULL, false, "  0 log records\n");
    buf_release(&one);
    buf_release(&three);
}

static void test_malformed(void **state)
{
    (void)state;
    check_value(__LINE__, SIGNAL_LOGS, SLICE_LIT("\x0a\x05hello, this is no request"), false,
                "  cannot be decoded: end-group outside a group at byte 5 in "
                "ExportLogsServiceRequest.resource_logs\n"
                "    0000  0a 05 68 65 6c 6c 6f 2c 20 74 68 69 73 20 69 73  |..hello, this is|\n"
                "    0010  20 6e 6f 20 72 65 71 75 65 73 74                 | no request|\n");
    check_value(__LINE__, SIGNAL_COUNT, SLICE_LIT("\xff"), true,
                "\"not_decodable\":\"its headers do not tell the signal\",\"first_bytes\":\"ff\"");
}

/* A dump ends after 256 bytes. */
static void test_long_dump(void **state)
{
    (void)state;
    uint8_t bytes[1000];
    struct buf out = BUF_INIT;
    memset(bytes, 0xff, sizeof(bytes));
    dlq_show_value(SIGNAL_LOGS, slice_of(bytes, sizeof(bytes)), 2, false, &out);
    assert_non_null(strstr(buf_cstr(&out), "    00f0  ff"));
    assert_null(strstr(buf_cstr(&out), "    0100"));
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_groups),    cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_long_dump),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
