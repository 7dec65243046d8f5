/* The PROXY protocol, versions 1 and 2: what a balancer says in front of a connection about who is
 * behind it. Strict: a header that is not exactly by its specification is refused. Pure. */
#ifndef ROUTER_PROXY_PROTOCOL_H
#define ROUTER_PROXY_PROTOCOL_H

#include "base/address.h"
#include "base/slice.h"

/* Of version 2, extensions included; version 1 has 107 at most. */
#define PROXY_MAX_HEADER 4096

enum proxy_header {
    PROXY_MORE,   /* so far it is one; more bytes are needed */
    PROXY_BAD,    /* it is none */
    PROXY_LOCAL,  /* the balancer speaks for itself, or does not know for whom */
    PROXY_CLIENT, /* *ret_client is who is behind it */
};

/* Looks at what came so far. *ret_len: the header's bytes, for PROXY_LOCAL and PROXY_CLIENT. */
enum proxy_header proxy_header_parse(struct slice in, size_t *ret_len, struct address *ret_client);

#endif
