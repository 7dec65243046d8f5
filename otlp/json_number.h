/* Numbers of JSON text, exactly: 64-bit integers do not pass through a double (R241), `1.0` and
 * `1e2` are integers (R244), and a double is the one nearest to its digits. Thread: any; pure. */
#ifndef OTLP_JSON_NUMBER_H
#define OTLP_JSON_NUMBER_H

#include "base/slice.h"

/* (-1)^negative * digits * 10^exponent */
struct json_number {
    struct slice text;
    uint64_t digits;
    int64_t exponent;
    bool negative;
    bool cut; /* digits beyond 64 bits that are not zeros were dropped */
};

/* The number at the front of `s`: returns its length, or 0 when none is there. */
size_t json_number_read(struct slice s, struct json_number *ret);
/* Its absolute value as an integer. NULL, or a literal that says why it is none. */
const char *json_number_integer(const struct json_number *n, uint64_t *ret);
/* NULL, or a literal that says why it is no double. */
const char *json_number_double(const struct json_number *n, double *ret);

#endif
