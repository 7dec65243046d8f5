#include "consumer/session.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void check_round_trip(const struct progress *p)
{
    char text[320];
    struct progress back = {0};
    progress_to_metadata(p, text, sizeof(text));
    assert_true(strlen(text) < 319); /* the largest numbers fit */
    assert_true(progress_from_metadata(text, &back));
    assert_int_equal(back.source, p->source);
    assert_int_equal(back.generation, p->generation);
    assert_int_equal(back.first, p->first);
    assert_memory_equal(&back.totals, &p->totals, sizeof(p->totals));
}

static void test_metadata_round_trip(void **state)
{
    (void)state;
    check_round_trip(&(struct progress){0});
    check_round_trip(&(struct progress){.source = 3,
                                        .generation = 2,
                                        .first = 17,
                                        .totals = {.records = 1,
                                                   .items = 2,
                                                   .dropped = 3,
                                                   .dlq_records = 4,
                                                   .dlq_items = 5,
                                                   .lost_records = 6}});
    struct progress most = {.source = UINT32_MAX, .generation = UINT32_MAX, .first = INT64_MAX};
    memset(&most.totals, 0xff, sizeof(most.totals));
    check_round_trip(&most);
}

static void test_metadata_of_others(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "", "tnt1", "tnt2 source=1 generation=1 first=0 records=0", "from kafka-consumer-groups",
        "tnt1 source=1 generation=1 first=0 records=1 items=2 dropped=3 dlq_records=4 dlq_items=5"};
    struct progress p;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(progress_from_metadata(texts[i], &p));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_metadata_round_trip),
        cmocka_unit_test(test_metadata_of_others),
    };
    return cmocka_run_group_tests_name("session", tests, NULL, NULL);
}
