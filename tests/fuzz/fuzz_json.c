/* OTLP/JSON on arbitrary bytes, of which the first picks the signal: what is transcoded is a valid
 * request to the scanner and to protobuf-c, what is refused says why, and nothing is written beyond
 * the ceiling.
 *
 * Files: otlp/json_transcode.c otlp/json_read.c otlp/json_number.c otlp/json_bytes.c */
#include "otlp/json_transcode.h"
#include "tests/otlp/oracle.h"

#include <stdlib.h>

#define CEILING 100000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *complaint(enum json_status status, enum signal signal, struct slice text,
                             struct slice out, const struct json_error *error)
{
    struct scan_result scanned;
    if (out.len > CEILING)
        return "more was written than allowed";
    if (status == JSON_OK && scan_request(signal, out, NULL, &scanned) != SCAN_OK)
        return scanned.error;
    if (status == JSON_OK && oracle_disagreement(signal, out) != NULL)
        return oracle_disagreement(signal, out);
    if (status == JSON_MALFORMED &&
        (error->text == NULL || error->field[0] == 0 || error->at > text.len))
        return "a refusal without its reason, field or place";
    return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    enum signal signal = (enum signal)(data[0] % SIGNAL_COUNT);
    struct slice text = slice_of(data + 1, size - 1);
    struct buf out = BUF_INIT_CEILING(CEILING);
    struct json_error error;
    enum json_status status = json_transcode(signal, text, &out, &error);
    const char *found = complaint(status, signal, text, buf_slice(&out), &error);
    if (found != NULL) {
        fprintf(stderr, "%s: %s\n", signal_info[signal].name, found);
        abort();
    }
    buf_release(&out);
    return 0;
}
