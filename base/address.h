/* Addresses of clients: one form for IPv4 and IPv6, ranges of them, and the network that limits per
 * address count by. Pure. */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include "base/errbuf.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* IPv4 is written as IPv6 does it: ::ffff:192.0.2.1. Zeroed: not known. */
struct address {
    uint8_t at[16];
    uint16_t port;
};

#define ADDRESS_TEXT 48 /* room for any address as text, with its end */

struct address address_v4(const uint8_t at[4], uint16_t port);
/* Other families than IPv4 and IPv6 give the zeroed one. */
struct address address_of(const struct sockaddr *a);
/* "192.0.2.1" or "2001:db8::1", without the port; "-" when it is not known. */
void address_print(const struct address *a, char out[ADDRESS_TEXT]);
/* Who is counted as one: an IPv4 address, of IPv6 the /64, which is what one subscriber gets. */
struct address address_network(const struct address *a);

struct address_range {
    uint8_t at[16];
    unsigned bits; /* of `at` that count, 0-128 */
};

/* "10.0.0.0/8", "2001:db8::/32", or one address. -EINVAL with a sentence. */
int address_parse_range(const char *text, struct address_range *ret, struct errbuf *err);
bool address_in(const struct address *a, const struct address_range *r);

#endif
