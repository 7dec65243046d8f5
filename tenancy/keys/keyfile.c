#include "tenancy/keys/keyfile.h"

#include "tenancy/keys/key_limits.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#define LONGEST_NUMBER 18 /* digits: always below 2^63 */

/* Cuts `*rest` at the first `by`; what is before it is returned, what is behind stays. */
static struct slice cut(struct slice *rest, char by)
{
    const uint8_t *at = rest->len ? memchr(rest->at, by, rest->len) : NULL;
    struct slice first = slice_of(rest->at, at ? (size_t)(at - rest->at) : rest->len);
    *rest = at ? slice_of(at + 1, rest->len - first.len - 1) : SLICE_NULL;
    return first;
}

int key_label_check(struct slice label, struct errbuf *err)
{
    if (label.len > KEY_LABEL_LONGEST)
        return errbuf_set(err, EINVAL, "a label has at most %d bytes", KEY_LABEL_LONGEST);
    for (size_t i = 0; i < label.len; i++)
        if (label.at[i] < ' ' || label.at[i] == 0x7F)
            return errbuf_set(err, EINVAL, "a label holds no control characters");
    if (slice_trim(label).len != label.len)
        return errbuf_set(err, EINVAL, "a label does not begin or end with a blank");
    return 0;
}

int key_signals_parse(struct slice text, unsigned *ret, struct errbuf *err)
{
    unsigned signals = 0;
    do {
        struct slice name = cut(&text, ',');
        enum signal signal = signal_by_name(name);
        if (signal == SIGNAL_COUNT)
            return errbuf_set(err, EINVAL, "\"%.*s\" is not a signal: traces, metrics, logs",
                              name.len < 40 ? (int)name.len : 40, (const char *)name.at);
        if (signals & 1u << signal)
            return errbuf_set(err, EINVAL, "%s stands twice", signal_info[signal].name);
        signals |= 1u << signal;
    } while (text.at != NULL);
    *ret = signals;
    return 0;
}

void key_signals_print(unsigned signals, struct buf *out)
{
    const char *between = "";
    for (int i = 0; i < SIGNAL_COUNT; i++)
        if (signals & 1u << i) {
            buf_printf(out, "%s%s", between, signal_info[i].name);
            between = ",";
        }
}

/* One function per field: value to its place in the key. */

static int read_id(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    if (!key_id_valid(value))
        return errbuf_set(err, EINVAL, "this is not a key id");
    memcpy(k->id, value.at, KEY_ID_LENGTH);
    return 0;
}

static int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int read_hash(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    bool ok = value.len == 2ul * KEY_HASH_SIZE;
    for (size_t i = 0; ok && i < KEY_HASH_SIZE; i++) {
        int high = hex_digit(value.at[2 * i]), low = hex_digit(value.at[2 * i + 1]);
        ok = high >= 0 && low >= 0;
        k->hash[i] = (uint8_t)(ok ? high << 4 | low : 0);
    }
    return ok ? 0 : errbuf_set(err, EINVAL, "this is not 64 hexadecimal digits");
}

static int read_number(struct slice value, uint64_t *ret, struct errbuf *err)
{
    uint64_t n = 0;
    bool ok = value.len > 0 && value.len <= LONGEST_NUMBER;
    for (size_t i = 0; ok && i < value.len; i++) {
        ok = isdigit(value.at[i]);
        n = n * 10 + (uint64_t)(value.at[i] - '0');
    }
    if (!ok)
        return errbuf_set(err, EINVAL, "this is not a time in seconds or a number");
    *ret = n;
    return 0;
}

static int read_created(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    return read_number(value, &k->created_s, err);
}

static int read_expires(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    return read_number(value, &k->expires_s, err);
}

static int read_revoked(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    int rc = read_number(value, &k->revoked_s, err);
    k->revoked = rc == 0 && k->revoked_s != 0;
    return rc;
}

static int read_rotated(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    return read_number(value, &k->rotated_s, err);
}

static int read_successor(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    if (!key_id_valid(value))
        return errbuf_set(err, EINVAL, "this is not a key id");
    memcpy(k->successor, value.at, KEY_ID_LENGTH);
    return 0;
}

static int read_signals(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    (void)a;
    return key_signals_parse(value, &k->signals, err);
}

static int read_label(struct slice value, struct key *k, struct arena *a, struct errbuf *err)
{
    int rc = key_label_check(value, err);
    if (rc < 0)
        return rc;
    k->label = arena_strdup(a, value);
    return k->label ? 0 : errbuf_set(err, ENOMEM, "out of memory");
}

static const struct field {
    const char *name;
    int (*read)(struct slice value, struct key *k, struct arena *a, struct errbuf *err);
} fields[] = {
    {"id", read_id},           {"sha256", read_hash},     {"created", read_created},
    {"expires", read_expires}, {"revoked", read_revoked}, {"signals", read_signals},
    {"label", read_label},     {"rotated", read_rotated}, {"successor", read_successor},
};
#define FIELD_COUNT (sizeof(fields) / sizeof(fields[0]))
#define FIELD_LABEL 6
#define FIELDS_ALL  ((1u << (FIELD_LABEL + 1)) - 1) /* the first ones are needed */

static size_t field_by_name(struct slice name)
{
    size_t i = 0;
    while (i < FIELD_COUNT && !slice_eq(name, slice_str(fields[i].name)))
        i++;
    return i;
}

/* A limit: its own bit of `*seen`. */
static int read_limit(struct slice name, struct slice value, struct key *k, unsigned *seen,
                      struct arena *a, struct errbuf *err)
{
    struct rate_conf none[LIMIT_SCOPE_COUNT];
    enum option_kind kind;
    unsigned number;
    if (key_limit_by_name(none, name, &kind, &number) == NULL)
        return errbuf_set(err, EINVAL, "a name=value that is known is expected here");
    if (*seen & 1u << number)
        return errbuf_set(err, EINVAL, "%.*s stands twice", SLICE_ARG(name));
    *seen |= 1u << number;
    if (k->limits == NULL)
        k->limits = arena_calloc(a, LIMIT_SCOPE_COUNT, sizeof(*k->limits));
    if (k->limits == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    int rc = read_number(value, key_limit_by_name(k->limits, name, &kind, &number), err);
    if (rc < 0)
        errbuf_prefix(err, "%.*s", SLICE_ARG(name));
    return rc;
}

static int read_field(size_t i, struct slice value, struct key *k, unsigned *seen, struct arena *a,
                      struct errbuf *err)
{
    if (*seen & 1u << i)
        return errbuf_set(err, EINVAL, "%s stands twice", fields[i].name);
    *seen |= 1u << i;
    int rc = fields[i].read(value, k, a, err);
    if (rc < 0)
        errbuf_prefix(err, "%s", fields[i].name);
    return rc;
}

static int parse_line(struct slice line, struct key *k, struct arena *a, struct errbuf *err)
{
    unsigned seen = 0, limits = 0;
    while (line.at != NULL) {
        const uint8_t *equals = line.len ? memchr(line.at, '=', line.len) : NULL;
        if (equals == NULL)
            return errbuf_set(err, EINVAL, "a name=value that is known is expected here");
        struct slice name = slice_of(line.at, (size_t)(equals - line.at));
        size_t i = field_by_name(name);
        line = slice_of(equals + 1, line.len - name.len - 1);
        struct slice value = line;
        if (i == FIELD_LABEL)
            line = SLICE_NULL;
        else
            value = cut(&line, ' ');
        int rc = i < FIELD_COUNT ? read_field(i, value, k, &seen, a, err)
                                 : read_limit(name, value, k, &limits, a, err);
        if (rc < 0)
            return rc;
    }
    if ((seen & FIELDS_ALL) != FIELDS_ALL)
        return errbuf_set(err, EINVAL, "%s is missing", fields[__builtin_ctz(~seen)].name);
    return 0;
}

static bool is_key_line(struct slice line)
{
    return line.len > 0 && line.at[0] != '#';
}

static size_t count_keys(struct slice text)
{
    size_t n = 0;
    while (text.at != NULL)
        n += is_key_line(cut(&text, '\n'));
    return n;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(((const struct key *)a)->id, ((const struct key *)b)->id, KEY_ID_LENGTH);
}

/* Two keys of one id: found by sorting a copy, so that the keys keep the order of the file. */
static int check_unique(const struct key *keys, size_t n, const char *name, struct errbuf *err)
{
    struct key *sorted = malloc((n + 1) * sizeof(*sorted));
    if (sorted == NULL)
        return errbuf_set(err, ENOMEM, "%s: out of memory", name);
    memcpy(sorted, keys, n * sizeof(*keys));
    qsort(sorted, n, sizeof(*sorted), by_id);
    int rc = 0;
    for (size_t i = 1; i < n && rc == 0; i++)
        if (by_id(&sorted[i - 1], &sorted[i]) == 0)
            rc = errbuf_set(err, EINVAL, "%s: key %s stands twice", name, sorted[i].id);
    free(sorted);
    return rc;
}

int keyfile_parse(struct slice text, const char *name, struct arena *a, struct key **ret_keys,
                  size_t *ret_n, struct errbuf *err)
{
    struct key *keys = arena_calloc(a, count_keys(text) + 1, sizeof(*keys));
    if (keys == NULL)
        return errbuf_set(err, ENOMEM, "%s: out of memory", name);
    size_t n = 0;
    for (int number = 1; text.at != NULL; number++) {
        struct slice line = cut(&text, '\n');
        if (!is_key_line(line))
            continue;
        int rc = parse_line(line, &keys[n++], a, err);
        if (rc < 0) {
            errbuf_prefix(err, "%s:%d", name, number);
            return rc;
        }
    }
    int rc = check_unique(keys, n, name, err);
    if (rc < 0)
        return rc;
    *ret_keys = keys;
    *ret_n = n;
    return 0;
}

void keyfile_print(const struct key *keys, size_t n, struct buf *out)
{
    buf_append_str(out, "# Written by `tenantry key`; secrets are kept as their SHA-256 alone.\n");
    for (const struct key *k = keys; k < keys + n; k++) {
        buf_printf(out, "id=%s sha256=", k->id);
        for (size_t i = 0; i < KEY_HASH_SIZE; i++)
            buf_printf(out, "%02x", k->hash[i]);
        buf_printf(out, " created=%llu expires=%llu revoked=%llu signals=",
                   (unsigned long long)k->created_s, (unsigned long long)k->expires_s,
                   (unsigned long long)k->revoked_s);
        key_signals_print(k->signals, out);
        if (k->successor[0] != 0)
            buf_printf(out, " rotated=%llu successor=%s", (unsigned long long)k->rotated_s,
                       k->successor);
        key_limits_print(k->limits, false, out);
        buf_printf(out, " label=%s\n", k->label);
    }
}
