#include "cli/options_view.h"

#include "cli/common.h"
#include "cli/listing.h"

struct view {
    struct listing l;
    const struct option_origins *where;
    const char *skip;
    bool json;
};

static void view_group(struct view *v, const struct option_group *group, const char *prefix,
                       const void *conf);

static void view_row(struct view *v, const struct option *row, const char *name, const void *conf)
{
    struct buf value = BUF_INIT;
    const struct option_origin *o = option_origin(v->where, name);
    size_t skip = strlen(v->skip);
    if (v->json && row->kind == OPT_STRING && !(row->flags & OPT_SECRET))
        buf_append_str(&value, *(const char *const *)((const char *)conf + row->offset));
    else
        option_print_value(row, conf, &value);
    listing_cell(&v->l, "%s", strncmp(name, v->skip, skip) == 0 ? name + skip : name);
    listing_cell(&v->l, "%s", buf_cstr(&value));
    if (o != NULL)
        listing_cell(&v->l, "%s:%d", o->file, o->line);
    else
        listing_cell(&v->l, "default");
    buf_release(&value);
}

static void view_elements(struct view *v, const struct option *row, const char *name,
                          const void *conf)
{
    const struct option_list *list = (const void *)((const char *)conf + row->offset);
    for (size_t i = 0; i < list->n; i++) {
        struct buf path = BUF_INIT;
        buf_printf(&path, "%s[%zu].", name, i);
        view_group(v, row->group, buf_cstr(&path), (const char *)list->at + i * row->size);
        buf_release(&path);
    }
}

static void view_group(struct view *v, const struct option_group *group, const char *prefix,
                       const void *conf)
{
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        struct buf name = BUF_INIT;
        buf_printf(&name, "%s%s", prefix, row->name);
        if (row->kind == OPT_GROUP) {
            buf_append_byte(&name, '.');
            view_group(v, row->group, buf_cstr(&name), (const char *)conf + row->offset);
        } else {
            if (row->kind == OPT_LIST)
                view_elements(v, row, buf_cstr(&name), conf);
            else
                view_row(v, row, buf_cstr(&name), conf);
        }
        buf_release(&name);
    }
}

void options_view(const struct option_group *group, const void *conf,
                  const struct option_origins *where, const char *skip, bool json, struct buf *out)
{
    static const struct listing_column columns[] = {
        {"OPTION", "option", LISTING_TEXT},
        {"VALUE", "value", LISTING_TEXT},
        {"FROM", "from", LISTING_TEXT},
        {0},
    };
    struct view v = {LISTING_INIT(columns), where, skip, json};
    view_group(&v, group, "", conf);
    listing_print(&v.l, json, cli_colour(), out);
    listing_release(&v.l);
}
