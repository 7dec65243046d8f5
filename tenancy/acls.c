#include "tenancy/acls.h"

#include "base/json.h"
#include "tenancy/kafka_login.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define TOPIC RD_KAFKA_RESOURCE_TOPIC
#define GROUP RD_KAFKA_RESOURCE_GROUP
#define OP(x) RD_KAFKA_ACL_OPERATION_##x

/* ---- rows ---- */

/* What the supervisor and commands do with our topics and groups. Reading implies that they may be
 * described, altering configs that those may. */
static const struct {
    rd_kafka_ResourceType_t resource;
    rd_kafka_AclOperation_t operation;
} admin_rows[] = {
    {TOPIC, OP(CREATE)},        /* tenants' topics */
    {TOPIC, OP(READ)},          /* lag, ledger, dead letters */
    {TOPIC, OP(ALTER)},         /* more partitions */
    {TOPIC, OP(ALTER_CONFIGS)}, /* retention, sizes; and reading them */
    {TOPIC, OP(DELETE)},        /* of tenants that are removed */
    {GROUP, OP(DESCRIBE)},      /* what is committed */
    {GROUP, OP(DELETE)},        /* of tenants that are removed */
};

struct making {
    struct acls *ret;
    size_t capacity;
    struct arena *a;
    const struct kafka_conf *k;
    const char *role, *principal;
    bool full;
};

static bool same(const struct acl *x, const struct acl *y)
{
    return x->resource == y->resource && x->operation == y->operation &&
           x->prefixed == y->prefixed && strcmp(x->principal, y->principal) == 0 &&
           strcmp(x->name, y->name) == 0;
}

static void add(struct making *m, rd_kafka_ResourceType_t resource, const char *name, bool prefixed,
                rd_kafka_AclOperation_t operation)
{
    struct acl row = {m->role, m->principal, resource, name, prefixed, operation, false};
    for (size_t i = 0; i < m->ret->n; i++)
        if (same(&m->ret->at[i], &row))
            return;
    if (m->ret->n < m->capacity)
        m->ret->at[m->ret->n++] = row;
    else
        m->full = true;
}

/* The user that kafka.client and the like name, where no login is set. */
static const char *user_in(const struct option_map *map)
{
    for (size_t i = 0; i < map->n; i++)
        if (strcmp(map->at[i].name, "sasl.username") == 0 ||
            strcmp(map->at[i].name, "sasl_username") == 0)
            return map->at[i].value;
    return NULL;
}

static const char *text(struct arena *a, const char *first, const char *second, const char *third)
{
    size_t size = strlen(first) + strlen(second) + strlen(third) + 1;
    char *made = arena_alloc(a, size);
    if (made != NULL)
        snprintf(made, size, "%s%s%s", first, second, third);
    return made;
}

static int begin(struct making *m, const char *role, const struct kafka_login *own,
                 const struct option_map *map, struct errbuf *err)
{
    const struct kafka_login *login = kafka_login_of(m->k, own);
    const char *user = map ? user_in(map) : NULL;
    if (role == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    if (user == NULL)
        user = user_in(&m->k->client);
    m->role = role;
    if (login != NULL)
        m->principal = kafka_login_principal(login, m->a, err);
    else if (user != NULL)
        m->principal = text(m->a, "User:", user, "");
    else
        return errbuf_set(err, ENOENT,
                          "nothing says as whom %s logs in to the brokers: set %s.user, or "
                          "kafka.user for all",
                          role, own->option);
    return m->principal ? 0 : -EINVAL;
}

static int add_admin(struct making *m, struct errbuf *err)
{
    bool usual = strcmp(m->k->prefix, "otlp") == 0;
    const char *topics = text(m->a, m->k->prefix, ".", "");
    const char *groups = usual ? "tenantry." : text(m->a, "tenantry.", m->k->prefix, ".");
    int rc = begin(m, "admin", &m->k->admin, NULL, err);
    if (rc < 0)
        return rc;
    if (topics == NULL || groups == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < sizeof(admin_rows) / sizeof(admin_rows[0]); i++)
        add(m, admin_rows[i].resource, admin_rows[i].resource == TOPIC ? topics : groups, true,
            admin_rows[i].operation);
    return 0;
}

static int add_router(struct making *m, const struct tenant *tenants, size_t n, struct errbuf *err)
{
    int rc = begin(m, "router", &m->k->router, &m->k->producer, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        for (int signal = 0; signal < SIGNAL_COUNT; signal++)
            add(m, TOPIC, tenants[i].topic[signal], false, OP(WRITE));
    return rc;
}

static int add_consumer(struct making *m, const struct tenant *t, struct errbuf *err)
{
    int rc = begin(m, text(m->a, "consumer ", t->id, ""), &t->conf->kafka, &m->k->consumer, err);
    if (rc < 0)
        return rc;
    for (int signal = 0; signal < SIGNAL_COUNT; signal++)
        add(m, TOPIC, t->topic[signal], false, OP(READ));
    add(m, TOPIC, t->dlq_topic, false, OP(WRITE));
    add(m, GROUP, t->group, false, OP(READ));
    return 0;
}

int acls_make(const struct kafka_conf *k, const struct tenant *tenants, size_t n, bool admin,
              struct arena *a, struct acls *ret, struct errbuf *err)
{
    struct making m = {.ret = ret, .a = a, .k = k};
    size_t each = 2 * SIGNAL_COUNT + 2; /* rows that a tenant brings */
    m.capacity = sizeof(admin_rows) / sizeof(admin_rows[0]) + n * each;
    *ret = (struct acls){arena_calloc(a, m.capacity, sizeof(struct acl)), 0};
    if (ret->at == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    int rc = admin ? add_admin(&m, err) : 0;
    if (rc == 0)
        rc = add_router(&m, tenants, n, err);
    for (size_t i = 0; rc == 0 && i < n; i++)
        rc = add_consumer(&m, &tenants[i], err);
    assert(!m.full);
    return rc;
}

/* ---- as text ---- */

const char *acl_operation_name(rd_kafka_AclOperation_t operation)
{
    switch (operation) {
    case OP(READ):
        return "Read";
    case OP(WRITE):
        return "Write";
    case OP(CREATE):
        return "Create";
    case OP(DELETE):
        return "Delete";
    case OP(ALTER):
        return "Alter";
    case OP(DESCRIBE):
        return "Describe";
    case OP(ALTER_CONFIGS):
        return "AlterConfigs";
    default:
        return rd_kafka_AclOperation_name(operation);
    }
}

const char *acl_resource_name(rd_kafka_ResourceType_t resource)
{
    return resource == GROUP ? "group" : "topic";
}

/* For a shell. */
static void quoted(struct buf *out, const char *value)
{
    buf_append_byte(out, '\'');
    for (; *value != 0; value++) {
        if (*value == '\'')
            buf_append_str(out, "'\\'");
        buf_append_byte(out, (uint8_t)*value);
    }
    buf_append_byte(out, '\'');
}

static bool same_resource(const struct acl *x, const struct acl *y)
{
    struct acl other = *y;
    other.operation = x->operation;
    return same(x, &other);
}

void acls_print(const struct acls *acls, const char *brokers, struct buf *out)
{
    for (size_t i = 0; i < acls->n;) {
        const struct acl *first = &acls->at[i];
        if (i == 0 || strcmp(first->role, acls->at[i - 1].role) != 0)
            buf_printf(out, "%s# %s\n", i ? "\n" : "", first->role);
        buf_append_str(out, "kafka-acls.sh --bootstrap-server ");
        quoted(out, brokers[0] ? brokers : "BROKERS");
        buf_append_str(out, " --command-config admin.properties --add --allow-principal ");
        quoted(out, first->principal);
        for (; i < acls->n && same_resource(first, &acls->at[i]); i++)
            buf_printf(out, " --operation %s", acl_operation_name(acls->at[i].operation));
        buf_printf(out, " --%s ", acl_resource_name(first->resource));
        quoted(out, first->name);
        buf_printf(out, "%s\n", first->prefixed ? " --resource-pattern-type prefixed" : "");
    }
}

static void json_text(struct buf *out, const char *name, const char *value)
{
    buf_printf(out, "\"%s\":", name);
    json_string(out, slice_str(value));
    buf_append_byte(out, ',');
}

void acls_print_json(const struct acls *acls, struct buf *out)
{
    buf_append_byte(out, '[');
    for (size_t i = 0; i < acls->n; i++) {
        const struct acl *r = &acls->at[i];
        buf_append_str(out, i ? ",\n{" : "{");
        json_text(out, "role", r->role);
        json_text(out, "principal", r->principal);
        json_text(out, "resource", acl_resource_name(r->resource));
        json_text(out, "name", r->name);
        json_text(out, "pattern", r->prefixed ? "prefixed" : "literal");
        buf_printf(out, "\"operation\":\"%s\"}", acl_operation_name(r->operation));
    }
    buf_append_str(out, "]\n");
}
