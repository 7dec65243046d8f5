/* The memory behind log_repeated(): which (message, key) pairs were written lately and how many of
 * each were held back since. A bounded table: the least recently seen pair makes room for a new
 * one. Thread: the caller serialises. */
#ifndef BASE_LOG_REPEAT_H
#define BASE_LOG_REPEAT_H

#include "base/log.h"

#define LOG_REPEAT_SLOTS     256
#define LOG_REPEAT_PERIOD_NS (10 * 1000000000ull)
#define LOG_REPEAT_KEY_SIZE  128

struct log_repeat {
    const char *message; /* a literal; NULL = free slot */
    char key[LOG_REPEAT_KEY_SIZE];
    uint64_t hash;
    enum log_level level;
    uint64_t written_ns; /* when a line for it was last written */
    uint64_t seen_ns;
    uint64_t held_back; /* since then */
};

struct log_repeat_table {
    struct log_repeat slots[LOG_REPEAT_SLOTS];
};

/* Notes one event. True when its line is to be written now; *ret_held_back then says how many were
 * held back before it. *ret_evicted is the pair that lost its slot (held_back > 0 when it still
 * owed a summary). */
bool log_repeat_note(struct log_repeat_table *t, enum log_level level, const char *message,
                     const char *key, uint64_t now_ns, uint64_t *ret_held_back,
                     struct log_repeat *ret_evicted);
/* Takes one pair whose period is over and that owes a summary: false when there is none. */
bool log_repeat_take_due(struct log_repeat_table *t, uint64_t now_ns, struct log_repeat *ret);

#endif
