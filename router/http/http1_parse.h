/* HTTP/1 requests as bytes: the head with its framing rules, and the body. Pure functions, no
 * sockets (R19-R33, R36). */
#ifndef ROUTER_HTTP1_PARSE_H
#define ROUTER_HTTP1_PARSE_H

#include "router/admission/outcome.h"
#include "router/admission/request.h"
#include "router/http/http1_chunked.h"
#include "router/http/picohttp.h"

/* RFC 9112 §3 recommends 8000 at least. */
#define HTTP_MAX_TARGET 8192

enum http1_framing { HTTP1_NO_BODY, HTTP1_LENGTH, HTTP1_CHUNKED };

struct http1_head {
    struct slice method, path;                  /* path without the query */
    struct header headers[REQUEST_MAX_HEADERS]; /* names as they came */
    size_t n_headers;
    int minor_version;
    enum http1_framing framing;
    uint64_t content_length; /* UINT64_MAX = not announced */
    bool keep_alive, expect_continue;
};

/* Parses the head at the start of `in`. OUTCOME_ACCEPTED with *ret_len > 0: it is `*ret_len` bytes
 * long, and `ret` points into `in`. OUTCOME_ACCEPTED with 0: more bytes are needed. Anything else:
 * refused, the connection is to be closed; of `ret` method and headers may be filled. `seen`: how
 * many bytes of `in` an earlier call has looked at. */
enum outcome http1_parse_head(struct slice in, size_t seen, size_t max_bytes,
                              struct http1_head *ret, size_t *ret_len);

/* The body that follows a head. */
struct http1_body {
    enum http1_framing framing;
    uint64_t left; /* HTTP1_LENGTH */
    struct http1_chunked chunks;
    uint64_t overhead, decoded; /* HTTP1_CHUNKED: framing bytes and data so far */
};

enum http1_body_state { HTTP1_BODY_MORE, HTTP1_BODY_DONE, HTTP1_BODY_BROKEN };

void http1_body_init(struct http1_body *b, const struct http1_head *head);
/* Decodes `*len` bytes at `at` in place. The first *ret_data of them are body; *len is how many
 * bytes are there afterwards: what lies behind the data belongs to the next request. */
enum http1_body_state http1_body_decode(struct http1_body *b, uint8_t *at, size_t *len,
                                        size_t *ret_data);

#endif
