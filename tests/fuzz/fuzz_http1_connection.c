/* HTTP/1.1 connections whole: the state machine of http1.c with requests in any pieces, pipelined,
 * paused, answered early or late, while time passes (connection.h). What is sent back begins like
 * an answer.
 *
 * Files: router/http/http1.c router/admission/request.c */
#include "connection.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    run_connection(&http1_conn_ops, slice_of(data, size));
    assert(it.sent.len == 0 || slice_starts(buf_slice(&it.sent), SLICE_LIT("HTTP/1.1 ")));
    return 0;
}
