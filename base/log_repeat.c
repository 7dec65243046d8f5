#include "base/log_repeat.h"

#include "base/hash.h"

static void copy_key(char *out, const char *key)
{
    size_t len = strnlen(key, LOG_REPEAT_KEY_SIZE - 1);
    memcpy(out, key, len);
    out[len] = 0;
}

/* The pair's slot, or the one to reuse for it: a free one, else the least recently seen. */
static struct log_repeat *find_slot(struct log_repeat_table *t, uint64_t hash, const char *message,
                                    const char *key)
{
    struct log_repeat *oldest = &t->slots[0];
    for (size_t i = 0; i < LOG_REPEAT_SLOTS; i++) {
        struct log_repeat *r = &t->slots[i];
        if (r->message == NULL)
            return r;
        if (r->hash == hash && strcmp(r->message, message) == 0 && strcmp(r->key, key) == 0)
            return r;
        if (r->seen_ns < oldest->seen_ns)
            oldest = r;
    }
    return oldest;
}

bool log_repeat_note(struct log_repeat_table *t, enum log_level level, const char *message,
                     const char *full_key, uint64_t now_ns, uint64_t *ret_held_back,
                     struct log_repeat *ret_evicted)
{
    char key[LOG_REPEAT_KEY_SIZE];
    copy_key(key, full_key);
    uint64_t hash = hash_slice(hash_slice(HASH_START, slice_str(message)), slice_str(key));
    struct log_repeat *r = find_slot(t, hash, message, key);
    memset(ret_evicted, 0, sizeof(*ret_evicted));
    if (r->message == NULL || r->hash != hash || strcmp(r->message, message) != 0 ||
        strcmp(r->key, key) != 0) {
        *ret_evicted = *r;
        *r = (struct log_repeat){.message = message, .hash = hash};
        memcpy(r->key, key, sizeof(key));
    } else if (now_ns - r->written_ns < LOG_REPEAT_PERIOD_NS) {
        r->seen_ns = now_ns;
        r->held_back++;
        return false;
    }
    r->level = level;
    *ret_held_back = r->held_back;
    r->held_back = 0;
    r->seen_ns = r->written_ns = now_ns;
    return true;
}

bool log_repeat_take_due(struct log_repeat_table *t, uint64_t now_ns, struct log_repeat *ret)
{
    for (size_t i = 0; i < LOG_REPEAT_SLOTS; i++) {
        struct log_repeat *r = &t->slots[i];
        if (r->message == NULL)
            return false; /* slots fill from the front and are never emptied */
        if (r->held_back > 0 && now_ns - r->written_ns >= LOG_REPEAT_PERIOD_NS) {
            *ret = *r;
            r->held_back = 0;
            r->written_ns = now_ns;
            return true;
        }
    }
    return false;
}
