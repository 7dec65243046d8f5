#include "router/admission/key_carrier.h"

#include "otlp/json_bytes.h"

static const struct slice key_begin = {(const uint8_t *)"tnt_", 4};

struct slice after_scheme(struct slice value, struct slice scheme)
{
    if (value.len <= scheme.len || !slice_ieq(slice_of(value.at, scheme.len), scheme))
        return SLICE_NULL;
    struct slice rest = slice_of(value.at + scheme.len, value.len - scheme.len);
    if (slice_starts(rest, SLICE_LIT("%20"))) /* some clients send their settings as written */
        return slice_trim(slice_of(rest.at + 3, rest.len - 3));
    return rest.at[0] == ' ' ? slice_trim(rest) : SLICE_NULL;
}

/* One more key that was found beside `*key`. */
static enum carried add(enum carried before, struct slice *key, struct slice found)
{
    if (found.len == 0 || (before != CARRIED_NOTHING && slice_eq(found, *key)))
        return before;
    *key = found;
    return before == CARRIED_NOTHING ? CARRIED_KEY : CARRIED_SEVERAL;
}

/* user:password, one of which is the key: clients differ in which. What does not begin as a key is
 * somebody else's: such a header may be there for a proxy. */
static enum carried add_basic(enum carried before, struct slice *key, struct slice text,
                              struct arena *a)
{
    uint8_t *plain = arena_alloc(a, text.len + 1);
    size_t len = 0;
    if (plain == NULL || !json_unbase64(text, plain, &len))
        return before;
    const uint8_t *colon = len ? memchr(plain, ':', len) : NULL;
    struct slice user = slice_of(plain, colon ? (size_t)(colon - plain) : len);
    struct slice password = colon ? slice_of(colon + 1, len - user.len - 1) : SLICE_NULL;
    if (slice_starts(user, key_begin))
        before = add(before, key, user);
    return slice_starts(password, key_begin) ? add(before, key, password) : before;
}

static enum carried add_value(enum carried before, struct slice *key, const struct key_carrier *c,
                              struct slice value, struct arena *a)
{
    value = slice_trim(value);
    if (c->scheme.len == 0)
        return add(before, key, value);
    value = after_scheme(value, c->scheme);
    return slice_ieq(c->scheme, SLICE_LIT("Basic")) ? add_basic(before, key, value, a)
                                                    : add(before, key, value);
}

enum carried carried_key(const struct header *headers, size_t n, const struct option_list *carriers,
                         struct arena *a, struct slice *ret_key)
{
    const struct key_carrier *all = carriers->at;
    enum carried found = CARRIED_NOTHING;
    *ret_key = SLICE_NULL;
    for (const struct header *h = headers; h < headers + n; h++)
        for (size_t i = 0; i < carriers->n && found != CARRIED_SEVERAL; i++)
            if (slice_eq(h->name, all[i].header))
                found = add_value(found, ret_key, &all[i], h->value, a);
    return found;
}
