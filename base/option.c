#include "base/option.h"

#include "base/file.h"
#include "base/json.h"
#include "base/option_row.h"

#include <errno.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>

#define FILE_CEILING (16 * 1024 * 1024)

/* One reading of one file. `path` is the dotted name of what is being read, for messages and
 * origins; every function that extends it cuts it back. */
struct reader {
    const char *file;
    struct arena *a;
    struct option_origins *where;
    struct errbuf *err;
    struct buf path;
};

static int read_group(struct reader *r, const struct option_group *group, config_setting_t *s,
                      void *conf, bool complete);

/* Puts "file:line: name: " in front of the sentence of `s`'s failure. */
static int fail_at(struct reader *r, config_setting_t *s, int rc)
{
    errbuf_prefix(r->err, "%s:%d: %s", r->file, (int)config_setting_source_line(s),
                  buf_cstr(&r->path));
    return rc;
}

static int fail_type(struct reader *r, config_setting_t *s, const char *wanted)
{
    errbuf_set(r->err, EINVAL, "this is to be %s", wanted);
    return fail_at(r, s, -EINVAL);
}

static int fail_memory(struct reader *r)
{
    return errbuf_set(r->err, ENOMEM, "%s: out of memory", r->file);
}

/* Extends the path by a name (or "[3]"); returns the length to cut it back to. */
static size_t path_push(struct reader *r, const char *name)
{
    size_t before = r->path.len;
    if (before > 0 && name[0] != '[')
        buf_append_byte(&r->path, '.');
    buf_append_str(&r->path, name);
    return before;
}

static int note_origin(struct reader *r, config_setting_t *s)
{
    if (r->where == NULL)
        return 0;
    struct arena *a = r->where->a ? r->where->a : r->a;
    struct option_origin *o = arena_calloc(a, 1, sizeof(*o));
    if (o == NULL)
        return fail_memory(r);
    o->name = arena_strdup(a, buf_slice(&r->path));
    o->file = arena_strdup(a, slice_str(r->file));
    if (o->name == NULL || o->file == NULL)
        return fail_memory(r);
    o->line = (int)config_setting_source_line(s);
    o->next = r->where->head;
    r->where->head = o;
    return 0;
}

/* "${NAME}" becomes the environment's value; other text stays. NULL when NAME is not set. */
static const char *expand(struct reader *r, const char *text)
{
    size_t len = strlen(text);
    if (len < 4 || strncmp(text, "${", 2) != 0 || text[len - 1] != '}')
        return text;
    char name[256];
    snprintf(name, sizeof(name), "%.*s", (int)(len - 3), text + 2);
    const char *value = getenv(name);
    if (value == NULL)
        errbuf_set(r->err, EINVAL, "the environment variable %.200s is not set", name);
    return value;
}

/* A scalar as text, in `scratch` unless it is a string. NULL with a sentence on failure. */
static const char *scalar_text(struct reader *r, config_setting_t *s, struct buf *scratch)
{
    buf_clear(scratch);
    switch (config_setting_type(s)) {
    case CONFIG_TYPE_STRING:
        return expand(r, config_setting_get_string(s));
    case CONFIG_TYPE_BOOL:
        return config_setting_get_bool(s) ? "true" : "false";
    case CONFIG_TYPE_INT:
        buf_printf(scratch, "%d", config_setting_get_int(s));
        break;
    case CONFIG_TYPE_INT64:
        buf_printf(scratch, "%lld", config_setting_get_int64(s));
        break;
    case CONFIG_TYPE_FLOAT:
        json_double(scratch, config_setting_get_float(s));
        break;
    default:
        errbuf_set(r->err, EINVAL, "this is to be one value, not a group or list");
        return NULL;
    }
    return buf_cstr(scratch);
}

static int read_scalar(struct reader *r, const struct option *row, config_setting_t *s, void *conf)
{
    int type = config_setting_type(s);
    if (row->kind == OPT_BOOL && type != CONFIG_TYPE_BOOL && type != CONFIG_TYPE_STRING)
        return fail_type(r, s, "true or false");
    if ((row->kind == OPT_STRING || row->kind == OPT_ENUM) && type != CONFIG_TYPE_STRING)
        return fail_type(r, s, "text in quotes");
    struct buf scratch = BUF_INIT;
    const char *text = scalar_text(r, s, &scratch);
    int rc = text ? option_set_text(row, text, conf, r->a, r->err) : -EINVAL;
    buf_release(&scratch);
    return rc < 0 ? fail_at(r, s, rc) : 0;
}

/* A copy of a string setting in the arena, environment expanded. */
static int read_string(struct reader *r, config_setting_t *s, const char **ret)
{
    if (config_setting_type(s) != CONFIG_TYPE_STRING)
        return fail_type(r, s, "text in quotes");
    const char *text = expand(r, config_setting_get_string(s));
    if (text == NULL)
        return fail_at(r, s, -EINVAL);
    const char *copy = arena_strdup(r->a, slice_str(text));
    if (copy == NULL)
        return fail_memory(r);
    *ret = copy;
    return 0;
}

static bool is_sequence(config_setting_t *s)
{
    return config_setting_is_array(s) || config_setting_is_list(s);
}

static int read_strings(struct reader *r, const struct option *row, config_setting_t *s, void *conf)
{
    bool many = is_sequence(s);
    int n = many ? config_setting_length(s) : 1;
    struct option_strings list = {arena_calloc(r->a, (size_t)n + 1, sizeof(*list.at)), 0};
    if (list.at == NULL)
        return fail_memory(r);
    for (int i = 0; i < n; i++) {
        config_setting_t *e = many ? config_setting_get_elem(s, (unsigned)i) : s;
        int rc = read_string(r, e, &list.at[i]);
        if (rc < 0)
            return rc;
    }
    list.n = (size_t)n;
    *(struct option_strings *)option_field(row, conf) = list;
    return 0;
}

/* One pair of a map: `name = value` of a group, or "name=value" of a list. */
static int read_pair(struct reader *r, config_setting_t *s, bool named, struct option_pair *ret)
{
    struct buf scratch = BUF_INIT;
    const char *text = scalar_text(r, s, &scratch), *equals = NULL;
    int rc = text ? 0 : -EINVAL;
    if (rc == 0 && !named) {
        equals = strchr(text, '=');
        if (equals == NULL || equals == text)
            rc = errbuf_set(r->err, EINVAL, "an element is to be \"name=value\"");
    }
    if (rc < 0) {
        buf_release(&scratch);
        return fail_at(r, s, rc);
    }
    const char *name = named ? config_setting_name(s) : text;
    struct slice name_slice = named ? slice_str(name) : slice_of(name, (size_t)(equals - text));
    ret->name = arena_strdup(r->a, name_slice);
    ret->value = arena_strdup(r->a, slice_str(named ? text : equals + 1));
    buf_release(&scratch);
    return ret->name && ret->value ? 0 : fail_memory(r);
}

static int read_map(struct reader *r, const struct option *row, config_setting_t *s, void *conf)
{
    bool named = config_setting_is_group(s);
    if (!named && !is_sequence(s))
        return fail_type(r, s, "a group { name = value; } or a list [ \"name=value\" ]");
    size_t n = (size_t)config_setting_length(s);
    struct option_map map = {arena_calloc(r->a, n + 1, sizeof(*map.at)), 0};
    if (map.at == NULL)
        return fail_memory(r);
    for (; map.n < n; map.n++) {
        config_setting_t *e = config_setting_get_elem(s, (unsigned)map.n);
        struct option_pair *pair = &map.at[map.n];
        int rc = read_pair(r, e, named, pair);
        if (rc < 0)
            return rc;
        for (size_t i = 0; i < map.n; i++)
            if (strcmp(map.at[i].name, pair->name) == 0) {
                errbuf_set(r->err, EINVAL, "\"%.64s\" stands twice", pair->name);
                return fail_at(r, e, -EINVAL);
            }
    }
    *(struct option_map *)option_field(row, conf) = map;
    return 0;
}

static int read_element(struct reader *r, const struct option *row, config_setting_t *s, int i,
                        void *element)
{
    char index[16];
    snprintf(index, sizeof(index), "[%d]", i);
    size_t before = path_push(r, index);
    int rc;
    if (!config_setting_is_group(s))
        rc = fail_type(r, s, "a group in braces");
    else if (option_defaults(row->group, element, r->a) < 0)
        rc = fail_memory(r);
    else
        rc = read_group(r, row->group, s, element, true);
    r->path.len = before;
    return rc;
}

static int read_list(struct reader *r, const struct option *row, config_setting_t *s, void *conf)
{
    if (!is_sequence(s))
        return fail_type(r, s, "a list of groups, ( { ... }, { ... } )");
    struct option_list list = {NULL, (size_t)config_setting_length(s)};
    list.at = arena_calloc(r->a, list.n + 1, row->size);
    if (list.at == NULL)
        return fail_memory(r);
    for (size_t i = 0; i < list.n; i++) {
        config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
        int rc = read_element(r, row, e, (int)i, (char *)list.at + i * row->size);
        if (rc < 0)
            return rc;
    }
    *(struct option_list *)option_field(row, conf) = list;
    return 0;
}

static int read_row(struct reader *r, const struct option *row, config_setting_t *s, void *conf,
                    bool complete)
{
    switch (row->kind) {
    case OPT_GROUP:
        if (!config_setting_is_group(s))
            return fail_type(r, s, "a group in braces");
        return read_group(r, row->group, s, option_field(row, conf), complete);
    case OPT_LIST:
        return read_list(r, row, s, conf);
    case OPT_MAP:
        return read_map(r, row, s, conf);
    case OPT_STRINGS:
        return read_strings(r, row, s, conf);
    default:
        return read_scalar(r, row, s, conf);
    }
}

static int fail_unknown(struct reader *r, const struct option_group *group, config_setting_t *s)
{
    const char *name = config_setting_name(s);
    const struct option *near = option_near(group, name);
    int rc = errbuf_set(r->err, EINVAL, "unknown option \"%.64s\"%s%s", name,
                        r->path.len ? " in " : "", buf_cstr(&r->path));
    size_t len = strlen(r->err->text);
    if (near != NULL)
        snprintf(r->err->text + len, sizeof(r->err->text) - len, ": did you mean \"%s\"?",
                 near->name);
    errbuf_prefix(r->err, "%s:%d", r->file, (int)config_setting_source_line(s));
    return rc;
}

static int check_unknown(struct reader *r, const struct option_group *group, config_setting_t *s)
{
    for (int i = 0; i < config_setting_length(s); i++) {
        config_setting_t *e = config_setting_get_elem(s, (unsigned)i);
        const struct option *row = group->rows;
        while (row->name != NULL && strcmp(row->name, config_setting_name(e)) != 0)
            row++;
        if (row->name == NULL)
            return fail_unknown(r, group, e);
    }
    return 0;
}

/* An option that the file does not name. */
static int read_missing(struct reader *r, const struct option *row, void *conf)
{
    if (row->kind == OPT_GROUP)
        return read_group(r, row->group, NULL, option_field(row, conf), true);
    if (row->flags & OPT_REQUIRED)
        return errbuf_set(r->err, EINVAL, "%s: option \"%s\" is missing", r->file,
                          buf_cstr(&r->path));
    return 0;
}

/* Sets what `s` names (NULL: nothing) on top of `conf`. `complete`: required options must be there.
 */
static int read_group(struct reader *r, const struct option_group *group, config_setting_t *s,
                      void *conf, bool complete)
{
    int rc = s ? check_unknown(r, group, s) : 0;
    for (const struct option *row = group->rows; rc == 0 && row->name != NULL; row++) {
        config_setting_t *e = s ? config_setting_get_member(s, row->name) : NULL;
        size_t before = path_push(r, row->name);
        if (e != NULL) {
            rc = read_row(r, row, e, conf, complete);
            if (rc == 0 && row->kind != OPT_GROUP)
                rc = note_origin(r, e);
        } else if (complete) {
            rc = read_missing(r, row, conf);
        }
        r->path.len = before;
    }
    return rc;
}

static int read_text(const struct option_group *group, const char *name, struct slice text,
                     void *conf, bool complete, struct arena *a, struct option_origins *where,
                     struct errbuf *err)
{
    struct errbuf unused;
    struct reader r = {name, a, where, err ? err : &unused, BUF_INIT};
    struct buf scanned = BUF_INIT;
    config_t config;
    config_init(&config);
    int rc = option_scan(name, text, &scanned, r.err);
    if (rc < 0)
        goto out;
    if (!config_read_string(&config, buf_cstr(&scanned))) {
        rc = errbuf_set(r.err, EINVAL, "%s:%d: %s", name, config_error_line(&config),
                        config_error_text(&config));
        goto out;
    }
    if (complete && option_defaults(group, conf, a) < 0) {
        rc = fail_memory(&r);
        goto out;
    }
    rc = read_group(&r, group, config_root_setting(&config), conf, complete);
out:
    config_destroy(&config);
    buf_release(&scanned);
    buf_release(&r.path);
    return rc;
}

static int read_file(const struct option_group *group, const char *file, void *conf, bool complete,
                     struct arena *a, struct option_origins *where, struct errbuf *err)
{
    struct buf text = BUF_INIT_CEILING(FILE_CEILING);
    int rc = file_read(file, &text, err);
    if (rc == 0)
        rc = read_text(group, file, buf_slice(&text), conf, complete, a, where, err);
    buf_release(&text);
    return rc;
}

int option_read_file(const struct option_group *group, const char *file, void *conf,
                     struct arena *a, struct option_origins *where, struct errbuf *err)
{
    return read_file(group, file, conf, true, a, where, err);
}

int option_read_text(const struct option_group *group, const char *name, const char *text,
                     void *conf, struct arena *a, struct option_origins *where, struct errbuf *err)
{
    return read_text(group, name, slice_str(text), conf, true, a, where, err);
}

int option_merge_file(const struct option_group *group, const char *file, void *conf,
                      struct arena *a, struct option_origins *where, struct errbuf *err)
{
    return read_file(group, file, conf, false, a, where, err);
}

const struct option_origin *option_origin(const struct option_origins *o, const char *dotted_name)
{
    for (const struct option_origin *at = o->head; at != NULL; at = at->next)
        if (strcmp(at->name, dotted_name) == 0)
            return at;
    return NULL;
}
