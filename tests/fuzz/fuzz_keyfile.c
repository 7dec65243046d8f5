/* Any bytes as a key file: refused with a sentence, or read; what is read prints to a text that
 * reads as the same keys.
 *
 * Files: tenancy/keys/keyfile.c tenancy/keys/key_limits.c */
#include "tenancy/keys/key_limits.h"
#include "tenancy/keys/keyfile.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Limits are told to people, and refused with a sentence when they could never let anything in. */
static void check_limits(const struct key *k)
{
    struct conf conf = {.record.max_bytes = 1000, .router.max_body = 1000};
    struct errbuf err = ERRBUF_INIT;
    struct buf text = BUF_INIT;
    key_limits_print(k->limits, true, &text);
    if (k->limits == NULL && text.len > 0)
        abort();
    if (key_limits_check(k->limits, &conf, &err) < 0 && err.text[0] == 0)
        abort();
    buf_release(&text);
}

static bool same(const struct key *a, const struct key *b)
{
    return strcmp(a->id, b->id) == 0 && memcmp(a->hash, b->hash, KEY_HASH_SIZE) == 0 &&
           strcmp(a->label, b->label) == 0 && a->created_s == b->created_s &&
           a->expires_s == b->expires_s && a->signals == b->signals && a->revoked == b->revoked &&
           a->revoked_s == b->revoked_s;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = ARENA_INIT;
    struct buf text = BUF_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct key *keys, *again;
    size_t n, n_again;
    if (keyfile_parse(slice_of(data, size), "fuzz", &a, &keys, &n, &err) == 0) {
        keyfile_print(keys, n, &text);
        if (keyfile_parse(buf_slice(&text), "fuzz", &a, &again, &n_again, &err) < 0 || n != n_again)
            abort();
        for (size_t i = 0; i < n; i++) {
            check_limits(&keys[i]);
            if (!same(&keys[i], &again[i]))
                abort();
        }
    } else if (err.text[0] == 0) {
        abort();
    }
    buf_release(&text);
    arena_release(&a);
    return 0;
}
