/* `tenantry send` from settings to exit status. */
#ifndef CLI_SEND_SESSION_H
#define CLI_SEND_SESSION_H

#include "cli/send/send_conf.h"

/* Sends, prints the summary on stderr and, with `json`, on stdout. Returns the exit status: 0 when
 * every item was acked, 1 when not, 2 when the settings can't be used. */
int send_session(const struct send_options *o);

#endif
