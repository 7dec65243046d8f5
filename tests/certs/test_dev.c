#include "certs/dev.h"

#include "tests/tenancy/temp_folder.h"

#include <errno.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

static X509 *read_certificate(FILE *from)
{
    X509 *cert = PEM_read_X509(from, NULL, NULL, NULL);
    assert_non_null(cert);
    return cert;
}

static FILE *open_file(const struct temp_folder *f, const char *name)
{
    char path[512];
    FILE *file = fopen(temp_path(f, name, path), "r");
    assert_non_null(file);
    return file;
}

static int days_left(const X509 *cert)
{
    int days = 0, seconds = 0;
    assert_int_equal(ASN1_TIME_diff(&days, &seconds, NULL, X509_get0_notAfter(cert)), 1);
    return days + (seconds > 80000);
}

/* The chain verifies against the CA file alone, for a TLS server. */
static void check_chain(X509 *server, X509 *ca)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    assert_int_equal(X509_STORE_add_cert(store, ca), 1);
    assert_int_equal(X509_STORE_CTX_init(context, store, server, NULL), 1);
    X509_STORE_CTX_set_purpose(context, X509_PURPOSE_SSL_SERVER);
    X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context), X509_V_FLAG_X509_STRICT);
    assert_int_equal(X509_verify_cert(context), 1);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
}

static void test_files_fit_together(void **state)
{
    (void)state;
    struct temp_folder f = temp_folder_make();
    struct errbuf err = ERRBUF_INIT;
    char folder[512], path[512], host[256] = "";
    const char *names[] = {"otlp.example.org", "10.1.2.3"};
    struct certs_dev d = {temp_path(&f, "new/certs", folder), names, 2, false};
    assert_int_equal(certs_make_dev(&d, &err), 0);

    FILE *file = open_file(&f, "new/certs/server.pem");
    X509 *server = read_certificate(file), *second = read_certificate(file);
    fclose(file);
    file = open_file(&f, "new/certs/ca.pem");
    X509 *ca = read_certificate(file);
    fclose(file);
    file = open_file(&f, "new/certs/server.key");
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, NULL, NULL);
    fclose(file);

    assert_int_equal(X509_cmp(ca, second), 0);
    assert_int_equal(X509_check_private_key(server, key), 1);
    assert_string_equal(OBJ_nid2sn(EVP_PKEY_get_base_id(key)), "id-ecPublicKey");
    assert_int_equal(EVP_PKEY_get_bits(key), 256);
    check_chain(server, ca);
    assert_int_equal(X509_check_host(server, "localhost", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(server, "otlp.example.org", 0, 0, NULL), 1);
    assert_int_equal(X509_check_host(server, "example.org", 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(server, "127.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(server, "::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(server, "10.1.2.3", 0), 1);
    gethostname(host, sizeof(host) - 1);
    assert_int_equal(X509_check_host(server, host, 0, 0, NULL), 1);
    assert_int_equal(days_left(server), 825);
    assert_int_equal(days_left(ca), 3650);
    assert_true(X509_cmp_current_time(X509_get0_notBefore(server)) < 0);

    struct stat st;
    assert_int_equal(stat(temp_path(&f, "new/certs/server.key", path), &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    X509_free(server);
    X509_free(second);
    X509_free(ca);
    EVP_PKEY_free(key);
    temp_folder_remove(&f);
}

static void test_nothing_is_overwritten_without_force(void **state)
{
    (void)state;
    static const char *const files[] = {CERTS_CA_FILE, CERTS_CERT_FILE, CERTS_KEY_FILE};
    for (size_t i = 0; i < 3; i++) {
        struct temp_folder f = temp_folder_make();
        struct errbuf err = ERRBUF_INIT;
        struct certs_dev d = {f.path, NULL, 0, false};
        char path[512];
        temp_write(&f, files[i], "mine");
        assert_int_equal(certs_make_dev(&d, &err), -EEXIST);
        assert_non_null(strstr(err.text, files[i]));
        assert_int_not_equal(access(temp_path(&f, files[(i + 1) % 3], path), F_OK), 0);
        d.force = true;
        assert_int_equal(certs_make_dev(&d, &err), 0);
        temp_folder_remove(&f);
    }
}

static void test_names_that_are_none(void **state)
{
    (void)state;
    static const char *const names[] = {"",    "a b",  "x,DNS:evil.example", "-x", ".x",
                                        "a/b", "::1::"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct temp_folder f = temp_folder_make();
        struct errbuf err = ERRBUF_INIT;
        struct certs_dev d = {f.path, &names[i], 1, false};
        if (certs_make_dev(&d, &err) != -EINVAL)
            fail_msg("\"%s\" was taken", names[i]);
        temp_folder_remove(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files_fit_together),
        cmocka_unit_test(test_nothing_is_overwritten_without_force),
        cmocka_unit_test(test_names_that_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
