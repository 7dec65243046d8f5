#include "cli/key_wishes.h"

#include "base/clock.h"
#include "tenancy/keys/key_limits.h"
#include "tenancy/keys/keyfile.h"

#include <errno.h>
#include <stdio.h>

bool key_id_of(const char *typed, char id[KEY_ID_LENGTH + 1])
{
    struct key_parts parts = {.id = slice_str(typed)};
    key_parse(slice_str(typed), &parts);
    if (!key_id_valid(parts.id))
        return false;
    snprintf(id, KEY_ID_LENGTH + 1, "%.*s", SLICE_ARG(parts.id));
    return true;
}

static struct rate_conf *limits_of_key(struct key *k, struct arena *a)
{
    if (k->limits == NULL)
        k->limits = arena_calloc(a, LIMIT_SCOPE_COUNT, sizeof(*k->limits));
    return k->limits;
}

/* "logs.rate=5MB/s" */
static int read_limit(const char *text, struct key *k, struct errbuf *err)
{
    const char *equals = strchr(text, '=');
    struct slice name = slice_of(text, equals ? (size_t)(equals - text) : strlen(text));
    enum option_kind kind;
    unsigned number;
    uint64_t *limit = key_limit_by_name(k->limits, name, &kind, &number);
    if (limit == NULL || equals == NULL)
        return errbuf_set(err, EINVAL,
                          "\"%.60s\" is not a limit such as rate=5MB/s, burst=10MB, items=10k/s, "
                          "requests=50/s, daily=50GB or, for one signal, logs.rate=1MB/s",
                          text);
    int rc = option_parse_number(kind, equals + 1, limit, err);
    if (rc < 0)
        errbuf_prefix(err, "%.*s", SLICE_ARG(name));
    return rc;
}

/* --rate and so on for all signals together, --limit for any. */
static int read_limits(const struct args *a, struct key *k, struct arena *arena, struct errbuf *err)
{
    static const char *const total[] = {"--rate", "--burst", "--items", "--requests", "--daily"};
    for (size_t i = 0; i < sizeof(total) / sizeof(total[0]); i++) {
        enum option_kind kind;
        unsigned number;
        if (!args_given(a, total[i]))
            continue;
        if (limits_of_key(k, arena) == NULL)
            return errbuf_set(err, ENOMEM, "out of memory");
        *key_limit_by_name(k->limits, slice_str(total[i] + 2), &kind, &number) =
            args_number(a, total[i]);
    }
    int rc = 0;
    for (int i = 0; rc == 0 && args_text_at(a, "--limit", i) != NULL; i++)
        rc = limits_of_key(k, arena) ? read_limit(args_text_at(a, "--limit", i), k, err)
                                     : errbuf_set(err, ENOMEM, "out of memory");
    return rc;
}

int key_wishes_read(const struct args *a, struct key *k, struct arena *arena, struct errbuf *err)
{
    const char *signals = args_text(a, "--signals");
    int rc = 0;
    if (args_given(a, "--label")) {
        k->label = args_text(a, "--label");
        rc = key_label_check(slice_str(k->label), err);
    }
    if (args_given(a, "--expires"))
        k->expires_s = clock_wall_ns() / NS_PER_S + args_number(a, "--expires") / NS_PER_S;
    if (rc == 0 && signals != NULL)
        rc = key_signals_parse(slice_str(signals), &k->signals, err);
    return rc == 0 ? read_limits(a, k, arena, err) : rc;
}
