#include "base/json_tree.h"

#include "unit.h"

static void test_reading(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    yajl_val t = json_tree_parse(
        SLICE_LIT("{\"n\": -7, \"text\": \"a\\u00e9\", "
                  " \"list\": [1, {\"n\": 2}], \"big\": 9223372036854775807, \"half\": 0.5}"),
        "text", &err);
    assert_non_null(t);
    assert_int_equal(json_tree_number(t, "n", 0), -7);
    assert_int_equal(json_tree_number(t, "big", 0), INT64_MAX);
    assert_int_equal(json_tree_number(t, "half", 3), 3);
    assert_int_equal(json_tree_number(t, "text", 3), 3);
    assert_int_equal(json_tree_number(t, "none", 3), 3);
    assert_string_equal(json_tree_text(t, "text"), "aé");
    assert_string_equal(json_tree_text(t, "n"), "");
    yajl_val list = json_tree_member(t, "list");
    assert_int_equal(json_tree_length(list), 2);
    assert_int_equal(json_tree_number(json_tree_at(list, 1), "n", 0), 2);
    assert_null(json_tree_at(list, 2));
    yajl_tree_free(t);
}

/* What is missing may be asked further. */
static void test_nothing(void **state)
{
    (void)state;
    assert_null(json_tree_member(NULL, "a"));
    assert_int_equal(json_tree_length(NULL), 0);
    assert_null(json_tree_at(NULL, 0));
    assert_int_equal(json_tree_number(NULL, "a", 5), 5);
    assert_string_equal(json_tree_text(NULL, "a"), "");
}

static void test_refused(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "{", "{\"a\":}", "[1,]", "nothing"};
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct errbuf err = ERRBUF_INIT;
        check_row((int)i, json_tree_parse(slice_str(texts[i]), "the file", &err) == NULL, "%s",
                  texts[i]);
        check_row((int)i, strstr(err.text, "the file is not JSON: ") == err.text, "%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_nothing),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
