/* UTF-8 as Unicode 15, table 3-7 defines it: no overlong forms, no surrogates, nothing above
 * U+10FFFF. Thread: any; pure. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/buf.h"

/* Length of the well-formed sequence at the front of `s` (not empty), or 0. */
size_t utf8_length(struct slice s);
/* Bytes at the front of `s` that any database takes as text: well-formed and not NUL. */
size_t utf8_clean_length(struct slice s);
/* Appends `s` with U+FFFD in place of each byte that is NUL or not part of a well-formed
 * sequence. */
void utf8_clean(struct buf *out, struct slice s);

#endif
