/* Session tickets: who can read whose, as time goes by. Handshakes in memory. */
#include "tests/base/unit.h"
#include "tests/tenancy/temp_folder.h"

#include "base/clock.h"
#include "router/net/tls_tickets.h"

#include <openssl/evp.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <string.h>

#define HOUR   UINT64_C(3600)
#define SECRET "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF"
#define OTHER  "ff112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

struct replica {
    struct tls_tickets *tickets;
    SSL_CTX *ctx;
};

static EVP_PKEY *key;
static X509 *certificate;
static uint64_t now_s;

static void make_certificate(void)
{
    key = EVP_EC_gen("P-256");
    certificate = X509_new();
    X509_set_version(certificate, X509_VERSION_3);
    X509_gmtime_adj(X509_getm_notBefore(certificate), -60);
    X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
    X509_set_pubkey(certificate, key);
    X509_sign(certificate, key, EVP_sha256());
}

static struct replica replica(uint64_t lifetime_s, const char *file)
{
    struct errbuf err = ERRBUF_INIT;
    struct replica r = {tls_tickets_new(), SSL_CTX_new(TLS_server_method())};
    if (tls_tickets_use(r.tickets, lifetime_s * NS_PER_S, file, now_s, &err) < 0)
        fail_msg("%s", err.text);
    SSL_CTX_use_cert_and_key(r.ctx, certificate, key, NULL, 1);
    SSL_CTX_set_session_cache_mode(r.ctx, SSL_SESS_CACHE_OFF);
    tls_tickets_attach(r.tickets, r.ctx);
    return r;
}

static void replica_free(struct replica *r)
{
    SSL_CTX_free(r->ctx);
    tls_tickets_free(r->tickets);
}

static SSL_SESSION *fresh; /* the last session that the client was given */

static int on_session(SSL *ssl, SSL_SESSION *s)
{
    (void)ssl;
    SSL_SESSION_free(fresh);
    fresh = s;
    return 1;
}

/* A handshake and one byte back and forth. Whether it was resumed; the new ticket is in `fresh`. */
static bool connect_to(const struct replica *r, SSL_SESSION *session, int version)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_session);
    SSL_CTX_set_max_proto_version(ctx, version);
    SSL *client = SSL_new(ctx), *server = SSL_new(r->ctx);
    BIO *a, *b;
    char c;
    BIO_new_bio_pair(&a, 0, &b, 0);
    SSL_set_bio(client, a, a);
    SSL_set_bio(server, b, b);
    SSL_set_connect_state(client);
    SSL_set_accept_state(server);
    SSL_SESSION *copy = session ? SSL_SESSION_dup(session) : NULL; /* one is resumed once */
    if (copy != NULL)
        SSL_set_session(client, copy);
    SSL_SESSION_free(copy);
    for (int i = 0; i < 10; i++) {
        SSL_do_handshake(client);
        SSL_do_handshake(server);
    }
    assert_true(SSL_is_init_finished(client) && SSL_is_init_finished(server));
    assert_int_equal(SSL_write(server, "x", 1), 1);
    assert_int_equal(SSL_read(client, &c, 1), 1); /* takes the tickets in front, too */
    bool resumed = SSL_session_reused(server);
    assert_int_equal(resumed, SSL_session_reused(client));
    assert_int_equal(SSL_SESSION_get_max_early_data(SSL_get_session(client)), 0); /* R11 */
    if (version == TLS1_2_VERSION) /* a renewed ticket is not told by the callback */
        on_session(client, SSL_get1_session(client));
    /* Without a goodbye OpenSSL would not resume the session. */
    SSL_set_shutdown(client, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(client);
    SSL_free(server);
    SSL_CTX_free(ctx);
    return resumed;
}

static SSL_SESSION *ticket_of(const struct replica *r, int version)
{
    SSL_SESSION_free(fresh);
    fresh = NULL;
    assert_false(connect_to(r, NULL, version));
    assert_non_null(fresh);
    SSL_SESSION *s = fresh;
    fresh = NULL;
    return s;
}

static void write_file(const struct temp_folder *folder, const char *name, const char *text,
                       char path[512])
{
    FILE *out = fopen(temp_path(folder, name, path), "w");
    fputs(text, out);
    fclose(out);
}

static void test_own_keys_turn(void **state)
{
    (void)state;
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t v = 0; v < COUNT(versions); v++) {
        now_s = 1000 * HOUR;
        struct replica r = replica(HOUR, ""), other = replica(HOUR, "");
        SSL_SESSION *s = ticket_of(&r, versions[v]);
        assert_true(connect_to(&r, s, versions[v]));
        assert_false(connect_to(&other, s, versions[v])); /* keys of its own */
        tls_tickets_turn(r.tickets, now_s + HOUR - 1);
        assert_true(connect_to(&r, s, versions[v]));
        tls_tickets_turn(r.tickets, now_s + HOUR);
        assert_true(connect_to(&r, s, versions[v])); /* the key of before still reads */
        SSL_SESSION *renewed = fresh;
        fresh = NULL;
        assert_non_null(renewed); /* and the client has a ticket of the new key */
        tls_tickets_turn(r.tickets, now_s + 2 * HOUR);
        assert_false(connect_to(&r, s, versions[v]));
        assert_true(connect_to(&r, renewed, versions[v]));
        tls_tickets_turn(r.tickets, now_s + 5 * HOUR); /* not looked at for long */
        assert_false(connect_to(&r, renewed, versions[v]));
        SSL_SESSION_free(s);
        SSL_SESSION_free(renewed);
        replica_free(&r);
        replica_free(&other);
    }
}

static void test_replicas_share_a_file(void **state)
{
    (void)state;
    struct temp_folder folder = temp_folder_make();
    struct errbuf err = ERRBUF_INIT;
    char one[512], both[512], other[512];
    write_file(&folder, "one", SECRET "\n", one);
    write_file(&folder, "both", "# new first\n" OTHER "\n" SECRET "\n", both);
    write_file(&folder, "other", OTHER, other);
    now_s = 1000 * HOUR;
    struct replica a = replica(HOUR, one), b = replica(HOUR, one), c = replica(HOUR, other);
    SSL_SESSION *s = ticket_of(&a, TLS1_3_VERSION);
    assert_true(connect_to(&b, s, TLS1_3_VERSION));
    assert_false(connect_to(&c, s, TLS1_3_VERSION));
    tls_tickets_turn(b.tickets, now_s + HOUR); /* a clock that is ahead, and one that is behind */
    assert_true(connect_to(&b, s, TLS1_3_VERSION));
    tls_tickets_turn(b.tickets, now_s - 1);
    assert_true(connect_to(&b, s, TLS1_3_VERSION));
    tls_tickets_turn(b.tickets, now_s + 2 * HOUR);
    assert_false(connect_to(&b, s, TLS1_3_VERSION));
    /* A new secret in front: tickets of the old one are read on. */
    assert_int_equal(tls_tickets_use(c.tickets, HOUR * NS_PER_S, both, now_s, &err), 0);
    assert_true(connect_to(&c, s, TLS1_3_VERSION));
    SSL_SESSION_free(s);
    replica_free(&a);
    replica_free(&b);
    replica_free(&c);
    temp_folder_remove(&folder);
}

static void test_wrong_files_change_nothing(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *text, *sentence;
    } rows[] = {
        {__LINE__, "", "no ticket secret"},
        {__LINE__, "# nothing\n\n", "no ticket secret"},
        {__LINE__, "00\n", "file:1: a ticket secret is a line of 64 hex digits"},
        {__LINE__, SECRET "\n" SECRET "0\n", "file:2: a ticket secret"},
        {__LINE__, "zz112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\n", "file:1:"},
        {__LINE__,
         SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n" SECRET "\n" SECRET
                "\n" SECRET "\n",
         "more than 8 secrets"},
    };
    struct temp_folder folder = temp_folder_make();
    char path[512];
    now_s = 1000 * HOUR;
    struct replica r = replica(HOUR, "");
    SSL_SESSION *s = ticket_of(&r, TLS1_3_VERSION);
    for (size_t i = 0; i < COUNT(rows); i++) {
        struct errbuf err = ERRBUF_INIT;
        write_file(&folder, "file", rows[i].text, path);
        check_row(rows[i].line, tls_tickets_use(r.tickets, HOUR * NS_PER_S, path, now_s, &err) < 0,
                  "taken");
        check_row(rows[i].line, strstr(err.text, rows[i].sentence) != NULL, "%s", err.text);
        check_row(rows[i].line, connect_to(&r, s, TLS1_3_VERSION), "not resumed any more");
    }
    SSL_SESSION_free(s);
    replica_free(&r);
    temp_folder_remove(&folder);
}

static void test_off(void **state)
{
    (void)state;
    struct replica r = replica(0, "");
    SSL_SESSION_free(fresh);
    fresh = NULL;
    assert_false(connect_to(&r, NULL, TLS1_3_VERSION));
    assert_null(fresh);
    assert_false(connect_to(&r, NULL, TLS1_2_VERSION));
    assert_true(fresh == NULL || !SSL_SESSION_has_ticket(fresh));
    replica_free(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_keys_turn),
        cmocka_unit_test(test_replicas_share_a_file),
        cmocka_unit_test(test_wrong_files_change_nothing),
        cmocka_unit_test(test_off),
    };
    make_certificate();
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    SSL_SESSION_free(fresh);
    X509_free(certificate);
    EVP_PKEY_free(key);
    return failed;
}
