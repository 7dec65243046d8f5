/* What holds for all signals: outcomes, sharing, order. */
#include "tests/otlp/rows.h"

enum { RESOURCES = 1, RESOURCE = 1, SCOPES = 2, SCOPE = 1, ITEMS = 2 };
enum { LOG_TIME = 1, LOG_ATTRIBUTES = 6 };

static void test_an_empty_request_has_no_rows(void **state)
{
    (void)state;
    const struct buf empty = BUF_INIT;
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct rows r = {0};
        rows_decode(&r, (enum signal)signal, &empty);
        assert_int_equal(r.status, DECODE_OK);
        assert_int_equal(r.n, 0);
        assert_int_equal(r.arena.held, 0);
        rows_release(&r);
    }
}

static void put_log(struct buf *b, uint64_t time)
{
    MESSAGE (b, ITEMS)
        put_fixed64(b, LOG_TIME, time);
}

static void test_rows_come_in_order_and_share_what_they_share(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    for (int i = 0; i < 2; i++)
        MESSAGE (&b, RESOURCES) {
            MESSAGE (&b, RESOURCE)
                put_attr(&b, 1, "service.name", i == 0 ? "a" : "b");
            MESSAGE (&b, SCOPES) {
                put_log(&b, 1);
                put_log(&b, 2);
                MESSAGE (&b, SCOPE)
                    put_attr(&b, 3, "s", "1");
            }
            MESSAGE (&b, SCOPES)
                put_log(&b, 3);
        }
    rows_decode(&r, SIGNAL_LOGS, &b);
    assert_int_equal(r.n, 6);
    for (size_t i = 0; i < r.n; i++) {
        const struct cell *c = r.row[i].cells, *first = r.row[i / 3 * 3].cells;
        assert_int_equal(c[LOGS_TIMESTAMP].u64, i % 3 + 1);
        assert_ptr_equal(c[LOGS_RESOURCE_ATTRS].attrs, first[LOGS_RESOURCE_ATTRS].attrs);
        check_line(&r, i, i < 3 ? "ServiceName \"a\"" : "ServiceName \"b\"");
        check_line(&r, i, i % 3 < 2 ? "ScopeAttributes {\"s\":\"1\"}" : "ScopeAttributes {}");
    }
    const struct cell *c = r.row[0].cells, *next = r.row[1].cells;
    assert_ptr_equal(c[LOGS_SCOPE_ATTRS].attrs, next[LOGS_SCOPE_ATTRS].attrs);
    assert_ptr_not_equal(c[LOGS_RESOURCE_ATTRS].attrs, r.row[3].cells[LOGS_RESOURCE_ATTRS].attrs);
    rows_release(&r);
    buf_release(&b);
}

static void check_service(enum signal signal, uint32_t kind, uint64_t n, const char *line)
{
    struct buf b = BUF_INIT;
    MESSAGE (&b, RESOURCES) {
        MESSAGE (&b, SCOPES)
            MESSAGE (&b, ITEMS) {
            }
        MESSAGE (&b, RESOURCE) {
            put_attr(&b, 1, "service.name", "old");
            put_attr(&b, 1, "service.namespace", "x");
            MESSAGE (&b, 1) {
                put_text(&b, 1, "service.name");
                MESSAGE (&b, 2)
                    if (kind != 0)
                        put_varint(&b, kind, n);
            }
            put_attr(&b, 1, "service", "x");
        }
    }
    check_column(&b, signal, line);
}

static void test_service_name_of_other_kinds(void **state)
{
    (void)state;
    check_service(SIGNAL_LOGS, 3, 42, "ServiceName \"42\"");
    check_service(SIGNAL_TRACES, 2, 1, "ServiceName \"true\"");
    check_service(SIGNAL_LOGS, 0, 0, "ServiceName \"\"");
}

static void test_malformed(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    MESSAGE (&b, RESOURCES)
        MESSAGE (&b, SCOPES) {
            put_log(&b, 1);
            put_key(&b, ITEMS, 2);
            put_raw_varint(&b, 100);
        }
    rows_decode(&r, SIGNAL_LOGS, &b);
    assert_int_equal(r.status, DECODE_MALFORMED);
    assert_int_equal(r.n, 0);
    assert_int_equal(r.result.rows, 0);
    assert_non_null(r.result.scan.error);
    rows_release(&r);
    buf_release(&b);
}

static void test_ceilings(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    MESSAGE (&b, RESOURCES)
        MESSAGE (&b, SCOPES) {
            put_log(&b, 1);
            put_log(&b, 2);
        }
    const struct scan_limits items = {.items = 1}, bytes = {.expanded_bytes = 1};
    assert_int_equal(decode_record(SIGNAL_LOGS, buf_slice(&b), RECEIVED, &items, &r.arena, rows_add,
                                   &r, &r.result),
                     DECODE_CEILING);
    assert_int_equal(decode_record(SIGNAL_LOGS, buf_slice(&b), RECEIVED, &bytes, &r.arena, rows_add,
                                   &r, &r.result),
                     DECODE_CEILING);
    assert_int_equal(r.n, 0);
    rows_release(&r);
    buf_release(&b);
}

static void test_a_refused_row_ends_the_decoding(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {.refuse_at = 2};
    MESSAGE (&b, RESOURCES)
        MESSAGE (&b, SCOPES)
            for (uint64_t i = 1; i < 4; i++)
                put_log(&b, i);
    rows_decode(&r, SIGNAL_LOGS, &b);
    assert_int_equal(r.status, DECODE_ROW_REFUSED);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.result.rows, 1);
    assert_int_equal(r.result.scan.items, 3);
    rows_release(&r);
    buf_release(&b);
}

/* One item of a signal that makes the decoder allocate everything it can. */
static void put_rich_request(struct buf *b, enum signal signal)
{
    MESSAGE (b, RESOURCES) {
        for (int i = 0; i < 2; i++) { /* twice: merged */
            MESSAGE (b, RESOURCE)
                MESSAGE (b, 1) {
                    put_text(b, 1, "service.name");
                    MESSAGE (b, 2)
                        put_varint(b, 3, 1);
                }
        }
        MESSAGE (b, SCOPES) {
            for (int i = 0; i < 2; i++)
                MESSAGE (b, SCOPE)
                    put_attr(b, 3, "s", "1");
            MESSAGE (b, ITEMS) {
                if (signal == SIGNAL_LOGS) {
                    put_attr(b, LOG_ATTRIBUTES, "a", "1");
                    for (int i = 0; i < 2; i++)
                        MESSAGE (b, 5)
                            MESSAGE (b, 6)
                                put_attr(b, 1, "k", "v");
                } else if (signal == SIGNAL_TRACES) {
                    put_varint(b, 6, 77);
                    put_attr(b, 9, "a", "1");
                    for (uint32_t number = 11; number <= 13; number += 2)
                        MESSAGE (b, number)
                            put_attr(b, number == 11 ? 3 : 4, "a", "1");
                    for (int i = 0; i < 2; i++)
                        MESSAGE (b, 15)
                            put_varint(b, 3, 77);
                } else {
                    for (int i = 0; i < 2; i++)
                        MESSAGE (b, 10)
                            MESSAGE (b, 1) {
                                put_attr(b, 1, "a", "1");
                                for (uint32_t twice = 16; twice < 20; twice++)
                                    MESSAGE (b, twice / 2)
                                        put_varint(b, 2, 1);
                                MESSAGE (b, 11)
                                    put_attr(b, 7, "a", "1");
                            }
                }
            }
        }
    }
}

/* Every allocation fails once: the outcome is always NO_MEMORY, until all succeed. */
static void test_no_memory(void **state)
{
    (void)state;
    for (int signal = 0; signal < SIGNAL_COUNT; signal++) {
        struct buf b = BUF_INIT;
        unsigned failures = 0;
        put_rich_request(&b, (enum signal)signal);
        for (size_t ceiling = 16;; ceiling += 16) {
            struct rows r = {.arena = ARENA_INIT_CEILING(ceiling)};
            rows_decode(&r, (enum signal)signal, &b);
            enum decode_status status = r.status;
            rows_release(&r);
            if (status == DECODE_OK)
                break;
            assert_int_equal(status, DECODE_NO_MEMORY);
            failures++;
        }
        assert_true(failures > 10);
        buf_release(&b);
    }
}

static void test_an_item_of_many_attributes(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b)
        for (unsigned i = 0; i < 100000; i++) {
            char key[16];
            snprintf(key, sizeof(key), "%05u", i * 7919 % 100000);
            put_attr(&b, LOG_ATTRIBUTES, key, "");
        }
    rows_decode(&r, SIGNAL_LOGS, &b);
    assert_int_equal(r.status, DECODE_OK);
    assert_int_equal(r.row[0].cells[LOGS_LOG_ATTRS].attrs->n, 100000);
    rows_release(&r);
    buf_release(&b);
}

/* R230: the worst that two bytes on the wire can ask for. */
static void test_memory_is_proportional_to_the_record(void **state)
{
    (void)state;
    struct buf b = BUF_INIT;
    struct rows r = {0};
    ITEM (&b)
        MESSAGE (&b, 5)
            MESSAGE (&b, 1)
                for (int i = 0; i < 10000; i++)
                    MESSAGE (&b, 5) {
                    }
    rows_decode(&r, SIGNAL_METRICS, &b);
    assert_int_equal(r.row[0].cells[GAUGE_EX_VALUES].list.n, 10000);
    assert_true(r.arena.used <= 32 * b.len);
    rows_release(&r);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_empty_request_has_no_rows),
        cmocka_unit_test(test_rows_come_in_order_and_share_what_they_share),
        cmocka_unit_test(test_service_name_of_other_kinds),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_ceilings),
        cmocka_unit_test(test_a_refused_row_ends_the_decoding),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_an_item_of_many_attributes),
        cmocka_unit_test(test_memory_is_proportional_to_the_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
