/* Reading JSON text (RFC 8259), strictly and in place: steps over a borrowed run of bytes that is
 * there as a whole, without allocation. What OTLP asks beyond the RFC:
 *   - text is UTF-8, and anything else is an error (R253);
 *   - an escaped lone surrogate, which is no character, becomes U+FFFD (R254).
 *
 * A step that fails returns false, sets `error` to a literal and leaves `at` where the trouble is.
 * Thread: any; pure. */
#ifndef OTLP_JSON_READ_H
#define OTLP_JSON_READ_H

#include "base/slice.h"

struct json_read {
    const uint8_t *at, *end; /* what is still to be read */
    const char *error;       /* NULL until a step fails */
};

/* A string as it stands between its quotes. */
struct json_text {
    struct slice raw;
    bool escaped; /* has escapes: what it means is shorter than `raw` */
};

static inline bool json_read_fail(struct json_read *r, const char *error)
{
    r->error = error;
    return false;
}

/* The first byte that is no white space, not consumed; 0 at the end (a NUL is no JSON either). */
static inline uint8_t json_read_peek(struct json_read *r)
{
    for (; r->at < r->end; r->at++) {
        uint8_t c = *r->at;
        if (c > ' ' || (c != ' ' && c != '\n' && c != '\r' && c != '\t'))
            return c;
    }
    return 0;
}

/* Consumes `c` if it comes next, after white space. */
static inline bool json_read_take(struct json_read *r, uint8_t c)
{
    if (json_read_peek(r) != c)
        return false;
    r->at++;
    return true;
}

/* Between the members of an object or the elements of an array: true after a comma; false at
 * `close`, which is consumed, and on an error. */
bool json_read_more(struct json_read *r, uint8_t close);
/* The word "true", "false" or "null", if it comes next. */
bool json_read_word(struct json_read *r, struct slice word);
/* A string, checked in full. */
bool json_read_string(struct json_read *r, struct json_text *ret);
/* Any value, checked in full; arrays and objects nest at most `levels`. */
bool json_read_skip(struct json_read *r, unsigned levels);

/* Writes what the string means to `to`, which has room for raw.len bytes. Returns the length. */
size_t json_text_decode(const struct json_text *text, uint8_t *to);

#endif
