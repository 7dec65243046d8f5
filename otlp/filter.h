/* A request without the items that must be rejected (defect.h), so that the others may be kept
 * (R270). What is kept is copied as the bytes that came in, unknown fields included (R215).
 *
 * A metric, scope or resource that lost all its items is left out, too; one that had none from the
 * start stays. In a Metric whose data was given several times (R218) only the last member's items
 * are counted, as the scanner does, but the others lose theirs as well.
 * Thread: any; pure. */
#ifndef OTLP_FILTER_H
#define OTLP_FILTER_H

#include "base/buf.h"
#include "otlp/defect.h"
#include "otlp/signal.h"

struct filter_result {
    uint64_t kept, rejected;          /* items */
    uint64_t by_defect[DEFECT_COUNT]; /* of the rejected; one with several counts for the first */
    enum defect first;                /* of the first that was rejected, if any */
};

/* Appends the filtered request to `out`. `body` is one that scan_request accepted; `rejected` is
 * then the scanner's `bad_items`. 0, or -ENOMEM. */
int filter_request(enum signal signal, struct slice body, struct buf *out,
                   struct filter_result *ret);
/* For partial_success.error_message (R106), when something was rejected: how many, and what is
 * wrong with the first one. */
void filter_describe(enum signal signal, const struct filter_result *r, char *text, size_t size);

#endif
