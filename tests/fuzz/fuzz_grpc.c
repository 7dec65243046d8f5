/* gRPC frames: the first byte says in which pieces the rest arrives. However it arrives, message
 * and outcome are the same, and the message is what stands behind the prefix. The same bytes as
 * content type and as status text must be survived.
 *
 * Files: router/http/grpc.c */
#include "router/http/grpc.h"

#include "base/buf.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_MESSAGE 65536

static enum outcome feed(struct slice bytes, size_t step, struct buf *message)
{
    struct grpc_frame f = {0};
    for (size_t at = 0; at < bytes.len; at += step) {
        struct slice in = slice_of(bytes.at + at, bytes.len - at < step ? bytes.len - at : step);
        while (in.len > 0) {
            struct slice piece;
            enum outcome o = grpc_frame_next(&f, &in, MAX_MESSAGE, &piece);
            if (o != OUTCOME_ACCEPTED)
                return o;
            buf_append_slice(message, piece);
        }
    }
    return grpc_frame_end(&f);
}

static void check_text(struct slice bytes)
{
    struct arena a = ARENA_INIT;
    char *text = arena_strdup(&a, bytes);
    if (text == NULL)
        abort();
    struct slice value = grpc_message_value(&a, text, 1024);
    for (size_t i = 0; i < value.len; i++)
        assert(value.at[i] >= 0x20 && value.at[i] <= 0x7E);
    grpc_binary_value(&a, bytes);
    grpc_content_type(bytes);
    arena_release(&a);
}

/* What we send reads as a message of that length. */
static void check_prefix(size_t len)
{
    uint8_t prefix[5];
    struct grpc_frame f = {0};
    struct slice in = {prefix, sizeof(prefix)}, piece;
    grpc_prefix(prefix, len);
    enum outcome o = grpc_frame_next(&f, &in, MAX_MESSAGE, &piece);
    assert(o == (len <= MAX_MESSAGE ? OUTCOME_ACCEPTED : OUTCOME_TOO_LARGE));
    assert((grpc_frame_end(&f) == OUTCOME_ACCEPTED) == (len == 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct slice bytes = slice_of(data + 1, size - 1);
    struct buf whole = BUF_INIT, pieces = BUF_INIT;
    enum outcome o = feed(bytes, SIZE_MAX / 2, &whole);
    assert(feed(bytes, data[0] ? data[0] : 1, &pieces) == o);
    assert(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    assert(o != OUTCOME_ACCEPTED || whole.len == bytes.len - 5);
    check_text(bytes);
    check_prefix(whole.len);
    buf_release(&whole);
    buf_release(&pieces);
    return 0;
}
