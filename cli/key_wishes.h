/* What the commands about keys read from their command lines. */
#ifndef CLI_KEY_WISHES_H
#define CLI_KEY_WISHES_H

#include "base/arena.h"
#include "cli/args.h"
#include "tenancy/keys/key.h"

#define KEY_ALL_SIGNALS ((1u << SIGNAL_COUNT) - 1)

/* clang-format off */
#define KEY_LIMIT_ARG_ROWS                                                                         \
    {"--rate", ARG_RATE, "5MB/s", NULL, "bytes per second with this key, below the tenant's"},      \
    {"--burst", ARG_SIZE, "10MB", NULL, "bytes that may come at once"},                             \
    {"--items", ARG_RATE, "10k/s", NULL, "spans, data points and log records per second"},          \
    {"--requests", ARG_RATE, "50/s", NULL, "requests per second"},                                  \
    {"--daily", ARG_SIZE, "50GB", NULL, "bytes from 00:00 to 24:00 UTC"},                           \
    {"--limit", ARG_TEXTS, "logs.rate=1MB/s", NULL, "any of these for one signal"}
/* clang-format on */

/* The id that was typed, or the one of a whole key, pasted from where it leaked. */
bool key_id_of(const char *typed, char id[KEY_ID_LENGTH + 1]);
/* Changes of `k` what --label, --expires, --signals and the rows above say; the rest stays. Limits
 * go to `arena`, strings are those of argv. 0, -EINVAL or -ENOMEM. */
int key_wishes_read(const struct args *a, struct key *k, struct arena *arena, struct errbuf *err);

#endif
