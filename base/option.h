/* Options as tables over libconfig: one row per option; parsing, bounds, defaults, docs, the
 * sample file and "unknown option, did you mean" come from the rows.
 *
 *     static const struct option limits_rows[] = {
 *         OPTION_RATE(struct limits_conf, bytes, "rate", "0", 0, OPT_MAX, OPT_RELOAD,
 *                     "Bytes per second a tenant may send. 0 = unlimited."),
 *         OPTION_END,
 *     };
 *     const struct option_group limits_options = {"limits", "What a tenant may send.",
 *                                                   limits_rows};
 *
 * A group nests inside another by OPTION_GROUP(struct, field, &group); a list of groups by
 * OPTION_LIST(...). Values are written as people write them: sizes "10MB", "64KiB" (KB, MB, GB, TB
 * are powers of 1000, KiB... of 1024), rates "20MB/s", "200k/s", times "500ms", "30s", "5m", "6h",
 * "7d". Plain integers are accepted for each but times, which need their unit. A value that is
 * "${NAME}" as a whole comes from the environment. Thread: any; nothing global. */
#ifndef BASE_OPTION_H
#define BASE_OPTION_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/errbuf.h"

#include <stddef.h>

enum option_kind {
    OPT_BOOL,     /* bool */
    OPT_UINT,     /* uint64_t */
    OPT_SIZE,     /* uint64_t, bytes */
    OPT_RATE,     /* uint64_t, units per second */
    OPT_DURATION, /* uint64_t, nanoseconds; bounds and default in text units */
    OPT_STRING,   /* const char *, in the arena; "" when the default is "" */
    OPT_ENUM,     /* int; `choices` */
    OPT_STRINGS,  /* struct option_strings: a string, or an array or list of them */
    OPT_MAP,      /* struct option_map: a group of free names with scalar values, or, for names with
                     dots, a list of "name=value" */
    OPT_GROUP,    /* a nested struct, by `group` */
    OPT_LIST,     /* struct option_list: a list of groups, by `group` and `size` */
};

#define OPT_MAX NULL /* as a row's bound: none */

enum option_flags {
    OPT_RELOAD = 1,   /* takes effect on reload; the others need a restart (reload says so) */
    OPT_REQUIRED = 2, /* no default */
    OPT_SECRET = 4,   /* never printed */
    OPT_BYTES = 8,    /* a rate of bytes: printed as "20MB/s", where others are "200k/s" */
};

struct option_strings {
    const char **at;
    size_t n;
};
struct option_pair {
    const char *name, *value; /* scalar as text */
};
struct option_map {
    struct option_pair *at;
    size_t n;
};
struct option_list {
    void *at; /* n structs of row->size bytes each */
    size_t n;
};
struct option_choice {
    const char *text; /* NULL ends the list */
    int value;
};
struct option_group;

struct option {
    const char *name; /* NULL ends a table */
    enum option_kind kind;
    size_t offset;            /* of the field in the struct */
    const char *default_text; /* as a person would write it; NULL with OPT_REQUIRED */
    const char *min, *max;    /* bounds as text, NULL = none */
    unsigned flags;
    const char *doc;
    const struct option_choice *choices;
    const struct option_group *group;
    size_t size; /* of one element of an OPT_LIST */
};

struct option_group {
    const char *name;
    const char *doc;
    const struct option *rows;
};

/* FIELD also checks at compile time that the field has the row's type. */
#define OPTION_FIELD(type, s, f) (offsetof(s, f) + 0 * sizeof(&((s *)0)->f == (type *)0))
/* clang-format off */
#define OPTION_BOOL(s, f, name, def, flags, doc) \
    {name, OPT_BOOL, OPTION_FIELD(bool, s, f), def, 0, 0, flags, doc, 0, 0, 0}
#define OPTION_UINT(s, f, name, def, min, max, flags, doc) \
    {name, OPT_UINT, OPTION_FIELD(uint64_t, s, f), def, min, max, flags, doc, 0, 0, 0}
#define OPTION_SIZE(s, f, name, def, min, max, flags, doc) \
    {name, OPT_SIZE, OPTION_FIELD(uint64_t, s, f), def, min, max, flags, doc, 0, 0, 0}
#define OPTION_RATE(s, f, name, def, min, max, flags, doc) \
    {name, OPT_RATE, OPTION_FIELD(uint64_t, s, f), def, min, max, flags, doc, 0, 0, 0}
#define OPTION_DURATION(s, f, name, def, min, max, flags, doc) \
    {name, OPT_DURATION, OPTION_FIELD(uint64_t, s, f), def, min, max, flags, doc, 0, 0, 0}
#define OPTION_STRING(s, f, name, def, flags, doc) \
    {name, OPT_STRING, OPTION_FIELD(const char *, s, f), def, 0, 0, flags, doc, 0, 0, 0}
#define OPTION_ENUM(s, f, name, def, choices, flags, doc) \
    {name, OPT_ENUM, OPTION_FIELD(int, s, f), def, 0, 0, flags, doc, choices, 0, 0}
#define OPTION_STRINGS(s, f, name, def, flags, doc) \
    {name, OPT_STRINGS, OPTION_FIELD(struct option_strings, s, f), def, 0, 0, flags, doc, 0, 0, 0}
#define OPTION_MAP(s, f, name, flags, doc) \
    {name, OPT_MAP, OPTION_FIELD(struct option_map, s, f), "", 0, 0, flags, doc, 0, 0, 0}
/* The option has the field's name. */
#define OPTION_GROUP(s, f, grp, flags) \
    {#f, OPT_GROUP, offsetof(s, f), 0, 0, 0, flags, 0, 0, grp, 0}
#define OPTION_LIST(s, f, name, element, grp, flags, doc) \
    {name, OPT_LIST, OPTION_FIELD(struct option_list, s, f), 0, 0, 0, flags, doc, 0, grp, sizeof(element)}
#define OPTION_END {0}
/* clang-format on */

/* Reads `file` by `group` into `conf` (zeroed by the caller; strings and lists go to `a`). Every
 * field is filled, from the file or from its default. `where` (may be NULL) collects, per dotted
 * option name, whether it came from the file: for `tenant show`. Errors name file:line, the
 * option, what was found, what is allowed, and a near name for an unknown option. Returns 0 or
 * -EINVAL / -ENOENT / -EACCES. */
struct option_origins;
int option_read_file(const struct option_group *group, const char *file, void *conf,
                     struct arena *a, struct option_origins *where, struct errbuf *err);
/* The same from text; `name` stands for the file in messages. */
int option_read_text(const struct option_group *group, const char *name, const char *text,
                     void *conf, struct arena *a, struct option_origins *where, struct errbuf *err);
/* Fills all defaults; required options stay 0/NULL. 0 or -ENOMEM. */
int option_defaults(const struct option_group *group, void *conf, struct arena *a);
/* For merging: sets only those options that the file names, on top of what `conf` holds. A list or
 * map is replaced as a whole. That required options are there is the caller's to check. */
int option_merge_file(const struct option_group *group, const char *file, void *conf,
                      struct arena *a, struct option_origins *where, struct errbuf *err);

struct option_origin {
    const char *name; /* "limits.rate" */
    const char *file; /* where it was set */
    int line;
    struct option_origin *next;
};
struct option_origins {
    struct arena *a;
    struct option_origin *head;
};
const struct option_origin *option_origin(const struct option_origins *o, const char *dotted_name);

/* One value as a person would write it ("20MB/s"); secrets as "(secret)", and so the values of a
 * map whose names speak of a password, secret or token. */
void option_print_value(const struct option *row, const void *conf, struct buf *out);
/* All options with values and origin, one a line:
 * `limits.rate = 20MB/s   (tenants.d/acme.conf:4)`. */
void option_print(const struct option_group *group, const void *conf,
                  const struct option_origins *where, struct buf *out);
/* A commented sample file: "# text" explains, "#name = value;" is an option at its default, so that
 * it reads as all defaults but for required options. The Markdown reference: one table per group.
 */
void option_print_sample(const struct option_group *group, struct buf *out);
void option_print_markdown(const struct option_group *group, struct buf *out);

/* Text to number by kind (OPT_UINT, OPT_SIZE, OPT_RATE, OPT_DURATION); -EINVAL with a sentence. */
int option_parse_number(enum option_kind kind, const char *text, uint64_t *ret, struct errbuf *err);
/* Number to the shortest exact text of its kind. */
void option_format_number(enum option_kind kind, uint64_t n, char *out, size_t size);

/* For tests of tables: every row of the group and of those below has a unique name, a doc that ends
 * with a period, and a default that parses and lies within bounds. -EINVAL names the row. */
int option_check_table(const struct option_group *group, struct errbuf *err);

#endif
