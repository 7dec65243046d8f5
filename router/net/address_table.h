/* What each client address holds and how often it comes: connections, TLS handshakes, new
 * connections a second. By address_network, so an IPv6 /64 is one. Shared by all loops: an entry is
 * locked when a connection comes, ends its handshake or goes, never for a request.
 *
 * Bounded: an address with connections costs an entry, and of those without any the last
 * ADDRESS_TABLE_IDLE that came too often are remembered. Thread: any. */
#ifndef ROUTER_ADDRESS_TABLE_H
#define ROUTER_ADDRESS_TABLE_H

#include "base/address.h"

#include <stdbool.h>

#define ADDRESS_TABLE_IDLE 65536

struct address_table;
struct address_entry; /* one address; held by its connections */

/* Each 0 = unlimited. */
struct address_limits {
    uint64_t connections, handshakes;
    uint64_t rate; /* new connections a second; two seconds of them may come at once */
};

enum address_verdict { ADDRESS_WELCOME, ADDRESS_CONNECTIONS, ADDRESS_HANDSHAKES, ADDRESS_RATE };

struct address_table *address_table_new(void); /* NULL: no memory */
void address_table_free(struct address_table *t);
/* A connection of `client` wants in, with a handshake in front or not. ADDRESS_WELCOME gives its
 * entry, NULL without memory (then it is not counted). */
enum address_verdict address_enter(struct address_table *t, const struct address *client,
                                   const struct address_limits *limits, bool handshake,
                                   uint64_t now_ns, struct address_entry **ret);
void address_handshake_done(struct address_table *t, struct address_entry *e);
/* The connection is gone; its handshake, if it had one, is to be done before. */
void address_leave(struct address_table *t, struct address_entry *e, uint64_t now_ns);
/* Entries, for tests. */
size_t address_table_size(struct address_table *t);

#endif
