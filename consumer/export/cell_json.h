/* Cells as text, for databases without the type: ids as hex, lists as JSON arrays. Thread: any;
 * pure. When memory runs out `out` is marked failed. */
#ifndef CONSUMER_EXPORT_CELL_JSON_H
#define CONSUMER_EXPORT_CELL_JSON_H

#include "base/buf.h"
#include "otlp/table.h"

/* In lower case, without quotes; nothing for an empty id. */
void cell_hex(struct buf *out, struct slice id);
bool cell_is_list(enum column_type type);
/* A list of this type; numbers with all their digits, NaN and infinities as strings, attributes as
 * objects. */
void cell_list_json(struct buf *out, enum column_type type, const struct cell *c);

#endif
