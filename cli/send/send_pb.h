/* Writing protobuf's wire format at the end of a buf, front to back. A nested message is opened,
 * filled and closed; its length is put in front of it when it is closed, so it may hold anything.
 * What does not fit marks the buf failed: check once at the end. Thread: any; nothing global. */
#ifndef CLI_SEND_PB_H
#define CLI_SEND_PB_H

#include "base/buf.h"

void pb_varint(struct buf *b, uint64_t n);
/* uint32, uint64, int32, int64, bool, enum */
void pb_uint(struct buf *b, uint32_t field, uint64_t n);
/* sint32, sint64 */
void pb_sint(struct buf *b, uint32_t field, int64_t n);
void pb_fixed32(struct buf *b, uint32_t field, uint32_t n);
void pb_fixed64(struct buf *b, uint32_t field, uint64_t n);
void pb_double(struct buf *b, uint32_t field, double d);
void pb_bytes(struct buf *b, uint32_t field, struct slice s);
void pb_string(struct buf *b, uint32_t field, const char *text);
/* Packed repeated numbers. */
void pb_packed_fixed64(struct buf *b, uint32_t field, const uint64_t *at, size_t n);
void pb_packed_double(struct buf *b, uint32_t field, const double *at, size_t n);
void pb_packed_uint(struct buf *b, uint32_t field, const uint64_t *at, size_t n);

/* A nested message: pb_close takes what pb_open returned. Messages close in reverse order. */
size_t pb_open(struct buf *b, uint32_t field);
void pb_close(struct buf *b, size_t opened);

/* opentelemetry.proto.common.v1.KeyValue as `field`, with a value of one kind. */
void pb_attribute_string(struct buf *b, uint32_t field, const char *key, struct slice value);
void pb_attribute_int(struct buf *b, uint32_t field, const char *key, int64_t value);
void pb_attribute_double(struct buf *b, uint32_t field, const char *key, double value);
void pb_attribute_bool(struct buf *b, uint32_t field, const char *key, bool value);
void pb_attribute_bytes(struct buf *b, uint32_t field, const char *key, struct slice value);
/* An array of two strings; a list of one pair "a" = value. */
void pb_attribute_array(struct buf *b, uint32_t field, const char *key, const char *first,
                        const char *second);
void pb_attribute_kvlist(struct buf *b, uint32_t field, const char *key, struct slice value);

#endif
