#include "unit.h"

#include "base/clock.h"

#include <string.h>
#include <time.h>

static void test_text(void **state)
{
    (void)state;
    static const struct {
        int line;
        uint64_t ns;
        const char *wanted;
    } rows[] = {
        {__LINE__, 0, "1970-01-01T00:00:00.000Z"},
        {__LINE__, 1769903999123999999, "2026-01-31T23:59:59.123Z"},
        {__LINE__, 951782400 * NS_PER_S, "2000-02-29T00:00:00.000Z"},
        {__LINE__, UINT64_MAX, "2554-07-21T23:34:33.709Z"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        char out[CLOCK_TEXT_SIZE];
        clock_text(rows[i].ns, out, sizeof(out));
        check_row(rows[i].line, strcmp(out, rows[i].wanted) == 0, "%s", out);
    }
}

static void test_clocks(void **state)
{
    (void)state;
    uint64_t before = clock_mono_ns();
    assert_true(clock_mono_ns() >= before);
    int64_t apart = (int64_t)(clock_wall_ns() / NS_PER_S) - (int64_t)time(NULL);
    assert_true(apart >= -1 && apart <= 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_clocks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
