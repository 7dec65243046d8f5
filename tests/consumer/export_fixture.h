/* What the tests of all exporters share: a tenant, batches of log rows. */
#ifndef TESTS_CONSUMER_EXPORT_FIXTURE_H
#define TESTS_CONSUMER_EXPORT_FIXTURE_H

#include "consumer/export/exporter.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define CLUSTER "cluster-1"
#define TOPIC   "otlp.acme.logs"

struct fixture {
    char folder[64], path[96]; /* of a database that is a file */
    struct tenant_conf conf;
    struct tenant tenant;
    struct errbuf err;
};

#define assert_result(f, actual, expected)                                                         \
    do {                                                                                           \
        int assert_result_ = (int)(actual);                                                        \
        if (assert_result_ != (int)(expected))                                                     \
            fail_msg("result %d instead of %d: %s", assert_result_, (int)(expected),               \
                     (f)->err.text);                                                               \
    } while (0)

static inline struct progress fixture_load(struct fixture *f, struct exporter *x, const char *topic,
                                           int32_t partition)
{
    struct progress p;
    assert_result(f, x->ops->load(x, CLUSTER, topic, partition, &p, &f->err), EXPORT_OK);
    return p;
}

/* A batch for up to FIXTURE_UNITS units; a record has as many log rows as `items` says, with the
 * body `body`. */
enum { FIXTURE_UNITS = 4, FIXTURE_RECORDS = 64 };
struct fixture_batch {
    struct exporter *x;
    struct batch b;
    struct batch_unit units[FIXTURE_UNITS];
    struct batch_record records[FIXTURE_RECORDS];
};

static inline void fixture_batch_init(struct fixture_batch *fb, struct exporter *x)
{
    *fb = (struct fixture_batch){.x = x};
    fb->b.units = fb->units;
    fb->b.records = fb->records;
    fb->b.encoded = x->ops->rows_new(x, &fb->b.arena);
    assert_non_null(fb->b.encoded);
}

static inline uint32_t fixture_unit(struct fixture_batch *fb, const char *topic, int32_t partition,
                                    struct progress before)
{
    assert_true(fb->b.n_units < FIXTURE_UNITS);
    fb->units[fb->b.n_units] = (struct batch_unit){.topic = topic,
                                                   .signal = SIGNAL_LOGS,
                                                   .partition = partition,
                                                   .before = before,
                                                   .next = before.next};
    return (uint32_t)fb->b.n_units++;
}

static inline void fixture_log_cells(struct cell *cells, const char *body)
{
    static const struct attrs none;
    memset(cells, 0, LOGS_COLUMN_COUNT * sizeof(*cells));
    cells[LOGS_TIMESTAMP].u64 = 1700000000000000000u;
    cells[LOGS_BODY].text = slice_str(body);
    cells[LOGS_RESOURCE_ATTRS].attrs = &none;
    cells[LOGS_SCOPE_ATTRS].attrs = &none;
    cells[LOGS_LOG_ATTRS].attrs = &none;
}

/* The record at the unit's next offset. */
static inline struct batch_record *fixture_record(struct fixture_batch *fb, struct exporter *x,
                                                  uint32_t unit, uint64_t items, const char *body)
{
    assert_true(fb->b.n_records < FIXTURE_RECORDS);
    uint32_t index = (uint32_t)fb->b.n_records++;
    struct batch_unit *u = &fb->units[unit];
    fb->records[index] = (struct batch_record){.unit = unit,
                                               .offset = u->next++,
                                               .timestamp = 1000 + index,
                                               .checksum = 77 + index,
                                               .items = items};
    struct cell cells[LOGS_COLUMN_COUNT];
    fixture_log_cells(cells, body);
    for (uint64_t i = 0; i < items; i++)
        assert_int_equal(x->ops->rows_add(fb->b.encoded, index, TABLE_LOGS, cells), 0);
    return &fb->records[index];
}

static inline void fixture_batch_release(struct fixture_batch *fb)
{
    fb->x->ops->rows_free(fb->b.encoded);
    arena_release(&fb->b.arena);
}

/* Writes `n` records of one row each to partition 0 and expects `expected`. */
static inline struct progress fixture_write(struct fixture *f, struct exporter *x,
                                            struct progress before, int n,
                                            enum export_result expected)
{
    struct fixture_batch fb;
    fixture_batch_init(&fb, x);
    uint32_t u = fixture_unit(&fb, TOPIC, 0, before);
    for (int i = 0; i < n; i++)
        fixture_record(&fb, x, u, 1, "body");
    assert_result(f, x->ops->write(x, &fb.b, &f->err), expected);
    struct progress after = fb.units[u].before;
    fixture_batch_release(&fb);
    return after;
}

#endif
