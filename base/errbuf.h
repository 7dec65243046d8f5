/* The reason of a failure, as one complete sentence for people. A function that can fail takes a
 * `struct errbuf *err`, returns a negative errno (or NULL) and writes the sentence; on success it
 * leaves `err` alone. The caller that owns the request or process logs it, once. */
#ifndef BASE_ERRBUF_H
#define BASE_ERRBUF_H

#include <stdarg.h>

#define ERRBUF_SIZE 1024

struct errbuf {
    char text[ERRBUF_SIZE];
};

/* clang-format off */
#define ERRBUF_INIT {{0}}
/* clang-format on */

/* Formats the sentence (cut to fit) and returns -code, so that callers write
 * `return errbuf_set(err, EINVAL, "...")`. `err` may be NULL. */
int errbuf_set(struct errbuf *err, int code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Puts "<context>: " in front of the sentence that is already there. */
void errbuf_prefix(struct errbuf *err, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
