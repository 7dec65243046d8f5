#include "tenancy/conf_check.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#define URL_HEAD "postgresql://"
#define DAY_NS   UINT64_C(86400000000000)

static int no_memory(const struct conf_check *c)
{
    return errbuf_set(c->err, ENOMEM, "%s: out of memory", c->file);
}

static const char *format(struct arena *a, const char *text, const char *one, const char *two,
                          const char *three)
{
    int n = snprintf(NULL, 0, text, one, two, three);
    char *out = arena_alloc(a, (size_t)n + 1);
    if (out != NULL)
        snprintf(out, (size_t)n + 1, text, one, two, three);
    return out;
}

/* An option of another kind of database would be read by nobody. */
static int check_kind(const struct conf_check *c, const struct database_conf *d)
{
    static const struct {
        const char *option;
        enum database_kind kind;
        const char *kind_name;
    } rows[] = {
        {"path", DATABASE_SQLITE, "sqlite"},
        {"busy_timeout", DATABASE_SQLITE, "sqlite"},
        {"url", DATABASE_POSTGRES, "postgres"},
        {"name", DATABASE_POSTGRES, "postgres"},
        {"user", DATABASE_POSTGRES, "postgres"},
        {"password_file", DATABASE_POSTGRES, "postgres"},
        {"schema", DATABASE_POSTGRES, "postgres"},
        {"tls", DATABASE_POSTGRES, "postgres"},
        {"ca_file", DATABASE_POSTGRES, "postgres"},
        {"cert_file", DATABASE_POSTGRES, "postgres"},
        {"key_file", DATABASE_POSTGRES, "postgres"},
        {"timeout", DATABASE_POSTGRES, "postgres"},
        {"ttl", DATABASE_POSTGRES, "postgres"},
    };
    for (size_t i = 0; c->where != NULL && i < sizeof(rows) / sizeof(rows[0]); i++) {
        char option[64];
        snprintf(option, sizeof(option), "tenant.database.%s", rows[i].option);
        if ((int)rows[i].kind != d->kind && option_origin(c->where, option) != NULL)
            return conf_fail(c, option, "this is for database.kind = \"%s\"", rows[i].kind_name);
    }
    return 0;
}

static int finish_sqlite(const struct conf_check *c, struct database_conf *d, const char *id,
                         const char *state)
{
    if (d->path[0] == 0)
        d->path = format(c->a, "databases/%s.db", id, "", "");
    if (d->path != NULL)
        d->path = conf_path(state, d->path, c->a);
    d->target = d->path;
    return d->path ? 0 : no_memory(c);
}

/* --- PostgreSQL ---------------------------------------------------------------------------- */

/* Hosts and ports alone: everything else has an option of its own, and a password in a URL would
 * be shown. */
static int check_url(const struct conf_check *c, const struct database_conf *d)
{
    const char *hosts = d->url + strlen(URL_HEAD);
    if (d->url[0] == 0)
        return conf_fail(c, "tenant.database.url",
                         "a PostgreSQL database needs it: \"" URL_HEAD "host:5432\"");
    if (strncmp(d->url, URL_HEAD, strlen(URL_HEAD)) != 0 || hosts[0] == 0)
        return conf_fail(c, "tenant.database.url", "it has to be \"" URL_HEAD "host:port\"");
    if (strpbrk(hosts, "@/?#\" ") != NULL)
        return conf_fail(c, "tenant.database.url",
                         "only hosts and ports stand here; database.name, user and "
                         "password_file are options of their own");
    return 0;
}

/* The schema stands in statements, between quotes. */
static int check_schema(const struct conf_check *c, const char *schema)
{
    bool ok = schema[0] != 0 && strlen(schema) <= 63 && strncmp(schema, "pg_", 3) != 0;
    for (const char *at = schema; *at != 0; at++)
        ok = ok && (isalnum((unsigned char)*at) || *at == '_' || *at == '-');
    return ok ? 0
              : conf_fail(c, "tenant.database.schema",
                          "\"%.100s\" is not 1-63 of a-z, A-Z, 0-9, '_', '-', or begins with pg_",
                          schema);
}

static int resolve(const struct conf_check *c, const char *folder, const char **path)
{
    if (**path == 0)
        return 0;
    *path = conf_path(folder, *path, c->a);
    return *path ? 0 : no_memory(c);
}

static int finish_postgres(const struct conf_check *c, struct database_conf *d, const char *id,
                           const char *state)
{
    int rc = check_url(c, d);
    if (rc == 0)
        rc = check_schema(c, d->schema);
    if (rc == 0 && (d->cert_file[0] == 0) != (d->key_file[0] == 0))
        rc = conf_fail(c, "tenant.database.cert_file",
                       "a client certificate and its key_file are given together");
    if (rc == 0 && d->ttl != 0 && d->ttl < DAY_NS)
        rc = conf_fail(c, "tenant.database.ttl", "rows are dropped by whole days: at least 1d");
    const char **paths[] = {&d->password_file, &d->ca_file, &d->cert_file, &d->key_file};
    for (size_t i = 0; rc == 0 && i < sizeof(paths) / sizeof(paths[0]); i++)
        rc = resolve(c, state, paths[i]);
    if (rc != 0)
        return rc;
    d->name = d->name[0] ? d->name : id;
    d->user = d->user[0] ? d->user : id;
    d->target = format(c->a, "%s/%s, schema %s", d->url, d->name, d->schema);
    return d->target ? 0 : no_memory(c);
}

int database_conf_finish(const struct conf_check *c, struct database_conf *d, const char *id,
                         const char *state)
{
    int rc = check_kind(c, d);
    if (rc != 0)
        return rc;
    return d->kind == DATABASE_SQLITE ? finish_sqlite(c, d, id, state)
                                      : finish_postgres(c, d, id, state);
}
