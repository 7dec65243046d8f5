#include "consumer/batch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_message.h"

#define TOPIC "otlp.acme.logs"

static struct batch_record *add(struct batch *b, const char *topic, int32_t partition,
                                int64_t offset)
{
    return batch_add(b, topic, SIGNAL_LOGS, partition, fake_message(offset, "v", 1, NULL));
}

static void test_records_stand_under_their_unit(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    for (int64_t i = 0; i < 200; i++) /* the array grows */
        assert_non_null(add(b, TOPIC, (int32_t)(i % 2), 100 + i));
    assert_non_null(add(b, "otlp.acme.traces", 1, 7));
    assert_int_equal(b->n_records, 201);
    assert_int_equal(b->n_units, 3);
    assert_int_equal(b->units[0].next, 299);
    assert_int_equal(b->units[1].next, 300);
    assert_int_equal(b->units[2].next, 8);
    assert_int_equal(b->records[200].unit, 2);
    assert_int_equal(b->records[200].timestamp, 1007);
    assert_int_equal(b->records[0].checksum, record_checksum(SLICE_NULL, SLICE_LIT("v")));
    batch_reset(b);
    assert_int_equal(b->n_records + b->n_units + b->rows + b->bytes, 0);
    assert_int_equal(fake_messages_alive, 0);
    batch_free(b);
}

static void test_the_checksum_is_of_key_and_value(void **state)
{
    (void)state;
    /* the check value of CRC-32C, of "123456789" */
    assert_int_equal(record_checksum(SLICE_LIT("1234"), SLICE_LIT("56789")), 0xE3069283);
    assert_int_equal(record_checksum(SLICE_NULL, SLICE_LIT("123456789")), 0xE3069283);
}

static void test_a_record_taken_back_leaves_no_trace(void **state)
{
    (void)state;
    struct batch *b = batch_new();
    add(b, TOPIC, 0, 5);
    rd_kafka_message_t *known = (rd_kafka_message_t *)add(b, TOPIC, 0, 9)->message;
    batch_take_back(b);
    assert_int_equal(b->n_records, 1);
    assert_int_equal(b->n_units, 1);
    assert_int_equal(b->units[0].next, 6); /* not 9: offsets between may be counted as lost later */
    rd_kafka_message_t *other = (rd_kafka_message_t *)add(b, TOPIC, 1, 3)->message;
    batch_take_back(b);
    assert_int_equal(b->n_units, 1); /* nor a unit without records, which would get an entry */
    batch_free(b);
    assert_int_equal(fake_messages_alive, 2); /* both are the caller's */
    rd_kafka_message_destroy(known);
    rd_kafka_message_destroy(other);
}

static void test_freeing(void **state)
{
    (void)state;
    batch_free(NULL);
    struct batch *b = batch_new();
    add(b, TOPIC, 0, 0);
    assert_non_null(arena_alloc(&b->arena, 100));
    batch_free(b);
    assert_int_equal(fake_messages_alive, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_records_stand_under_their_unit),
        cmocka_unit_test(test_the_checksum_is_of_key_and_value),
        cmocka_unit_test(test_a_record_taken_back_leaves_no_trace),
        cmocka_unit_test(test_freeing),
    };
    return cmocka_run_group_tests_name("batch", tests, NULL, NULL);
}
