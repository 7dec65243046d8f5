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

/* Length of the head, -1 = malformed, -2 = more bytes are needed. `last_len` is what `len` was in
 * the call before. *num_headers is the room in `headers`, then their number. */
int phr_parse_request(const char *buf, size_t len, const char **method, size_t *method_len,
                      const char **path, size_t *path_len, int *minor_version,
                      struct phr_header *headers, size_t *num_headers, size_t last_len);

#endif
