#include "unit.h"

#include "base/arena.h"

#include <stdalign.h>

static void test_alloc(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 7, 16, 17, 100, 4096, 5000, 70000, 3};
    struct arena a = ARENA_INIT;
    uint8_t *at[COUNT(sizes)];
    for (size_t i = 0; i < COUNT(sizes); i++) {
        at[i] = arena_alloc(&a, sizes[i]);
        assert_non_null(at[i]);
        assert_int_equal((uintptr_t)at[i] % alignof(max_align_t), 0);
        memset(at[i], (int)i, sizes[i]);
    }
    for (size_t i = 0; i < COUNT(sizes); i++)
        for (size_t j = 0; j < sizes[i]; j++)
            assert_int_equal(at[i][j], i);
    assert_true(a.used >= 1 + 7 + 16 + 17 + 100 + 4096 + 5000 + 70000 + 3);
    assert_true(a.held >= a.used);
    arena_release(&a);
    assert_int_equal(a.held, 0);
}

static void test_copies(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    bool ok = true;
    struct slice s = arena_copy(&a, SLICE_LIT("text"), &ok);
    assert_true(slice_eq(s, SLICE_LIT("text")));
    assert_null(arena_copy(&a, SLICE_LIT(""), &ok).at);
    assert_string_equal(arena_strdup(&a, slice_of("text", 3)), "tex");
    assert_string_equal(arena_strdup(&a, SLICE_NULL), "");
    const uint8_t *zeroed = arena_calloc(&a, 3, 5);
    for (size_t i = 0; i < 15; i++)
        assert_int_equal(zeroed[i], 0);
    assert_true(ok);
    arena_release(&a);
}

static void test_overflow(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 8));
    assert_null(arena_calloc(&a, SIZE_MAX / 2, 3));
    assert_int_equal(a.held, 0);
    arena_release(&a);
}

static void test_ceiling(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT_CEILING(10000);
    size_t got = 0;
    while (arena_alloc(&a, 160) != NULL)
        got += 160;
    assert_true(got > 8000 && got <= 10000);
    assert_true(a.held <= 10000);
    bool ok = true;
    assert_null(arena_alloc(&a, 2000));
    arena_copy(&a, slice_of((uint8_t[2000]){0}, 2000), &ok);
    assert_false(ok);
    assert_null(arena_strdup(&a, slice_of((uint8_t[2000]){0}, 2000)));
    arena_release(&a);

    struct arena exact = ARENA_INIT_CEILING(160);
    assert_non_null(arena_alloc(&exact, 160));
    assert_null(arena_alloc(&exact, 1));
    arena_release(&exact);
}

static void test_reset(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 1000; i++)
            memset(arena_alloc(&a, 100), round, 100);
        size_t held = a.held;
        arena_reset(&a, 65536);
        assert_int_equal(a.used, 0);
        assert_true(a.held > 0 && a.held <= 65536 && a.held < held);
    }
    arena_reset(&a, 0);
    assert_int_equal(a.held, 0);
    assert_non_null(arena_alloc(&a, 10)); /* usable again */
    arena_release(&a);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_alloc),    cmocka_unit_test(test_copies),
        cmocka_unit_test(test_overflow), cmocka_unit_test(test_ceiling),
        cmocka_unit_test(test_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
