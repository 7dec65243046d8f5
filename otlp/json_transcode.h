/* From the JSON text of an Export*ServiceRequest to its protobuf bytes (R233-R260), in one pass and
 * without building objects: the field tables are protobuf-c's descriptors, so that messages, names
 * and types are written once, in the .proto files.
 *
 * What the rules leave open:
 *   - `null` is as if the key were not there, also after a value of the same key (R246);
 *   - of a repeated key the last value counts, whole: lists and messages do not merge (R251); of
 *     two members of one oneof the last one counts (R252);
 *   - names of enum values are refused, numbers only (R236);
 *   - an id that is no hex string of its length is never decoded (R234): one byte stands for it,
 *     which is no id either, so that the item is rejected like one with a bad id in protobuf
 *     (R232). A log record is kept, without the id (R264);
 *   - a value that protobuf leaves out because it is the default is left out (`"traceId":""`,
 *     `"flags":0`), so that equal requests give equal bytes as far as the order of keys allows. */
#ifndef OTLP_JSON_TRANSCODE_H
#define OTLP_JSON_TRANSCODE_H

#include "base/buf.h"
#include "otlp/signal.h"

enum json_status {
    JSON_OK,
    JSON_MALFORMED, /* no JSON text, or none of this request: 400 */
    JSON_TOO_LARGE, /* the ceiling of `out` was met, up to 16 bytes early */
    JSON_NO_MEMORY,
};

struct json_error {   /* of JSON_MALFORMED */
    size_t at;        /* byte offset in the text */
    const char *text; /* a literal */
    char field[64];   /* the innermost known field, "Span.kind", or the message it is missing in */
};

/* Appends the message to `out`, which holds nothing of use after an error. What it appends on
 * JSON_OK is accepted by scan_request. Thread: any. */
enum json_status json_transcode(enum signal signal, struct slice text, struct buf *out,
                                struct json_error *ret_error);

#endif
