/* TLS of the ingest listeners: 1.2 and 1.3, ALPN h2 then http/1.1, certificates by name, rotating
 * tickets, no early data, no renegotiation, no compression (R1-R11). */
#ifndef ROUTER_TLS_H
#define ROUTER_TLS_H

#include "base/errbuf.h"
#include "router/net/tls_tickets.h"

#include <openssl/ssl.h>
#include <stdint.h>

struct router_conf;

/* Reads the files that `conf` names; NULL with a sentence. The caller owns one reference
 * (SSL_CTX_free); `tickets` has to outlive it. A renewed certificate is a new context: connections
 * keep the one they began with. */
SSL_CTX *tls_context_new(const struct router_conf *conf, struct tls_tickets *tickets,
                         struct errbuf *err);
/* When the first of its certificates expires, in seconds since 1970. */
uint64_t tls_expires_s(const SSL_CTX *ctx);
/* A number that changes when one of those files does, or which they are. */
uint64_t tls_files_stamp(const struct router_conf *conf);

#endif
