/* Reading record headers, ours and those of foreign writers. */
#include "tests/base/unit.h"

#include "otlp/record.h"

static void known_headers(void **state)
{
    (void)state;
    struct record_headers h = {0};
    record_header_read(&h, RECORD_H_VERSION, SLICE_LIT("1"));
    record_header_read(&h, RECORD_H_TENANT, SLICE_LIT("acme"));
    record_header_read(&h, RECORD_H_KEY, SLICE_LIT("k1"));
    record_header_read(&h, RECORD_H_RECEIVED, SLICE_LIT("1700000000123456789"));
    record_header_read(&h, RECORD_H_ITEMS, SLICE_LIT("0"));
    record_header_read(&h, RECORD_H_REQUEST, SLICE_LIT("00ff"));
    record_header_read(&h, "content-type", SLICE_LIT("x"));
    assert_int_equal(h.version, RECORD_VERSION);
    assert_true(slice_eq(h.tenant, SLICE_LIT("acme")));
    assert_true(slice_eq(h.key, SLICE_LIT("k1")));
    assert_true(h.received_ns == UINT64_C(1700000000123456789));
    assert_true(h.has_items && h.items == 0);
    assert_true(slice_eq(h.request, SLICE_LIT("00ff")));
}

static void json_of_others(void **state)
{
    (void)state;
    static const struct {
        int line;
        unsigned version;
        struct slice value;
        bool json;
    } rows[] = {
        {__LINE__, 0, SLICE_LIT("{\"resourceLogs\":[]}"), true},
        {__LINE__, 0, SLICE_LIT("{"), true},
        {__LINE__, 0, SLICE_LIT("\x0a\x00"), false},
        {__LINE__, 0, SLICE_LIT(""), false},
        {__LINE__, 0, SLICE_LIT("[]"), false},
        {__LINE__, 1, SLICE_LIT("{\"resourceLogs\":[]}"), false}, /* ours is protobuf */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record_headers h = {.version = rows[i].version};
        check_row(rows[i].line, record_is_json(&h, rows[i].value) == rows[i].json, "%d",
                  rows[i].json);
    }
}

static void numbers(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct slice text;
        bool valid;
        uint64_t n;
    } rows[] = {
        {__LINE__, SLICE_LIT("7"), true, 7},
        {__LINE__, SLICE_LIT("007"), true, 7},
        {__LINE__, SLICE_LIT("18446744073709551615"), true, UINT64_MAX},
        {__LINE__, SLICE_LIT("18446744073709551616"), false, 0},
        {__LINE__, SLICE_LIT("99999999999999999999"), false, 0},
        {__LINE__, SLICE_LIT("000000000000000000001"), false, 0},
        {__LINE__, SLICE_LIT(""), false, 0},
        {__LINE__, SLICE_LIT("-1"), false, 0},
        {__LINE__, SLICE_LIT("1 "), false, 0},
        {__LINE__, SLICE_LIT("0x1"), false, 0},
        {__LINE__, SLICE_LIT("\xff"), false, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct record_headers h = {0};
        record_header_read(&h, RECORD_H_ITEMS, rows[i].text);
        check_row(rows[i].line, h.has_items == rows[i].valid, "%d", h.has_items);
        check_row(rows[i].line, h.items == rows[i].n, "%llu", (unsigned long long)h.items);
    }
}

static void a_version_beyond_32_bits_stays_high(void **state)
{
    (void)state;
    struct record_headers h = {0};
    record_header_read(&h, RECORD_H_VERSION, SLICE_LIT("4294967297"));
    assert_true(h.version > RECORD_VERSION);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_headers),
        cmocka_unit_test(json_of_others),
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_version_beyond_32_bits_stays_high),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
