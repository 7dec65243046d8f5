/* The chunked transfer coding, to the letter (RFC 9112 §7.1). libh2o's decoder takes a bare LF for
 * a line end and anything at all behind the size; a proxy in front that reads these otherwise sees
 * other requests on the connection than we do. Pure. */
#ifndef ROUTER_HTTP1_CHUNKED_H
#define ROUTER_HTTP1_CHUNKED_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum chunked_state {
    CHUNKED_SIZE,
    CHUNKED_BLANK, /* behind the size, before an extension's ';' */
    CHUNKED_EXTENSION,
    CHUNKED_SIZE_LF,
    CHUNKED_DATA,
    CHUNKED_DATA_CR,
    CHUNKED_DATA_LF,
    CHUNKED_TRAILER, /* a line begins; an empty one ends the body */
    CHUNKED_TRAILER_LINE,
    CHUNKED_TRAILER_LF,
    CHUNKED_LAST_LF,
    CHUNKED_DONE,
};

/* Zeroed to begin with. */
struct http1_chunked {
    enum chunked_state state;
    unsigned digits; /* of the size */
    uint64_t left;   /* of the chunk */
};

/* Decodes in place: *len is the input's length, then the data's. Number of bytes behind the body,
 * which follow the data; -1 = malformed, -2 = more bytes are needed. */
ssize_t http1_chunked_decode(struct http1_chunked *d, uint8_t *at, size_t *len);

#endif
