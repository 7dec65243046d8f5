/* The OTLP schema as the scanner sees it: per message one row per known field, indexed by field
 * number. Written once, in scan_schema.c, from the same tables as the .proto files;
 * tests/otlp/test_scan_oracle.c compares the two. Thread: any; constant data. */
#ifndef OTLP_SCAN_SCHEMA_H
#define OTLP_SCAN_SCHEMA_H

#include "otlp/defect.h"
#include "otlp/signal.h"

/* What the value of a field is, which decides its wire type. */
enum schema_kind {
    SCHEMA_UNKNOWN, /* no such field: skipped whatever its type */
    SCHEMA_VARINT,  /* int32, int64, uint32, uint64, sint32, bool, enum */
    SCHEMA_FIXED32,
    SCHEMA_FIXED64, /* fixed64, sfixed64, double */
    SCHEMA_VARINTS, /* repeated: packed or not (R219) */
    SCHEMA_BYTES,   /* string or bytes, any content (R231) */
    SCHEMA_MESSAGE,
    /* Checked: a value that is wire-valid may be a defect of its item. Behind all others. */
    SCHEMA_ID,     /* a trace or span id: bytes of one right length (R232) */
    SCHEMA_TIME,   /* FIXED64, not 0 (R267) */
    SCHEMA_COUNTS, /* bucket_counts, repeated fixed64, packed or not (R268) */
    SCHEMA_BOUNDS, /* explicit_bounds, repeated double */
    SCHEMA_INDEX,  /* of a string; a varint that means nothing outside of profiles (R262) */
};

/* What a field means for the counts. */
enum schema_role {
    ROLE_NONE,
    ROLE_TRACE_ID, /* of a span or log record: whose trace it belongs to */
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
    uint8_t id_len;  /* SCHEMA_ID: the right length */
    uint16_t defect; /* SCHEMA_ID, SCHEMA_TIME: the DEFECT_BIT of a bad value */
};

#define SCHEMA_MAX_NUMBER 16

struct schema_message {
    const char *name;
    uint16_t required; /* defects that it has while these fields are absent, empty or zero */
    struct schema_field fields[SCHEMA_MAX_NUMBER + 1];
};

/* KeyValue: most fields of a request are inside of one. */
extern const struct schema_message schema_key_value;
/* Export<Signal>ServiceRequest. */
extern const struct schema_message *const schema_request[SIGNAL_COUNT];

#endif
