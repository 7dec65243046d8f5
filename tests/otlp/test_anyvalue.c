#include "otlp/anyvalue.h"
#include "otlp/attrs.h"
#include "otlp/scan.h"

#include "tests/base/unit.h"
#include "tests/otlp/message.h"

#include <math.h>
#include <stdlib.h>

/* Fields of AnyValue. */
enum { STRING = 1, BOOL, INT, DOUBLE, ARRAY, KVLIST, BYTES, STRINDEX };
enum { VALUES = 1, KEY = 1, VALUE = 2 };

/* Checks kind, JSON and text of the value in `any` and empties it. */
static void check_value(struct buf *any, enum anyvalue_kind kind, const char *json,
                        const char *text)
{
    struct buf out = BUF_INIT;
    assert_int_equal(anyvalue_kind(buf_slice(any), NULL), kind);
    anyvalue_json(&out, buf_slice(any));
    assert_string_equal(buf_cstr(&out), json);
    buf_clear(&out);
    anyvalue_text(&out, buf_slice(any));
    assert_false(out.failed);
    assert_string_equal(buf_cstr(&out), text);
    buf_release(&out);
    buf_release(any);
}

static void check_int(int64_t n, const char *text)
{
    struct buf b = BUF_INIT;
    put_varint(&b, INT, (uint64_t)n);
    check_value(&b, ANY_INT, text, text);
}

static void check_double(double d, const char *json, const char *text)
{
    struct buf b = BUF_INIT;
    put_double(&b, DOUBLE, d);
    check_value(&b, ANY_DOUBLE, json, text);
}

static void put_entry(struct buf *b, const char *key, const char *value)
{
    put_attr(b, VALUES, key, value);
}

static void test_scalars(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    check_value(&b, ANY_EMPTY, "null", "");
    put_text(&b, STRING, "a \"b\"\n");
    check_value(&b, ANY_STRING, "\"a \\\"b\\\"\\n\"", "a \"b\"\n");
    put_text(&b, STRING, "");
    check_value(&b, ANY_STRING, "\"\"", "");
    put_varint(&b, BOOL, 0);
    check_value(&b, ANY_BOOL, "false", "false");
    put_varint(&b, BOOL, 1ull << 40); /* R222 */
    check_value(&b, ANY_BOOL, "true", "true");
    put_bytes(&b, BYTES, slice_of("\xff\x00\x01\x02", 4));
    check_value(&b, ANY_BYTES, "\"/wABAg==\"", "/wABAg==");
    put_text(&b, BYTES, "");
    check_value(&b, ANY_BYTES, "\"\"", "");
}

static void test_numbers(void **state)
{
    (void)state;
    check_int(0, "0");
    check_int(-1, "-1");
    check_int(INT64_MAX, "9223372036854775807");
    check_int(INT64_MIN, "-9223372036854775808");
    check_double(0.5, "0.5", "0.5");
    check_double(0.1, "0.1", "0.1");
    check_double(-0.0, "-0", "-0");
    check_double(NAN, "\"NaN\"", "NaN");
    check_double(INFINITY, "\"Infinity\"", "Infinity");
    check_double(-INFINITY, "\"-Infinity\"", "-Infinity");
}

static void test_text_is_borrowed(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct slice text = SLICE_NULL;
    put_text(&b, STRING, "here");
    assert_int_equal(anyvalue_kind(buf_slice(&b), &text), ANY_STRING);
    assert_ptr_equal(text.at, b.at + 2);
    assert_int_equal(text.len, 4);
    buf_release(&b);
}

static void test_invalid_utf8_becomes_a_replacement_in_json_only(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    put_text(&b, STRING, "a\xff-");
    check_value(&b, ANY_STRING, "\"a\xEF\xBF\xBD-\"", "a\xff-");
}

static void test_nested(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    MESSAGE (&b, ARRAY) {
        MESSAGE (&b, VALUES)
            put_varint(&b, INT, 1);
        MESSAGE (&b, VALUES) {
        }
        MESSAGE (&b, VALUES)
            MESSAGE (&b, ARRAY) {
            }
        MESSAGE (&b, VALUES)
            MESSAGE (&b, KVLIST) {
                put_entry(&b, "z", "1");
                put_entry(&b, "a", "2");
                put_entry(&b, "z", "3");
                MESSAGE (&b, VALUES)
                    put_text(&b, KEY, "none");
                MESSAGE (&b, VALUES)
                    MESSAGE (&b, VALUE)
                        MESSAGE (&b, KVLIST) {
                        }
            }
    }
    const char *json = "[1,null,[],{\"\":{},\"a\":\"2\",\"none\":null,\"z\":\"3\"}]";
    check_value(&b, ANY_ARRAY, json, json);
}

static void test_unknown_fields_are_skipped(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    put_varint(&b, INT, 5);
    put_varint(&b, 100, 1);
    put_key(&b, 101, 3);
    put_varint(&b, 1, 1);
    put_key(&b, 101, 4);
    put_varint(&b, STRING, 1); /* the wrong wire type */
    check_value(&b, ANY_INT, "5", "5");
}

static void test_the_last_member_counts(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    put_text(&b, STRING, "old");
    put_varint(&b, INT, 3);
    put_varint(&b, INT, 4);
    check_value(&b, ANY_INT, "4", "4");
    put_text(&b, STRING, "old");
    put_varint(&b, STRINDEX, 3); /* R262: taken as absent */
    check_value(&b, ANY_EMPTY, "null", "");
}

static void put_array_of_int(struct buf *b, uint64_t n)
{
    MESSAGE (b, ARRAY)
        MESSAGE (b, VALUES)
            put_varint(b, INT, n);
}

static void test_repeated_arrays_are_merged(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    put_array_of_int(&b, 1);
    put_array_of_int(&b, 2);
    check_value(&b, ANY_ARRAY, "[1,2]", "[1,2]");
    put_array_of_int(&b, 1); /* replaced by the string */
    put_text(&b, STRING, "x");
    put_array_of_int(&b, 2);
    MESSAGE (&b, ARRAY) {
    }
    put_array_of_int(&b, 3);
    check_value(&b, ANY_ARRAY, "[2,3]", "[2,3]");
}

static void test_repeated_lists_are_merged(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    MESSAGE (&b, KVLIST)
        put_entry(&b, "gone", "0");
    put_array_of_int(&b, 1);
    MESSAGE (&b, KVLIST)
        put_entry(&b, "b", "1");
    MESSAGE (&b, KVLIST)
        put_entry(&b, "a", "2");
    MESSAGE (&b, KVLIST)
        put_entry(&b, "b", "3");
    check_value(&b, ANY_KVLIST, "{\"a\":\"2\",\"b\":\"3\"}", "{\"a\":\"2\",\"b\":\"3\"}");
}

/* KeyValue.value is singular: its occurrences are one AnyValue. */
static void test_a_spread_value_in_a_list_is_merged(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    MESSAGE (&b, KVLIST) {
        MESSAGE (&b, VALUES) {
            put_text(&b, KEY, "first");
            MESSAGE (&b, VALUE)
                put_array_of_int(&b, 1);
            put_text(&b, KEY, "array");
            MESSAGE (&b, VALUE) {
                put_array_of_int(&b, 2);
                put_array_of_int(&b, 3);
            }
        }
        MESSAGE (&b, VALUES) {
            MESSAGE (&b, VALUE)
                put_array_of_int(&b, 1);
            MESSAGE (&b, VALUE) {
                put_varint(&b, INT, 1);
                MESSAGE (&b, KVLIST)
                    put_entry(&b, "x", "1");
            }
            MESSAGE (&b, VALUE)
                MESSAGE (&b, KVLIST)
                    put_entry(&b, "w", "2");
        }
    }
    const char *json = "{\"\":{\"w\":\"2\",\"x\":\"1\"},\"array\":[1,2,3]}";
    check_value(&b, ANY_KVLIST, json, json);
}

static void test_deeper_than_the_scanner_allows_ends_in_null(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, outer = BUF_INIT, out = BUF_INIT;
    for (int i = 0; i < SCAN_MAX_DEPTH + 10; i++) {
        MESSAGE (&outer, ARRAY)
            put_bytes(&outer, VALUES, buf_slice(&b));
        buf_release(&b);
        b = outer;
        outer = (struct buf)BUF_INIT;
    }
    anyvalue_json(&out, buf_slice(&b));
    assert_int_equal(out.len, 2 * SCAN_MAX_DEPTH + 4);
    assert_memory_equal(out.at + SCAN_MAX_DEPTH, "null", 4);
    buf_release(&out);
    buf_release(&b);
}

static void test_a_full_buffer_fails(void **state)
{
    (void)state;
    struct buf b = BUF_INIT, out = BUF_INIT_CEILING(10);
    put_text(&b, STRING, "0123456789");
    anyvalue_json(&out, buf_slice(&b));
    assert_true(out.failed);
    buf_release(&out);
    buf_release(&b);
}

static const struct attrs *read_attrs(struct arena *a, const struct buf *message)
{
    const struct repeated r = repeated_of(buf_slice(message), 1);
    return attrs_read(a, &r, 1);
}

static void check_attrs(struct buf *message, const char *json)
{
    struct arena a = ARENA_INIT;
    struct buf out = BUF_INIT;
    attrs_json(&out, read_attrs(&a, message));
    assert_string_equal(buf_cstr(&out), json);
    buf_release(&out);
    buf_release(message);
    arena_release(&a);
}

static void test_attrs(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    check_attrs(&b, "{}");
    put_attr(&b, 1, "a", "1");
    put_attr(&b, 1, "b", "2");
    check_attrs(&b, "{\"a\":\"1\",\"b\":\"2\"}");
    put_attr(&b, 1, "bb", "1");
    put_attr(&b, 1, "b", "2");
    put_attr(&b, 1, "\xc3\xa4", "3");
    put_attr(&b, 1, "Z", "4");
    check_attrs(&b, "{\"Z\":\"4\",\"b\":\"2\",\"bb\":\"1\",\"\xc3\xa4\":\"3\"}");
    put_attr(&b, 1, "k", "1");
    put_attr(&b, 1, "k", "2");
    put_attr(&b, 1, "j", "3");
    put_attr(&b, 1, "k", "4");
    check_attrs(&b, "{\"j\":\"3\",\"k\":\"4\"}");
}

static void test_attrs_without_key_or_value(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    MESSAGE (&b, 1)
        MESSAGE (&b, VALUE)
            put_varint(&b, INT, 1);
    MESSAGE (&b, 1) {
    }
    check_attrs(&b, "{\"\":null}"); /* both keys are empty: the last counts */
    MESSAGE (&b, 1)
        put_varint(&b, 3, 7);
    MESSAGE (&b, 1)
        put_text(&b, KEY, "absent");
    MESSAGE (&b, 1) {
        MESSAGE (&b, VALUE) {
        }
        put_text(&b, KEY, "empty");
    }
    MESSAGE (&b, 1) {
        put_text(&b, KEY, "spread");
        MESSAGE (&b, VALUE)
            put_array_of_int(&b, 1);
        MESSAGE (&b, VALUE)
            put_array_of_int(&b, 2);
    }
    check_attrs(&b, "{\"\":null,\"absent\":null,\"empty\":null,\"spread\":[1,2]}");
}

/* Sorts n attributes whose keys repeat every `distinct`; the values tell the last ones. */
static void check_many(unsigned n, unsigned distinct)
{
    struct arena a = ARENA_INIT;
    struct buf b = BUF_INIT;
    for (unsigned i = 0; i < n; i++) {
        char key[32], value[32];
        snprintf(key, sizeof(key), "key.%05u", i * 7919 % distinct);
        snprintf(value, sizeof(value), "%u", i);
        put_attr(&b, 1, key, value);
    }
    const struct attrs *attrs = read_attrs(&a, &b);
    assert_int_equal(attrs->n, distinct);
    for (unsigned k = 0; k < distinct; k++) {
        char key[32], number[32];
        struct slice value;
        snprintf(key, sizeof(key), "key.%05u", k);
        assert_true(slice_eq(attrs->at[k].key, slice_str(key)));
        assert_ptr_equal(attrs_find(attrs, slice_str(key)), &attrs->at[k]);
        anyvalue_kind(attrs->at[k].any, &value);
        snprintf(number, sizeof(number), "%.*s", SLICE_ARG(value));
        unsigned long i = strtoul(number, NULL, 10);
        assert_int_equal(i * 7919 % distinct, k);
        assert_true(i + distinct >= n);
    }
    assert_null(attrs_find(attrs, SLICE_LIT("key")));
    buf_release(&b);
    arena_release(&a);
}

static void test_many_attrs(void **state)
{
    (void)state;
    check_many(31, 31);
    check_many(32, 8);
    check_many(33, 33);
    check_many(100, 10);
    check_many(100000, 99991); /* a quadratic sort would not come back */
}

static void test_attrs_need_memory(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT_CEILING(64);
    struct buf b = BUF_INIT;
    for (int i = 0; i < 3; i++)
        put_attr(&b, 1, "k", "v");
    assert_null(read_attrs(&a, &b));
    buf_release(&b);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scalars),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_text_is_borrowed),
        cmocka_unit_test(test_invalid_utf8_becomes_a_replacement_in_json_only),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_unknown_fields_are_skipped),
        cmocka_unit_test(test_the_last_member_counts),
        cmocka_unit_test(test_repeated_arrays_are_merged),
        cmocka_unit_test(test_repeated_lists_are_merged),
        cmocka_unit_test(test_a_spread_value_in_a_list_is_merged),
        cmocka_unit_test(test_deeper_than_the_scanner_allows_ends_in_null),
        cmocka_unit_test(test_a_full_buffer_fails),
        cmocka_unit_test(test_attrs),
        cmocka_unit_test(test_attrs_without_key_or_value),
        cmocka_unit_test(test_many_attrs),
        cmocka_unit_test(test_attrs_need_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
