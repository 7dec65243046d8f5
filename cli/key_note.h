/* What `tenantry key list` has to say of a key beside its fields. Pure. */
#ifndef CLI_KEY_NOTE_H
#define CLI_KEY_NOTE_H

#include "base/buf.h"
#include "tenancy/keys/usage_file.h"

/* "active", "expired" or "revoked". */
const char *key_state(const struct key *k, uint64_t now_s);
/* Of a rotated key whether it can go ("safe to revoke: unused for 3 h"), of one that is out of
 * force whether somebody still presents it; nothing of others. Claims reach only as far as the
 * routers have told. */
void key_note(const struct key *k, const struct usage *u, uint64_t now_s, struct buf *out);

#endif
