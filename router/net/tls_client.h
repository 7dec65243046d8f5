/* Certificates of clients (R10): verified against router.client_ca, and whom they speak for. */
#ifndef ROUTER_TLS_CLIENT_H
#define ROUTER_TLS_CLIENT_H

#include "base/buf.h"
#include "base/errbuf.h"

#include <openssl/ssl.h>

struct router_conf;
struct tenant;

#define TLS_CLIENT_NAMES 8192 /* bytes of names that are looked at */

/* Makes the context ask for certificates as router.client_certificates says; CRLs in the file of
 * CAs are used. Sessions that were verified against other CAs are not resumed. */
int tls_client_setup(SSL_CTX *ctx, const struct router_conf *conf, struct errbuf *err);
/* The names in the certificate that the client has shown, each ended by a NUL: "URI:spiffe://a/b",
 * "DNS:a.example", "EMAIL:a@b", "CN:name"; one empty name when it holds none, or has expired since
 * the session began. Nothing without a certificate. */
void tls_client_names(const SSL *ssl, struct buf *out);
/* Whether a connection with these names (empty: without certificate) may send for the tenant. */
bool tls_client_agrees(struct slice names, const struct tenant *t);
#endif
