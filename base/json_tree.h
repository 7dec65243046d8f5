/* Reading small JSON documents of our own making (status files, /api/status) by yajl's tree. What
 * is missing or of another type reads as the fallback. Thread: any. */
#ifndef BASE_JSON_TREE_H
#define BASE_JSON_TREE_H

#include "base/errbuf.h"
#include "base/slice.h"

#include <yajl/yajl_tree.h>

/* NULL with a sentence when it is not JSON; `name` stands for the text in it. Free by
 * yajl_tree_free (NULL is fine). */
yajl_val json_tree_parse(struct slice text, const char *name, struct errbuf *err);
/* The member of an object, else NULL (which all of these take). */
yajl_val json_tree_member(yajl_val object, const char *name);
const char *json_tree_text(yajl_val object, const char *name); /* "" when missing */
int64_t json_tree_number(yajl_val object, const char *name, int64_t fallback);
/* The elements of an array: their number, 0 when it is none, and the i-th. */
size_t json_tree_length(yajl_val array);
yajl_val json_tree_at(yajl_val array, size_t i);

#endif
