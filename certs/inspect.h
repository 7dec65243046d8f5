/* What `tenantry check` wants to know of the listeners' certificate and key. */
#ifndef CERTS_INSPECT_H
#define CERTS_INSPECT_H

#include "base/errbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct cert_facts {
    uint64_t not_before_s, not_after_s; /* since 1970; the chain's strictest */
    unsigned chain;                     /* certificates in the file */
    char names[512];                    /* "DNS:localhost, IP:127.0.0.1"; "" = none */
};

/* Reads the PEM chain and the key and sees that they belong together. 0, or a negative errno with a
 * sentence naming the file. Dates are facts, not errors. */
int cert_inspect(const char *certificate, const char *private_key, struct cert_facts *ret,
                 struct errbuf *err);

#endif
