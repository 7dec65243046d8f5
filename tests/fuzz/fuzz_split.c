/* Splitting arbitrary bytes, against the scanner and protobuf-c. The first byte picks the signal
 * and what a part may hold.
 *
 * Files: otlp/split.c otlp/trace_partition.c */
#include "tests/otlp/split_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct split_plan plans[] = {
    {.bad_items = true}, /* leaves items out, nothing else */
    {.bad_items = true, .limits = {1, 0}},
    {.bad_items = true, .limits = {0, 60}},
    {.bad_items = true, .max_bytes = 40},
    {.bad_items = true, .partitions = 3, .home = 1},
    {.bad_items = true, .partitions = 7, .limits = {2, 100}, .max_bytes = 70},
    {.limits = {3, 200}, .max_bytes = 100, .max_parts = 4, .max_total = 300},
};
#define PLANS (sizeof(plans) / sizeof(plans[0]))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)oracle_disagreement; /* is fuzz_scan's */
    if (size == 0)
        return 0;
    enum signal signal = (enum signal)(data[0] % SIGNAL_COUNT);
    const struct split_plan *plan = &plans[data[0] / SIGNAL_COUNT % PLANS];
    struct scan_result found;
    struct slice body = slice_of(data + 1, size - 1);
    if (!plan->bad_items &&
        (scan_request(signal, body, NULL, &found) != SCAN_OK || found.bad_items > 0))
        return 0;
    const char *disagreement = split_disagreement(signal, body, plan);
    if (disagreement != NULL) {
        fprintf(stderr, "%s: %s\n", signal_info[signal].name, disagreement);
        abort();
    }
    return 0;
}
