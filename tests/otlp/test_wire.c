/* The reader of single fields. */
#include "tests/base/unit.h"

#include "tests/otlp/notation.h"

static void varints(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct slice bytes;
        uint64_t n;
        const char *error;
    } rows[] = {
        {__LINE__, SLICE_LIT("\x00"), 0, NULL},
        {__LINE__, SLICE_LIT("\x7f"), 127, NULL},
        {__LINE__, SLICE_LIT("\x80\x01"), 128, NULL},
        {__LINE__, SLICE_LIT("\xac\x02"), 300, NULL},
        {__LINE__, SLICE_LIT("\xff\xff\xff\xff\x0f"), UINT32_MAX, NULL},
        {__LINE__, SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"), UINT64_MAX, NULL},
        /* longer than needed, and bits beyond 64 */
        {__LINE__, SLICE_LIT("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x00"), 1, NULL},
        {__LINE__, SLICE_LIT("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x7e"), 1, NULL},
        {__LINE__, SLICE_LIT("\x81\x80\x80\x80\x80\x80\x80\x80\x80\x80\x00"), 0,
         "varint longer than 10 bytes"},
        {__LINE__, SLICE_LIT("\x80"), 0, "truncated"},
        {__LINE__, SLICE_LIT("\xff\xff\xff\xff\xff\xff\xff\xff\xff"), 0, "truncated"},
        {__LINE__, SLICE_LIT(""), 0, "truncated"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wire w = wire_of(rows[i].bytes);
        uint64_t n = 0;
        bool ok = wire_varint(&w, &n);
        check_row(rows[i].line, ok == (rows[i].error == NULL), "%s", w.error ? w.error : "");
        check_row(rows[i].line, n == rows[i].n, "%llu", (unsigned long long)n);
        check_row(rows[i].line, !ok || w.at == w.end, "stops before the end");
        check_row(rows[i].line, ok || strcmp(w.error, rows[i].error) == 0, "%s", w.error);
    }
}

/* What wire_next says about the whole run of fields. */
static const char *error_of(struct slice message, size_t *ret_fields)
{
    struct wire w = wire_of(message);
    struct wire_field f;
    for (*ret_fields = 0; wire_next(&w, &f);)
        ++*ret_fields;
    return w.error;
}

static void R214_R227_fields(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text;
        size_t fields;
        const char *error;
    } rows[] = {
        {__LINE__, "", 0, NULL},
        {__LINE__, "1=5 2@1 3%1 4'abc' 5{} 6(1=1)", 6, NULL},
        {__LINE__, "536870911=1", 1, NULL},
        {__LINE__, "536870912=1", 0, "field number out of range"},
        {__LINE__, "1=1 0=1", 1, "field number out of range"},
        {__LINE__, "~8a808000 ~00", 1, NULL}, /* a key longer than needed */
        {__LINE__, "~0e00", 0, "wire type 6 or 7"},
        {__LINE__, "~0f00", 0, "wire type 6 or 7"},
        {__LINE__, "~0a05 ~616263", 0, "length runs past the end of its message"},
        {__LINE__, "~0affffffffffffffffff01", 0, "length runs past the end of its message"},
        {__LINE__, "~0a", 0, "truncated"},
        {__LINE__, "~09 ~01020304050607", 0, "truncated"},
        {__LINE__, "~0d ~010203", 0, "truncated"},
        {__LINE__, "1(2(3(4=1)) 2(5'x')) 1=1", 2, NULL},
        {__LINE__, "~0b", 0, "group without an end"},
        {__LINE__, "~0b ~0b0c", 0, "group without an end"},
        {__LINE__, "~0b14", 0, "end-group of another group"},
        {__LINE__, "~0c", 0, "end-group outside a group"},
        {__LINE__, "1(~0e00)", 0, "wire type 6 or 7"},
        {__LINE__, "1(~1205)", 0, "length runs past the end of its message"},
        {__LINE__, "*100 ~0b *100 ~0c", 1, NULL},
        {__LINE__, "*101 ~0b *101 ~0c", 0, "groups nested too deeply"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct slice message = wire_text(rows[i].text);
        size_t fields;
        const char *error = error_of(message, &fields);
        const char *want = rows[i].error;
        check_row(rows[i].line, fields == rows[i].fields, "%zu", fields);
        check_row(rows[i].line, (error == NULL) == (want == NULL), "%s", error ? error : "none");
        check_row(rows[i].line, error == NULL || strcmp(error, want) == 0, "%s", error);
        free((void *)(uintptr_t)message.at);
    }
}

static void content_of_fields(void **state)
{
    (void)state;
    struct slice message = wire_text("1=-1 2@-2 3%7 4'abc' 5(1=3)");
    struct wire w = wire_of(message);
    struct wire_field f;
    assert_true(wire_next(&w, &f) && f.number == 1 && f.value == UINT64_MAX);
    assert_true(wire_next(&w, &f) && f.number == 2 && f.value == UINT64_MAX - 1);
    assert_true(wire_next(&w, &f) && f.number == 3 && f.value == 7);
    assert_true(wire_next(&w, &f) && slice_eq(f.bytes, SLICE_LIT("abc")));
    assert_true(wire_next(&w, &f) && slice_eq(f.bytes, SLICE_LIT("\x08\x03")));
    assert_false(wire_next(&w, &f));
    assert_null(w.error);
    free((void *)(uintptr_t)message.at);
}

static void R221_zigzag(void **state)
{
    (void)state;
    assert_int_equal(wire_zigzag(0), 0);
    assert_int_equal(wire_zigzag(1), -1);
    assert_int_equal(wire_zigzag(2), 1);
    assert_int_equal(wire_zigzag(UINT32_MAX), INT32_MIN);
    assert_true(wire_zigzag(UINT64_MAX) == INT64_MIN);
    assert_true(wire_zigzag(UINT64_MAX - 1) == INT64_MAX);
}

static void R225_doubles_keep_their_bits(void **state)
{
    (void)state;
    static const uint64_t rows[] = {
        0x8000000000000000, /* -0 */
        0x7ff0000000000000, /* infinity */
        0xfff8000000000123, /* a NaN with a payload */
        0x3ff0000000000000, /* 1 */
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        double d = wire_double(rows[i]);
        assert_memory_equal(&d, &rows[i], 8);
    }
    assert_true(wire_double(0x3ff0000000000000) == 1.0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(varints),
        cmocka_unit_test(R214_R227_fields),
        cmocka_unit_test(content_of_fields),
        cmocka_unit_test(R221_zigzag),
        cmocka_unit_test(R225_doubles_keep_their_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
