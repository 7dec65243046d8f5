#include "cli/commands.h"
#include "cli/common.h"

#include "base/file.h"
#include "base/json.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

/* Which option of the file each argument is: one row each, in the file's order. */
#define FILE_ARGS(ROW)                                                                             \
    ROW("--label", ARG_TEXT, "TEXT", "a name for people", "", "label")                             \
    ROW("--rate", ARG_RATE, "20MB/s", "bytes per second", "limits", "rate")                        \
    ROW("--burst", ARG_SIZE, "40MB", "bytes that may come at once", "limits", "burst")             \
    ROW("--items", ARG_RATE, "200k/s", "spans, data points and log records per second", "limits",  \
        "items")                                                                                   \
    ROW("--requests", ARG_RATE, "500/s", "requests per second", "limits", "requests")              \
    ROW("--in-flight", ARG_SIZE, "64MB", "bytes on their way to Kafka at once", "limits",          \
        "in_flight")                                                                               \
    ROW("--partitions", ARG_UINT, "2", "partitions of each topic", "topics", "partitions")         \
    ROW("--retention", ARG_DURATION, "6h", "how long Kafka keeps records", "topics", "retention")  \
    ROW("--dlq-retention", ARG_DURATION, "7d", "how long Kafka keeps dead letters", "topics",      \
        "dlq_retention")                                                                           \
    ROW("--database-kind", ARG_TEXT, "postgres", "where its rows go; else sqlite", "database",     \
        "kind")                                                                                    \
    ROW("--database-path", ARG_TEXT, "FILE",                                                       \
        "the SQLite file; else databases/<id>.db in the state folder", "database", "path")         \
    ROW("--database-url", ARG_TEXT, "URL", "postgresql://host:port", "database", "url")            \
    ROW("--database-name", ARG_TEXT, "NAME", "the database; else the tenant's id", "database",     \
        "name")                                                                                    \
    ROW("--database-schema", ARG_TEXT, "NAME", "the schema; else public", "database", "schema")    \
    ROW("--database-user", ARG_TEXT, "NAME", "the user; else the tenant's id", "database", "user") \
    ROW("--database-password-file", ARG_TEXT, "FILE", "holds the user's password", "database",     \
        "password_file")                                                                           \
    ROW("--database-tls", ARG_TEXT, "verify", "verify, require or disable", "database", "tls")     \
    ROW("--database-ttl", ARG_DURATION, "30d", "how long rows stay; else for ever", "database",    \
        "ttl")

static const struct arg_row rows[] = {
    ARG_ROW_CONFIG,
    ARG_ROW_JSON,
#define ROW(arg, kind, value, help, group, option) {arg, kind, value, NULL, help},
    FILE_ARGS(ROW)
#undef ROW
        {0},
};

static const struct file_arg {
    const char *arg, *group, *option; /* group "" = directly in `tenant` */
    bool quoted;                      /* text; plain numbers stand without quotes */
} file_args[] = {
#define ROW(arg, kind, value, help, group, option) {arg, group, option, (kind) != ARG_UINT},
    FILE_ARGS(ROW)
#undef ROW
};
#define FILE_ARG_COUNT (sizeof(file_args) / sizeof(file_args[0]))

/* As libconfig reads it. */
static void print_quoted(struct buf *out, const char *text)
{
    buf_append_byte(out, '"');
    for (; *text != 0; text++) {
        if (*text == '"' || *text == '\\')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
    buf_append_byte(out, '"');
}

static void print_option(struct buf *out, const char *indent, const char *name, const char *value,
                         bool quoted)
{
    buf_printf(out, "%s%s = ", indent, name);
    if (quoted)
        print_quoted(out, value);
    else
        buf_append_str(out, value);
    buf_append_str(out, ";\n");
}

/* The file: what was given, by groups; rows of one group stand together. */
static void print_file(const struct args *a, const char *id, struct buf *out)
{
    const char *open = "";
    buf_printf(
        out,
        "# Tenant %s. Options that are not here have their defaults; all of them:\n"
        "# `tenantry config --tenant-sample`. A running router and supervisor follow changes\n"
        "# of this file; `tenantry tenant check` tells what is wrong with it.\n"
        "tenant: {\n  id = \"%s\";\n",
        id, id);
    for (const struct file_arg *f = file_args; f < file_args + FILE_ARG_COUNT; f++) {
        if (!args_given(a, f->arg))
            continue;
        if (strcmp(open, f->group) != 0) {
            buf_append_str(out, open[0] ? "  };\n" : "");
            buf_printf(out, "  %s: {\n", f->group);
            open = f->group;
        }
        print_option(out, open[0] ? "    " : "  ", f->option, args_text(a, f->arg), f->quoted);
    }
    buf_append_str(out, open[0] ? "  };\n};\n" : "};\n");
}

static int check_new(const struct snapshot *s, const char *id, const char *path, struct errbuf *err)
{
    int rc = tenant_id_check(slice_str(id), err);
    if (rc == 0 && (snapshot_tenant(s, slice_str(id)) != NULL || access(path, F_OK) == 0))
        rc = errbuf_set(err, EEXIST, "tenant \"%s\" is there already: %s", id, path);
    return rc;
}

/* Reads the text as the file will be read, before anyone else can see it. */
static int check_text(const char *text, const char *id, const struct conf *conf, struct errbuf *err)
{
    struct arena arena = ARENA_INIT;
    struct tenant_file file = {0};
    int rc = option_read_text(&tenant_options, "the new file", text, &file, &arena, NULL, err);
    if (rc == 0)
        rc = tenant_conf_finish(&file.tenant, "the new file", id, conf->state, NULL, &arena, err);
    if (rc == 0)
        rc = tenant_conf_fits(&file.tenant, conf, "the new file", NULL, err);
    arena_release(&arena);
    return rc;
}

/* What was told of this file: valid until the next reload. */
static const char *refusal_of(const struct tenancy *t, const char *path)
{
    size_t n;
    const struct tenancy_notice *notices = tenancy_notices(t, &n);
    for (size_t i = 0; i < n; i++)
        if (notices[i].refused && strncmp(notices[i].text, path, strlen(path)) == 0)
            return notices[i].text;
    return "the new file was refused";
}

/* Puts the file in place and reads everything again: what clashes with another tenant shows then,
 * and the file goes. */
static int put_file(struct cli_tenancy *c, const char *id, const char *path, struct buf *text,
                    struct errbuf *err)
{
    int rc = file_make_folder(c->s->conf->tenants, 0755, err);
    if (rc == 0)
        rc = file_replace(path, buf_slice(text), 0644, err);
    if (rc < 0)
        return rc;
    rc = tenancy_reload(c->t, err);
    struct snapshot *now = tenancy_acquire(c->t);
    bool there = snapshot_tenant(now, slice_str(id)) != NULL;
    snapshot_release(now);
    if (there)
        return 0;
    unlink(path);
    return rc < 0 ? rc : errbuf_set(err, EINVAL, "%s", refusal_of(c->t, path));
}

static void print_added(const char *id, const char *path, bool json)
{
    struct buf out = BUF_INIT;
    if (json) {
        buf_printf(&out, "{\"id\": \"%s\", \"file\": ", id);
        json_string(&out, slice_str(path));
        buf_append_str(&out, "}\n");
    } else {
        buf_printf(&out, "Tenant %s is in %s.\nNext: tenantry key issue %s\n", id, path, id);
    }
    cli_print(&out);
}

static int add(const struct args *a)
{
    const char *id = a->operands[0];
    struct errbuf err = ERRBUF_INIT;
    struct buf text = BUF_INIT;
    struct cli_tenancy c;
    char path[4096];
    if (!cli_open_snapshot(a, &c))
        return EXIT_FAILED;
    snprintf(path, sizeof(path), "%s/%s.conf", c.s->conf->tenants, id);
    print_file(a, id, &text);
    int rc = check_new(c.s, id, path, &err);
    if (rc == 0)
        rc = check_text(buf_cstr(&text), id, c.s->conf, &err);
    if (rc == 0)
        rc = put_file(&c, id, path, &text, &err);
    if (rc == 0)
        print_added(id, path, args_flag(a, "--json"));
    else
        cli_fail(a, "%s", err.text);
    buf_release(&text);
    cli_close(&c);
    return rc == 0 ? EXIT_DONE : EXIT_FAILED;
}

int cmd_tenant_add(struct args *a)
{
    static const struct args_spec spec = {
        "ID", 1, 1,
        "Writes the file of a new tenant to the folder of tenants. A running `tenantry up` makes\n"
        "its topics and starts its worker within seconds.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? add(a) : code;
}
