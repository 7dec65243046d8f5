/* TLS of the ingest listeners: 1.2 and 1.3, ALPN h2 then http/1.1, tickets, no early data, no
 * renegotiation, no compression (R1-R11). One certificate, sent whatever name the client asks for
 * (R9). */
#ifndef ROUTER_TLS_H
#define ROUTER_TLS_H

#include "base/errbuf.h"

#include <openssl/ssl.h>

/* Reads PEM chain and key; NULL with a sentence. The caller owns one reference (SSL_CTX_free). A
 * renewed certificate is a new context: connections keep the one they began with. */
SSL_CTX *tls_context_new(const char *certificate, const char *private_key, struct errbuf *err);

#endif
