/* What our own tables of options have to keep to: for their tests. Sentences of the checks of a row
 * do not name it. */
#include "base/option_row.h"

#include <ctype.h>
#include <errno.h>

static bool is_sentence(const char *doc)
{
    return doc != NULL && doc[0] != 0 && doc[strlen(doc) - 1] == '.';
}

static bool is_libconfig_name(const char *name)
{
    if (!isalpha((unsigned char)name[0]))
        return false;
    for (; *name != 0; name++)
        if (!isalnum((unsigned char)*name) && *name != '_' && *name != '-')
            return false;
    return true;
}

static int check_bounds_text(const struct option *row, struct errbuf *err)
{
    uint64_t min = 0, max = UINT64_MAX;
    int rc = 0;
    if (row->min != NULL)
        rc = option_parse_number(row->kind, row->min, &min, err);
    if (rc == 0 && row->max != NULL)
        rc = option_parse_number(row->kind, row->max, &max, err);
    if (rc == 0 && min > max)
        rc = errbuf_set(err, EINVAL, "the bounds are the wrong way round");
    return rc;
}

/* Sets the default in a scratch field, as reading would. */
static int check_default(const struct option *row, struct errbuf *err)
{
    if (row->flags & OPT_REQUIRED)
        return row->default_text ? errbuf_set(err, EINVAL, "a required option has a default") : 0;
    if (row->default_text == NULL)
        return errbuf_set(err, EINVAL, "the default is missing");
    if (row->kind == OPT_MAP)
        return 0;
    union {
        bool b;
        uint64_t n;
        int e;
        const char *s;
        struct option_strings list;
    } scratch;
    struct option at_zero = *row;
    struct arena a = ARENA_INIT;
    at_zero.offset = 0;
    int rc = option_set_text(&at_zero, row->default_text, &scratch, &a, err);
    arena_release(&a);
    return rc;
}

static int check_row(const struct option_group *group, const struct option *row, struct errbuf *err)
{
    if (!is_libconfig_name(row->name))
        return errbuf_set(err, EINVAL, "the name is not one that a file can hold");
    for (const struct option *other = group->rows; other != row; other++)
        if (strcmp(other->name, row->name) == 0)
            return errbuf_set(err, EINVAL, "the name stands twice");
    if (row->kind == OPT_GROUP)
        return option_check_table(row->group, err);
    if (!is_sentence(row->doc))
        return errbuf_set(err, EINVAL, "the doc does not end with a period");
    if (row->kind == OPT_LIST)
        return row->size == 0 ? errbuf_set(err, EINVAL, "the element size is missing")
                              : option_check_table(row->group, err);
    if (row->kind == OPT_ENUM && row->choices == NULL)
        return errbuf_set(err, EINVAL, "the choices are missing");
    int rc = option_is_number(row) ? check_bounds_text(row, err) : 0;
    return rc == 0 ? check_default(row, err) : rc;
}

int option_check_table(const struct option_group *group, struct errbuf *err)
{
    if (!is_sentence(group->doc))
        return errbuf_set(err, EINVAL, "%s: the doc does not end with a period", group->name);
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        int rc = check_row(group, row, err);
        if (rc < 0) {
            errbuf_prefix(err, "%s", row->name);
            return rc;
        }
    }
    return 0;
}
