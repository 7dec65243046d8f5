/* What a member of a group has, from the bytes of Kafka's protocol. */
#include "consumer/group_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define LOGS "otlp.acme.logs"
/* Version 1; a.b with partitions 0 and 7, the logs with 1, 2 and 3; no data of the assignor. */
static const char two_topics[] = "\0\1"
                                 "\0\0\0\2"
                                 "\0\3a.b"
                                 "\0\0\0\2"
                                 "\0\0\0\0\0\0\0\7"
                                 "\0\16" LOGS "\0\0\0\3"
                                 "\0\0\0\1\0\0\0\2\0\0\0\3"
                                 "\377\377\377\377";

static void test_topics(void **state)
{
    (void)state;
    assert_int_equal(group_check_assigned(two_topics, sizeof(two_topics) - 1, LOGS), 3);
    assert_int_equal(group_check_assigned(two_topics, sizeof(two_topics) - 1, "a.b"), 2);
    assert_int_equal(group_check_assigned(two_topics, sizeof(two_topics) - 1, "a.bc"), 0);
    assert_int_equal(group_check_assigned("\0\0\0\0\0\0", 6, LOGS), 0);
}

/* Each shorter piece is refused, but for the assignor's data at the end, which nobody reads. */
static void test_cut(void **state)
{
    (void)state;
    for (size_t n = 0; n < sizeof(two_topics) - 1; n++)
        assert_int_equal(group_check_assigned(two_topics, n, LOGS),
                         n < sizeof(two_topics) - 1 - 4 ? -1 : 3);
    static const char huge[] = "\0\1\0\0\0\1\0\1x\377\377\377\377\0\0";
    assert_int_equal(group_check_assigned(huge, sizeof(huge) - 1, "x"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_topics),
        cmocka_unit_test(test_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
