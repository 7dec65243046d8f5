/* Rows and columns for people (aligned, bold titles on a terminal) or as a JSON array of objects.
 */
#ifndef CLI_LISTING_H
#define CLI_LISTING_H

#include "base/buf.h"

enum listing_kind {
    LISTING_TEXT,
    LISTING_NUMBER, /* to the right */
    LISTING_BOOL,
    LISTING_TIME, /* listing_time: a date for people, seconds since 1970 in JSON */
};

struct listing_column {
    const char *title; /* "EXPIRES"; NULL ends the columns */
    const char *json;  /* "expires"; the object's member */
    enum listing_kind kind;
};

enum { LISTING_MOST_COLUMNS = 16 };

struct listing {
    const struct listing_column *columns; /* at most LISTING_MOST_COLUMNS */
    struct buf cells;                     /* NUL-ended texts, row by row */
};

/* clang-format off */
#define LISTING_INIT(cols) {(cols), BUF_INIT}
/* clang-format on */

/* Adds the next cell of the current row; the row after the last column begins by itself. Numbers
 * and bools as text that JSON takes ("12", "true"); an empty cell is null there. */
void listing_cell(struct listing *l, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The next cell is a time; 0 = none. */
void listing_time(struct listing *l, uint64_t wall_s);
/* Appends all rows to `out`. */
void listing_print(const struct listing *l, bool json, bool colour, struct buf *out);
void listing_release(struct listing *l);

#endif
