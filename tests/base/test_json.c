#include "unit.h"

#include "base/json.h"
#include "base/utf8.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BYTES(text)                                                                                \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }
#define BAD "\xEF\xBF\xBD"

static void test_string(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct slice text;
        const char *wanted;
    } rows[] = {
        {__LINE__, BYTES(""), "\"\""},
        {__LINE__, BYTES("plain"), "\"plain\""},
        {__LINE__, BYTES("a\"b\\c/d"), "\"a\\\"b\\\\c/d\""},
        {__LINE__, BYTES("\b\f\n\r\t"), "\"\\b\\f\\n\\r\\t\""},
        {__LINE__, BYTES("\0\x01\x1f\x7f"), "\"\\u0000\\u0001\\u001f\\u007f\""},
        {__LINE__, BYTES("\xC2\x80\xC2\x9F\xC2\xA0"), "\"\\u0080\\u009f\xC2\xA0\""},
        {__LINE__, BYTES("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80"),
         "\"\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80\""},
        {__LINE__, BYTES("\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF"),
         "\"\xED\x9F\xBF\xEE\x80\x80\xF4\x8F\xBF\xBF\""},
        {__LINE__, BYTES("\xFF"), "\"" BAD "\""},
        {__LINE__, BYTES("\x80x"), "\"" BAD "x\""},
        {__LINE__, BYTES("\xC3"), "\"" BAD "\""},
        {__LINE__, BYTES("\xE2\x82"), "\"" BAD BAD "\""},
        {__LINE__, BYTES("\xC0\x80"), "\"" BAD BAD "\""},                 /* overlong */
        {__LINE__, BYTES("\xE0\x9F\xBF"), "\"" BAD BAD BAD "\""},         /* overlong */
        {__LINE__, BYTES("\xED\xA0\x80"), "\"" BAD BAD BAD "\""},         /* surrogate */
        {__LINE__, BYTES("\xF4\x90\x80\x80"), "\"" BAD BAD BAD BAD "\""}, /* above U+10FFFF */
        {__LINE__, BYTES("\xE2\x28\xA1"), "\"" BAD "(" BAD "\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT;
        json_string(&out, rows[i].text);
        check_row(rows[i].line, strcmp(buf_cstr(&out), rows[i].wanted) == 0, "%s", buf_cstr(&out));
        buf_release(&out);
    }
}

/* Every pair of bytes: the result is printable, well-formed, and quoted only at its ends. */
static void test_string_any_bytes(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    for (unsigned pair = 0; pair < 65536; pair++) {
        const uint8_t bytes[] = {(uint8_t)(pair >> 8), (uint8_t)pair};
        buf_clear(&out);
        json_string(&out, slice_of(bytes, sizeof(bytes)));
        assert_int_equal(utf8_clean_length(buf_slice(&out)), out.len);
        assert_true(out.len >= 3 && out.at[0] == '"' && out.at[out.len - 1] == '"');
        for (size_t i = 1; i < out.len - 1; i++) {
            assert_true(out.at[i] >= ' ' && out.at[i] != 0x7F && out.at[i] != '"');
            if (out.at[i] == '\\')
                i++;
        }
    }
    buf_release(&out);
}

static void test_double(void **state)
{
    (void)state;
    static const struct {
        int line;
        double d;
        const char *wanted;
    } rows[] = {
        {__LINE__, 0, "0"},
        {__LINE__, -0.0, "-0"},
        {__LINE__, 1.5, "1.5"},
        {__LINE__, 0.1, "0.1"},
        {__LINE__, 100000, "100000"},
        {__LINE__, 1e22, "1e+22"},
        {__LINE__, 9007199254740993, "9007199254740992"},
        {__LINE__, 0.1 + 0.2, "0.30000000000000004"},
        {__LINE__, 5e-324, "5e-324"},
        {__LINE__, 1.7976931348623157e308, "1.7976931348623157e+308"},
        {__LINE__, NAN, "\"NaN\""},
        {__LINE__, INFINITY, "\"Infinity\""},
        {__LINE__, -INFINITY, "\"-Infinity\""},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT;
        json_double(&out, rows[i].d);
        check_row(rows[i].line, strcmp(buf_cstr(&out), rows[i].wanted) == 0, "%s", buf_cstr(&out));
        if (isfinite(rows[i].d))
            check_row(rows[i].line, strtod(buf_cstr(&out), NULL) == rows[i].d, "reads back");
        buf_release(&out);
    }
}

static void test_base64(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct slice bytes;
        const char *wanted;
    } rows[] = {
        /* RFC 4648, section 10 */
        {__LINE__, BYTES(""), ""},
        {__LINE__, BYTES("f"), "Zg=="},
        {__LINE__, BYTES("fo"), "Zm8="},
        {__LINE__, BYTES("foo"), "Zm9v"},
        {__LINE__, BYTES("foob"), "Zm9vYg=="},
        {__LINE__, BYTES("fooba"), "Zm9vYmE="},
        {__LINE__, BYTES("foobar"), "Zm9vYmFy"},
        {__LINE__, BYTES("\xFF\xFE\xFD\0"), "//79AA=="},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct buf out = BUF_INIT;
        json_base64(&out, rows[i].bytes);
        check_row(rows[i].line, strcmp(buf_cstr(&out), rows[i].wanted) == 0, "%s", buf_cstr(&out));
        buf_release(&out);
    }
}

static void test_ceiling(void **state)
{
    (void)state;
    struct buf out = BUF_INIT_CEILING(10);
    json_string(&out, SLICE_LIT("0123456789"));
    assert_true(out.failed);
    buf_clear(&out);
    json_base64(&out, SLICE_LIT("0123456789"));
    assert_true(out.failed);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_string),  cmocka_unit_test(test_string_any_bytes),
        cmocka_unit_test(test_double),  cmocka_unit_test(test_base64),
        cmocka_unit_test(test_ceiling),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
