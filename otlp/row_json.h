/* A decoded row as one JSON object, {"Timestamp":17,...}: for people who look at records. Ids are
 * hex; what is absent, empty or 0 is left out. */
#ifndef OTLP_ROW_JSON_H
#define OTLP_ROW_JSON_H

#include "base/buf.h"
#include "otlp/table.h"

void row_json(struct buf *out, enum table table, const struct cell *cells);

#endif
