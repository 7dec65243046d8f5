/* The scanner on arbitrary bytes, against protobuf-c and the reference. The first byte picks the
 * signal.
 *
 * Files: otlp/scan.c otlp/wire.c */
#include "tests/otlp/oracle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum signal signal = (enum signal)(data[0] % SIGNAL_COUNT);
    const char *disagreement = oracle_disagreement(signal, slice_of(data + 1, size - 1));
    if (disagreement != NULL) {
        fprintf(stderr, "%s: %s\n", signal_info[signal].name, disagreement);
        abort();
    }
    return 0;
}
