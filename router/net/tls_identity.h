/* Certificates with their keys, and which of them a client gets: by the name it asks for (SNI, R8),
 * else the default one (R9). Immutable once loaded; shared by all loops through the context. */
#ifndef ROUTER_TLS_IDENTITY_H
#define ROUTER_TLS_IDENTITY_H

#include "base/errbuf.h"

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>

struct router_conf;
struct tls_identities;

/* Reads router.certificate (the default) and router.certificates. NULL with a sentence that names
 * the file. */
struct tls_identities *tls_identities_load(const struct router_conf *conf, struct errbuf *err);
void tls_identities_free(struct tls_identities *all);
/* When the first of all certificates, of the chains too, expires: seconds since 1970. */
uint64_t tls_identities_expire_s(const struct tls_identities *all);
/* The default certificate goes to the context, with those for the same name that have another kind
 * of key: a client takes what it can. */
int tls_identities_set_default(const struct tls_identities *all, SSL_CTX *ctx, struct errbuf *err);
/* Gives this handshake the certificates for `name`; exact names go before wildcards. False when
 * there is none: the default stays. */
bool tls_identities_choose(const struct tls_identities *all, SSL *ssl, const char *name);

#endif
