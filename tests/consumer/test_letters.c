/* Dead letters by origin: what is one, how many of a range there are, each once. */
#include "consumer/inspect/letters.h"

#include "../base/unit.h"

#include <stdlib.h>

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text;
        bool ok;
    } rows[] = {
        {__LINE__, "1:2:3:-", true},    {__LINE__, "4294967295:0:9223372036854775807:-", true},
        {__LINE__, "1:2:3:17", true},   {__LINE__, "", false},
        {__LINE__, "1:2:3", false},     {__LINE__, "1:2", false},
        {__LINE__, "a:2:3:-", false},   {__LINE__, "-1:2:3:-", false},
        {__LINE__, "1:-2:3:-", false},  {__LINE__, "1:2:-3:-", false},
        {__LINE__, "no origin", false},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct letter l;
        bool ok = letter_parse(slice_str(rows[i].text), &l);
        check_row(rows[i].line, ok == rows[i].ok, "%s", rows[i].text);
    }
    struct letter l;
    assert_true(letter_parse(SLICE_LIT("7:2:31:-"), &l));
    assert_int_equal(l.source, 7);
    assert_int_equal(l.partition, 2);
    assert_int_equal(l.offset, 31);
}

static void add(struct letters *l, enum signal signal, uint32_t source, int32_t partition,
                int64_t offset)
{
    struct letter letter = {signal, source, partition, offset};
    assert_int_equal(letters_add(l, &letter), 0);
}

static void test_count(void **state)
{
    (void)state;
    struct letters l = {0};
    letters_settle(&l);
    assert_int_equal(letters_count(&l, SIGNAL_LOGS, 1, 0, 0, INT64_MAX), 0);
    add(&l, SIGNAL_LOGS, 1, 0, 8);
    add(&l, SIGNAL_LOGS, 1, 0, 5);
    add(&l, SIGNAL_LOGS, 1, 0, 8); /* sent twice */
    add(&l, SIGNAL_LOGS, 1, 1, 6);
    add(&l, SIGNAL_LOGS, 2, 0, 6);
    add(&l, SIGNAL_TRACES, 1, 0, 6);
    letters_settle(&l);
    assert_int_equal(l.n, 5);
    assert_int_equal(letters_count(&l, SIGNAL_LOGS, 1, 0, 0, 100), 2);
    assert_int_equal(letters_count(&l, SIGNAL_LOGS, 1, 0, 5, 8), 1);
    assert_int_equal(letters_count(&l, SIGNAL_LOGS, 1, 0, 8, 9), 1);
    assert_int_equal(letters_count(&l, SIGNAL_LOGS, 1, 0, 6, 8), 0);
    assert_int_equal(letters_count(&l, SIGNAL_LOGS, 1, 0, 9, 5), 0);
    assert_int_equal(letters_count(&l, SIGNAL_METRICS, 1, 0, 0, 100), 0);
    letters_release(&l);
}

/* Against counting one by one, with many repeats. */
static void test_random(void **state)
{
    (void)state;
    struct letters l = {0};
    bool seen[2][2][64] = {0};
    srand(7);
    for (int i = 0; i < 500; i++) {
        int source = rand() % 2, partition = rand() % 2, offset = rand() % 64;
        seen[source][partition][offset] = true;
        add(&l, SIGNAL_LOGS, (uint32_t)source, partition, offset);
    }
    letters_settle(&l);
    for (int i = 0; i < 500; i++) {
        int source = rand() % 2, partition = rand() % 2, from = rand() % 64, to = rand() % 64;
        uint64_t n = 0;
        for (int o = from; o < to; o++)
            n += seen[source][partition][o];
        assert_int_equal(letters_count(&l, SIGNAL_LOGS, (uint32_t)source, partition, from, to), n);
    }
    letters_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_count),
        cmocka_unit_test(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
