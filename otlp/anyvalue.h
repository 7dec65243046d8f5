/* Rendering AnyValue wire bytes (they have passed the scanner). When memory runs out `out` is
 * marked failed; sorting lists takes at most about 16 bytes per byte of the value. Thread: any;
 * pure. */
#ifndef OTLP_ANYVALUE_H
#define OTLP_ANYVALUE_H

#include "base/buf.h"
#include "otlp/table.h"

enum anyvalue_kind {
    ANY_EMPTY,
    ANY_STRING,
    ANY_BOOL,
    ANY_INT,
    ANY_DOUBLE,
    ANY_ARRAY,
    ANY_KVLIST,
    ANY_BYTES,
};

/* Which kind it is (the last member of the oneof on the wire counts, R218); for ANY_STRING and
 * ANY_BYTES *ret_text (may be NULL) borrows the bytes. */
enum anyvalue_kind anyvalue_kind(struct slice any, struct slice *ret_text);
/* As JSON with native types: integers exact, doubles shortest, NaN and infinities as strings, bytes
 * as base64 strings, nested arrays and objects (keys sorted, of a repeated key the last), empty as
 * null. Compact: no white space. Strings that are not UTF-8 get U+FFFD. */
void anyvalue_json(struct buf *out, struct slice any);
/* As plain text: a string is itself, everything else its JSON without quotes around scalars; empty
 * is "". (What the Collector calls AsString, and what log bodies and ClickHouse maps hold.) */
void anyvalue_text(struct buf *out, struct slice any);
/* {"key":value,...} of sorted attributes. */
void attrs_json(struct buf *out, const struct attrs *attrs);

#endif
