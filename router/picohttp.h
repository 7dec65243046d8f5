/* The HTTP/1 parser that libh2o carries and exports without its header: picohttpparser, as of
 * libh2o 2.2.5. The one place that declares it. */
#ifndef ROUTER_PICOHTTP_H
#define ROUTER_PICOHTTP_H

#include <stddef.h>
#include <sys/types.h>

struct phr_header {
    const char *name; /* NULL for a continuation line (obs-fold) */
    size_t name_len;
    const char *value;
    size_t value_len;
};

/* Zeroed to begin with. */
struct phr_chunked_decoder {
    size_t bytes_left_in_chunk;
    char consume_trailer; /* 1: the trailer section is read and dropped */
    char _hex_count;
    char _state;
};

/* Length of the head, -1 = malformed, -2 = more bytes are needed. `last_len` is what `len` was in
 * the call before. *num_headers is the room in `headers`, then their number. */
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

/* Decodes in place: *bufsz is the input's length, then the decoded length. Number of bytes behind
 * the body, which follow the decoded ones in `buf`; -1 = malformed, -2 = more bytes are needed. */
ssize_t phr_decode_chunked(struct phr_chunked_decoder *decoder, char *buf, size_t *bufsz);

#endif
