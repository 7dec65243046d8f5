/* From the wire to rows: one call per record, one callback per row. Rows are a pure function of the
 * record (DESIGN §6): missing times use `received_ns`, never a clock.
 *
 * Memory: cells borrow from the record's bytes and from the arena; both must outlive the rows. Of
 * the arena at most about 32 bytes are used per byte of the record (by one of nothing but empty
 * exemplars; usually it is one or two). Rendered bodies pass through a buffer on the heap with the
 * arena's ceiling.
 *
 * What a cell holds where OTLP leaves room:
 *   - times after 2262 (above INT64_MAX) are clamped to INT64_MAX; Duration is taken before that;
 *   - an id of zeros alone is absent (R264), of any other content and length it is kept;
 *   - enum values without a name are their number: as text in SpanKind and StatusCode, clamped to
 *     0..255 in SeverityNumber; TraceFlags has the low 8 bits of flags;
 *   - a data point without a value has a null Value; an exemplar without one has the double 0,
 *     since lists have no null; absent buckets have offset 0 and no counts;
 *   - strings are not checked for UTF-8 (R231): a writer that needs it must see to it;
 *   - a repeated singular message is merged, a repeated scalar has its last value, of a oneof the
 *     last member counts (R216-R218); a metric without data, or of an unknown kind, has no rows.
 * So a record has exactly as many rows as the scanner counts items. */
#ifndef OTLP_DECODE_H
#define OTLP_DECODE_H

#include "base/arena.h"
#include "otlp/scan.h"
#include "otlp/table.h"

/* `cells` has table_info[table].n entries and is reused for the next row: copy what must stay (the
 * cells, not what they point to). Return 0, or a negative errno that ends the decoding. */
typedef int decode_row_fn(void *arg, enum table table, const struct cell *cells);

enum decode_status {
    DECODE_OK,
    DECODE_MALFORMED, /* the scanner refused it: never decodable */
    DECODE_CEILING,   /* above the item or expanded-bytes ceiling: foreign records are checked again
                         here */
    DECODE_NO_MEMORY, /* the arena's ceiling is reached: close the batch and try again with an empty
                         one */
    DECODE_ROW_REFUSED, /* the callback returned an error */
};

struct decode_result {
    uint64_t rows;
    struct scan_result scan;
};

/* `received_ns`: tenantry.received_ns, else the Kafka timestamp. `limits` as in scan_request. *ret
 * is filled whatever the outcome: what the scanner found, and the rows that the callback took. One
 * owner of the arena; otherwise thread: any, nothing global. */
enum decode_status decode_record(enum signal signal, struct slice value, uint64_t received_ns,
                                 const struct scan_limits *limits, struct arena *a,
                                 decode_row_fn *row, void *arg, struct decode_result *ret);

#endif
