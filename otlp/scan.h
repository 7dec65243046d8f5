/* The scanner: validates an Export*ServiceRequest on its wire bytes and counts what it would
 * become, without building objects and without a single heap allocation.
 *
 * It accepts exactly what a protobuf parser with the OTLP schema accepts (R214-R231; differences
 * are listed in scan.c): unknown fields of every wire type are skipped, fields may come in any
 * order, singular messages may be repeated (merged), packed and unpacked numbers mix. Strings are
 * not checked for UTF-8 (R231).
 *
 * Counted: items (spans, log records, data points) and *expanded* bytes: the bytes of each item
 * plus those of its resource, its scope and, for data points, its metric's other fields, because a
 * row repeats them (fields with key and length, as they stand on the wire; unknown fields do not
 * count). Of several members of Metric.data only the last counts. Both have ceilings, so that a
 * small request cannot become a huge table (DESIGN: records are bounded in what they become).
 * Thread: any; pure. */
#ifndef OTLP_SCAN_H
#define OTLP_SCAN_H

#include "otlp/signal.h"

struct scan_limits {
    uint64_t items;          /* most items of one record; 0 = no ceiling */
    uint64_t expanded_bytes; /* most expanded bytes; 0 = no ceiling */
};

/* Nesting of messages that is accepted; R229 asks for at least 100. */
#define SCAN_MAX_DEPTH 128

enum scan_status {
    SCAN_OK,
    SCAN_MALFORMED,         /* not a valid message: 400 / 3 */
    SCAN_TOO_MANY_ITEMS,    /* above limits.items: 413 / 8 */
    SCAN_TOO_MANY_EXPANDED, /* above limits.expanded_bytes: 413 / 8 */
};

struct scan_result {
    uint64_t items;
    uint64_t expanded_bytes;
    uint64_t resources, scopes;
    uint64_t bad_items; /* items to be rejected alone (defect.h): split_request leaves them out */
    uint64_t string_indexes; /* of keys and values: they mean nothing, and are taken as absent */
    size_t error_at;         /* SCAN_MALFORMED: byte offset in the body */
    const char
        *error; /* SCAN_MALFORMED: a literal, e.g. "length runs past the end of its message" */
    const char
        *field; /* SCAN_MALFORMED: the innermost known field, "ScopeLogs.log_records"; a literal */
};

/* `limits` may be NULL. On a ceiling the counts are those at the point of stopping. */
enum scan_status scan_request(enum signal signal, struct slice body,
                              const struct scan_limits *limits, struct scan_result *ret);

struct schema_message;
/* Why an item of a request that scan_request accepted is to be rejected: DEFECT_BITs, 0 = it is
 * fine. */
unsigned scan_item(const struct schema_message *m, struct slice item);

#endif
