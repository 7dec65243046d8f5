#include "certs/dev.h"

#include "base/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <unistd.h>

#define CA_DAYS      3650
#define SERVER_DAYS  825 /* more is refused by Apple's verifiers */
#define SERIAL_BYTES 16
#define LONGEST_NAME 253
#define EARLIER_S    (-3600) /* valid a little before now: clocks differ */

/* A certificate in the making: both kinds differ in these fields alone. */
struct draft {
    const char *common_name;
    int days;
    EVP_PKEY *key;
    X509 *issuer; /* NULL = self-signed */
    EVP_PKEY *issuer_key;
    const struct extension {
        int nid;
        const char *value; /* as in openssl.cnf; NULL ends the list */
    } * extensions;
};

static int fail_openssl(struct errbuf *err, const char *what)
{
    char why[256];
    ERR_error_string_n(ERR_get_error(), why, sizeof(why));
    return errbuf_set(err, EIO, "cannot make %s: %s", what, why);
}

static bool set_serial(X509 *cert)
{
    uint8_t bytes[SERIAL_BYTES];
    if (RAND_bytes(bytes, sizeof(bytes)) != 1)
        return false;
    bytes[0] = (bytes[0] & 0x7F) | 0x40; /* positive, and of full length */
    BIGNUM *number = BN_bin2bn(bytes, sizeof(bytes), NULL);
    bool ok = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)) != NULL;
    BN_free(number);
    return ok;
}

static bool set_names(X509 *cert, const struct draft *d)
{
    X509_NAME *subject = X509_get_subject_name(cert);
    X509_NAME *issuer = d->issuer ? X509_get_subject_name(d->issuer) : subject;
    return X509_NAME_add_entry_by_txt(subject, "O", MBSTRING_ASC, (const uint8_t *)"Tenantry", -1,
                                      -1, 0) == 1 &&
           X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, (const uint8_t *)d->common_name,
                                      -1, -1, 0) == 1 &&
           X509_set_issuer_name(cert, issuer) == 1;
}

static bool add_extensions(X509 *cert, const struct draft *d)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, d->issuer ? d->issuer : cert, cert, NULL, NULL, 0);
    for (const struct extension *e = d->extensions; e->value != NULL; e++) {
        X509_EXTENSION *made = X509V3_EXT_conf_nid(NULL, &context, e->nid, e->value);
        bool ok = made != NULL && X509_add_ext(cert, made, -1) == 1;
        X509_EXTENSION_free(made);
        if (!ok)
            return false;
    }
    return true;
}

static X509 *certificate_make(const struct draft *d)
{
    X509 *cert = X509_new();
    if (cert != NULL && X509_set_version(cert, X509_VERSION_3) == 1 && set_serial(cert) &&
        X509_gmtime_adj(X509_getm_notBefore(cert), EARLIER_S) != NULL &&
        X509_time_adj_ex(X509_getm_notAfter(cert), d->days, 0, NULL) != NULL &&
        X509_set_pubkey(cert, d->key) == 1 && set_names(cert, d) && add_extensions(cert, d) &&
        X509_sign(cert, d->issuer_key, EVP_sha256()) > 0)
        return cert;
    X509_free(cert);
    return NULL;
}

static X509 *make_ca(EVP_PKEY *key)
{
    static const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
        {NID_key_usage, "critical,keyCertSign,cRLSign"},
        {NID_subject_key_identifier, "hash"},
        {0},
    };
    struct draft d = {"Tenantry development CA", CA_DAYS, key, NULL, key, extensions};
    return certificate_make(&d);
}

static X509 *make_server(EVP_PKEY *key, X509 *ca, EVP_PKEY *ca_key, const char *alt_names)
{
    const struct extension extensions[] = {
        {NID_basic_constraints, "critical,CA:FALSE"},
        {NID_key_usage, "critical,digitalSignature"},
        {NID_ext_key_usage, "serverAuth"},
        {NID_subject_alt_name, alt_names},
        {NID_subject_key_identifier, "hash"},
        {NID_authority_key_identifier, "keyid:always"},
        {0},
    };
    struct draft d = {"Tenantry development server", SERVER_DAYS, key, ca, ca_key, extensions};
    return certificate_make(&d);
}

static bool is_address(const char *name)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, name, bytes) == 1 || inet_pton(AF_INET6, name, bytes) == 1;
}

/* Letters, digits, '-', '.', and '*' for wildcards: nothing that the extension's text could read as
 * something else. */
static bool is_dns_name(const char *name)
{
    size_t len = strlen(name);
    return len > 0 && len <= LONGEST_NAME && name[0] != '.' && name[0] != '-' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-*") == len;
}

static int add_name(struct buf *list, const char *name)
{
    if (!is_address(name) && !is_dns_name(name))
        return -EINVAL;
    buf_printf(list, "%s%s:%s", list->len ? "," : "", is_address(name) ? "IP" : "DNS", name);
    return 0;
}

static int list_names(const struct certs_dev *d, struct buf *list, struct errbuf *err)
{
    char host[LONGEST_NAME + 1] = "";
    add_name(list, "localhost");
    add_name(list, "127.0.0.1");
    add_name(list, "::1");
    if (gethostname(host, sizeof(host) - 1) == 0 && strcmp(host, "localhost") != 0)
        add_name(list, host); /* a host name that no certificate can hold is left out */
    for (size_t i = 0; i < d->n_names; i++)
        if (add_name(list, d->names[i]) < 0)
            return errbuf_set(err, EINVAL, "\"%.100s\" is neither a DNS name nor an address",
                              d->names[i]);
    return list->failed ? errbuf_set(err, ENOMEM, "out of memory") : 0;
}

/* The path of a file to write; -EEXIST when it is there and stays. */
static int target(const struct certs_dev *d, const char *name, char *out, size_t size,
                  struct errbuf *err)
{
    int n = snprintf(out, size, "%s/%s", d->folder, name);
    if (n < 0 || (size_t)n >= size)
        return errbuf_set(err, ENAMETOOLONG, "the folder's name is too long");
    if (!d->force && access(out, F_OK) == 0)
        return errbuf_set(err, EEXIST, "\"%s\" exists already", out);
    return 0;
}

static int check_targets(const struct certs_dev *d, struct errbuf *err)
{
    static const char *const names[] = {CERTS_CA_FILE, CERTS_CERT_FILE, CERTS_KEY_FILE};
    char path[4096];
    int rc = 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && rc == 0; i++)
        rc = target(d, names[i], path, sizeof(path), err);
    return rc;
}

static int write_bio(const struct certs_dev *d, const char *name, BIO *pem, mode_t mode,
                     struct errbuf *err)
{
    char path[4096], *at;
    int rc = target(d, name, path, sizeof(path), err);
    long len = BIO_get_mem_data(pem, &at);
    if (rc == 0)
        rc = file_replace(path, slice_of(at, (size_t)len), mode, err);
    return rc;
}

static int write_key(const struct certs_dev *d, EVP_PKEY *key, struct errbuf *err)
{
    BIO *pem = BIO_new(BIO_s_secmem());
    int rc = pem && PEM_write_bio_PKCS8PrivateKey(pem, key, NULL, NULL, 0, NULL, NULL) == 1
                 ? write_bio(d, CERTS_KEY_FILE, pem, 0600, err)
                 : fail_openssl(err, CERTS_KEY_FILE);
    BIO_free(pem);
    return rc;
}

/* `second` may be NULL. */
static int write_certificates(const struct certs_dev *d, const char *name, X509 *first,
                              X509 *second, struct errbuf *err)
{
    BIO *pem = BIO_new(BIO_s_mem());
    int rc = pem && PEM_write_bio_X509(pem, first) == 1 &&
                     (second == NULL || PEM_write_bio_X509(pem, second) == 1)
                 ? write_bio(d, name, pem, 0644, err)
                 : fail_openssl(err, name);
    BIO_free(pem);
    return rc;
}

static int make_files(const struct certs_dev *d, const char *alt_names, struct errbuf *err)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256"), *key = EVP_EC_gen("P-256");
    X509 *ca = ca_key ? make_ca(ca_key) : NULL;
    X509 *server = ca && key ? make_server(key, ca, ca_key, alt_names) : NULL;
    int rc = server ? 0 : fail_openssl(err, "the certificates");
    if (rc == 0)
        rc = write_key(d, key, err);
    if (rc == 0)
        rc = write_certificates(d, CERTS_CERT_FILE, server, ca, err);
    if (rc == 0)
        rc = write_certificates(d, CERTS_CA_FILE, ca, NULL, err);
    X509_free(server);
    X509_free(ca);
    EVP_PKEY_free(key);
    EVP_PKEY_free(ca_key);
    return rc;
}

int certs_make_dev(const struct certs_dev *d, struct errbuf *err)
{
    struct buf alt_names = BUF_INIT;
    int rc = list_names(d, &alt_names, err);
    if (rc == 0)
        rc = check_targets(d, err);
    if (rc == 0)
        rc = file_make_folder(d->folder, 0755, err);
    if (rc == 0)
        rc = make_files(d, buf_cstr(&alt_names), err);
    buf_release(&alt_names);
    return rc;
}
