/* Structured logging: one line per event, logfmt or JSON, to stderr. An event is a level, a
 * message (a constant sentence, also the key under which repeats are summarised) and fields.
 *
 *     log_event(LOG_WARN, "tenant is parked", log_str("tenant", id), log_str("reason", err.text),
 *               log_u64("offset", offset));
 *     level=warn time=... msg="tenant is parked" tenant=acme reason="..." offset=12
 *
 * Repeats: log_repeated() writes the first of its (message, key) at once and then at most one line
 * per period with `repeated=N`. Secrets are never passed in: fields take ids, labels and reasons
 * only. Thread: any. Locks: one internal, around the write of a complete line. */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/slice.h"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };
enum log_format { LOG_LOGFMT, LOG_JSON };

struct log_field {
    const char *name; /* NULL ends a list */
    enum { LOG_FIELD_STR, LOG_FIELD_I64, LOG_FIELD_U64, LOG_FIELD_F64, LOG_FIELD_BOOL } kind;
    struct slice text;
    union {
        int64_t i64;
        uint64_t u64;
        double f64;
    } number;
};

static inline struct log_field log_str(const char *name, const char *text)
{
    return (struct log_field){name, LOG_FIELD_STR, slice_str(text ? text : ""), {0}};
}
static inline struct log_field log_slice(const char *name, struct slice text)
{
    return (struct log_field){name, LOG_FIELD_STR, text, {0}};
}
static inline struct log_field log_i64(const char *name, int64_t n)
{
    return (struct log_field){name, LOG_FIELD_I64, SLICE_NULL, {.i64 = n}};
}
static inline struct log_field log_u64(const char *name, uint64_t n)
{
    return (struct log_field){name, LOG_FIELD_U64, SLICE_NULL, {.u64 = n}};
}
static inline struct log_field log_f64(const char *name, double n)
{
    return (struct log_field){name, LOG_FIELD_F64, SLICE_NULL, {.f64 = n}};
}
static inline struct log_field log_bool(const char *name, bool b)
{
    return (struct log_field){name, LOG_FIELD_BOOL, SLICE_NULL, {.u64 = b}};
}

/* Process-wide; called once at start and again on reload. `program` is e.g. "router"; borrowed for
 * ever (a literal). Defaults before the first call: LOG_INFO, logfmt. */
void log_setup(const char *program, enum log_level level, enum log_format format);

#define log_event(level, message, ...)                                                             \
    log_write((level), (message), (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})
/* `key` tells apart what repeats, e.g. a tenant id; at most one line per (message, key)
 * in 10 s. The count of a pair that stopped repeating comes with the next line of any kind. */
#define log_repeated(level, message, key, ...)                                                     \
    log_write_repeated((level), (message), (key),                                                  \
                       (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

void log_write(enum log_level level, const char *message, const struct log_field *fields);
void log_write_repeated(enum log_level level, const char *message, const char *key,
                        const struct log_field *fields);

#endif
