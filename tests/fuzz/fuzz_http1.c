/* HTTP/1 heads and bodies: the first byte says in which pieces the rest arrives. However it
 * arrives, the outcome is the same, slices stay inside the input, and no body is longer than what
 * was sent.
 *
 * Files: router/http/http1_parse.c router/http/http1_chunked.c */
#include "router/http/http1_parse.h"

#include <assert.h>
#include <stdlib.h>

#define MAX_HEAD 4096

static void inside(struct slice whole, struct slice part)
{
    assert(part.len == 0 || (part.at >= whole.at && part.at + part.len <= whole.at + whole.len));
}

static void check_head(struct slice in, const struct http1_head *h)
{
    inside(in, h->method);
    for (size_t i = 0; i < h->n_headers; i++) {
        inside(in, h->headers[i].name);
        inside(in, h->headers[i].value);
    }
}

static enum outcome head_in_pieces(struct slice in, size_t step, struct http1_head *h, size_t *len)
{
    enum outcome o = OUTCOME_ACCEPTED;
    size_t seen = 0;
    *len = 0;
    while (o == OUTCOME_ACCEPTED && *len == 0 && seen < in.len) {
        size_t n = in.len - seen < step ? in.len : seen + step;
        o = http1_parse_head(slice_of(in.at, n), seen, MAX_HEAD, h, len);
        seen = n;
    }
    return o;
}

static void body_in_pieces(struct slice in, size_t step, const struct http1_head *h)
{
    struct http1_body b;
    size_t total = 0;
    enum http1_body_state s = HTTP1_BODY_MORE;
    http1_body_init(&b, h);
    for (size_t at = 0; at < in.len && s == HTTP1_BODY_MORE; at += step) {
        size_t len = in.len - at < step ? in.len - at : step, rest = len, data;
        uint8_t *piece = malloc(len);
        if (piece == NULL)
            abort();
        memcpy(piece, in.at + at, len);
        s = http1_body_decode(&b, piece, &rest, &data);
        assert(s == HTTP1_BODY_BROKEN || (data <= rest && rest <= len));
        total += data;
        free(piece);
    }
    assert(total <= in.len);
    assert(h->framing != HTTP1_LENGTH || total <= h->content_length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http1_head whole, h;
    size_t whole_len, len;
    if (size < 2)
        return 0;
    size_t step = data[0] ? data[0] : 1;
    struct slice in = slice_of(data + 1, size - 1);
    enum outcome o = http1_parse_head(in, 0, MAX_HEAD, &whole, &whole_len);
    check_head(in, &whole);
    enum outcome pieces = head_in_pieces(in, step, &h, &len);
    if (o != OUTCOME_ACCEPTED || whole_len == 0)
        return 0;
    assert(pieces == OUTCOME_ACCEPTED && len == whole_len);
    assert(h.framing != HTTP1_LENGTH || h.content_length != UINT64_MAX);
    assert(h.framing == whole.framing && h.content_length == whole.content_length);
    body_in_pieces(slice_of(in.at + len, in.len - len), step, &h);
    return 0;
}
