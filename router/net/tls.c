#include "router/net/tls.h"

#include "base/file.h"
#include "router/net/conn.h"
#include "router/net/tls_client.h"
#include "router/net/tls_identity.h"
#include "tenancy/conf.h"

#include <errno.h>
#include <h2o.h>
#include <openssl/err.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

/* TLS 1.2 suites: forward secret and authenticated, so none of HTTP/2's prohibited list, and with
 * the one it requires (R6, R7). */
#define CIPHERS                                                                                    \
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                                   \
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                                   \
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"

/* In order of our preference, each with its length in front. */
static const unsigned char protocols[] = "\x02h2\x08http/1.1";

/* libh2o drops what OpenSSL wrote when a handshake fails, so the client would see a reset instead
 * of the alert that says why (R2). OpenSSL hands an alert to its BIO as one record: the last write
 * before it tells of the alert is sent from here. What may stand in front of it (our own flight,
 * still unsent) was collected into the same write. */
#define LAST_WRITE_SIZE 16384

static _Thread_local struct {
    const void *ssl;
    size_t len;
    unsigned char bytes[LAST_WRITE_SIZE];
} last_write;

static long on_bio(BIO *bio, int operation, const char *bytes, size_t len, int argi, long argl,
                   int ret, size_t *processed)
{
    (void)argi;
    (void)argl;
    (void)processed;
    if (operation != (BIO_CB_WRITE | BIO_CB_RETURN))
        return ret;
    last_write.ssl = BIO_get_callback_arg(bio);
    last_write.len = len <= LAST_WRITE_SIZE ? len : 0;
    memcpy(last_write.bytes, bytes, last_write.len);
    return ret;
}

static void watch_writes(const SSL *ssl, bool on)
{
    BIO *bio = SSL_get_rbio(ssl); /* libh2o's, for both ways; the other one may be a buffer's */
    BIO_set_callback_ex(bio, on ? on_bio : NULL);
    BIO_set_callback_arg(bio, on ? (char *)ssl : NULL);
}

static void send_alert(const SSL *ssl)
{
    h2o_socket_t *sock = BIO_get_data(SSL_get_rbio(ssl));
    if (last_write.ssl == ssl && last_write.len > 0)
        (void)!send(h2o_socket_get_fd(sock), last_write.bytes, last_write.len,
                    MSG_DONTWAIT | MSG_NOSIGNAL);
    last_write.ssl = NULL;
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)ssl;
    (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, protocols, sizeof(protocols) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

/* Which certificate, by the name the client asks for; any other gets the default (R8, R9). */
static int select_certificate(SSL *ssl, int *alert, void *arg)
{
    (void)alert;
    const char *name = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
    return name != NULL && tls_identities_choose(arg, ssl, name) ? SSL_TLSEXT_ERR_OK
                                                                 : SSL_TLSEXT_ERR_NOACK;
}

static void on_handshake_done(const SSL *ssl)
{
    h2o_socket_t *sock = BIO_get_data(SSL_get_rbio(ssl));
    struct conn *c = sock->data;
    watch_writes(ssl, false);
    tls_client_names(ssl, &c->certificate);
}

static void on_info(const SSL *ssl, int where, int value)
{
    if (where == SSL_CB_HANDSHAKE_START)
        watch_writes(ssl, true);
    else if (where == SSL_CB_HANDSHAKE_DONE)
        on_handshake_done(ssl);
    else if (where == SSL_CB_WRITE_ALERT && value >> 8 == SSL3_AL_FATAL)
        send_alert(ssl);
    else if (where == SSL_CB_READ_ALERT && (value & 0xFF) == SSL_AD_CLOSE_NOTIFY)
        conn_input_ended(BIO_get_data(SSL_get_rbio(ssl)));
}

/* The context owns its certificates. */
static int identities_slot = -1;
static pthread_once_t slot_once = PTHREAD_ONCE_INIT;

static void free_identities(void *parent, void *at, CRYPTO_EX_DATA *data, int slot, long argl,
                            void *arg)
{
    (void)parent;
    (void)data;
    (void)slot;
    (void)argl;
    (void)arg;
    tls_identities_free(at);
}

static void make_slot(void)
{
    identities_slot = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_identities);
}

static int use_identities(SSL_CTX *ctx, const struct router_conf *conf, struct errbuf *err)
{
    struct tls_identities *all = tls_identities_load(conf, err);
    if (all == NULL)
        return -EINVAL;
    pthread_once(&slot_once, make_slot);
    SSL_CTX_set_ex_data(ctx, identities_slot, all);
    SSL_CTX_set_tlsext_servername_callback(ctx, select_certificate);
    SSL_CTX_set_tlsext_servername_arg(ctx, all);
    return tls_identities_set_default(all, ctx, err);
}

static void set_rules(SSL_CTX *ctx)
{
    static const unsigned char session_context[] = "tenantry";
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION |
                                 SSL_OP_CIPHER_SERVER_PREFERENCE);
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_cipher_list(ctx, CIPHERS);
    SSL_CTX_set_session_id_context(ctx, session_context, sizeof(session_context) - 1);
    /* Tickets carry the session: nothing is kept here. An export is not idempotent, so no early
     * data (R11). */
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_alpn_select_cb(ctx, select_protocol, NULL);
    SSL_CTX_set_info_callback(ctx, on_info);
}

SSL_CTX *tls_context_new(const struct router_conf *conf, struct tls_tickets *tickets,
                         struct errbuf *err)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL) {
        errbuf_set(err, ENOMEM, "cannot make a TLS context");
        return NULL;
    }
    set_rules(ctx);
    tls_tickets_attach(tickets, ctx);
    if (use_identities(ctx, conf, err) < 0 || tls_client_setup(ctx, conf, err) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}

uint64_t tls_expires_s(const SSL_CTX *ctx)
{
    return tls_identities_expire_s(SSL_CTX_get_ex_data(ctx, identities_slot));
}

/* -- what changed -- */

static uint64_t add_file(uint64_t stamp, const char *path)
{
    return (stamp ^ file_stamp(path)) * UINT64_C(0x100000001B3) + strlen(path);
}

uint64_t tls_files_stamp(const struct router_conf *conf)
{
    const struct certificate_conf *more = conf->certificates.at;
    uint64_t stamp =
        add_file(add_file(conf->session_lifetime, conf->certificate), conf->private_key);
    for (size_t i = 0; i < conf->certificates.n; i++)
        stamp = add_file(add_file(stamp, more[i].certificate), more[i].private_key);
    if (conf->client_certificates != CLIENT_CERTIFICATES_OFF)
        stamp = add_file(stamp + (uint64_t)conf->client_certificates, conf->client_ca);
    return conf->ticket_secrets[0] ? add_file(stamp, conf->ticket_secrets) : stamp;
}
