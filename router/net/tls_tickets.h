/* Keys of session tickets: shared by all loops and all contexts, renewed in time, so that a client
 * that comes back within router.session_lifetime need not do a whole handshake, whichever loop it
 * meets, and a key that leaks opens little.
 *
 * Without a file the keys are random and live in this process alone. With one
 * (router.ticket_secrets) they follow from its secrets and the time, so that every replica that has
 * the file has the same keys, without talking to the others. Thread: any; one lock, taken once in a
 * handshake. */
#ifndef ROUTER_TLS_TICKETS_H
#define ROUTER_TLS_TICKETS_H

#include "base/errbuf.h"

#include <openssl/ssl.h>
#include <stdint.h>

struct tls_tickets;

struct tls_tickets *tls_tickets_new(void); /* NULL: no memory. Makes no tickets yet */
void tls_tickets_free(struct tls_tickets *t);
/* Takes lifetime (ns; 0 = no tickets) and secrets into use. `file` holds one secret a line, 64 hex
 * digits; the first makes tickets, all are tried. "" = random keys. On failure what was in use
 * stays. `now_s` is wall-clock time. */
int tls_tickets_use(struct tls_tickets *t, uint64_t lifetime_ns, const char *file, uint64_t now_s,
                    struct errbuf *err);
/* To be called now and then: a key is new after each lifetime; those of one before are still read.
 */
void tls_tickets_turn(struct tls_tickets *t, uint64_t now_s);
/* Makes the context use them, as long as `t` lives. */
void tls_tickets_attach(struct tls_tickets *t, SSL_CTX *ctx);

#endif
