/* Any bytes as an authorization value, a key and a grpc-timeout: what is taken out lies within what
 * came in, and a key that is accepted as well-formed has its length. */
#include "router/admission_steps.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice value = slice_of(data, size), key = bearer_key(value);
    struct key_parts parts;
    uint64_t ns;
    if (key.len > 0 && (key.at < data || key.at + key.len > data + size))
        abort();
    if (key_parse(key.len ? key : value, &parts) == KEY_FORM_OK &&
        (key.len ? key.len : size) != KEY_TEXT_LENGTH)
        abort();
    if (grpc_timeout(value, &ns) && (size < 2 || size > 9))
        abort();
    return 0;
}
