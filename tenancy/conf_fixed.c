#include "tenancy/conf_fixed.h"

static size_t field_size(enum option_kind kind)
{
    switch (kind) {
    case OPT_BOOL:
        return sizeof(bool);
    case OPT_ENUM:
        return sizeof(int);
    case OPT_STRING:
        return sizeof(const char *);
    case OPT_STRINGS:
        return sizeof(struct option_strings);
    case OPT_MAP:
        return sizeof(struct option_map);
    case OPT_LIST:
        return sizeof(struct option_list);
    default:
        return sizeof(uint64_t);
    }
}

/* By what they print, which works for every kind, lists too. */
static bool differs(const struct option *row, const void *a, const void *b)
{
    const struct option rows[] = {*row, OPTION_END};
    const struct option_group group = {"", "", rows};
    struct buf text_a = BUF_INIT, text_b = BUF_INIT;
    option_print(&group, a, NULL, &text_a);
    option_print(&group, b, NULL, &text_b);
    bool other = !slice_eq(buf_slice(&text_a), buf_slice(&text_b));
    buf_release(&text_a);
    buf_release(&text_b);
    return other;
}

static void keep(const struct option_group *group, const char *prefix, const void *boot, void *conf,
                 struct buf *changed)
{
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        const void *from = (const char *)boot + row->offset;
        void *to = (char *)conf + row->offset;
        if (row->kind == OPT_GROUP) {
            struct buf path = BUF_INIT;
            buf_printf(&path, "%s%s.", prefix, row->name);
            keep(row->group, buf_cstr(&path), from, to, changed);
            buf_release(&path);
        } else if (!(row->flags & OPT_RELOAD)) {
            if (differs(row, boot, conf))
                buf_printf(changed, "%s%s%s", changed->len ? ", " : "", prefix, row->name);
            memcpy(to, from, field_size(row->kind));
        }
    }
}

void conf_keep_fixed(const struct option_group *group, const void *boot, void *conf,
                     struct buf *changed)
{
    keep(group, "", boot, conf, changed);
}
