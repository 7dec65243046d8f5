/* Writing JSON text into a buf (reading is the distribution's library's work). */
#ifndef BASE_JSON_H
#define BASE_JSON_H

#include "base/buf.h"

/* A quoted JSON string. Control bytes are escaped; bytes that are not UTF-8 become U+FFFD, so that
 * the result is always valid. */
void json_string(struct buf *out, struct slice s);
/* Shortest text that reads back as the same double; NaN and infinities as the strings "NaN",
 * "Infinity", "-Infinity". */
void json_double(struct buf *out, double d);
/* Standard base64 with padding, without quotes. */
void json_base64(struct buf *out, struct slice s);

#endif
