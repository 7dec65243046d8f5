/* Listening sockets: one per address and loop, all on one port by SO_REUSEPORT, so that the kernel
 * spreads connections over the loops. */
#ifndef ROUTER_LISTENER_H
#define ROUTER_LISTENER_H

#include "base/errbuf.h"
#include "router/net/front.h"
#include "tenancy/conf.h"

/* Opens a listening socket. `port` 0 takes the address's own; the first loop does that, the others
 * pass the port it got. Returns the descriptor and the port in *ret_port. */
int listener_open(const struct listen_conf *conf, int port, int *ret_port, struct errbuf *err);
/* Starts accepting on ln->fd. Thread: the loop's. */
void listener_start(struct listener *ln);
/* Closed already, or never started, is fine. Thread: the loop's, or no loop runs. */
void listener_close(struct listener *ln);

#endif
