#include "router/tls.h"

#include "router/conn.h"

#include <errno.h>
#include <h2o.h>
#include <openssl/err.h>
#include <openssl/x509.h>
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
 * of the alert that R2 asks for. ALPN is settled before any key is in use: the record is plain. */
static void send_no_application_protocol(SSL *ssl)
{
    static const unsigned char alert[] = {
        SSL3_RT_ALERT, 0x03, 0x03, 0, 2, SSL3_AL_FATAL, SSL_AD_NO_APPLICATION_PROTOCOL,
    };
    h2o_socket_t *sock = BIO_get_data(SSL_get_rbio(ssl));
    (void)!send(h2o_socket_get_fd(sock), alert, sizeof(alert), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int select_protocol(SSL *ssl, const unsigned char **out, unsigned char *out_len,
                           const unsigned char *in, unsigned in_len, void *arg)
{
    (void)arg;
    unsigned char *chosen;
    if (SSL_select_next_proto(&chosen, out_len, protocols, sizeof(protocols) - 1, in, in_len) !=
        OPENSSL_NPN_NEGOTIATED) {
        send_no_application_protocol(ssl);
        return SSL_TLSEXT_ERR_ALERT_FATAL;
    }
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

static void on_info(const SSL *ssl, int where, int value)
{
    if (where == SSL_CB_READ_ALERT && (value & 0xFF) == SSL_AD_CLOSE_NOTIFY)
        conn_input_ended(BIO_get_data(SSL_get_rbio(ssl)));
}

/* The first error of the queue is the cause, the others say who stumbled over it. */
static const char *openssl_reason(void)
{
    unsigned long code = ERR_peek_error();
    if (ERR_SYSTEM_ERROR(code))
        return strerror(ERR_GET_REASON(code));
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    return reason ? reason : "unknown error";
}

static int load_identity(SSL_CTX *ctx, const char *certificate, const char *private_key,
                         struct errbuf *err)
{
    ERR_clear_error();
    if (SSL_CTX_use_certificate_chain_file(ctx, certificate) != 1)
        return errbuf_set(err, EINVAL, "cannot read the certificate %s: %s", certificate,
                          openssl_reason());
    bool read = SSL_CTX_use_PrivateKey_file(ctx, private_key, SSL_FILETYPE_PEM) == 1;
    if (!read && ERR_GET_REASON(ERR_peek_last_error()) != X509_R_KEY_VALUES_MISMATCH)
        return errbuf_set(err, EINVAL, "cannot use the private key %s: %s", private_key,
                          openssl_reason());
    if (!read || SSL_CTX_check_private_key(ctx) != 1)
        return errbuf_set(err, EINVAL, "the private key %s does not belong to the certificate %s",
                          private_key, certificate);
    return 0;
}

SSL_CTX *tls_context_new(const char *certificate, const char *private_key, struct errbuf *err)
{
    static const unsigned char session_context[] = "tenantry";
    SSL_CTX *ctx = SSL_CTX_new(TLS_server_method());
    if (ctx == NULL) {
        errbuf_set(err, ENOMEM, "cannot make a TLS context: %s", openssl_reason());
        return NULL;
    }
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
    if (load_identity(ctx, certificate, private_key, err) < 0) {
        SSL_CTX_free(ctx);
        return NULL;
    }
    return ctx;
}
