#include "router/net/tls_identity.h"

#include "tenancy/conf.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct identity {
    X509 *leaf;
    STACK_OF(X509) * chain; /* without the leaf */
    EVP_PKEY *key;
};

struct tls_identities {
    size_t n;
    struct identity at[]; /* the default first */
};

/* The first error of the queue is the cause, the others say who stumbled over it. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return reason ? reason : "unknown error";
}

static int load_chain(struct identity *id, const char *file, struct errbuf *err)
{
    ERR_clear_error();
    BIO *in = BIO_new_file(file, "r");
    id->chain = sk_X509_new_null();
    X509 *x = NULL;
    if (in != NULL && id->chain != NULL)
        id->leaf = PEM_read_bio_X509_AUX(in, NULL, NULL, NULL);
    while (id->leaf != NULL && (x = PEM_read_bio_X509(in, NULL, NULL, NULL)) != NULL)
        sk_X509_push(id->chain, x);
    BIO_free(in);
    bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    if (id->leaf == NULL || !at_end)
        return errbuf_set(err, EINVAL, "cannot read the certificate %s: %s", file,
                          openssl_reason());
    ERR_clear_error();
    return 0;
}

static int load_key(struct identity *id, const char *file, const char *certificate,
                    struct errbuf *err)
{
    ERR_clear_error();
    BIO *in = BIO_new_file(file, "r");
    if (in != NULL)
        id->key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
    BIO_free(in);
    if (id->key == NULL)
        return errbuf_set(err, EINVAL, "cannot use the private key %s: %s", file, openssl_reason());
    if (X509_check_private_key(id->leaf, id->key) == 1)
        return 0;
    ERR_clear_error();
    return errbuf_set(err, EINVAL, "the private key %s does not belong to the certificate %s", file,
                      certificate);
}

static int load(struct identity *id, const char *certificate, const char *private_key,
                struct errbuf *err)
{
    int rc = load_chain(id, certificate, err);
    return rc ? rc : load_key(id, private_key, certificate, err);
}

struct tls_identities *tls_identities_load(const struct router_conf *conf, struct errbuf *err)
{
    const struct certificate_conf *more = conf->certificates.at;
    struct tls_identities *all =
        calloc(1, sizeof(*all) + (conf->certificates.n + 1) * sizeof(all->at[0]));
    if (all == NULL) {
        errbuf_set(err, ENOMEM, "no memory for certificates");
        return NULL;
    }
    all->n = conf->certificates.n + 1;
    int rc = load(&all->at[0], conf->certificate, conf->private_key, err);
    for (size_t i = 1; i < all->n && rc == 0; i++)
        rc = load(&all->at[i], more[i - 1].certificate, more[i - 1].private_key, err);
    if (rc == 0)
        return all;
    tls_identities_free(all);
    return NULL;
}

void tls_identities_free(struct tls_identities *all)
{
    for (size_t i = 0; all != NULL && i < all->n; i++) {
        X509_free(all->at[i].leaf);
        sk_X509_pop_free(all->at[i].chain, X509_free);
        EVP_PKEY_free(all->at[i].key);
    }
    free(all);
}

static uint64_t expires_s(const X509 *x)
{
    struct tm tm;
    time_t s = ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 ? timegm(&tm) : 0;
    return s > 0 ? (uint64_t)s : 0;
}

uint64_t tls_identities_expire_s(const struct tls_identities *all)
{
    uint64_t first = UINT64_MAX;
    for (size_t i = 0; i < all->n; i++)
        for (int k = -1; k < sk_X509_num(all->at[i].chain); k++) {
            uint64_t s = expires_s(k < 0 ? all->at[i].leaf : sk_X509_value(all->at[i].chain, k));
            first = s < first ? s : first;
        }
    return first;
}

/* Whether one of the first `n` that are used has a key of this kind already. */
static bool kind_is_used(const struct identity *const *used, size_t n, const struct identity *id)
{
    for (size_t i = 0; i < n; i++)
        if (EVP_PKEY_get_base_id(used[i]->key) == EVP_PKEY_get_base_id(id->key))
            return true;
    return false;
}

/* OpenSSL has a place for each kind of key; more kinds than these do not come from files. */
#define MAX_KINDS 8

/* The certificates for `name`, one for each kind of key, exact names first. */
static size_t find(const struct tls_identities *all, const char *name, const struct identity **used,
                   size_t n)
{
    static const unsigned flags[] = {X509_CHECK_FLAG_NO_WILDCARDS, 0};
    for (size_t pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < all->n && n < MAX_KINDS; i++)
            if (!kind_is_used(used, n, &all->at[i]) &&
                X509_check_host(all->at[i].leaf, name, 0, flags[pass], NULL) == 1)
                used[n++] = &all->at[i];
    return n;
}

bool tls_identities_choose(const struct tls_identities *all, SSL *ssl, const char *name)
{
    const struct identity *used[MAX_KINDS];
    size_t n = find(all, name, used, 0);
    if (n == 0)
        return false;
    SSL_certs_clear(ssl);
    for (size_t i = 0; i < n; i++)
        SSL_use_cert_and_key(ssl, used[i]->leaf, used[i]->key, used[i]->chain, 1);
    return true;
}

/* The first DNS name of the certificate; wildcards stand for a name below them. */
static bool first_name(X509 *leaf, char *out, size_t size)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && !found; i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_DNS)
            continue;
        size_t len = (size_t)ASN1_STRING_length(g->d.dNSName);
        const unsigned char *text = ASN1_STRING_get0_data(g->d.dNSName);
        found = len > 0 && len < size && memchr(text, 0, len) == NULL;
        if (!found)
            continue;
        memcpy(out, text, len);
        out[len] = 0;
        if (out[0] == '*')
            out[0] = 'x';
    }
    GENERAL_NAMES_free(names);
    return found;
}

int tls_identities_set_default(const struct tls_identities *all, SSL_CTX *ctx, struct errbuf *err)
{
    const struct identity *used[MAX_KINDS] = {&all->at[0]};
    char name[256];
    size_t n = first_name(all->at[0].leaf, name, sizeof(name)) ? find(all, name, used, 1) : 1;
    for (size_t i = n; i-- > 0;) /* the default last: it is the current one */
        if (SSL_CTX_use_cert_and_key(ctx, used[i]->leaf, used[i]->key, used[i]->chain, 1) != 1)
            return errbuf_set(err, EINVAL, "a certificate cannot be used: %s", openssl_reason());
    return 0;
}
