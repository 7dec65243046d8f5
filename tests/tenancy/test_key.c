#include "tenancy/keys/key.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

/* A key whose parts were computed by other means (Python's zlib.crc32). */
#define GOOD "tnt_AbCd1234_0123456789ABCDEFGHIJKLMNOPQR0wVaIm"

static void test_forms(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text;
        enum key_form form;
    } rows[] = {
        {__LINE__, GOOD, KEY_FORM_OK},
        {__LINE__, "", KEY_FORM_NOT_A_KEY},
        {__LINE__, "tnt_", KEY_FORM_NOT_A_KEY},
        {__LINE__, GOOD "0", KEY_FORM_NOT_A_KEY},
        {__LINE__, "tnx_AbCd1234_0123456789ABCDEFGHIJKLMNOPQR0wVaIm", KEY_FORM_NOT_A_KEY},
        {__LINE__, "tnt_AbCd1234-0123456789ABCDEFGHIJKLMNOPQR0wVaIm", KEY_FORM_NOT_A_KEY},
        {__LINE__, "tnt_AbC!1234_0123456789ABCDEFGHIJKLMNOPQR0wVaIm", KEY_FORM_NOT_A_KEY},
        {__LINE__, "tnt_AbCd1234_0123456789 BCDEFGHIJKLMNOPQR0wVaIm", KEY_FORM_NOT_A_KEY},
        {__LINE__, "tnt_AbCd1235_0123456789ABCDEFGHIJKLMNOPQR0wVaIm", KEY_FORM_CHECKSUM},
        {__LINE__, "tnt_AbCd1234_1023456789ABCDEFGHIJKLMNOPQR0wVaIm", KEY_FORM_CHECKSUM},
        {__LINE__, "tnt_AbCd1234_0123456789ABCDEFGHIJKLMNOPQR000000", KEY_FORM_CHECKSUM},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct key_parts parts = {0};
        if (key_parse(slice_str(rows[i].text), &parts) != rows[i].form)
            fail_msg("row at line %d", rows[i].line);
        if (rows[i].form == KEY_FORM_OK) {
            assert_true(slice_eq(parts.id, SLICE_LIT("AbCd1234")));
            assert_true(slice_eq(parts.secret, SLICE_LIT("0123456789ABCDEFGHIJKLMNOPQR")));
        }
    }
    assert_int_equal(key_parse(SLICE_NULL, NULL), KEY_FORM_NOT_A_KEY);
}

static void test_a_generated_key_matches_itself_alone(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    struct key a = {0}, b = {0};
    char text_a[KEY_TEXT_LENGTH + 1], text_b[KEY_TEXT_LENGTH + 1];
    struct key_parts parts;
    assert_int_equal(key_generate(&a, text_a, &err), 0);
    assert_int_equal(key_generate(&b, text_b, &err), 0);
    assert_string_not_equal(text_a, text_b);
    assert_int_equal(key_parse(slice_str(text_a), &parts), KEY_FORM_OK);
    assert_true(slice_eq(parts.id, slice_str(a.id)));
    assert_true(key_id_valid(parts.id));
    assert_true(key_secret_matches(&a, parts.secret));
    assert_false(key_secret_matches(&b, parts.secret));
}

static void test_the_hash_is_sha256(void **state)
{
    (void)state;
    /* FIPS 180-2, example B.1: "abc". */
    static const uint8_t abc[KEY_HASH_SIZE] = {0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea,
                                               0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
                                               0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c,
                                               0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
    struct key k = {0};
    memcpy(k.hash, abc, sizeof(abc));
    assert_true(key_secret_matches(&k, SLICE_LIT("abc")));
    assert_false(key_secret_matches(&k, SLICE_LIT("abd")));
}

/* OpenSSL's allocations, counted. */
static _Atomic size_t allocations;

static void *count_malloc(size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return malloc(size);
}

static void *count_realloc(void *at, size_t size, const char *file, int line)
{
    (void)file;
    (void)line;
    allocations++;
    return realloc(at, size);
}

static void count_free(void *at, const char *file, int line)
{
    (void)file;
    (void)line;
    free(at);
}

static void test_matching_allocates_nothing(void **state)
{
    (void)state;
    struct key k = {0};
    struct key_parts parts;
    assert_int_equal(key_parse(slice_str(GOOD), &parts), KEY_FORM_OK);
    size_t before = allocations;
    assert_true(before > 0); /* they are counted at all: a key was made above */
    for (int i = 0; i < 100; i++)
        key_secret_matches(&k, parts.secret);
    assert_int_equal(allocations, before);
}

static void *match_many(void *arg)
{
    struct key k = {0};
    for (int i = 0; i < 1000; i++)
        if (key_secret_matches(&k, SLICE_LIT("0123456789ABCDEFGHIJKLMNOPQR")))
            *(bool *)arg = true;
    return NULL;
}

static void test_threads_hash_at_once(void **state)
{
    (void)state;
    pthread_t threads[4];
    bool matched[4] = {0};
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, match_many, &matched[i]), 0);
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
        assert_false(matched[i]);
    }
}

int main(void)
{
    CRYPTO_set_mem_functions(count_malloc, count_realloc, count_free);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_a_generated_key_matches_itself_alone),
        cmocka_unit_test(test_the_hash_is_sha256),
        cmocka_unit_test(test_matching_allocates_nothing),
        cmocka_unit_test(test_threads_hash_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
