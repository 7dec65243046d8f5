/* Bytes in JSON strings: ids are hex, all others base64. Thread: any; pure. */
#ifndef OTLP_JSON_BYTES_H
#define OTLP_JSON_BYTES_H

#include "base/slice.h"

/* Exactly 2 * `len` hex digits of either case (R233, R234); false otherwise. */
bool json_hex(struct slice s, uint8_t *to, size_t len);
/* Standard or URL-safe, with or without padding (R248). `to` may be s.at: the result is shorter.
 * False when it is no base64. */
bool json_unbase64(struct slice s, uint8_t *to, size_t *ret_len);

#endif
