/* Reading attributes, i.e. a repeated KeyValue field, into the form of otlp/table.h. Thread: any;
 * one owner of the arena. */
#ifndef OTLP_ATTRS_H
#define OTLP_ATTRS_H

#include "otlp/repeated.h"
#include "otlp/table.h"

/* The attributes at `r`, occurrences of field `number`. Keys and values borrow from the message;
 * the array lies in `a`. Never NULL but when the arena is spent; without attributes it is one
 * shared empty list. */
const struct attrs *attrs_read(struct arena *a, const struct repeated *r, uint32_t number);

/* The attribute of that key, or NULL. */
const struct attr *attrs_find(const struct attrs *attrs, struct slice key);

/* The key of a KeyValue. An absent one (also one given by key_strindex, R262) is empty but still
 * points into the KeyValue, which attrs_sort relies on. */
struct slice attr_key(struct slice key_value);

/* Sorts by key, drops all but the last of equal keys (R263) and returns how many are left. The keys
 * must come from one buffer, in ascending addresses: that tells which one is last. In place, and
 * never quadratic. */
size_t attrs_sort(struct attr *at, size_t n);

#endif
