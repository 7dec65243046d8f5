#include "router/http/http1_parse.h"

#include <ctype.h>

/* Room for more than we take, so that "too many" can be told from "malformed" (R36). */
#define PARSED_HEADERS (REQUEST_MAX_HEADERS + 28)
/* What chunk sizes, extensions and trailers may take beside the data: chunks of one byte cost five,
 * and a fixed part for extensions and trailers. More is somebody feeding us nothing. */
#define CHUNK_OVERHEAD_PER_BYTE 8
#define CHUNK_OVERHEAD_FIXED    65536

/* -- framing: Content-Length and Transfer-Encoding (RFC 9112 §6) -- */

struct framing {
    bool has_length, has_coding, chunked_last, unknown_coding;
    uint64_t length;
};

/* The next member of a comma-separated list; false at its end. */
static bool next_member(struct slice *list, struct slice *ret)
{
    if (list->at == NULL)
        return false;
    const uint8_t *comma = list->len ? memchr(list->at, ',', list->len) : NULL;
    size_t len = comma ? (size_t)(comma - list->at) : list->len;
    *ret = slice_trim(slice_of(list->at, len));
    *list = comma ? slice_of(comma + 1, list->len - len - 1) : SLICE_NULL;
    return true;
}

/* Digits only. Saturates below UINT64_MAX, which stands for "not announced": such a length is
 * refused as too large, not as malformed (R91). */
static bool parse_length(struct slice text, uint64_t *ret)
{
    uint64_t n = 0;
    if (text.len == 0)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!isdigit(text.at[i]))
            return false;
        if (n > (UINT64_MAX - 10) / 10)
            n = UINT64_MAX - 1;
        else
            n = n * 10 + (uint64_t)(text.at[i] - '0');
    }
    *ret = n;
    return true;
}

/* "5, 5" and two equal fields count as one (RFC 9110 §8.6); anything else is an attack (R24). */
static enum outcome add_length(struct framing *f, struct slice value)
{
    struct slice member;
    while (next_member(&value, &member)) {
        uint64_t n;
        if (!parse_length(member, &n) || (f->has_length && f->length != n))
            return OUTCOME_BAD_REQUEST;
        f->has_length = true;
        f->length = n;
    }
    return OUTCOME_ACCEPTED;
}

static enum outcome add_coding(struct framing *f, struct slice value)
{
    struct slice member;
    while (next_member(&value, &member)) {
        if (member.len == 0)
            continue;
        if (f->chunked_last) /* chunked must be the last one, and only once (R24) */
            return OUTCOME_BAD_REQUEST;
        f->chunked_last = slice_ieq(member, SLICE_LIT("chunked"));
        f->unknown_coding |= !f->chunked_last;
    }
    f->has_coding = true;
    return OUTCOME_ACCEPTED;
}

static enum outcome settle_framing(const struct framing *f, struct http1_head *h)
{
    h->framing = HTTP1_NO_BODY;
    h->content_length = UINT64_MAX;
    if (f->has_coding) {
        if (!f->chunked_last)
            return OUTCOME_BAD_REQUEST;
        if (f->unknown_coding)
            return OUTCOME_UNKNOWN_TRANSFER_CODING;
        h->framing = HTTP1_CHUNKED;
        /* Both, or a coding from HTTP/1.0, may mean that somebody in between saw other framing:
         * nothing more is taken from this connection (R23; RFC 9112 §6.1). */
        if (f->has_length || h->minor_version == 0)
            h->keep_alive = false;
    } else if (f->has_length) {
        h->framing = HTTP1_LENGTH;
        h->content_length = f->length;
    }
    return OUTCOME_ACCEPTED;
}

/* -- other headers that concern the connection -- */

static void add_connection(struct http1_head *h, struct slice value)
{
    struct slice member;
    while (next_member(&value, &member)) {
        if (slice_ieq(member, SLICE_LIT("close")))
            h->keep_alive = false;
        else if (slice_ieq(member, SLICE_LIT("keep-alive")) && h->minor_version == 0)
            h->keep_alive = true;
    }
}

/* uri-host [":" port]; empty is allowed (RFC 9110 §7.2). */
static bool host_valid(struct slice value)
{
    for (size_t i = 0; i < value.len; i++)
        if (!isalnum(value.at[i]) && strchr("-._~%!$&'()*+,;=:[]", value.at[i]) == NULL)
            return false;
    return value.len == 0 || value.at[0] != ':';
}

static enum outcome read_headers(struct http1_head *h)
{
    struct framing f = {0};
    unsigned hosts = 0;
    enum outcome o = OUTCOME_ACCEPTED;
    h->keep_alive = h->minor_version > 0;
    for (size_t i = 0; i < h->n_headers && o == OUTCOME_ACCEPTED; i++) {
        struct slice name = h->headers[i].name, value = h->headers[i].value;
        if (slice_ieq(name, SLICE_LIT("content-length"))) {
            o = add_length(&f, value);
        } else if (slice_ieq(name, SLICE_LIT("transfer-encoding"))) {
            o = add_coding(&f, value);
        } else if (slice_ieq(name, SLICE_LIT("connection"))) {
            add_connection(h, value);
        } else if (slice_ieq(name, SLICE_LIT("host"))) {
            hosts++;
            if (!host_valid(value))
                o = OUTCOME_BAD_REQUEST;
        } else if (slice_ieq(name, SLICE_LIT("expect")) && h->minor_version > 0) { /* R31 */
            h->expect_continue = slice_ieq(value, SLICE_LIT("100-continue"));
            if (!h->expect_continue)
                o = OUTCOME_EXPECTATION;
        }
    }
    if (o == OUTCOME_ACCEPTED && (hosts > 1 || (hosts == 0 && h->minor_version > 0))) /* R26 */
        o = OUTCOME_BAD_REQUEST;
    return o == OUTCOME_ACCEPTED ? settle_framing(&f, h) : o;
}

/* -- the request line -- */

/* Origin form, absolute form (R27) or "*"; the query is left out (R59). */
static bool read_target(struct slice target, struct slice *ret_path)
{
    static const struct slice schemes[] = {{(const uint8_t *)"http://", 7},
                                           {(const uint8_t *)"https://", 8}};
    for (size_t i = 0; i < 2; i++) {
        struct slice s = schemes[i];
        if (target.len < s.len || !slice_ieq(slice_of(target.at, s.len), s))
            continue;
        target = slice_of(target.at + s.len, target.len - s.len);
        while (target.len > 0 && target.at[0] != '/' && target.at[0] != '?')
            target = slice_of(target.at + 1, target.len - 1);
        if (target.len == 0 || target.at[0] == '?')
            target = SLICE_LIT("/");
    }
    const uint8_t *query = target.len ? memchr(target.at, '?', target.len) : NULL;
    *ret_path = slice_of(target.at, query ? (size_t)(query - target.at) : target.len);
    return target.len > 0 && (target.at[0] == '/' || slice_eq(target, SLICE_LIT("*")));
}

/* The parser takes a bare LF for a line end; a proxy in front may not, so neither do we. */
static bool has_bare_lf(struct slice head)
{
    const uint8_t *at = head.at, *end = head.at + head.len;
    while ((at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        if (at == head.at || at[-1] != '\r')
            return true;
        if (++at == end)
            break;
    }
    return false;
}

/* What is wrong with a head that is over the limit: its first line, or the rest (R36). */
static enum outcome too_long(struct slice in)
{
    const uint8_t *lf = in.len > 2 ? memchr(in.at + 2, '\n', in.len - 2) : NULL;
    size_t line = lf ? (size_t)(lf - in.at) : in.len;
    return line > HTTP_MAX_TARGET ? OUTCOME_URI_TOO_LONG : OUTCOME_HEADERS_TOO_LARGE;
}

static enum outcome malformed(struct slice in)
{
    size_t lines = 0;
    for (size_t i = 0; i < in.len; i++)
        lines += in.at[i] == '\n';
    return lines > PARSED_HEADERS ? OUTCOME_HEADERS_TOO_LARGE : OUTCOME_BAD_REQUEST;
}

static enum outcome take_headers(struct http1_head *ret, const struct phr_header *parsed, size_t n)
{
    if (n > REQUEST_MAX_HEADERS)
        return OUTCOME_HEADERS_TOO_LARGE;
    for (size_t i = 0; i < n; i++) {
        if (parsed[i].name == NULL) /* obs-fold (RFC 9112 §5.2) */
            return OUTCOME_BAD_REQUEST;
        ret->headers[i] =
            (struct header){slice_of(parsed[i].name, parsed[i].name_len),
                            slice_trim(slice_of(parsed[i].value, parsed[i].value_len))};
    }
    ret->n_headers = n;
    return OUTCOME_ACCEPTED;
}

enum outcome http1_parse_head(struct slice in, size_t seen, size_t max_bytes,
                              struct http1_head *ret, size_t *ret_len)
{
    struct phr_header parsed[PARSED_HEADERS];
    size_t n = PARSED_HEADERS;
    const char *method, *target;
    size_t method_len, target_len;
    *ret_len = 0;
    ret->method = ret->path = SLICE_NULL;
    ret->n_headers = 0;
    ret->keep_alive = ret->expect_continue = false;
    ret->minor_version = 1;
    int rc = phr_parse_request((const char *)in.at, in.len, &method, &method_len, &target,
                               &target_len, &ret->minor_version, parsed, &n, seen);
    if (rc == -1)
        return malformed(in);
    if (rc == -2)
        return in.len > max_bytes ? too_long(in) : OUTCOME_ACCEPTED;
    if ((size_t)rc > max_bytes)
        return too_long(slice_of(in.at, (size_t)rc));
    ret->method = slice_of(method, method_len);
    enum outcome o = take_headers(ret, parsed, n);
    if (o != OUTCOME_ACCEPTED)
        return o;
    if (target_len > HTTP_MAX_TARGET)
        return OUTCOME_URI_TOO_LONG;
    if (has_bare_lf(slice_of(in.at, (size_t)rc)) ||
        !read_target(slice_of(target, target_len), &ret->path))
        return OUTCOME_BAD_REQUEST;
    o = read_headers(ret);
    if (o == OUTCOME_ACCEPTED)
        *ret_len = (size_t)rc;
    return o;
}

/* -- the body -- */

void http1_body_init(struct http1_body *b, const struct http1_head *head)
{
    *b = (struct http1_body){.framing = head->framing};
    b->left = head->framing == HTTP1_LENGTH ? head->content_length : 0;
}

static enum http1_body_state decode_chunked(struct http1_body *b, uint8_t *at, size_t *len,
                                            size_t *ret_data)
{
    size_t data = *len;
    ssize_t rc = http1_chunked_decode(&b->chunks, at, &data);
    if (rc == -1)
        return HTTP1_BODY_BROKEN;
    size_t behind = rc >= 0 ? (size_t)rc : 0;
    b->overhead += *len - data - behind;
    b->decoded += data;
    *ret_data = data;
    *len = data + behind;
    if (rc >= 0)
        return HTTP1_BODY_DONE;
    return b->overhead > CHUNK_OVERHEAD_FIXED + CHUNK_OVERHEAD_PER_BYTE * b->decoded
               ? HTTP1_BODY_BROKEN
               : HTTP1_BODY_MORE;
}

enum http1_body_state http1_body_decode(struct http1_body *b, uint8_t *at, size_t *len,
                                        size_t *ret_data)
{
    *ret_data = 0;
    if (b->framing == HTTP1_CHUNKED)
        return *len == 0 ? HTTP1_BODY_MORE : decode_chunked(b, at, len, ret_data);
    *ret_data = *len < b->left ? *len : (size_t)b->left;
    b->left -= *ret_data;
    return b->left == 0 ? HTTP1_BODY_DONE : HTTP1_BODY_MORE;
}
