/* The filter on arbitrary bytes, against the scanner and protobuf-c. The first byte picks the
 * signal.
 *
 * Files: otlp/filter.c */
#include "tests/otlp/filter_oracle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    (void)oracle_disagreement; /* is fuzz_scan's */
    if (size == 0)
        return 0;
    enum signal signal = (enum signal)(data[0] % SIGNAL_COUNT);
    const char *disagreement = filter_disagreement(signal, slice_of(data + 1, size - 1));
    if (disagreement != NULL) {
        fprintf(stderr, "%s: %s\n", signal_info[signal].name, disagreement);
        abort();
    }
    return 0;
}
