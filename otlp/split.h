/* From one accepted request to the records it becomes, by copying runs of bytes: items that must be
 * rejected are left out (defect.h, R270), what no record may hold goes into several, and with
 * partitions the items are grouped by their trace.
 *
 * Each part is a request of its own: its items, each with its resource, scope and metric. What
 * these say beside their items is copied as it came in, unknown fields included (R215), in front of
 * what they hold; those without items are left out. In a Metric whose data was given several times
 * (R218) only the last member remains, as every parser reads it.
 * Thread: any; pure. */
#ifndef OTLP_SPLIT_H
#define OTLP_SPLIT_H

#include "base/buf.h"
#include "otlp/defect.h"
#include "otlp/scan.h"

struct split_plan {
    struct scan_limits limits; /* of each part, counted as the scanner does; 0 = no ceiling */
    uint64_t max_bytes;        /* of each part; 0 = no ceiling */
    bool bad_items;            /* there are some: look for them */
    /* Above 0: items of one trace stand in parts of one partition (trace_partition.h), and a
     * partition has one part unless a ceiling asks for more. */
    unsigned partitions;
    unsigned home;      /* the partition of items without a trace id */
    unsigned max_parts; /* beyond one for each partition; 0 = no ceiling */
    uint64_t max_total; /* bytes of all parts; 0 = no ceiling */
};

struct split_part {
    struct buf bytes;
    uint64_t items;
    unsigned partition;
    bool traced; /* some item has a trace id */
};

struct split_result {
    struct split_part *parts;
    size_t n;
    uint64_t kept, rejected;          /* items */
    uint64_t by_defect[DEFECT_COUNT]; /* of the rejected; one with several counts for the first */
    enum defect first;                /* of the first that was rejected, if any */
};

enum split_status {
    SPLIT_OK,
    SPLIT_TOO_MANY, /* more parts or bytes than the plan allows */
    SPLIT_NO_MEMORY,
};

/* `body` is one that scan_request accepted. An item that alone is above a ceiling of the plan is
 * rejected. On SPLIT_OK the caller owns the result. */
enum split_status split_request(enum signal signal, struct slice body,
                                const struct split_plan *plan, struct split_result *ret);
/* Frees the parts; a zeroed result is fine. */
void split_release(struct split_result *r);
/* For partial_success.error_message (R106), when something was rejected: how many, and what is
 * wrong with the first one. */
void split_describe(enum signal signal, const struct split_result *r, char *text, size_t size);

#endif
