#include "cli/args.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static const struct arg_row rows[] = {
    ARG_ROW_CONFIG,
    ARG_ROW_JSON,
    {"--rate", ARG_RATE, "20MB/s", "5k/s", "bytes per second"},
    {"--age", ARG_DURATION, "6h", NULL, "how old"},
    {"--name", ARG_TEXTS, "NAME", NULL, "names"},
    {0},
};
static const struct args_spec one_or_two = {"A [B]", 1, 2, "About.", rows};

static int parse(struct args *a, const char *const *argv)
{
    *a = (struct args){.command = "test", .argv = argv};
    while (argv[a->argc] != NULL)
        a->argc++;
    return args_parse(a, &one_or_two);
}
#define PARSE(a, ...) parse(a, (const char *const[]){__VA_ARGS__, NULL})

static void test_values(void **state)
{
    (void)state;
    struct args a;
    int code = PARSE(&a, "x", "--rate", "2k/s", "--json", "--age=5m", "--name", "n1", "--name=n2",
                     "--rate=3k/s", "--", "--y");
    assert_int_equal(code, ARGS_GO_ON);
    assert_int_equal(a.n_operands, 2);
    assert_string_equal(a.operands[0], "x");
    assert_string_equal(a.operands[1], "--y");
    assert_true(args_flag(&a, "--json"));
    assert_true(args_number(&a, "--rate") == 3000);
    assert_true(args_number(&a, "--age") == 300000000000ull);
    assert_string_equal(args_text_at(&a, "--name", 0), "n1");
    assert_string_equal(args_text_at(&a, "--name", 1), "n2");
    assert_null(args_text_at(&a, "--name", 2));
    assert_null(args_text(&a, "--config"));
    assert_false(args_given(&a, "--config"));
}

static void test_defaults(void **state)
{
    (void)state;
    struct args a;
    assert_int_equal(PARSE(&a, "x"), ARGS_GO_ON);
    assert_true(args_number(&a, "--rate") == 5000);
    assert_string_equal(args_text(&a, "--rate"), "5k/s");
    assert_true(args_number(&a, "--age") == 0);
    assert_false(args_flag(&a, "--json"));
}

static void test_exit_codes(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *argv[5];
        int code;
    } cases[] = {
        {__LINE__, {"x"}, ARGS_GO_ON},
        {__LINE__, {"x", "-"}, ARGS_GO_ON},
        {__LINE__, {"--help"}, EXIT_DONE},
        {__LINE__, {"--nonsense", "-h"}, EXIT_USAGE},
        {__LINE__, {NULL}, EXIT_USAGE},
        {__LINE__, {"x", "y", "z"}, EXIT_USAGE},
        {__LINE__, {"x", "--jsn"}, EXIT_USAGE},
        {__LINE__, {"x", "--rate"}, EXIT_USAGE},
        {__LINE__, {"x", "--rate", "fast"}, EXIT_USAGE},
        {__LINE__, {"x", "--json=1"}, EXIT_USAGE},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct args a;
        int code = parse(&a, cases[i].argv);
        if (code != cases[i].code)
            fail_msg("row at line %d: code %d", cases[i].line, code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_exit_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
