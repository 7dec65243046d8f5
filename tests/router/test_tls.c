/* TLS of a listener: versions, ALPN, suites, renewal (R1-R11). */
#include "tests/base/unit.h"
#include "tests/router/stub_server.h"
#include "tests/tenancy/temp_folder.h"

#include "router/net/tls.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

/* A self-signed certificate for `name` in <folder>/<file>.pem and .key. */
static void make_certificate_of(const struct temp_folder *folder, const char *base,
                                const char *name, EVP_PKEY *key)
{
    char path[512], file[64], san[128];
    X509 *x = X509_new();
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
    X509_gmtime_adj(X509_getm_notBefore(x), -60);
    X509_gmtime_adj(X509_getm_notAfter(x), 3600);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(x), "CN", MBSTRING_ASC,
                               (const unsigned char *)name, -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(x));
    snprintf(san, sizeof(san), "DNS:%s", name);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, san);
    X509_add_ext(x, e, -1);
    X509_EXTENSION_free(e);
    X509_sign(x, key, EVP_sha256());
    snprintf(file, sizeof(file), "%s.pem", base);
    FILE *out = fopen(temp_path(folder, file, path), "w");
    PEM_write_X509(out, x);
    fclose(out);
    snprintf(file, sizeof(file), "%s.key", base);
    out = fopen(temp_path(folder, file, path), "w");
    PEM_write_PrivateKey(out, key, NULL, NULL, 0, NULL, NULL);
    fclose(out);
    X509_free(x);
    EVP_PKEY_free(key);
}

static void make_certificate(const struct temp_folder *folder, const char *name)
{
    make_certificate_of(folder, name, name, EVP_EC_gen("P-256"));
}

static struct tls_tickets *tickets; /* of the test that runs */

static SSL_CTX *server_context(const struct temp_folder *folder, const char *certificate,
                               const char *key, struct errbuf *err)
{
    char a[512], b[512];
    struct router_conf conf = {.certificate = temp_path(folder, certificate, a),
                               .private_key = temp_path(folder, key, b),
                               .ticket_secrets = ""};
    return tls_context_new(&conf, tickets, err);
}

struct fixture {
    struct temp_folder folder;
    struct server s;
    SSL_CTX *ctx;
};

static void begin(struct fixture *f)
{
    struct errbuf err = ERRBUF_INIT;
    f->folder = temp_folder_make();
    tickets = tls_tickets_new();
    assert_int_equal(tls_tickets_use(tickets, 3600 * NS_PER_S, "", 1000000, &err), 0);
    make_certificate(&f->folder, "one");
    make_certificate(&f->folder, "two");
    f->ctx = server_context(&f->folder, "one.pem", "one.key", &err);
    assert_non_null(f->ctx);
    server_init(&f->s);
    server_start(&f->s, f->ctx);
}

static void end(struct fixture *f)
{
    server_stop(&f->s);
    SSL_CTX_free(f->ctx);
    tls_tickets_free(tickets);
    temp_folder_remove(&f->folder);
}

struct client {
    SSL_CTX *ctx;
    SSL *ssl;
    int fd;
    unsigned long error; /* of the handshake; 0 = it is through */
};

struct offer {
    int min, max;
    const char *alpn; /* wire form; NULL = none */
    const char *ciphers;
};

/* `name`: SNI; NULL = none. */
static void client_begin_named(struct client *c, const struct server *s, const struct offer *o,
                               const char *name)
{
    c->ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_min_proto_version(c->ctx, o->min);
    SSL_CTX_set_max_proto_version(c->ctx, o->max);
    SSL_CTX_set_security_level(c->ctx, 0);
    if (o->ciphers != NULL)
        SSL_CTX_set_cipher_list(c->ctx, o->ciphers);
    if (o->alpn != NULL)
        SSL_CTX_set_alpn_protos(c->ctx, (const unsigned char *)o->alpn, (unsigned)strlen(o->alpn));
    c->fd = server_connect(s);
    c->ssl = SSL_new(c->ctx);
    SSL_set_fd(c->ssl, c->fd);
    if (name != NULL)
        SSL_set_tlsext_host_name(c->ssl, name);
    ERR_clear_error();
    c->error = SSL_connect(c->ssl) == 1 ? 0 : ERR_peek_error();
    if (c->error == 0 && !SSL_is_init_finished(c->ssl))
        c->error = 1;
}

static void client_begin(struct client *c, const struct server *s, const struct offer *o)
{
    client_begin_named(c, s, o, NULL);
}

static void client_end(struct client *c)
{
    SSL_free(c->ssl);
    SSL_CTX_free(c->ctx);
    close(c->fd);
}

static void test_negotiation(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct offer offer;
        const char *protocol; /* NULL: no handshake */
        int reason;           /* of the alert, then */
    } rows[] = {
        /* R1: ours is the preference */
        {__LINE__, {TLS1_3_VERSION, TLS1_3_VERSION, "\x02h2\x08http/1.1", NULL}, "h2", 0},
        {__LINE__, {TLS1_3_VERSION, TLS1_3_VERSION, "\x08http/1.1\x02h2", NULL}, "h2", 0},
        {__LINE__, {TLS1_2_VERSION, TLS1_2_VERSION, "\x02h2", NULL}, "h2", 0},
        {__LINE__, {TLS1_2_VERSION, TLS1_3_VERSION, "\x08http/1.1", NULL}, "http/1.1", 0},
        {__LINE__, {TLS1_2_VERSION, TLS1_3_VERSION, "\x08http/1.0\x02h2", NULL}, "h2", 0},
        /* R3 */
        {__LINE__, {TLS1_2_VERSION, TLS1_3_VERSION, NULL, NULL}, "", 0},
        /* R2 */
        {__LINE__,
         {TLS1_3_VERSION, TLS1_3_VERSION, "\x03h2c\x02h3", NULL},
         NULL,
         SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL},
        {__LINE__,
         {TLS1_2_VERSION, TLS1_2_VERSION, "\x05h2-14", NULL},
         NULL,
         SSL_R_TLSV1_ALERT_NO_APPLICATION_PROTOCOL},
        /* R5 */
        {__LINE__, {TLS1_VERSION, TLS1_1_VERSION, "\x02h2", NULL}, NULL, 0},
        /* R7: of HTTP/2's prohibited list */
        {__LINE__,
         {TLS1_2_VERSION, TLS1_2_VERSION, "\x02h2", "ECDHE-ECDSA-AES128-SHA256"},
         NULL,
         0},
        {__LINE__,
         {TLS1_2_VERSION, TLS1_2_VERSION, "\x02h2", "ECDHE-ECDSA-AES128-GCM-SHA256"},
         "h2",
         0},
    };
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct client c;
        const unsigned char *name;
        unsigned len;
        client_begin(&c, &f.s, &rows[i].offer);
        SSL_get0_alpn_selected(c.ssl, &name, &len);
        if (rows[i].protocol == NULL) {
            check_row(rows[i].line, c.error != 0, "the handshake is through");
            check_row(rows[i].line,
                      rows[i].reason == 0 || ERR_GET_REASON(c.error) == rows[i].reason, "%s",
                      ERR_reason_error_string(c.error));
        } else {
            check_row(rows[i].line, c.error == 0, "%s", ERR_reason_error_string(c.error));
            check_row(rows[i].line, slice_eq(slice_of(name, len), slice_str(rows[i].protocol)),
                      "%.*s", (int)len, (const char *)name);
        }
        client_end(&c);
    }
    end(&f);
}

static const char request[] = "POST /v1/logs HTTP/1.1\r\nHost: a\r\nConnection: close\r\n"
                              "Content-Type: application/x-protobuf\r\nContent-Length: 1\r\n\r\na";
static const struct offer http1 = {TLS1_2_VERSION, TLS1_3_VERSION, "\x08http/1.1", NULL};

/* R3, R6, and that the end of a connection is told (close_notify). */
static void test_exchange(void **state)
{
    (void)state;
    struct fixture f;
    begin(&f);
    for (int alpn = 0; alpn < 2; alpn++) {
        struct offer o = http1;
        struct client c;
        char answer[4096];
        int n = 0, got;
        o.alpn = alpn ? o.alpn : NULL;
        client_begin(&c, &f.s, &o);
        assert_int_equal(SSL_write(c.ssl, request, sizeof(request) - 1), sizeof(request) - 1);
        while ((got = SSL_read(c.ssl, answer + n, (int)sizeof(answer) - 1 - n)) > 0)
            n += got;
        answer[n] = 0;
        assert_non_null(strstr(answer, "HTTP/1.1 200 OK\r\n"));
        assert_int_equal(SSL_get_shutdown(c.ssl) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN);
        assert_int_equal(SSL_SESSION_get_max_early_data(SSL_get_session(c.ssl)), 0); /* R11 */
        assert_null(SSL_get_current_compression(c.ssl));                             /* R6 */
        client_end(&c);
    }
    end(&f);
}

/* After the client's close_notify its input would pile up undecrypted: the connection ends, however
 * much of a request came before. */
static void test_close_notify(void **state)
{
    (void)state;
    static const char *const protocols[] = {"\x08http/1.1", "\x02h2", NULL};
    static const char *const sent[] = {"", "POST ", "PRI * HT"};
    struct fixture f;
    begin(&f);
    for (size_t i = 0; i < COUNT(protocols) * COUNT(sent); i++) {
        const char *text = sent[i % COUNT(sent)];
        struct offer o = http1;
        struct client c;
        struct timeval limit = {5, 0};
        char drop[4096];
        int n = 1;
        o.alpn = protocols[i / COUNT(sent)];
        client_begin(&c, &f.s, &o);
        setsockopt(c.fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        if (text[0] != 0)
            SSL_write(c.ssl, text, (int)strlen(text));
        SSL_shutdown(c.ssl);
        while (n > 0)
            n = SSL_read(c.ssl, drop, sizeof(drop));
        assert_int_not_equal(SSL_get_error(c.ssl, n), SSL_ERROR_WANT_READ); /* SO_RCVTIMEO */
        client_end(&c);
    }
    end(&f);
}

static void subject(const struct client *c, char *out, int size)
{
    X509 *x = SSL_get1_peer_certificate(c->ssl);
    X509_NAME_get_text_by_NID(X509_get_subject_name(x), NID_commonName, out, size);
    X509_free(x);
}

/* A renewed certificate is for new connections; the old ones go on. */
static void test_renewal(void **state)
{
    (void)state;
    struct fixture f;
    struct client old, new;
    struct errbuf err = ERRBUF_INIT;
    char name[64], answer[4096];
    begin(&f);
    client_begin(&old, &f.s, &http1);
    SSL_CTX *renewed = server_context(&f.folder, "two.pem", "two.key", &err);
    front_use(&f.s.router, &f.s.snapshot, renewed);
    SSL_CTX_free(renewed);
    for (int i = 0; i < 3000; i++) {
        client_begin(&new, &f.s, &http1);
        subject(&new, name, sizeof(name));
        client_end(&new);
        if (strcmp(name, "two") == 0)
            break;
        usleep(10000);
    }
    assert_string_equal(name, "two");
    SSL_write(old.ssl, request, sizeof(request) - 1);
    assert_true(SSL_read(old.ssl, answer, sizeof(answer)) > 0);
    client_end(&old);
    end(&f);
}

static void test_wrong_files(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *certificate, *key, *sentence;
    } rows[] = {
        {__LINE__, "one.pem", "two.key", "does not belong to"},
        {__LINE__, "none.pem", "one.key", "No such file"},
        {__LINE__, "one.pem", "none.key", "No such file"},
        {__LINE__, "one.key", "one.key", "cannot read the certificate"},
        {__LINE__, "one.pem", "one.pem", "cannot use the private key"},
    };
    struct temp_folder folder = temp_folder_make();
    tickets = tls_tickets_new();
    make_certificate(&folder, "one");
    make_certificate(&folder, "two");
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errbuf err = ERRBUF_INIT;
        check_row(rows[i].line,
                  server_context(&folder, rows[i].certificate, rows[i].key, &err) == NULL, "taken");
        check_row(rows[i].line, strstr(err.text, rows[i].sentence) != NULL, "%s", err.text);
    }
    tls_tickets_free(tickets);
    temp_folder_remove(&folder);
}

/* R18: a client that never says hello. */
static void test_handshake_timeout(void **state)
{
    (void)state;
    struct fixture f;
    char c;
    f.folder = temp_folder_make();
    struct errbuf err = ERRBUF_INIT;
    tickets = tls_tickets_new();
    make_certificate(&f.folder, "one");
    f.ctx = server_context(&f.folder, "one.pem", "one.key", &err);
    server_init(&f.s);
    f.s.conf.router.handshake_timeout = 50 * NS_PER_MS;
    server_start(&f.s, f.ctx);
    int fd = server_connect(&f.s);
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    close(fd);
    end(&f);
}

/* R8, R9: by the name, the exact one before the wildcard; any other name gets the default, and a
 * client that knows RSA alone the certificate of that kind. */
static void test_names(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *name, *ciphers, *certificate;
    } rows[] = {
        {__LINE__, NULL, NULL, "one"},
        {__LINE__, "one", NULL, "one"},
        {__LINE__, "nobody.test", NULL, "one"},
        {__LINE__, "a.w.test", NULL, "a.w.test"},
        {__LINE__, "A.W.TEST", NULL, "a.w.test"},
        {__LINE__, "b.w.test", NULL, "*.w.test"},
        {__LINE__, "c.b.w.test", NULL, "one"},
        {__LINE__, "one", "ECDHE-RSA-AES128-GCM-SHA256", "one"}, /* R6 */
        {__LINE__, NULL, "ECDHE-RSA-AES128-GCM-SHA256", "one"},
        {__LINE__, "b.w.test", "ECDHE-RSA-AES128-GCM-SHA256", NULL},
    };
    static const char *const files[] = {"any", "a", "rsa"};
    struct certificate_conf more[COUNT(files)];
    char paths[2 * COUNT(files) + 2][512], file[64];
    struct fixture f;
    struct errbuf err = ERRBUF_INIT;
    begin(&f);
    server_stop(&f.s);
    SSL_CTX_free(f.ctx);
    make_certificate_of(&f.folder, "any", "*.w.test", EVP_EC_gen("P-256"));
    make_certificate_of(&f.folder, "a", "a.w.test", EVP_EC_gen("P-256"));
    make_certificate_of(&f.folder, "rsa", "one", EVP_RSA_gen(2048));
    for (size_t i = 0; i < COUNT(files); i++) {
        snprintf(file, sizeof(file), "%s.pem", files[i]);
        more[i].certificate = temp_path(&f.folder, file, paths[2 * i]);
        snprintf(file, sizeof(file), "%s.key", files[i]);
        more[i].private_key = temp_path(&f.folder, file, paths[2 * i + 1]);
    }
    struct router_conf conf = {.certificate = temp_path(&f.folder, "one.pem", paths[6]),
                               .private_key = temp_path(&f.folder, "one.key", paths[7]),
                               .certificates = {more, COUNT(files)},
                               .ticket_secrets = ""};
    f.ctx = tls_context_new(&conf, tickets, &err);
    assert_non_null(f.ctx);
    server_init(&f.s);
    server_start(&f.s, f.ctx);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct offer o = {TLS1_2_VERSION, rows[i].ciphers ? TLS1_2_VERSION : TLS1_3_VERSION,
                          "\x02h2", rows[i].ciphers};
        struct client c;
        char name[64] = "";
        client_begin_named(&c, &f.s, &o, rows[i].name);
        check_row(rows[i].line, (c.error == 0) == (rows[i].certificate != NULL), "%s",
                  ERR_reason_error_string(c.error));
        if (c.error == 0) {
            subject(&c, name, sizeof(name));
            check_row(rows[i].line, strcmp(name, rows[i].certificate) == 0, "%s", name);
        } else { /* the alert came, not only the end */
            check_row(rows[i].line, ERR_GET_REASON(c.error) == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
                      "%s", ERR_reason_error_string(c.error));
        }
        client_end(&c);
    }
    end(&f);
}

int main(void)
{
    signal(SIGPIPE, SIG_IGN);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_negotiation),
        cmocka_unit_test(test_exchange),
        cmocka_unit_test(test_renewal),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_handshake_timeout),
        cmocka_unit_test(test_close_notify),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
