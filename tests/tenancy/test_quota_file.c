#include "tenancy/limits/quota_file.h"

#include "tenancy/keys/key_runtime.h"
#include "tenancy/runtime.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static uint64_t bytes(const char *id, uint64_t day)
{
    return day_count_read(&tenant_runtime(id)->limits[SIGNAL_COUNT].today, day);
}

static void test_written_and_read_back(void **state)
{
    (void)state;
    struct tenant_runtime *a = tenant_runtime("first");
    struct buf out = BUF_INIT;
    struct errbuf err = ERRBUF_INIT;
    tenant_runtime("idle");
    day_count_take(&a->limits[SIGNAL_COUNT].today, 123, 0, 500);
    day_count_take(&a->limits[SIGNAL_LOGS].today, 23, 0, 500);
    day_count_take(&a->items[SIGNAL_TRACES], 7, 0, 500);
    day_count_take(&a->requests[SIGNAL_METRICS], 3, 0, 500);
    quota_file_write(&out, 500);
    assert_string_equal(buf_cstr(&out), "tenantry-quota 1 500\nfirst 123 0 0 23 7 0 0 0 3 0\n");
    a->limits[SIGNAL_COUNT].today.packed = 0;
    a->items[SIGNAL_TRACES].packed = 0;
    assert_int_equal(quota_file_read(buf_slice(&out), 501, &err), 0); /* of yesterday */
    assert_true(bytes("first", 501) == 0);
    assert_int_equal(quota_file_read(buf_slice(&out), 500, &err), 0);
    assert_true(bytes("first", 500) == 123);
    assert_true(day_count_read(&a->items[SIGNAL_TRACES], 500) == 7);
    /* The clock was set back while the router was down: the day goes on. */
    assert_int_equal(
        quota_file_read(SLICE_LIT("tenantry-quota 1 600\nlater 5 5 0 0 1 0 0 1 0 0\n"), 599, &err),
        0);
    assert_true(bytes("later", 599) == 5 && bytes("later", 600) == 5 && bytes("later", 601) == 0);
    buf_clear(&out);
    quota_file_write(&out, 700);
    assert_string_equal(buf_cstr(&out), "tenantry-quota 1 700\n");
    buf_release(&out);
}

static void test_keys_with_limits(void **state)
{
    (void)state;
    struct key_runtime *with = key_runtime("aaaaaaaa");
    struct tenant_limit_states *states = key_limit_states(with);
    struct buf out = BUF_INIT;
    struct errbuf err = ERRBUF_INIT;
    key_runtime("bbbbbbbb"); /* without */
    day_count_take(&states[SIGNAL_COUNT].today, 9, 0, 800);
    day_count_take(&states[SIGNAL_METRICS].today, 9, 0, 800);
    quota_file_write(&out, 800);
    assert_string_equal(buf_cstr(&out), "tenantry-quota 1 800\n+aaaaaaaa 9 0 9 0\n");
    states[SIGNAL_COUNT].today.packed = states[SIGNAL_METRICS].today.packed = 0;
    assert_int_equal(quota_file_read(buf_slice(&out), 800, &err), 0);
    assert_true(day_count_read(&states[SIGNAL_COUNT].today, 800) == 9);
    assert_true(day_count_read(&states[SIGNAL_METRICS].today, 800) == 9);
    buf_release(&out);
}

static void test_other_texts(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",
        "x",
        "tenantry-quota 2 500\n",
        "tenantry-quota 1 \n",
        "tenantry-quota 1 5x\n",
        "tenantry-quota 1 70000\n",
        "tenantry-quota 1 500\nwrong\n",
        "tenantry-quota 1 500\nwrong 1 2 3 4 5 6 7 8 9\n",
        "tenantry-quota 1 500\nwrong 1 2 3 4 5 6 7 8 9 10 11\n",
        "tenantry-quota 1 500\nwrong 1 2 3 4 5 6 7 8 9 -1\n",
        "tenantry-quota 1 500\nwrong 1 2 3 4 5 6 7 8 9 9999999999999999999\n",
        "tenantry-quota 1 500\n../wrong 1 2 3 4 5 6 7 8 9 10\n",
        "tenantry-quota 1 500\n+aaaaaaaa 1 2 3\n",
        "tenantry-quota 1 500\n+aaaaaaaa 1 2 3 4 5\n",
        "tenantry-quota 1 500\n+aaaaaaa 1 2 3 4\n",
        "tenantry-quota 1 500\n+ 1 2 3 4\n",
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        if (quota_file_read(slice_str(rows[i]), 500, &err) == 0 || err.text[0] == 0)
            fail_msg("row %zu is read", i);
    }
    assert_true(bytes("wrong", 500) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read_back),
        cmocka_unit_test(test_keys_with_limits),
        cmocka_unit_test(test_other_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
