#include "tenancy/limits/limits.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static int read_conf(const char *text, struct conf *c, struct arena *a, struct errbuf *err)
{
    struct option_origins where = {a, NULL};
    memset(c, 0, sizeof(*c));
    int rc = option_read_text(&conf_options, "/etc/t/tenantry.conf", text, c, a, &where, err);
    return rc ? rc : conf_finish(c, "/etc/t/tenantry.conf", &where, a, err);
}

static int read_tenant(const char *text, struct tenant_file *f, struct arena *a, struct errbuf *err)
{
    struct option_origins where = {a, NULL};
    memset(f, 0, sizeof(*f));
    int rc = option_read_text(&tenant_options, "t.d/acme.conf", text, f, a, &where, err);
    return rc ? rc
              : tenant_conf_finish(&f->tenant, "t.d/acme.conf", "acme", "/var/state", &where, a,
                                   err);
}

/* What a tenant's file must keep to because of tenantry.conf. */
static void test_a_tenant_fits_the_config(void **state)
{
    (void)state;
    static const struct {
        const char *conf, *tenant, *says; /* "" = fits */
    } rows[] = {
        {"", "", ""},
        {"", "limits = { burst = \"10MB\"; };", ""},
        {"", "limits = { rate = \"1KB/s\"; };", ""},
        {"", "limits = { rate = \"1MB/s\";\nburst = \"9999999\"; };",
         "t.d/acme.conf:2: tenant.limits.burst: a burst of 9999999B is smaller than the largest "
         "request that is one record, 10MB (the smaller of record.max_bytes and "
         "router.max_decompressed), which could then hardly ever pass"},
        {"", "limits = { \n\nlogs = { burst = \"1MB\"; }; };",
         "t.d/acme.conf:3: tenant.limits.logs.burst: a burst"},
        {"router = { max_decompressed = \"1MB\"; };", "limits = { burst = \"1MB\"; };", ""},
        {"record = { max_bytes = \"64KiB\"; };", "limits = { burst = \"64KiB\"; };", ""},
        {"record = { max_bytes = \"11MB\"; };", "limits = { burst = \"10MB\"; };",
         "largest request that is one record, 11MB"},
        {"", "topics = { dlq_max_bytes = \"11MB\"; min_insync = 15; };", ""},
        {"", "topics = { dlq_max_bytes = \"10MB\"; };",
         "acme.conf:1: tenant.topics.dlq_max_bytes: a dead letter is larger than its record, which "
         "may have 10MB"},
        {"kafka = { replication = 3; };", "topics = { min_insync = 3; };", ""},
        {"kafka = { replication = 3; };", "topics = { min_insync = 3; replication = 2; };",
         "tenant.topics.min_insync: 3 of 2 copies"},
        {"kafka = { replication = 2; };", "topics = { min_insync = 3; };",
         "tenant.topics.min_insync: 3 of 2 copies"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        struct errbuf err = ERRBUF_INIT;
        struct option_origins where = {&a, NULL};
        struct conf c;
        struct tenant_file f = {0};
        char text[512];
        snprintf(text, sizeof(text), "tenant: { id = \"acme\"; %s };", rows[i].tenant);
        assert_int_equal(read_conf(rows[i].conf, &c, &a, &err), 0);
        assert_int_equal(
            option_read_text(&tenant_options, "t.d/acme.conf", text, &f, &a, &where, &err), 0);
        int rc = tenant_conf_fits(&f.tenant, &c, "t.d/acme.conf", &where, &err);
        bool fits = rows[i].says[0] == 0;
        if ((rc == 0) != fits || (!fits && strstr(err.text, rows[i].says) == NULL))
            fail_msg("row %zu: %d %s", i, rc, err.text);
        arena_release(&a);
    }
}

/* What one of N routers lets through: its part, though never less than the largest request. */
static void test_limits_are_shared_by_replicas(void **state)
{
    (void)state;
    static const struct {
        uint64_t replicas;
        struct rate_conf asked;
        struct tenant_limits one;
    } rows[] = {
        {1, {.rate = 0}, {{0, 10000000}, {0, 0}, {0, 0}, 0}},
        {1, {20000000, 50000000, 10, 5, 0}, {{20000000, 50000000}, {10, 20}, {5, 10}, 0}},
        {4, {20000000, 48000000, 10, 5, 3000}, {{5000000, 12000000}, {2, 4}, {1, 2}, 750}},
        {4, {20000000, 0, 0, 0, 3000}, {{5000000, 10000000}, {0, 0}, {0, 0}, 750}},
        {5, {20000000, 20000000, 0, 0, 3000}, {{4000000, 10000000}, {0, 0}, {0, 0}, 600}},
        {1000, {500, 0, 10, 5, 3000}, {{1, 10000000}, {1, 2}, {1, 2}, 3}},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        struct errbuf err = ERRBUF_INIT;
        struct conf c;
        assert_int_equal(read_conf("", &c, &a, &err), 0);
        c.router.replicas = rows[i].replicas;
        struct tenant_limits found = limits_of(&rows[i].asked, &c);
        if (memcmp(&found, &rows[i].one, sizeof(found)) != 0)
            fail_msg("row %zu: %llu/s burst %llu, %llu items/s, %llu requests/s", i,
                     (unsigned long long)found.bytes.rate, (unsigned long long)found.bytes.burst,
                     (unsigned long long)found.items.rate, (unsigned long long)found.requests.rate);
        arena_release(&a);
    }
}

static void test_tables(void **state)
{
    (void)state;
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(option_check_table(&conf_options, &err), 0);
    assert_int_equal(option_check_table(&tenant_options, &err), 0);
}

static void test_defaults(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct conf c;
    assert_int_equal(read_conf("", &c, &a, &err), 0);
    const struct listen_conf *l = c.router.listen.at;
    assert_int_equal(c.router.listen.n, 2); /* R17 */
    assert_string_equal(l[0].address, "0.0.0.0:4317");
    assert_string_equal(l[1].address, "0.0.0.0:4318");
    assert_true(l[0].tls && !l[0].insecure);
    assert_string_equal(c.state, "/etc/t/state");
    assert_string_equal(c.router.certificate, "/etc/t/certs/server.pem");
    const struct key_carrier *carriers = c.router.key_carriers.at;
    assert_int_equal(c.router.key_carriers.n, 4);
    assert_true(slice_eq(carriers[1].header, SLICE_LIT("authorization")));
    assert_true(slice_eq(carriers[1].scheme, SLICE_LIT("Basic")));
    assert_true(slice_eq(carriers[3].header, SLICE_LIT("signoz-ingestion-key")));
    assert_int_equal(carriers[3].scheme.len, 0);
    assert_true(c.router.max_body == 64 << 20 && c.router.max_decompressed == 64 << 20);
    assert_true(c.router.answer_timeout == 4500000000ull);
    assert_true(c.record.max_bytes == 10000000);
    assert_string_equal(kafka_compression_name(c.kafka.compression), "lz4");

    struct tenant_file f;
    assert_int_equal(read_tenant("tenant: { id = \"acme\"; };", &f, &a, &err), 0);
    assert_string_equal(f.tenant.database.path, "/var/state/databases/acme.db");
    assert_true(f.tenant.topics.retention == 6 * 3600 * 1000000000ull);
    assert_true(f.tenant.limits.all.rate == 0);
    arena_release(&a);
}

static void test_a_tenants_limits(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct tenant_file f;
    int rc = read_tenant("tenant: { id = \"acme\"; limits = { rate = \"20MB/s\"; burst = \"40MB\"; "
                         "logs = { items = \"200k/s\"; }; }; database = { path = \"/x.db\"; }; };",
                         &f, &a, &err);
    assert_int_equal(rc, 0);
    assert_true(f.tenant.limits.all.rate == 20000000);
    assert_true(f.tenant.limits.all.burst == 40000000);
    assert_true(f.tenant.limits.signal[SIGNAL_LOGS].items == 200000);
    assert_true(f.tenant.limits.signal[SIGNAL_TRACES].items == 0);
    assert_string_equal(f.tenant.database.path, "/x.db");
    arena_release(&a);
}

static void test_plaintext_and_tls(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *listen;
        bool plaintext;
    } rows[] = {
        {__LINE__, "address = \"0.0.0.0:1\";", false},
        {__LINE__, "address = \"127.0.0.1:1\"; tls = false;", true},
        {__LINE__, "address = \"localhost:1\"; tls = false;", true},
        {__LINE__, "address = \"[::1]:0\"; tls = false;", true},
        {__LINE__, "address = \"0.0.0.0:1\"; insecure = true;", true},
        {__LINE__, "address = \"10.0.0.1:1\"; tls = false; insecure = true;", true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        struct errbuf err = ERRBUF_INIT;
        struct conf c;
        char text[256];
        snprintf(text, sizeof(text), "router: { listen = ( { %s } ); };", rows[i].listen);
        if (read_conf(text, &c, &a, &err) != 0)
            fail_msg("row at line %d: %s", rows[i].line, err.text);
        const struct listen_conf *l = c.router.listen.at;
        if (l->insecure != rows[i].plaintext || l->tls == rows[i].plaintext)
            fail_msg("row at line %d", rows[i].line);
        arena_release(&a);
    }
}

static void test_refusals_name_the_place(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text, *sentence; /* a part of it */
    } rows[] = {
        {__LINE__, "router: {\n listen = ( { address = \"0.0.0.0:4317\"; tls = false; } ); };",
         "tenantry.conf:2: router.listen[0].address: \"0.0.0.0:4317\" is not on loopback"},
        {__LINE__, "router: { listen = ( { address = \"4317\"; } ); };", "is not an address"},
        {__LINE__, "router: { listen = ( { address = \":4317\"; } ); };", "is not an address"},
        {__LINE__, "router: { listen = ( { address = \"::1:4317\"; } ); };", "in brackets"},
        {__LINE__, "router: { listen = ( { address = \"h:65536\"; } ); };", "port is a number"},
        {__LINE__, "router: { listen = ( { address = \"h:\"; } ); };", "port is a number"},
        {__LINE__, "router: { listen = ( { address = \"0.0.0.0:1\"; proxy_protocol = true; } ); };",
         "stand in trusted"},
        {__LINE__,
         "router: { listen = ( { address = \"0.0.0.0:1\"; trusted = [ \"10.0.0.1\" ]; } ); };",
         "trusted is for proxy_protocol"},
        {__LINE__,
         "router: { listen = ( { address = \"0.0.0.0:1\"; proxy_protocol = true; trusted = [ "
         "\"10.0.0.0/33\" ]; } ); };",
         "trusted: \"10.0.0.0/33\" is neither an address nor a range"},
        {__LINE__, "router: { client_certificates = \"required\"; };", "go together"},
        {__LINE__, "router: { client_ca = \"ca.pem\"; };", "go together"},
        {__LINE__, "router: { certificates = ( { certificate = \"\"; private_key = \"k\"; } ); };",
         "router.certificates[0].certificate: the path is empty"},
        {__LINE__, "router: { admin = \"x\"; };", "router.admin: \"x\" is not an address"},
        {__LINE__, "supervisor: { admin = \"h:1x\"; };", "supervisor.admin:"},
        {__LINE__, "router: { max_buffered = \"1MiB\"; };", "router.max_buffered:"},
        {__LINE__, "router: { drain_delay = \"20s\"; };", "router.drain_delay:"},
        {__LINE__, "router: { key_headers = []; };", "router.key_headers:"},
        {__LINE__, "router: { key_headers = [\"a b\"]; };", "is not of the form"},
        {__LINE__, "router: { key_headers = [\"\"]; };", "is not of the form"},
        {__LINE__, "router: { key_headers = [\"x-key:\"]; };", "is not of the form"},
        {__LINE__, "router: { key_headers = [\"x: a b\"]; };", "is not of the form"},
        {__LINE__, "router: { key_headers = [\"X-Key\", \"x-key\"]; };", "stands twice"},
        {__LINE__, "router: { key_headers = [\"authorization\", \"Authorization : bearer\"]; };",
         "stands twice"},
        {__LINE__, "kafka: { prefix = \"a b\"; };", "kafka.prefix:"},
        {__LINE__, "kafka: { prefix = \"\"; };", "kafka.prefix:"},
        {__LINE__, "kafka: { queue_bytes = \"1MiB\"; };", "kafka.queue_bytes:"},
        {__LINE__, "consumer: { batch_bytes = \"200MiB\"; };", "consumer.batch_bytes:"},
        {__LINE__, "consumer: { memory = \"256MiB\"; };",
         "consumer.memory: a record of record.max_items and record.max_bytes may need 172 MiB as "
         "rows: at least 275 MiB"},
        {__LINE__, "record: { max_items = 1000000; };", "consumer.memory: "},
        {__LINE__, "record: { max_bytes = \"64MB\"; }; kafka: { queue_bytes = \"1GiB\"; };",
         "consumer.memory: "},
        {__LINE__, "state = \"\";", "state: the path is empty"},
        {__LINE__, "ruoter: { };", "did you mean \"router\""},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        struct errbuf err = ERRBUF_INIT;
        struct conf c;
        if (read_conf(rows[i].text, &c, &a, &err) != -EINVAL ||
            strstr(err.text, rows[i].sentence) == NULL)
            fail_msg("row at line %d: \"%s\"", rows[i].line, err.text);
        arena_release(&a);
    }
}

static void test_tenant_refusals(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text, *sentence;
    } rows[] = {
        {__LINE__, "", "\"tenant.id\" is missing"},
        {__LINE__, "tenant: {\n id = \"Acme\"; };",
         "t.d/acme.conf:2: tenant.id: a tenant id holds"},
        {__LINE__, "tenant: { id = \"other\"; };", "is to be named other.conf"},
        {__LINE__, "tenant: { id = \"acme\"; topics = { partitions = 0; }; };", "partitions"},
        {__LINE__, "tenant: { id = \"acme\"; database = { kind = \"db2\"; }; };", "sqlite"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        struct errbuf err = ERRBUF_INIT;
        struct tenant_file f;
        if (read_tenant(rows[i].text, &f, &a, &err) != -EINVAL ||
            strstr(err.text, rows[i].sentence) == NULL)
            fail_msg("row at line %d: \"%s\"", rows[i].line, err.text);
        arena_release(&a);
    }
}

static void test_tenant_ids(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *id;
        int rc;
    } rows[] = {
        {__LINE__, "a", 0},
        {__LINE__, "acme-2_x", 0},
        {__LINE__, "123456789012345678901234567890123456789012345678901234567890123", 0},
        {__LINE__, "1234567890123456789012345678901234567890123456789012345678901234", -EINVAL},
        {__LINE__, "", -EINVAL},
        {__LINE__, "Acme", -EINVAL},
        {__LINE__, "a.b", -EINVAL},
        {__LINE__, "a/b", -EINVAL},
        {__LINE__, "-a", -EINVAL},
        {__LINE__, "a_", -EINVAL},
        {__LINE__, "\xC3\xA4", -EINVAL},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        if (tenant_id_check(slice_str(rows[i].id), &err) != rows[i].rc ||
            (err.text[0] != 0) != (rows[i].rc != 0))
            fail_msg("row at line %d: \"%s\"", rows[i].line, err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_tenant_fits_the_config),
        cmocka_unit_test(test_limits_are_shared_by_replicas),
        cmocka_unit_test(test_tables),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_a_tenants_limits),
        cmocka_unit_test(test_plaintext_and_tls),
        cmocka_unit_test(test_refusals_name_the_place),
        cmocka_unit_test(test_tenant_refusals),
        cmocka_unit_test(test_tenant_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
