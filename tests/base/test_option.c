#include "unit.h"

#include "base/file.h"
#include "option_sample.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Printed by value; NULL on failure, with the reason in `err`. The caller frees. */
static char *read_and_print(const char *text, bool with_origins, struct errbuf *err)
{
    struct sample_conf conf = {0};
    struct arena a = ARENA_INIT;
    struct option_origins where = {&a, NULL};
    struct buf out = BUF_INIT;
    char *printed = NULL;
    int rc = option_read_text(&sample_options, "t.conf", text, &conf, &a, &where, err);
    if (rc == 0) {
        option_print(&sample_options, &conf, with_origins ? &where : NULL, &out);
        printed = strdup(buf_cstr(&out));
    }
    buf_release(&out);
    arena_release(&a);
    return printed;
}

/* Each row: a text, and a line that the printed result must hold, or the refusal. */
static void test_read(void **state)
{
    (void)state;
    setenv("TENANTRY_TEST_RATE", "30MB/s", 1);
    setenv("TENANTRY_TEST_NAME", "from \"outside\"", 1);
    static const struct {
        int line;
        const char *text, *wanted;
    } rows[] = {
        {__LINE__, "", "id = \"none\"\n"},
        {__LINE__, "", "limits.rate = 20MB/s\n"},
        {__LINE__, "", "limits.items = 0\n"},
        {__LINE__, "", "limits.wait = 500ms\n"},
        {__LINE__, "", "headers = [\"authorization\", \"x-api-key\"]\n"},
        {__LINE__, "", "client = {}\n"},
        {__LINE__, "", "drop = 0 entries\n"},
        {__LINE__, "", "password = (secret)\n"},
        {__LINE__, "id = \"acme\";", "id = \"acme\"\n"},
        {__LINE__, "enabled = false;", "enabled = false\n"},
        {__LINE__, "enabled = \"false\";", "enabled = false\n"},
        {__LINE__, "kind = \"postgres\";", "kind = postgres\n"},
        {__LINE__, "partitions = 12;", "partitions = 12\n"},
        {__LINE__, "partitions = \"12\";", "partitions = 12\n"},
        {__LINE__, "limits = { rate = \"5MB/s\"; };", "limits.rate = 5MB/s\n"},
        {__LINE__, "limits = { rate = 5000; };", "limits.rate = 5KB/s\n"},
        {__LINE__, "limits = { rate = \"${TENANTRY_TEST_RATE}\"; };", "limits.rate = 30MB/s\n"},
        {__LINE__, "limits = { items = \"200k/s\"; };", "limits.items = 200k/s\n"},
        {__LINE__, "limits = { burst = 5000000000; };", "limits.burst = 5GB\n"},
        {__LINE__, "limits = { burst = 0x100000000; };", "limits.burst = 4GiB\n"},
        {__LINE__, "limits = { burst = 3000000000L; };", "limits.burst = 3GB\n"},
        {__LINE__, "/* 9999999999 */ # @include\nlimits = { wait = \"0\"; };", "limits.wait = 0\n"},
        {__LINE__, "id = \"5000000000 @include \\\" x\";", "id = \"5000000000 @include \\\" x\"\n"},
        {__LINE__, "id = \"${TENANTRY_TEST_NAME}\";", "id = \"from \\\"outside\\\"\"\n"},
        {__LINE__, "headers = \"one\";", "headers = [\"one\"]\n"},
        {__LINE__, "headers = [];", "headers = []\n"},
        {__LINE__, "headers = (\"a\", \"b,c\");", "headers = [\"a\", \"b,c\"]\n"},
        {__LINE__, "client = { retries = 5; linger = 1.5; x = true; };",
         "client = {retries = \"5\", linger = \"1.5\", x = \"true\"}\n"},
        {__LINE__, "client = [\"message.max.bytes=1000\", \"sasl.password=x=y\"];",
         "client = {message.max.bytes = \"1000\", sasl.password = (secret)}\n"},
        {__LINE__, "drop = ( { attribute = \"a\"; }, { signal = \"logs\"; attribute = \"b\"; } );",
         "drop = 2 entries\ndrop[0].signal = traces\ndrop[0].attribute = \"a\"\n"
         "drop[1].signal = logs\ndrop[1].attribute = \"b\"\n"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errbuf err = ERRBUF_INIT;
        char *printed = read_and_print(rows[i].text, false, &err);
        check_row(rows[i].line, printed != NULL, "%s", err.text);
        check_row(rows[i].line, strstr(printed, rows[i].wanted) != NULL, "%s", printed);
        check_row(rows[i].line, err.text[0] == 0, "%s", err.text);
        free(printed);
    }
}

static void test_refuse(void **state)
{
    (void)state;
    unsetenv("TENANTRY_TEST_UNSET");
    static const struct {
        int line;
        const char *text, *wanted;
    } rows[] = {
        {__LINE__, "\nlimits = {\n  rat = \"5MB/s\"; };",
         "t.conf:3: unknown option \"rat\" in limits: did you mean \"rate\"?"},
        {__LINE__, "zzzzzzzz = 1;", "t.conf:1: unknown option \"zzzzzzzz\""},
        {__LINE__, "limit = {};", "t.conf:1: unknown option \"limit\": did you mean \"limits\"?"},
        {__LINE__, "id = \"a\";\nid = \"b\";", "t.conf:2: duplicate setting name"},
        {__LINE__, "id = ;", "t.conf:1: syntax error"},
        {__LINE__, "id = 5;", "t.conf:1: id: this is to be text in quotes"},
        {__LINE__, "enabled = 1;", "t.conf:1: enabled: this is to be true or false"},
        {__LINE__, "enabled = \"yes\";", "t.conf:1: enabled: \"yes\" is neither true nor false"},
        {__LINE__, "kind = \"mysql\";",
         "t.conf:1: kind: \"mysql\" is not one of \"sqlite\" or \"postgres\""},
        {__LINE__, "drop = ( { attribute = \"a\"; signal = \"x\"; } );",
         "t.conf:1: drop[0].signal: \"x\" is not one of \"traces\", \"metrics\" or \"logs\""},
        {__LINE__, "limits = { rate = \"5GB/s\"; };",
         "t.conf:1: limits.rate: \"5GB/s\" is too large: from 1KB/s to 1GB/s is allowed"},
        {__LINE__, "limits = { rate = 1; };",
         "t.conf:1: limits.rate: \"1\" is too small: from 1KB/s to 1GB/s is allowed"},
        {__LINE__, "limits = { burst = 0; };",
         "t.conf:1: limits.burst: \"0\" is too small: at least 1 is allowed"},
        {__LINE__, "limits = { wait = \"6s\"; };",
         "t.conf:1: limits.wait: \"6s\" is too large: at most 5s is allowed"},
        {__LINE__, "limits = { wait = 3; };",
         "t.conf:1: limits.wait: \"3\" is not a time with its unit, such as"},
        {__LINE__, "partitions = -1;", "t.conf:1: partitions: \"-1\" is not a whole number"},
        {__LINE__, "partitions = 1.5;", "t.conf:1: partitions: \"1.5\" is not"},
        {__LINE__, "partitions = [1];", "t.conf:1: partitions: this is to be one value"},
        {__LINE__, "\n\npartitions = 99999999999999999999;", "t.conf:3: this number is too large"},
        {__LINE__, "\n@include \"x\"", "t.conf:2: @include is not supported here"},
        {__LINE__, "limits = 5;", "t.conf:1: limits: this is to be a group in braces"},
        {__LINE__, "drop = { attribute = \"a\"; };",
         "t.conf:1: drop: this is to be a list of groups"},
        {__LINE__, "drop = ( 5 );", "t.conf:1: drop[0]: this is to be a group in braces"},
        {__LINE__, "drop = ( { signal = \"logs\"; } );",
         "t.conf: option \"drop[0].attribute\" is missing"},
        {__LINE__, "headers = 5;", "t.conf:1: headers: this is to be text in quotes"},
        {__LINE__, "headers = [1];", "t.conf:1: headers: this is to be text in quotes"},
        {__LINE__, "client = 5;", "t.conf:1: client: this is to be a group"},
        {__LINE__, "client = [\"x\"];", "t.conf:1: client: an element is to be \"name=value\""},
        {__LINE__, "client = [\"x=1\",\n\"x=2\"];", "t.conf:2: client: \"x\" stands twice"},
        {__LINE__, "client = { x = { y = 1; }; };", "t.conf:1: client: this is to be one value"},
        {__LINE__, "id = \"${TENANTRY_TEST_UNSET}\";",
         "t.conf:1: id: the environment variable TENANTRY_TEST_UNSET is not set"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errbuf err = ERRBUF_INIT;
        char *printed = read_and_print(rows[i].text, false, &err);
        check_row(rows[i].line, printed == NULL, "%s", printed);
        size_t len = strlen(rows[i].wanted);
        check_row(rows[i].line, strncmp(err.text, rows[i].wanted, len) == 0, "%s", err.text);
    }
}

static void test_origins(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    char *printed = read_and_print("\nlimits = {\n  rate = \"5MB/s\";\n};", true, &err);
    assert_non_null(strstr(printed, "limits.rate = 5MB/s   (t.conf:3)\n"));
    assert_non_null(strstr(printed, "limits.burst = 40MB   (default)\n"));
    free(printed);
}

static void write_file(const char *path, const char *text)
{
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(file_replace(path, slice_str(text), 0600, &err), 0);
}

static void test_files(void **state)
{
    (void)state;
    char folder[] = "/tmp/tenantry-option-XXXXXX", path[64];
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof(path), "%s/a.conf", folder);
    struct sample_conf conf = {0};
    struct arena a = ARENA_INIT;
    struct option_origins where = {&a, NULL};
    struct errbuf err = ERRBUF_INIT;

    assert_int_equal(option_read_file(&sample_options, path, &conf, &a, &where, &err), -ENOENT);
    assert_non_null(strstr(err.text, "No such file"));
    write_file(path, "id = \"base\"; limits = { rate = \"5MB/s\"; burst = \"7MB\"; };");
    assert_int_equal(option_read_file(&sample_options, path, &conf, &a, &where, &err), 0);
    write_file(path, "\nlimits = { burst = \"9MB\"; };");
    assert_int_equal(option_merge_file(&sample_options, path, &conf, &a, &where, &err), 0);
    assert_string_equal(conf.id, "base");
    assert_int_equal(conf.limits.rate, 5000000);
    assert_int_equal(conf.limits.burst, 9000000);
    assert_int_equal(conf.limits.wait, 500000000);
    assert_int_equal(option_origin(&where, "limits.burst")->line, 2);
    assert_int_equal(option_origin(&where, "limits.rate")->line, 1);
    assert_null(option_origin(&where, "limits.wait"));

    assert_int_equal(file_replace(path, SLICE_LIT("id = \"a\0\";"), 0600, &err), 0);
    assert_int_equal(option_read_file(&sample_options, path, &conf, &a, &where, &err), -EINVAL);
    assert_non_null(strstr(err.text, "NUL byte"));
    unlink(path);
    rmdir(folder);
    arena_release(&a);
}

/* A small arena fails somewhere on the way; a larger one no more: no crash and no half success. */
static void test_memory_ceiling(void **state)
{
    (void)state;
    static const char text[] = "id = \"acme\"; headers = [\"a\", \"b\"]; client = { x = 1; };\n"
                               "drop = ( { attribute = \"long enough\"; } );";
    int rc = -ENOMEM;
    for (size_t ceiling = 16; rc != 0; ceiling += 16) {
        struct sample_conf conf = {0};
        struct arena a = ARENA_INIT_CEILING(ceiling);
        struct option_origins where = {&a, NULL};
        struct errbuf err = ERRBUF_INIT;
        rc = option_read_text(&sample_options, "t.conf", text, &conf, &a, &where, &err);
        assert_true(rc == 0 || rc == -ENOMEM);
        assert_int_equal(err.text[0] == 0, rc == 0);
        assert_true(ceiling < 100000);
        arena_release(&a);
    }
}

/* The sample file reads as all defaults, also with its options' comment signs taken off. */
static void test_sample(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    struct buf sample = BUF_INIT, live = BUF_INIT;
    option_print_sample(&sample_options, &sample);
    for (const char *line = buf_cstr(&sample); *line != 0;) {
        size_t len = strcspn(line, "\n"), blanks = strspn(line, " ");
        const char *from = line;
        if (line[blanks] == '#' && line[blanks + 1] != ' ' && line[len - 1] == ';' &&
            strncmp(line + blanks, "#);", 3) != 0)
            from = line + blanks + 1;
        buf_append(&live, from, len + 1 - (size_t)(from - line));
        line += len + 1;
    }
    char *defaults = read_and_print("", false, &err);
    char *got = read_and_print(buf_cstr(&sample), false, &err);
    assert_string_equal(err.text, "");
    assert_string_equal(got, defaults);
    free(got);
    got = read_and_print(buf_cstr(&live), false, &err);
    assert_string_equal(err.text, "");
    assert_string_equal(got, defaults);
    free(got);
    free(defaults);
    assert_non_null(strstr(buf_cstr(&live), "partitions = 6;"));
    assert_non_null(strstr(buf_cstr(&sample), "\n#    #attribute = \"...\";\n"));
    buf_release(&sample);
    buf_release(&live);
}

static void test_markdown(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    option_print_markdown(&sample_options, &out);
    assert_non_null(strstr(buf_cstr(&out), "## tenant\n\nA tenant.\n"));
    assert_non_null(
        strstr(buf_cstr(&out), "| `rate` | `20MB/s` | From 1KB/s to 1GB/s. | yes | Bytes"));
    assert_non_null(strstr(buf_cstr(&out), "| `attribute` | *required* |  | yes |"));
    assert_non_null(strstr(buf_cstr(&out), "## drop[]\n"));
    buf_release(&out);
}

#define BAD_ROWS(...)                                                                              \
    (const struct option[])                                                                        \
    {                                                                                              \
        __VA_ARGS__, OPTION_END                                                                    \
    }
#define LIMITS struct limits_conf

static void test_table_check(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(option_check_table(&sample_options, &err), 0);
    const struct {
        int line;
        const struct option *rows;
        const char *wanted;
    } rows[] = {
        {__LINE__, BAD_ROWS(OPTION_UINT(LIMITS, rate, "a", "7", 0, "6", 0, "Doc.")),
         "a: \"7\" is too large: at most 6 is allowed"},
        {__LINE__, BAD_ROWS(OPTION_UINT(LIMITS, rate, "a", "x", 0, 0, 0, "Doc.")),
         "a: \"x\" is not a whole number"},
        {__LINE__, BAD_ROWS(OPTION_SIZE(LIMITS, rate, "a", "1", "9MB", "8MB", 0, "Doc.")),
         "a: the bounds are the wrong way round"},
        {__LINE__, BAD_ROWS(OPTION_SIZE(LIMITS, rate, "a", "1", "9xB", 0, 0, "Doc.")),
         "a: \"9xB\" is not a size"},
        {__LINE__, BAD_ROWS(OPTION_UINT(LIMITS, rate, "a", "1", 0, 0, 0, "Doc")), "a: the doc"},
        {__LINE__, BAD_ROWS(OPTION_UINT(LIMITS, rate, "a", "1", 0, 0, 0, "")), "a: the doc"},
        {__LINE__, BAD_ROWS(OPTION_UINT(LIMITS, rate, "a.b", "1", 0, 0, 0, "Doc.")),
         "a.b: the name is not one that a file can hold"},
        {__LINE__, BAD_ROWS(OPTION_UINT(LIMITS, rate, "a", 0, 0, 0, 0, "Doc.")),
         "a: the default is missing"},
        {__LINE__, BAD_ROWS(OPTION_UINT(LIMITS, rate, "a", "1", 0, 0, OPT_REQUIRED, "Doc.")),
         "a: a required option has a default"},
        {__LINE__,
         BAD_ROWS(OPTION_UINT(LIMITS, rate, "a", "1", 0, 0, 0, "Doc."),
                  OPTION_UINT(LIMITS, items, "a", "1", 0, 0, 0, "Doc.")),
         "a: the name stands twice"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const struct option_group group = {"bad", "Doc.", rows[i].rows};
        check_row(rows[i].line, option_check_table(&group, &err) == -EINVAL, "accepted");
        check_row(rows[i].line, strncmp(err.text, rows[i].wanted, strlen(rows[i].wanted)) == 0,
                  "%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),           cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_origins),        cmocka_unit_test(test_files),
        cmocka_unit_test(test_memory_ceiling), cmocka_unit_test(test_sample),
        cmocka_unit_test(test_markdown),       cmocka_unit_test(test_table_check),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
