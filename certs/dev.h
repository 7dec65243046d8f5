/* Certificates to try out: a CA of its own and a server certificate signed by it, both ECDSA P-256.
 * The CA's private key is thrown away, so that the file that clients are told to trust can never
 * sign for anything else. */
#ifndef CERTS_DEV_H
#define CERTS_DEV_H

#include "base/errbuf.h"

#include <stdbool.h>
#include <stddef.h>

#define CERTS_CA_FILE   "ca.pem"     /* what clients trust */
#define CERTS_CERT_FILE "server.pem" /* the server's certificate, then the CA's */
#define CERTS_KEY_FILE  "server.key" /* mode 0600 */

struct certs_dev {
    const char *folder; /* made when missing */
    /* DNS names and addresses besides localhost, 127.0.0.1, ::1 and the host's name. */
    const char *const *names;
    size_t n_names;
    bool force; /* overwrite what is there */
};

/* Makes the three files. 0, -EEXIST when one is there, -EINVAL for a name that is none, or another
 * negative errno. */
int certs_make_dev(const struct certs_dev *d, struct errbuf *err);

#endif
