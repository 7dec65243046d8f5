/* HTTP/2 connections whole: what a client may send to nghttp2's session and our streams, in any
 * pieces, with time passing and answers coming between them (connection.h). What is sent back are
 * frames, SETTINGS first.
 *
 * Files: router/http/http2.c router/http/http2_stream.c router/http/http2_life.c
 * router/http/http2_guard.c */
#include "connection.h"

#include "router/http/http2.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_frames(struct slice sent, size_t max_streams)
{
    static const uint8_t no_streams[] = {0, 0, 0};
    assert(sent.len >= 15 && sent.at[3] == NGHTTP2_SETTINGS);
    assert(memcmp(sent.at + 11, no_streams, 3) == 0 && sent.at[14] == max_streams);
    while (sent.len > 0) {
        assert(sent.len >= 9 && sent.at[3] <= NGHTTP2_CONTINUATION);
        size_t n = (size_t)(sent.at[0] << 16 | sent.at[1] << 8 | sent.at[2]);
        assert(n <= 16384 && n <= sent.len - 9);
        drop(&sent, 9 + n);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    run_connection(&http2_conn_ops, slice_of(data, size));
    if (it.sent.len < MAX_SENT)
        check_frames(buf_slice(&it.sent), data[0] & 1 ? 2 : 8);
    return 0;
}
