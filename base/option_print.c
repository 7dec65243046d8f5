#include "base/json.h"
#include "base/option_row.h"

#include <stdio.h>

static void print_quoted(struct buf *out, const char *text)
{
    json_string(out, slice_str(text ? text : ""));
}

static void print_number(const struct option *row, uint64_t n, struct buf *out)
{
    bool bytes = row->kind == OPT_RATE && (row->flags & OPT_BYTES) && n > 0;
    char text[40];
    option_format_number(bytes ? OPT_SIZE : row->kind, n, text, sizeof(text));
    buf_printf(out, "%s%s", text, bytes ? "/s" : "");
}

static void print_enum(const struct option *row, int value, struct buf *out)
{
    for (const struct option_choice *c = row->choices; c->text != NULL; c++)
        if (c->value == value) {
            buf_append_str(out, c->text);
            return;
        }
    buf_printf(out, "%d", value);
}

static void print_strings(const struct option_strings *list, struct buf *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < list->n; i++) {
        buf_append_str(out, i ? ", " : "");
        print_quoted(out, list->at[i]);
    }
    buf_append_byte(out, ']');
}

static bool names_a_secret(const char *name)
{
    return strcasestr(name, "password") || strcasestr(name, "secret") || strcasestr(name, "token");
}

static void print_map(const struct option_map *map, struct buf *out)
{
    buf_append_byte(out, '{');
    for (size_t i = 0; i < map->n; i++) {
        buf_printf(out, "%s%s = ", i ? ", " : "", map->at[i].name);
        if (names_a_secret(map->at[i].name))
            buf_append_str(out, "(secret)");
        else
            print_quoted(out, map->at[i].value);
    }
    buf_append_byte(out, '}');
}

void option_print_value(const struct option *row, const void *conf, struct buf *out)
{
    const void *field = option_field_const(row, conf);
    if (row->flags & OPT_SECRET) {
        buf_append_str(out, "(secret)");
        return;
    }
    switch (row->kind) {
    case OPT_BOOL:
        buf_append_str(out, *(const bool *)field ? "true" : "false");
        break;
    case OPT_UINT:
    case OPT_SIZE:
    case OPT_RATE:
    case OPT_DURATION:
        print_number(row, *(const uint64_t *)field, out);
        break;
    case OPT_STRING:
        print_quoted(out, *(const char *const *)field);
        break;
    case OPT_ENUM:
        print_enum(row, *(const int *)field, out);
        break;
    case OPT_STRINGS:
        print_strings(field, out);
        break;
    case OPT_MAP:
        print_map(field, out);
        break;
    case OPT_GROUP:
        break; /* its rows have the values */
    case OPT_LIST:
        buf_printf(out, "%zu entries", ((const struct option_list *)field)->n);
        break;
    }
}

/* Extends a dotted path; returns the length to cut it back to. */
static size_t path_push(struct buf *path, const char *name)
{
    size_t before = path->len;
    buf_printf(path, "%s%s", before ? "." : "", name);
    return before;
}

static void print_line(const struct option *row, const void *conf,
                       const struct option_origins *where, struct buf *path, struct buf *out)
{
    buf_printf(out, "%s = ", buf_cstr(path));
    option_print_value(row, conf, out);
    if (where != NULL) {
        const struct option_origin *o = option_origin(where, buf_cstr(path));
        if (o != NULL)
            buf_printf(out, "   (%s:%d)", o->file, o->line);
        else
            buf_append_str(out, "   (default)");
    }
    buf_append_byte(out, '\n');
}

static void print_group(const struct option_group *group, const void *conf,
                        const struct option_origins *where, struct buf *path, struct buf *out);

static void print_list(const struct option *row, const void *conf,
                       const struct option_origins *where, struct buf *path, struct buf *out)
{
    const struct option_list *list = option_field_const(row, conf);
    size_t before = path->len;
    for (size_t i = 0; i < list->n; i++) {
        buf_printf(path, "[%zu]", i);
        print_group(row->group, (const char *)list->at + i * row->size, where, path, out);
        path->len = before;
    }
}

static void print_group(const struct option_group *group, const void *conf,
                        const struct option_origins *where, struct buf *path, struct buf *out)
{
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        size_t before = path_push(path, row->name);
        if (row->kind == OPT_GROUP) {
            print_group(row->group, option_field_const(row, conf), where, path, out);
        } else {
            print_line(row, conf, where, path, out);
            if (row->kind == OPT_LIST)
                print_list(row, conf, where, path, out);
        }
        path->len = before;
    }
}

void option_print(const struct option_group *group, const void *conf,
                  const struct option_origins *where, struct buf *out)
{
    struct buf path = BUF_INIT;
    print_group(group, conf, where, &path, out);
    buf_release(&path);
}
