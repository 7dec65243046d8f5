/* Changing the key files, for the CLI: each change reads the file, changes it and replaces it under
 * the lock keys.d/.lock, so that two commands at once lose nothing. Files are of mode 0600. */
#ifndef TENANCY_KEYSTORE_H
#define TENANCY_KEYSTORE_H

#include "tenancy/keys/keyfile.h"

/* Adds a key for `tenant` with the label, expiry, signals and limits of `k`; fills the rest of `k`
 * and writes the key's whole text to `text`: it can never be read again. Returns 0 or a negative
 * errno. */
int keystore_issue(const char *folder, const char *tenant, struct key *k,
                   char text[KEY_TEXT_LENGTH + 1], struct errbuf *err);
/* Issues a successor of the key of this id, with its signals, limits and label, and its lifetime
 * unless `fresh` has an expiry; the old one expires after the overlap at the latest. Fills `fresh`,
 * the old key as it is now, the tenant, and `text` as above. -ENOENT when there is no such key,
 * -EINVAL when it is not in force or was rotated before. */
struct key_rotation {
    struct key old, fresh;
    char tenant[64];
    char text[KEY_TEXT_LENGTH + 1];
};
int keystore_rotate(const char *folder, const char *id, uint64_t overlap_s, struct arena *a,
                    struct key_rotation *r, struct errbuf *err);
/* Has `edit` change the key of this id, whichever tenant's it is, and stores it unless that returns
 * other than 0, which is then returned. -ENOENT when there is no such key. Strings of the key as it
 * is now go to `a`. */
typedef int key_change_fn(struct key *k, void *arg, struct errbuf *err);
struct key_changed {
    struct key key;
    char tenant[64];
};
int keystore_change(const char *folder, const char *id, key_change_fn *edit, void *arg,
                    struct arena *a, struct key_changed *ret, struct errbuf *err);
/* Marks it as revoked; 1 when it was before. */
int keystore_revoke(const char *folder, const char *id, struct arena *a, struct key_changed *ret,
                    struct errbuf *err);
/* The keys of one tenant, in order of issue; none when there is no file. */
int keystore_list(const char *folder, const char *tenant, struct arena *a, struct key **ret_keys,
                  size_t *ret_n, struct errbuf *err);

#endif
