/* Keys of many tenants by their id. */
#include "tenancy/keys/key_index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define TENANTS 1000
#define KEYS    3 /* of each */

struct fixture {
    struct arena arena;
    struct tenant tenants[TENANTS];
    struct key keys[TENANTS][KEYS];
    const struct key_index *index;
};

static void make_id(char id[KEY_ID_LENGTH + 1], unsigned tenant, unsigned key)
{
    snprintf(id, KEY_ID_LENGTH + 1, "%04ukey%u", tenant, key);
}

static void fill(struct fixture *f)
{
    for (unsigned t = 0; t < TENANTS; t++) {
        f->tenants[t].keys = f->keys[t];
        f->tenants[t].n_keys = KEYS;
        for (unsigned k = 0; k < KEYS; k++)
            make_id(f->keys[t][k].id, t, k);
    }
    f->index = key_index_make(f->tenants, TENANTS, NULL, &f->arena);
    assert_non_null(f->index);
}

static void test_each_key_is_found_with_its_tenant(void **state)
{
    (void)state;
    static struct fixture f;
    const struct tenant *tenant;
    fill(&f);
    for (unsigned t = 0; t < TENANTS; t++)
        for (unsigned k = 0; k < KEYS; k++) {
            const uint8_t *id = (const uint8_t *)f.keys[t][k].id;
            assert_ptr_equal(key_index_find(f.index, id, &tenant), &f.keys[t][k]);
            assert_ptr_equal(tenant, &f.tenants[t]);
        }
    for (unsigned t = 0; t < TENANTS; t++) {
        char id[KEY_ID_LENGTH + 1];
        make_id(id, t, KEYS);
        assert_null(key_index_find(f.index, (const uint8_t *)id, &tenant));
    }
    arena_release(&f.arena);
}

static void test_without_keys(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    const struct tenant *tenant, nobody = {0};
    const struct key_index *index = key_index_make(&nobody, 1, NULL, &a);
    assert_null(key_index_find(index, (const uint8_t *)"00000000", &tenant));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_key_is_found_with_its_tenant),
        cmocka_unit_test(test_without_keys),
    };
    return cmocka_run_group_tests_name("key_index", tests, NULL, NULL);
}
