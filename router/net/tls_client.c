#include "router/net/tls_client.h"

#include "base/file.h"
#include "tenancy/tenancy.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509v3.h>
#include <string.h>

/* A certificate with this URI speaks for the tenant without being listed. */
#define TENANT_URI "URI:urn:tenantry:tenant:"

#define CA_CEILING (4 << 20)

/* -- verification -- */

static int load_cas(SSL_CTX *ctx, const char *file, struct errbuf *err)
{
    X509_STORE *store = SSL_CTX_get_cert_store(ctx);
    ERR_clear_error();
    X509_LOOKUP *lookup = X509_STORE_add_lookup(store, X509_LOOKUP_file());
    if (lookup == NULL || X509_load_cert_crl_file(lookup, file, X509_FILETYPE_PEM) < 1) {
        unsigned long code = ERR_peek_error();
        const char *reason =
            ERR_SYSTEM_ERROR(code) ? strerror(ERR_GET_REASON(code)) : ERR_reason_error_string(code);
        return errbuf_set(err, EINVAL, "cannot read the clients' CAs %s: %s", file,
                          reason ? reason : "no certificate in it");
    }
    const STACK_OF(X509_OBJECT) *objects = X509_STORE_get0_objects(store);
    for (int i = 0; i < sk_X509_OBJECT_num(objects); i++) {
        const X509_OBJECT *o = sk_X509_OBJECT_value(objects, i);
        if (X509_OBJECT_get_type(o) == X509_LU_CRL)
            X509_STORE_set_flags(store, X509_V_FLAG_CRL_CHECK);
        else if (X509_OBJECT_get_type(o) == X509_LU_X509)
            SSL_CTX_add_client_CA(ctx, X509_OBJECT_get0_X509(o));
    }
    return 0;
}

/* A session remembers that its client was verified: against these CAs. */
static int name_sessions(SSL_CTX *ctx, const struct router_conf *conf, struct errbuf *err)
{
    unsigned char hash[EVP_MAX_MD_SIZE];
    unsigned len = 0;
    struct buf text = BUF_INIT_CEILING(CA_CEILING);
    int rc = file_read(conf->client_ca, &text, err);
    buf_append_byte(&text, (uint8_t)conf->client_certificates);
    if (rc == 0 && EVP_Digest(text.at, text.len, hash, &len, EVP_sha256(), NULL) == 1)
        SSL_CTX_set_session_id_context(ctx, hash, len);
    buf_release(&text);
    return rc;
}

int tls_client_setup(SSL_CTX *ctx, const struct router_conf *conf, struct errbuf *err)
{
    if (conf->client_certificates == CLIENT_CERTIFICATES_OFF)
        return 0;
    int rc = load_cas(ctx, conf->client_ca, err);
    if (rc == 0)
        rc = name_sessions(ctx, conf, err);
    bool required = conf->client_certificates == CLIENT_CERTIFICATES_REQUIRED;
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER | (required ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0),
                       NULL);
    return rc;
}

/* -- names -- */

static void add_name(struct buf *out, const char *kind, const ASN1_STRING *s)
{
    const unsigned char *text = ASN1_STRING_get0_data(s);
    int len = ASN1_STRING_length(s);
    if (len <= 0 || memchr(text, 0, (size_t)len) != NULL)
        return;
    struct buf name = BUF_INIT;
    buf_append_str(&name, kind);
    buf_append(&name, text, (size_t)len);
    buf_append_byte(&name, 0);
    if (!name.failed && out->len + name.len <= TLS_CLIENT_NAMES)
        buf_append_slice(out, buf_slice(&name));
    buf_release(&name);
}

static void add_alternative_names(struct buf *out, X509 *x)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type == GEN_URI)
            add_name(out, "URI:", g->d.uniformResourceIdentifier);
        else if (g->type == GEN_DNS)
            add_name(out, "DNS:", g->d.dNSName);
        else if (g->type == GEN_EMAIL)
            add_name(out, "EMAIL:", g->d.rfc822Name);
    }
    GENERAL_NAMES_free(names);
}

static void add_common_names(struct buf *out, X509 *x)
{
    const X509_NAME *subject = X509_get_subject_name(x);
    int at = -1;
    while ((at = X509_NAME_get_index_by_NID(subject, NID_commonName, at)) >= 0) {
        unsigned char *utf8 = NULL;
        int len =
            ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
        ASN1_STRING *s = len > 0 ? ASN1_STRING_new() : NULL;
        if (s != NULL && ASN1_STRING_set(s, utf8, len) == 1)
            add_name(out, "CN:", s);
        ASN1_STRING_free(s);
        OPENSSL_free(utf8);
    }
}

void tls_client_names(const SSL *ssl, struct buf *out)
{
    X509 *x = SSL_get0_peer_certificate(ssl);
    buf_clear(out);
    if (x == NULL)
        return;
    if (X509_cmp_current_time(X509_get0_notAfter(x)) > 0) {
        add_alternative_names(out, x);
        add_common_names(out, x);
    }
    if (out->len == 0)
        buf_append_byte(out, 0);
}

/* -- agreement -- */

static bool speaks_for(struct slice name, const struct tenant *t)
{
    struct slice prefix = SLICE_LIT(TENANT_URI);
    if (slice_starts(name, prefix) &&
        slice_eq(slice_of(name.at + prefix.len, name.len - prefix.len), slice_str(t->id)))
        return true;
    for (size_t i = 0; t->conf != NULL && i < t->conf->client_names.n; i++)
        if (slice_eq(name, slice_str(t->conf->client_names.at[i])))
            return true;
    return false;
}

bool tls_client_agrees(struct slice names, const struct tenant *t)
{
    if (names.len == 0)
        return t->conf == NULL || t->conf->client_names.n == 0;
    while (names.len > 0) {
        size_t n = strnlen((const char *)names.at, names.len);
        if (speaks_for(slice_of(names.at, n), t))
            return true;
        n += n < names.len;
        names = slice_of(names.at + n, names.len - n);
    }
    return false;
}
