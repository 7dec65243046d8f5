#include "base/option_row.h"

#include "base/near.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>

static int set_bool(const struct option *row, const char *text, void *conf, struct errbuf *err)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0)
        return errbuf_set(err, EINVAL, "\"%.64s\" is neither true nor false", text);
    *(bool *)option_field(row, conf) = yes;
    return 0;
}

static int set_number(const struct option *row, const char *text, void *conf, struct errbuf *err)
{
    uint64_t n;
    int rc = option_parse_number(row->kind, text, &n, err);
    if (rc == 0)
        rc = option_check_bounds(row, n, text, err);
    if (rc == 0)
        *(uint64_t *)option_field(row, conf) = n;
    return rc;
}

static int set_enum(const struct option *row, const char *text, void *conf, struct errbuf *err)
{
    struct buf all = BUF_INIT;
    for (const struct option_choice *c = row->choices; c->text != NULL; c++) {
        if (strcmp(c->text, text) == 0) {
            buf_release(&all);
            *(int *)option_field(row, conf) = c->value;
            return 0;
        }
        buf_printf(&all, "%s\"%s\"", c == row->choices ? "" : c[1].text ? ", " : " or ", c->text);
    }
    errbuf_set(err, EINVAL, "\"%.64s\" is not one of %s", text, buf_cstr(&all));
    buf_release(&all);
    return -EINVAL;
}

static int set_string(const struct option *row, const char *text, void *conf, struct arena *a,
                      struct errbuf *err)
{
    const char *copy = arena_strdup(a, slice_str(text));
    if (copy == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    *(const char **)option_field(row, conf) = copy;
    return 0;
}

/* "a, b" of a default: commas part, blanks around are dropped. */
static int set_strings(const struct option *row, const char *text, void *conf, struct arena *a,
                       struct errbuf *err)
{
    size_t n = 0;
    struct slice all = slice_trim(slice_str(text));
    if (all.len > 0)
        n = 1;
    for (size_t i = 0; i < all.len; i++)
        n += all.at[i] == ',';
    struct option_strings list = {arena_calloc(a, n + 1, sizeof(*list.at)), 0};
    if (list.at == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    while (list.n < n) {
        const uint8_t *comma = memchr(all.at, ',', all.len);
        size_t len = comma ? (size_t)(comma - all.at) : all.len;
        list.at[list.n] = arena_strdup(a, slice_trim(slice_of(all.at, len)));
        if (list.at[list.n++] == NULL)
            return errbuf_set(err, ENOMEM, "out of memory");
        if (comma != NULL)
            all = slice_of(comma + 1, all.len - len - 1);
    }
    *(struct option_strings *)option_field(row, conf) = list;
    return 0;
}

int option_set_text(const struct option *row, const char *text, void *conf, struct arena *a,
                    struct errbuf *err)
{
    switch (row->kind) {
    case OPT_BOOL:
        return set_bool(row, text, conf, err);
    case OPT_ENUM:
        return set_enum(row, text, conf, err);
    case OPT_STRING:
        return set_string(row, text, conf, a, err);
    case OPT_STRINGS:
        return set_strings(row, text, conf, a, err);
    default:
        assert(option_is_number(row));
        return set_number(row, text, conf, err);
    }
}

int option_defaults(const struct option_group *group, void *conf, struct arena *a)
{
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        int rc = 0;
        struct errbuf err = ERRBUF_INIT;
        if (row->kind == OPT_GROUP)
            rc = option_defaults(row->group, option_field(row, conf), a);
        else if (row->kind == OPT_MAP)
            *(struct option_map *)option_field(row, conf) = (struct option_map){0};
        else if (row->kind == OPT_LIST)
            *(struct option_list *)option_field(row, conf) = (struct option_list){0};
        else if (row->default_text != NULL)
            rc = option_set_text(row, row->default_text, conf, a, &err);
        if (rc == -ENOMEM)
            return rc;
        assert(rc == 0); /* option_check_table, in the table's test, finds a wrong default */
    }
    return 0;
}

const struct option *option_near(const struct option_group *group, const char *name)
{
    const struct option *nearest = NULL;
    size_t best = near_limit(name);
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        size_t d = near_distance(name, row->name);
        if (d < best) {
            best = d;
            nearest = row;
        }
    }
    return nearest;
}
