#include "unit.h"

#include "base/slice.h"

static struct slice text(const char *s)
{
    return s ? slice_str(s) : SLICE_NULL;
}

static void test_compare(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *a, *b;
        bool equal, equal_fold, starts;
        int order;
    } rows[] = {
        {__LINE__, NULL, NULL, true, true, true, 0},
        {__LINE__, NULL, "", true, true, true, 0},
        {__LINE__, "a", NULL, false, false, true, 1},
        {__LINE__, NULL, "a", false, false, false, -1},
        {__LINE__, "abc", "abc", true, true, true, 0},
        {__LINE__, "abc", "ABC", false, true, false, 1},
        {__LINE__, "abc", "ab", false, false, true, 1},
        {__LINE__, "ab", "abc", false, false, false, -1},
        {__LINE__, "b", "abc", false, false, false, 1},
        {__LINE__, "\xFF", "a", false, false, false, 1},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice a = text(rows[i].a), b = text(rows[i].b);
        int order = slice_cmp(a, b);
        check_row(rows[i].line, slice_eq(a, b) == rows[i].equal, "slice_eq");
        check_row(rows[i].line, slice_ieq(a, b) == rows[i].equal_fold, "slice_ieq");
        check_row(rows[i].line, slice_starts(a, b) == rows[i].starts, "slice_starts");
        check_row(rows[i].line, (order > 0) - (order < 0) == rows[i].order, "%d", order);
    }
}

static void test_trim(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text, *wanted;
    } rows[] = {
        {__LINE__, NULL, ""},        {__LINE__, " \t ", ""},    {__LINE__, "a", "a"},
        {__LINE__, " a b\t", "a b"}, {__LINE__, "\na ", "\na"},
    };
    for (size_t i = 0; i < COUNT(rows); i++)
        check_row(rows[i].line, slice_eq(slice_trim(text(rows[i].text)), text(rows[i].wanted)),
                  "slice_trim");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_trim),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
