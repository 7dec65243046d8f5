/* PROXY headers: a header that is accepted lies within the bytes, is accepted with anything behind
 * it, and asks for more with anything missing; what is refused stays refused whatever follows.
 *
 * Files: router/net/proxy_protocol.c */
#include "router/net/proxy_protocol.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    size_t len = 0, other = 0;
    struct address client = {{0}, 0}, again = {{0}, 0};
    enum proxy_header got = proxy_header_parse(slice_of(data, size), &len, &client);
    uint8_t *longer = malloc(size + 1);
    if (longer == NULL)
        abort();
    if (size > 0)
        memcpy(longer, data, size);
    longer[size] = '\r';
    enum proxy_header then = proxy_header_parse(slice_of(longer, size + 1), &other, &again);
    if (got == PROXY_BAD)
        assert(then == PROXY_BAD);
    if (got == PROXY_LOCAL || got == PROXY_CLIENT) {
        assert(len <= size && len <= PROXY_MAX_HEADER && then == got && other == len);
        assert(memcmp(&client, &again, sizeof(client)) == 0);
        for (size_t n = 0; n < len; n++)
            assert(proxy_header_parse(slice_of(data, n), &other, &again) == PROXY_MORE);
    }
    free(longer);
    return 0;
}
