/* As whom clients log in, and what brokers must allow them: logins from files, ACL rows. */
#include "tenancy/kafka_login.h"

#include "temp_folder.h"
#include "tenancy/acls.h"
#include "tenancy/topics.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/stat.h>

#include <cmocka.h>

struct home {
    struct temp_folder f;
    char conf[512];
};

static int home_open(void **state)
{
    struct home *h = calloc(1, sizeof(*h));
    char path[512];
    h->f = temp_folder_make();
    mkdir(temp_path(&h->f, "tenants.d", path), 0700);
    mkdir(temp_path(&h->f, "secrets", path), 0700);
    temp_path(&h->f, "tenantry.conf", h->conf);
    temp_write(&h->f, "secrets/router", "router-secret\n");
    temp_write(&h->f, "secrets/admin", "admin-secret");
    temp_write(&h->f, "secrets/acme", "acme-secret\r\n");
    temp_write(&h->f, "secrets/empty", "\n");
    *state = h;
    return 0;
}

static int home_close(void **state)
{
    struct home *h = *state;
    temp_folder_remove(&h->f);
    free(h);
    return 0;
}

static struct tenancy *open_with(struct home *h, const char *kafka, const char *tenant,
                                 struct errbuf *err)
{
    char text[2048];
    snprintf(text, sizeof(text), "kafka: { %s };\n", kafka);
    temp_write(&h->f, "tenantry.conf", text);
    snprintf(text, sizeof(text), "tenant: { id = \"acme\"; kafka: { %s }; };\n", tenant);
    temp_write(&h->f, "tenants.d/acme.conf", text);
    return tenancy_open(h->conf, NULL, err);
}

static const char *setting(const rd_kafka_conf_t *c, const char *name)
{
    static char value[512];
    size_t size = sizeof(value);
    if (rd_kafka_conf_get(c, name, value, &size) != RD_KAFKA_CONF_OK)
        return "";
    return value;
}

#define ROUTER "router: { user = \"rita\"; password_file = \"secrets/router\"; };"
#define ADMIN  "admin: { user = \"ada\"; password_file = \"secrets/admin\"; };"
#define ACME   "user = \"acme-user\"; password_file = \"../secrets/acme\";"
#define COMMON "user = \"common\"; password_file = \"secrets/admin\";"

static void test_each_role_has_its_login(void **state)
{
    static const struct {
        int line;
        const char *kafka, *tenant;
        enum kafka_role role;
        bool of_tenant;
        const char *user, *password;
    } rows[] = {
        {__LINE__, ROUTER ADMIN, ACME, KAFKA_PRODUCER, false, "rita", "router-secret"},
        {__LINE__, ROUTER ADMIN, ACME, KAFKA_ADMIN, false, "ada", "admin-secret"},
        {__LINE__, ROUTER ADMIN, ACME, KAFKA_READER, false, "ada", "admin-secret"},
        {__LINE__, ROUTER ADMIN, ACME, KAFKA_CONSUMER, true, "acme-user", "acme-secret"},
        {__LINE__, ROUTER ADMIN, ACME, KAFKA_PRODUCER, true, "acme-user", "acme-secret"},
        {__LINE__, COMMON ROUTER, "", KAFKA_CONSUMER, true, "common", "admin-secret"},
        {__LINE__, COMMON ROUTER, "", KAFKA_ADMIN, false, "common", "admin-secret"},
        {__LINE__, COMMON ROUTER, "", KAFKA_PRODUCER, false, "rita", "router-secret"},
        {__LINE__, "", "", KAFKA_PRODUCER, false, "", ""},
        {__LINE__, "client: { sasl_username = \"map\"; };", "", KAFKA_ADMIN, false, "map", ""},
        {__LINE__, ADMIN "client: { sasl_username = \"map\"; };", "", KAFKA_ADMIN, false, "ada",
         "admin-secret"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        struct tenancy *t = open_with(*state, rows[i].kafka, rows[i].tenant, &err);
        if (t == NULL)
            fail_msg("row at line %d: %s", rows[i].line, err.text);
        struct snapshot *s = tenancy_acquire(t);
        const struct kafka_conf *k = &s->conf->kafka;
        rd_kafka_conf_t *c = rows[i].of_tenant
                                 ? kafka_client_conf_as(k, "b:1", rows[i].role,
                                                        &s->tenants[0].conf->kafka, "t", &err)
                                 : kafka_client_conf(k, "b:1", rows[i].role, "t", &err);
        if (c == NULL || strcmp(setting(c, "sasl.username"), rows[i].user) != 0 ||
            strcmp(setting(c, "sasl.password"), rows[i].password) != 0)
            fail_msg("row at line %d: \"%s\" %s", rows[i].line,
                     c ? setting(c, "sasl.username") : "", err.text);
        rd_kafka_conf_destroy(c);
        snapshot_release(s);
        tenancy_close(t);
    }
}

/* Without the secret in the sentence. */
static void test_what_is_wrong_is_told(void **state)
{
    static const struct {
        int line;
        const char *kafka, *tenant, *sentence;
    } rows[] = {
        {__LINE__, "user = \"u\";", "", "kafka.user: it needs kafka.password_file beside it"},
        {__LINE__, "router: { password_file = \"x\"; };", "",
         "kafka.router.password_file: it needs kafka.router.user beside it"},
        {__LINE__, "admin: { certificate = \"x\"; };", "",
         "kafka.admin.certificate: it needs kafka.admin.private_key beside it"},
        {__LINE__, "admin: { key_password_file = \"x\"; };", "",
         "it needs kafka.admin.private_key beside it"},
        {__LINE__, "", "private_key = \"x\";",
         "tenant.kafka.private_key: it needs tenant.kafka.certificate beside it"},
        {__LINE__, "", "user = \"u\"; password_file = \"none\";", "tenant.kafka.password_file: "},
        {__LINE__, "", "user = \"u\"; password_file = \"../secrets/empty\";",
         "secrets/empty holds no password"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        struct tenancy *t = open_with(*state, rows[i].kafka, rows[i].tenant, &err);
        struct snapshot *s = t ? tenancy_acquire(t) : NULL;
        const char *told = err.text;
        size_t n = 0;
        if (s != NULL && s->n_tenants == 1)
            assert_null(kafka_client_conf_as(&s->conf->kafka, "b:1", KAFKA_CONSUMER,
                                             &s->tenants[0].conf->kafka, "t", &err));
        else if (s != NULL)
            told = tenancy_notices(t, &n)[0].text;
        if (strstr(told, rows[i].sentence) == NULL)
            fail_msg("row at line %d: \"%s\"", rows[i].line, told);
        snapshot_release(s);
        tenancy_close(t);
    }
}

static void test_principals(void **state)
{
    struct home *h = *state;
    char command[2048], path[512];
    snprintf(command, sizeof(command),
             "cd %s/secrets && openssl req -x509 -nodes -days 2 -subj '/O=Example, Inc/CN=acme' "
             "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -keyout k.pem -out c.pem 2>openssl.log",
             h->f.path);
    assert_int_equal(system(command), 0);
    struct kafka_login rows[] = {
        {"acme", "f", "", "", "", "", "k"},
        {"acme", "f", temp_path(&h->f, "secrets/c.pem", path), "x", "", "", "k"},
        {"", "", path, "x", "", "", "k"},
        {"", "", path, "x", "", "User:mapped", "k"},
        {"", "", "/none", "x", "", "", "kafka.router"},
    };
    static const char *const expected[] = {"User:acme", "User:acme",
                                           "User:CN=acme,O=Example\\, Inc", "User:mapped", NULL};
    struct arena a = {0};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        const char *p = kafka_login_principal(&rows[i], &a, &err);
        if (expected[i] == NULL) {
            assert_null(p);
            assert_non_null(strstr(err.text, "kafka.router.certificate: /none"));
        } else {
            assert_string_equal(p, expected[i]);
        }
    }
    arena_release(&a);
}

static bool has(const struct acls *acls, const char *role, const char *principal,
                const char *resource, const char *name, bool prefixed, const char *operation)
{
    for (size_t i = 0; i < acls->n; i++) {
        const struct acl *r = &acls->at[i];
        if (strcmp(r->role, role) == 0 && strcmp(r->principal, principal) == 0 &&
            strcmp(acl_resource_name(r->resource), resource) == 0 && strcmp(r->name, name) == 0 &&
            r->prefixed == prefixed && strcmp(acl_operation_name(r->operation), operation) == 0)
            return true;
    }
    return false;
}

static void test_acls_are_what_each_role_needs(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct tenancy *t = open_with(*state, ROUTER ADMIN, ACME, &err);
    struct snapshot *s = tenancy_acquire(t);
    struct arena a = {0};
    struct acls acls;
    assert_int_equal(acls_make(&s->conf->kafka, s->tenants, s->n_tenants, true, &a, &acls, &err),
                     0);
    static const char *const signals[] = {"otlp.acme.traces", "otlp.acme.metrics",
                                          "otlp.acme.logs"};
    static const char *const topic_rights[] = {"Create", "Read", "Alter", "AlterConfigs", "Delete"};
    for (size_t i = 0; i < 3; i++) {
        assert_true(has(&acls, "router", "User:rita", "topic", signals[i], false, "Write"));
        assert_true(
            has(&acls, "consumer acme", "User:acme-user", "topic", signals[i], false, "Read"));
    }
    assert_true(
        has(&acls, "consumer acme", "User:acme-user", "topic", "otlp.acme.dlq", false, "Write"));
    assert_true(
        has(&acls, "consumer acme", "User:acme-user", "group", "tenantry.acme", false, "Read"));
    for (size_t i = 0; i < 5; i++)
        assert_true(has(&acls, "admin", "User:ada", "topic", "otlp.", true, topic_rights[i]));
    assert_true(has(&acls, "admin", "User:ada", "group", "tenantry.", true, "Describe"));
    assert_true(has(&acls, "admin", "User:ada", "group", "tenantry.", true, "Delete"));
    assert_int_equal(acls.n, 3 + 5 + 7); /* and nothing else */
    assert_int_equal(acls_make(&s->conf->kafka, s->tenants, 1, false, &a, &acls, &err), 0);
    assert_int_equal(acls.n, 3 + 5);

    struct buf out = BUF_INIT;
    acls_print(&acls, "b:1", &out);
    assert_non_null(strstr(buf_cstr(&out),
                           "# consumer acme\nkafka-acls.sh --bootstrap-server 'b:1' "
                           "--command-config admin.properties --add --allow-principal "
                           "'User:acme-user' --operation Read --topic 'otlp.acme.traces'\n"));
    buf_clear(&out);
    acls_print_json(&acls, &out);
    assert_non_null(strstr(
        buf_cstr(&out), "{\"role\":\"consumer acme\",\"principal\":\"User:acme-user\",\"resource\":"
                        "\"group\",\"name\":\"tenantry.acme\",\"pattern\":\"literal\","
                        "\"operation\":\"Read\"}]"));
    buf_release(&out);
    arena_release(&a);
    snapshot_release(s);
    tenancy_close(t);
}

/* One login for all: each row once. Without any: told which option is missing. */
static void test_acls_of_one_login_and_of_none(void **state)
{
    struct errbuf err = ERRBUF_INIT;
    struct tenancy *t = open_with(*state, "prefix = \"tele\";" COMMON, "", &err);
    struct snapshot *s = tenancy_acquire(t);
    struct arena a = {0};
    struct acls acls;
    assert_int_equal(acls_make(&s->conf->kafka, s->tenants, s->n_tenants, true, &a, &acls, &err),
                     0);
    assert_true(has(&acls, "admin", "User:common", "group", "tenantry.tele.", true, "Delete"));
    assert_true(has(&acls, "admin", "User:common", "topic", "tele.", true, "Create"));
    assert_int_equal(acls.n, 3 + 5 + 7); /* nothing occurs twice */
    snapshot_release(s);
    tenancy_close(t);
    t = open_with(*state, ADMIN ROUTER, "", &err);
    s = tenancy_acquire(t);
    assert_int_equal(acls_make(&s->conf->kafka, s->tenants, s->n_tenants, true, &a, &acls, &err),
                     -ENOENT);
    assert_non_null(
        strstr(err.text, "consumer acme logs in to the brokers: set tenant.kafka.user"));
    arena_release(&a);
    snapshot_release(s);
    tenancy_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_role_has_its_login, home_open, home_close),
        cmocka_unit_test_setup_teardown(test_what_is_wrong_is_told, home_open, home_close),
        cmocka_unit_test_setup_teardown(test_principals, home_open, home_close),
        cmocka_unit_test_setup_teardown(test_acls_are_what_each_role_needs, home_open, home_close),
        cmocka_unit_test_setup_teardown(test_acls_of_one_login_and_of_none, home_open, home_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
