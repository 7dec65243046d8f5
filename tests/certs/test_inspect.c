/* What a certificate and its key tell, with files made by OpenSSL's own program. */
#include "certs/inspect.h"

#include "../base/unit.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static char folder[] = "/tmp/tenantry-inspect-XXXXXX";
static char cert[64], key[64], other[64], garbage[64], chain[64];

static void run(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void run(const char *format, ...)
{
    char command[512];
    va_list args;
    va_start(args, format);
    vsnprintf(command, sizeof(command), format, args);
    va_end(args);
    assert_int_equal(system(command), 0);
}

static int make_files(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(cert, sizeof(cert), "%s/cert.pem", folder);
    snprintf(key, sizeof(key), "%s/key.pem", folder);
    snprintf(other, sizeof(other), "%s/other.pem", folder);
    snprintf(garbage, sizeof(garbage), "%s/garbage.pem", folder);
    snprintf(chain, sizeof(chain), "%s/chain.pem", folder);
    run("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=test"
        " -addext subjectAltName=DNS:otlp.example,IP:127.0.0.1 -days 10 -out %s -keyout %s"
        " 2>/dev/null",
        cert, key);
    run("openssl ecparam -name prime256v1 -genkey -noout -out %s", other);
    run("openssl req -x509 -key %s -subj /CN=ca -days 2 2>/dev/null | cat %s - > %s", other, cert,
        chain);
    run("echo nothing > %s", garbage);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    const char *const files[] = {cert, key, other, garbage, chain};
    for (size_t i = 0; i < COUNT(files); i++)
        unlink(files[i]);
    return rmdir(folder);
}

static void test_facts(void **state)
{
    (void)state;
    struct cert_facts f = {0};
    struct errbuf err = ERRBUF_INIT;
    uint64_t now = (uint64_t)time(NULL), ten_days = 10 * 86400;
    assert_int_equal(cert_inspect(cert, key, &f, &err), 0);
    assert_string_equal(err.text, "");
    assert_string_equal(f.names, "DNS:otlp.example, IP Address:127.0.0.1");
    assert_int_equal(f.chain, 1);
    assert_in_range(f.not_before_s, now - 60, now);
    assert_in_range(f.not_after_s, now + ten_days - 60, now + ten_days);
}

/* The certificate that ends first ends the chain. */
static void test_chain(void **state)
{
    (void)state;
    struct cert_facts f;
    struct errbuf err = ERRBUF_INIT;
    assert_int_equal(cert_inspect(chain, key, &f, &err), 0);
    assert_int_equal(f.chain, 2);
    assert_in_range(f.not_after_s, 1, (uint64_t)time(NULL) + 2 * 86400);
    assert_string_equal(f.names, "DNS:otlp.example, IP Address:127.0.0.1");
}

static void test_refused(void **state)
{
    (void)state;
    const struct {
        int line;
        const char *cert, *key, *sentence;
    } rows[] = {
        {__LINE__, "/nowhere/c.pem", key, "/nowhere/c.pem cannot be opened: No such file"},
        {__LINE__, cert, "/nowhere/k.pem", "/nowhere/k.pem cannot be opened"},
        {__LINE__, garbage, key, "garbage.pem holds no PEM certificate"},
        {__LINE__, cert, garbage, "garbage.pem cannot be read"},
        {__LINE__, cert, other, "does not belong to the certificate"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct cert_facts f;
        struct errbuf err = ERRBUF_INIT;
        check_row(rows[i].line, cert_inspect(rows[i].cert, rows[i].key, &f, &err) < 0, "accepted");
        check_row(rows[i].line, strstr(err.text, rows[i].sentence) != NULL, "%s", err.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_facts),
        cmocka_unit_test(test_chain),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
