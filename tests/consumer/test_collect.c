/* From a message to rows: with an exporter that counts, and messages made by hand. */
#include "consumer/collect.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "fake_message.h"

#define TOPIC   "otlp.acme.logs"
#define CEILING (1024 * 1024)

/* Rows that may still be added; then rows_add fails. */
static size_t rows_left, rows_added, rows_handles;

static void *fake_rows_new(struct exporter *x, struct arena *a)
{
    (void)a;
    rows_handles++;
    return x;
}

static int fake_rows_add(void *rows, uint32_t record, enum table table, const struct cell *cells)
{
    (void)rows, (void)record, (void)table, (void)cells;
    if (rows_left == 0)
        return -ENOMEM;
    rows_left--;
    rows_added++;
    return 0;
}

static const struct exporter_ops fake_ops = {.rows_new = fake_rows_new, .rows_add = fake_rows_add};
static struct exporter fake = {&fake_ops};
static const struct tenant tenant = {.id = "acme"};
static const struct record_conf limits = {
    .max_items = 10, .max_expanded = 1024 * 1024, .max_bytes = 1024 * 1024};

static struct batch *new_batch(size_t rows)
{
    rows_left = rows;
    rows_added = rows_handles = 0;
    return batch_new();
}

/* A request of `n` (< 60) empty log records. */
static rd_kafka_message_t *request(int64_t offset, size_t n, const struct fake_header *headers)
{
    char value[128] = {0x0a, (char)(2 + 2 * n), 0x12, (char)(2 * n)};
    for (size_t i = 0; i < n; i++)
        value[4 + 2 * i] = 0x12;
    return fake_message(offset, value, 4 + 2 * n, headers);
}

static struct collect_room room = {CEILING, 5 * CEILING, true};

static enum collect_result take(struct batch *b, rd_kafka_message_t *m)
{
    return collect(b, &fake, &tenant, &limits, SIGNAL_LOGS, 0, TOPIC, &room, m);
}

#define HEADERS(...) ((const struct fake_header[]){__VA_ARGS__, {NULL, NULL}})

static void test_rows_and_totals(void **state)
{
    (void)state;
    struct batch *b = new_batch(100);
    assert_int_equal(
        take(b, request(4, 3, HEADERS({"tenantry.v", "1"}, {"tenantry.tenant", "acme"}))),
        COLLECT_TAKEN);
    assert_int_equal(take(b, request(5, 2, NULL)), COLLECT_TAKEN); /* a foreign one */
    assert_int_equal(take(b, request(6, 0, NULL)), COLLECT_TAKEN); /* nothing in it */
    assert_int_equal(b->n_records, 3);
    assert_int_equal(b->rows, 5);
    assert_int_equal(rows_added, 5);
    assert_int_equal(rows_handles, 1);
    assert_int_equal(b->records[0].items, 3);
    assert_int_equal(b->records[2].items, 0);
    assert_int_equal(b->units[0].next, 7);
    assert_true(b->bytes > 0 && b->opened_ns > 0);
    batch_free(b);
    assert_int_equal(fake_messages_alive, 0);
}

#define JSON_OF(log) "{\"resourceLogs\":[{\"scopeLogs\":[{\"logRecords\":[" log "]}]}]}"

/* As the Collector's kafkaexporter writes it with encoding otlp_json. */
static void test_json_of_others(void **state)
{
    (void)state;
    static const char three[] = JSON_OF("{\"body\":{\"stringValue\":\"a\"}},{},{}");
    static const char cut[] = "{\"resourceLogs\":[{\"scopeLogs\":";
    struct batch *b = new_batch(100);
    assert_int_equal(take(b, fake_message(4, three, sizeof(three) - 1, NULL)), COLLECT_TAKEN);
    assert_int_equal(take(b, fake_message(5, cut, sizeof(cut) - 1, NULL)), COLLECT_TAKEN);
    assert_int_equal(
        take(b, fake_message(6, three, sizeof(three) - 1, HEADERS({"tenantry.v", "1"}))),
        COLLECT_TAKEN);
    assert_int_equal(rows_added, 3);
    assert_int_equal(b->records[0].fate, RECORD_GOOD);
    assert_int_equal(b->records[0].items, 3);
    assert_int_equal(b->records[1].fate, RECORD_DEAD);
    assert_string_equal(b->records[1].error_code, "malformed");
    assert_non_null(strstr(b->records[1].error_text, "not a valid request: "));
    assert_int_equal(b->records[2].fate, RECORD_DEAD); /* ours is never JSON */
    batch_free(b);
    b = new_batch(100); /* what does not fit is given again */
    struct collect_room small = {CEILING, 16, false};
    rd_kafka_message_t *m = fake_message(4, three, sizeof(three) - 1, NULL);
    struct collect_room kept = room;
    room = small;
    assert_int_equal(take(b, m), COLLECT_FULL);
    room = kept;
    rd_kafka_message_destroy(m);
    batch_free(b);
    assert_int_equal(fake_messages_alive, 0);
}

static void test_dead_letters(void **state)
{
    (void)state;
    static const struct fake_header stranger[] = {
        {"tenantry.tenant", "other"}, {"tenantry.items", "7"}, {NULL, NULL}};
    const struct {
        int line;
        rd_kafka_message_t *message;
        size_t rows;
        const char *error_class, *code;
        uint64_t items;
    } rows[] = {
        {__LINE__, fake_message(1, "\xff\xff", 2, NULL), 100, "decode", "malformed", 0},
        {__LINE__, request(1, 3, stranger), 100, "decode", "wrong_tenant", 7},
        {__LINE__, request(1, 11, NULL), 100, "ceiling", "too_many_rows", 0},
        {__LINE__, request(1, 3, HEADERS({"tenantry.items", "3"})), 2, "ceiling",
         "too_large_for_memory", 3},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct batch *b = new_batch(rows[i].rows);
        enum collect_result got = take(b, rows[i].message);
        const struct batch_record *r = &b->records[0];
        if (got != COLLECT_TAKEN || r->fate != RECORD_DEAD ||
            strcmp(r->error_class, rows[i].error_class) != 0 ||
            strcmp(r->error_code, rows[i].code) != 0 || r->items != rows[i].items ||
            b->units[0].next != 2)
            fail_msg("line %d: result %d, fate %d, %s %s (%s), %llu items", rows[i].line, got,
                     r->fate, r->error_class, r->error_code, r->error_text,
                     (unsigned long long)r->items);
        batch_free(b);
    }
    assert_int_equal(fake_messages_alive, 0);
}

static void test_a_record_that_does_not_fit_is_given_again(void **state)
{
    (void)state;
    struct batch *b = new_batch(4);
    assert_int_equal(take(b, request(0, 3, NULL)), COLLECT_TAKEN);
    rd_kafka_message_t *m = request(1, 3, NULL);
    assert_int_equal(take(b, m), COLLECT_FULL);
    assert_int_equal(b->n_records, 1);
    assert_int_equal(b->units[0].next, 1);
    batch_reset(b);
    rows_left = 3;
    assert_int_equal(take(b, m), COLLECT_TAKEN);
    assert_int_equal(b->records[0].fate, RECORD_GOOD);
    batch_free(b);
    assert_int_equal(fake_messages_alive, 0);
}

/* While a large batch is being written there is no room for a second one. */
static void test_a_large_record_waits_for_room(void **state)
{
    (void)state;
    struct batch *b = new_batch(2);
    rd_kafka_message_t *m = request(0, 3, NULL);
    room.last = false;
    assert_int_equal(take(b, m), COLLECT_FULL);
    assert_int_equal(b->n_records, 0);
    batch_reset(b);
    room.last = true;
    rows_left = 3;
    assert_int_equal(take(b, m), COLLECT_TAKEN);
    assert_int_equal(b->records[0].fate, RECORD_GOOD);
    batch_free(b);
    assert_int_equal(fake_messages_alive, 0);
}

static void test_a_newer_contract_is_not_touched(void **state)
{
    (void)state;
    struct batch *b = new_batch(100);
    rd_kafka_message_t *m = request(0, 3, HEADERS({"tenantry.v", "2"}));
    assert_int_equal(take(b, m), COLLECT_NEW_VERSION);
    assert_int_equal(b->n_records, 0);
    batch_free(b);
    assert_int_equal(fake_messages_alive, 1);
    rd_kafka_message_destroy(m);
}

static void test_a_record_alone_may_have_more_memory(void **state)
{
    (void)state;
    struct batch *b = new_batch(100);
    take(b, request(0, 1, NULL));
    assert_int_equal(b->arena.ceiling, 5 * CEILING);
    take(b, request(1, 1, NULL));
    assert_int_equal(b->arena.ceiling, CEILING);
    batch_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows_and_totals),
        cmocka_unit_test(test_json_of_others),
        cmocka_unit_test(test_dead_letters),
        cmocka_unit_test(test_a_record_that_does_not_fit_is_given_again),
        cmocka_unit_test(test_a_large_record_waits_for_room),
        cmocka_unit_test(test_a_newer_contract_is_not_touched),
        cmocka_unit_test(test_a_record_alone_may_have_more_memory),
    };
    return cmocka_run_group_tests_name("collect", tests, NULL, NULL);
}
