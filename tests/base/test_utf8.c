#include "base/utf8.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BAD "\xEF\xBF\xBD"

static const struct {
    int line;
    struct slice in, clean;
} rows[] = {
#define ROW(in, clean)                                                                             \
    {                                                                                              \
        __LINE__, SLICE_LIT(in), SLICE_LIT(clean)                                                  \
    }
    ROW("", ""),
    ROW("plain", "plain"),
    ROW("longer than a word of the machine", "longer than a word of the machine"),
    ROW("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80"),
    ROW("nul\0here", "nul" BAD "here"),
    ROW("12345678\0", "12345678" BAD),
    ROW("1234567\0", "1234567" BAD),
    ROW("\xFFtail", BAD "tail"),
    ROW("cut \xE2\x82", "cut " BAD BAD),
    ROW("overlong \xC0\x80", "overlong " BAD BAD),
    ROW("surrogate \xED\xA0\x80", "surrogate " BAD BAD BAD),
    ROW("too high \xF4\x90\x80\x80", "too high " BAD BAD BAD BAD),
#undef ROW
};

static void test_clean(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct buf out = BUF_INIT;
        utf8_clean(&out, rows[i].in);
        if (!slice_eq(buf_slice(&out), rows[i].clean))
            fail_msg("row of line %d gives %.*s", rows[i].line, SLICE_ARG(buf_slice(&out)));
        bool same = slice_eq(rows[i].in, rows[i].clean);
        assert_int_equal(utf8_clean_length(rows[i].in) == rows[i].in.len, same);
        buf_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_clean)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
