/* Decodes requests of a few rows and compares the rows as text. */
#ifndef TESTS_OTLP_ROWS_H
#define TESTS_OTLP_ROWS_H

#include "otlp/decode.h"
#include "tests/base/unit.h"
#include "tests/otlp/message.h"
#include "tests/otlp/row_text.h"

#include <errno.h>

#define ROWS_MAX 8
/* A request of one item, alone in its resource and scope: a span, log record or metric. */
#define ITEM(b)                                                                                    \
    MESSAGE (b, 1)                                                                                 \
        MESSAGE (b, 2)                                                                             \
            MESSAGE (b, 2)
/* What is passed as the time of receipt. */
#define RECEIVED 99

struct rows {
    struct arena arena;
    enum decode_status status;
    struct decode_result result;
    size_t n;
    size_t refuse_at; /* the callback fails at this row, counted from 1; 0 = never */
    struct {
        enum table table;
        struct buf text;
        struct cell cells[TABLE_MAX_COLUMNS];
    } row[ROWS_MAX];
};

static inline int rows_add(void *arg, enum table table, const struct cell *cells)
{
    struct rows *r = arg;
    const struct table_info *t = &table_info[table];
    if (r->refuse_at == r->n + 1)
        return -ECANCELED;
    assert_true(r->n < ROWS_MAX);
    r->row[r->n].table = table;
    memcpy(r->row[r->n].cells, cells, t->n * sizeof(cells[0]));
    row_text(&r->row[r->n].text, table, cells);
    r->n++;
    return 0;
}

/* Decodes the request, from which the rows' cells borrow. */
static inline void rows_decode(struct rows *r, enum signal signal, const struct buf *request)
{
    r->status = decode_record(signal, buf_slice(request), RECEIVED, NULL, &r->arena, rows_add, r,
                              &r->result);
    if (r->status == DECODE_OK) {
        assert_int_equal(r->result.rows, r->n);
        assert_int_equal(r->result.rows, r->result.scan.items);
    }
}

static inline void rows_release(struct rows *r)
{
    for (size_t i = 0; i < r->n; i++)
        buf_release(&r->row[i].text);
    arena_release(&r->arena);
    *r = (struct rows){0};
}

/* Decodes a request of one row, compares the whole row, and empties the request. */
static inline void check_only_row(struct buf *request, enum table table, const char *expected)
{
    struct rows r = {0};
    rows_decode(&r, table_info[table].signal, request);
    assert_int_equal(r.status, DECODE_OK);
    assert_int_equal(r.n, 1);
    assert_int_equal(r.row[0].table, table);
    assert_string_equal(buf_cstr(&r.row[0].text), expected);
    rows_release(&r);
    buf_release(request);
}

/* Is `line`, e.g. "Body \"text\"", a line of row i? */
static inline void check_line(struct rows *r, size_t i, const char *line)
{
    assert_true(i < r->n);
    const char *text = buf_cstr(&r->row[i].text), *found = text;
    size_t len = strlen(line);
    while ((found = strstr(found, line)) != NULL) {
        if ((found == text || found[-1] == '\n') && found[len] == '\n')
            return;
        found++;
    }
    print_error("no line %s in row %zu:\n%s", line, i, text);
    fail();
}

/* Decodes a request of one row, looks for the line, and empties the request. */
static inline void check_column(struct buf *request, enum signal signal, const char *line)
{
    struct rows r = {0};
    rows_decode(&r, signal, request);
    assert_int_equal(r.status, DECODE_OK);
    assert_int_equal(r.n, 1);
    check_line(&r, 0, line);
    rows_release(&r);
    buf_release(request);
}

#endif
