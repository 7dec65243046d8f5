/* The OTLP schema as the scanner sees it: per message one row per known field, indexed by field
 * number. Written once, in scan_schema.c, from the same tables as the .proto files;
 * tests/otlp/test_scan_oracle.c compares the two. Thread: any; constant data. */
#ifndef OTLP_SCAN_SCHEMA_H
#define OTLP_SCAN_SCHEMA_H

#include "otlp/signal.h"

/* What the value of a field is, which decides its wire type. */
enum schema_kind {
    SCHEMA_UNKNOWN, /* no such field: skipped whatever its type */
    SCHEMA_VARINT,  /* int32, int64, uint32, uint64, sint32, bool, enum */
    SCHEMA_FIXED32,
    SCHEMA_FIXED64,  /* fixed64, sfixed64, double */
    SCHEMA_VARINTS,  /* repeated: packed or not (R219) */
    SCHEMA_FIXED64S, /* repeated: packed or not */
    SCHEMA_BYTES,    /* string or bytes, any content (R231) */
    SCHEMA_ID,       /* a trace or span id: bytes of one right length (R232) */
    SCHEMA_MESSAGE,
};

/* What a field means for the counts. */
enum schema_role {
    ROLE_NONE,
    ROLE_SHARED,   /* repeated in the row of every item of this message */
    ROLE_RESOURCE, /* holds one resource and its scopes */
    ROLE_SCOPE,    /* holds one scope and its items */
    ROLE_METRIC,   /* holds data points and what they share */
    ROLE_DATA, /* the same, as a member of the oneof Metric.data: the last member counts (R218) */
    ROLE_ITEM, /* a span, log record or data point */
};

struct schema_message;

struct schema_field {
    const char *name;                 /* "Span.trace_id" */
    const struct schema_message *sub; /* SCHEMA_MESSAGE */
    uint8_t kind, role;
    uint8_t id_len; /* SCHEMA_ID: the right length */
    uint8_t id_bit; /* SCHEMA_ID: tells the ids of a message apart */
};

#define SCHEMA_MAX_NUMBER 16

struct schema_message {
    const char *name;
    uint8_t ids_required; /* id_bits of ids that may not be absent or empty */
    struct schema_field fields[SCHEMA_MAX_NUMBER + 1];
};

/* KeyValue: most fields of a request are inside of one. */
extern const struct schema_message schema_key_value;
/* Export<Signal>ServiceRequest. */
extern const struct schema_message *const schema_request[SIGNAL_COUNT];

#endif
