/* From the wire to rows: one call per record, one callback per row. Rows are a pure function of the
 * record (DESIGN §6): missing times use `received_ns`, never a clock.
 *
 * Memory: cells borrow from the record's bytes and from the arena; both must outlive the rows. */
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

/* `received_ns`: tenantry.received_ns, else the Kafka timestamp. */
enum decode_status decode_record(enum signal signal, struct slice value, uint64_t received_ns,
                                 const struct scan_limits *limits, struct arena *a,
                                 decode_row_fn *row, void *arg, struct decode_result *ret);

#endif
