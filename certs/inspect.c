#include "certs/inspect.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The first reason is the cause; the rest of the queue is dropped. */
static const char *reason(void)
{
    const char *text = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return text ? text : "it is not as OpenSSL expects it";
}

static FILE *open_file(const char *path, const char *what, struct errbuf *err)
{
    FILE *f = fopen(path, "r");
    if (f == NULL)
        errbuf_set(err, errno, "the %s %s cannot be opened: %s", what, path, strerror(errno));
    return f;
}

static uint64_t seconds(const ASN1_TIME *t)
{
    struct tm tm;
    time_t s = ASN1_TIME_to_tm(t, &tm) == 1 ? timegm(&tm) : 0;
    return s > 0 ? (uint64_t)s : 0;
}

static void read_dates(const X509 *x, struct cert_facts *f)
{
    uint64_t from = seconds(X509_get0_notBefore(x)), to = seconds(X509_get0_notAfter(x));
    if (f->chain == 0 || from > f->not_before_s)
        f->not_before_s = from;
    if (f->chain == 0 || to < f->not_after_s)
        f->not_after_s = to;
}

/* The value as `openssl x509 -ext subjectAltName` prints it. */
static void read_names(const X509 *x, struct cert_facts *f)
{
    int at = X509_get_ext_by_NID(x, NID_subject_alt_name, -1);
    BIO *text = at < 0 ? NULL : BIO_new(BIO_s_mem());
    f->names[0] = 0;
    if (text == NULL)
        return;
    if (X509V3_EXT_print(text, X509_get_ext(x, at), 0, 0) == 1) {
        int n = BIO_read(text, f->names, sizeof(f->names) - 1);
        f->names[n > 0 ? n : 0] = 0;
    }
    BIO_free(text);
}

/* The first certificate is kept: it is the server's. */
static X509 *read_chain(const char *path, struct cert_facts *f, struct errbuf *err)
{
    X509 *first = NULL, *x;
    FILE *file = open_file(path, "certificate", err);
    if (file == NULL)
        return NULL;
    while ((x = PEM_read_X509(file, NULL, NULL, NULL)) != NULL) {
        read_dates(x, f);
        if (f->chain++ == 0)
            first = x;
        else
            X509_free(x);
    }
    fclose(file);
    if (first == NULL)
        errbuf_set(err, EINVAL, "the certificate %s holds no PEM certificate: %s", path, reason());
    else
        read_names(first, f);
    ERR_clear_error(); /* the end of the file is one, too */
    return first;
}

static int no_passphrase(char *text, int size, int writing, void *arg)
{
    (void)text, (void)size, (void)writing, (void)arg;
    return -1;
}

static EVP_PKEY *read_key(const char *path, struct errbuf *err)
{
    FILE *file = open_file(path, "private key", err);
    if (file == NULL)
        return NULL;
    EVP_PKEY *key = PEM_read_PrivateKey(file, NULL, no_passphrase, NULL);
    fclose(file);
    if (key == NULL)
        errbuf_set(err, EINVAL, "the private key %s cannot be read: %s", path, reason());
    return key;
}

int cert_inspect(const char *certificate, const char *private_key, struct cert_facts *ret,
                 struct errbuf *err)
{
    struct cert_facts f = {0};
    int rc = -EINVAL;
    X509 *x = read_chain(certificate, &f, err);
    EVP_PKEY *key = x ? read_key(private_key, err) : NULL;
    if (key == NULL)
        goto out;
    if (X509_check_private_key(x, key) != 1) {
        errbuf_set(err, EINVAL, "the private key %s does not belong to the certificate %s: %s",
                   private_key, certificate, reason());
        goto out;
    }
    *ret = f;
    rc = 0;
out:
    EVP_PKEY_free(key);
    X509_free(x);
    return rc;
}
