#include "base/json_tree.h"

#include <errno.h>
#include <stdlib.h>

yajl_val json_tree_parse(struct slice text, const char *name, struct errbuf *err)
{
    char why[256] = "", *copy = strndup((const char *)text.at, text.len);
    yajl_val v = copy ? yajl_tree_parse(copy, why, sizeof(why)) : NULL;
    free(copy);
    if (v == NULL)
        errbuf_set(err, EINVAL, "%s is not JSON: %s", name, why[0] ? why : "it is empty");
    return v;
}

yajl_val json_tree_member(yajl_val object, const char *name)
{
    const char *path[] = {name, NULL};
    return YAJL_IS_OBJECT(object) ? yajl_tree_get(object, path, yajl_t_any) : NULL;
}

const char *json_tree_text(yajl_val object, const char *name)
{
    const char *text = YAJL_GET_STRING(json_tree_member(object, name));
    return text ? text : "";
}

int64_t json_tree_number(yajl_val object, const char *name, int64_t fallback)
{
    yajl_val v = json_tree_member(object, name);
    return YAJL_IS_INTEGER(v) ? YAJL_GET_INTEGER(v) : fallback;
}

size_t json_tree_length(yajl_val array)
{
    return YAJL_IS_ARRAY(array) ? YAJL_GET_ARRAY(array)->len : 0;
}

yajl_val json_tree_at(yajl_val array, size_t i)
{
    return i < json_tree_length(array) ? YAJL_GET_ARRAY(array)->values[i] : NULL;
}
