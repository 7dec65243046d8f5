/* The decoder on arbitrary bytes. What the scanner accepts must decode, to as many rows as it
 * counts items; every cell must render; and a variant of the message that means the same must
 * become the same rows. The first byte picks the signal.
 *
 * Files: otlp/decode.c otlp/decode_traces.c otlp/decode_logs.c otlp/decode_metrics.c
 * otlp/decode_points.c otlp/repeated.c otlp/attrs.c otlp/anyvalue.c */
#include "otlp/decode.h"
#include "otlp/request_type.h"
#include "tests/otlp/row_text.h"
#include "tests/otlp/variant.h"

#include <stdio.h>

#define RECEIVED 99

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "%s\n", what);
        abort();
    }
}

static int add_text(void *arg, enum table table, const struct cell *cells)
{
    row_text(arg, table, cells);
    return 0;
}

/* All rows as text; false when the scanner refuses the request. */
static bool decode_text_of(enum signal signal, struct slice request,
                           const struct scan_limits *limits, struct buf *text)
{
    struct arena a = ARENA_INIT;
    struct decode_result result;
    struct scan_result scan;
    enum scan_status scanned = scan_request(signal, request, limits, &scan);
    enum decode_status status =
        decode_record(signal, request, RECEIVED, limits, &a, add_text, text, &result);
    must((scanned == SCAN_OK) == (status == DECODE_OK), "scanner and decoder disagree");
    must(scanned != SCAN_OK || result.rows == scan.items, "rows and items differ");
    must(!text->failed, "rendering failed");
    must(a.used <= 40 * request.len, "more of the arena was used than the record can ask for");
    arena_release(&a);
    return status == DECODE_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* A small input can mean gigabytes of text: resources stand in every row. */
    const struct scan_limits limits = {.items = 1000, .expanded_bytes = 1000 * 1000};
    struct buf text = BUF_INIT, variant = BUF_INIT, again = BUF_INIT;
    if (size == 0)
        return 0;
    enum signal signal = (enum signal)(data[0] % SIGNAL_COUNT);
    struct slice request = slice_of(data + 1, size - 1);
    if (decode_text_of(signal, request, &limits, &text)) {
        struct generator g = {.state = size};
        variant_write(&g, request_type[signal], request, &variant);
        must(decode_text_of(signal, buf_slice(&variant), NULL, &again), "a variant is refused");
        must(slice_eq(buf_slice(&text), buf_slice(&again)), "a variant has other rows");
    }
    buf_release(&text);
    buf_release(&variant);
    buf_release(&again);
    return 0;
}
