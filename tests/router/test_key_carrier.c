/* The headers that may carry a key: one row each, by the rules R279-R283. */
#include "router/admission/key_carrier.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
/* after the three above */
#include <cmocka.h>

#define LITERAL(text)                                                                              \
    {                                                                                              \
        (const uint8_t *)(text), sizeof(text) - 1                                                  \
    }

static const struct key_carrier carriers[] = {
    {LITERAL("authorization"), LITERAL("Bearer")}, {LITERAL("authorization"), LITERAL("Basic")},
    {LITERAL("authorization"), LITERAL("ApiKey")}, {LITERAL("x-api-key"), LITERAL("")},
    {LITERAL("x-token"), LITERAL("Token")},
};
static const struct option_list all = {(void *)carriers, sizeof(carriers) / sizeof(carriers[0])};

/* Base64 was made by another program. */
static const struct row {
    int line;
    const char *headers[5]; /* name, value, name, value */
    enum carried found;
    const char *key;
} rows[] = {
    {__LINE__, {0}, CARRIED_NOTHING, ""},
    {__LINE__, {"x-api-key", "k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"x-api-key", " \tk1 "}, CARRIED_KEY, "k1"},
    {__LINE__, {"x-api-key", ""}, CARRIED_NOTHING, ""},
    {__LINE__, {"x-other", "k1"}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Bearer k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"authorization", "bEARER   k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"authorization", "Bearer%20k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"authorization", "Bearer"}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Bearer "}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Bearer%20"}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Bearerk1"}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Digest k1"}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "k1"}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "ApiKey k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"x-token", "token k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"x-token", "k1"}, CARRIED_NOTHING, ""},
    /* me:tnt_1, tnt_1:, tnt_1, tnt_1:x, tnt_1:tnt_1, tnt_1:tnt_2, me:pass, me */
    {__LINE__, {"authorization", "Basic bWU6dG50XzE="}, CARRIED_KEY, "tnt_1"},
    {__LINE__, {"authorization", "Basic dG50XzE6"}, CARRIED_KEY, "tnt_1"},
    {__LINE__, {"authorization", "Basic dG50XzE="}, CARRIED_KEY, "tnt_1"},
    {__LINE__, {"authorization", "Basic dG50XzE6eA=="}, CARRIED_KEY, "tnt_1"},
    {__LINE__, {"authorization", "Basic%20dG50XzE6eA"}, CARRIED_KEY, "tnt_1"},
    {__LINE__, {"authorization", "Basic dG50XzE6dG50XzE="}, CARRIED_KEY, "tnt_1"},
    {__LINE__, {"authorization", "Basic dG50XzE6dG50XzI="}, CARRIED_SEVERAL, NULL},
    {__LINE__, {"authorization", "Basic bWU6cGFzcw=="}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Basic bWU="}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Basic !"}, CARRIED_NOTHING, ""},
    {__LINE__, {"authorization", "Basic "}, CARRIED_NOTHING, ""},
    /* several at once: R283 */
    {__LINE__, {"x-api-key", "k1", "authorization", "Bearer k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"x-api-key", "k1", "authorization", "Bearer k2"}, CARRIED_SEVERAL, NULL},
    {__LINE__, {"x-api-key", "k1", "x-api-key", "k2"}, CARRIED_SEVERAL, NULL},
    {__LINE__, {"x-api-key", "k1", "x-api-key", "k1"}, CARRIED_KEY, "k1"},
    {__LINE__, {"x-api-key", "", "authorization", "Bearer k2"}, CARRIED_KEY, "k2"},
    {__LINE__, {"x-api-key", "k1", "authorization", "Basic bWU6cGFzcw=="}, CARRIED_KEY, "k1"},
    {__LINE__, {"x-api-key", "k1", "authorization", "Basic bWU6dG50XzE="}, CARRIED_SEVERAL, NULL},
};

/* R279-R283 */
static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct row *r = &rows[i];
        struct header headers[2];
        struct arena a = ARENA_INIT;
        struct slice key;
        size_t n = 0;
        for (; r->headers[2 * n] != NULL; n++)
            headers[n] =
                (struct header){slice_str(r->headers[2 * n]), slice_str(r->headers[2 * n + 1])};
        enum carried found = carried_key(headers, n, &all, &a, &key);
        if (found != r->found || (r->key != NULL && !slice_eq(key, slice_str(r->key))))
            fail_msg("row at line %d: %d, \"%.*s\"", r->line, found, SLICE_ARG(key));
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_rows)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
