#include "base/log.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/log_repeat.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <unistd.h>

#define LINE_CEILING  65536
#define VALUE_CEILING 4096 /* a longer value is cut and ends in "..." */

static _Atomic int threshold = LOG_INFO;
static _Atomic int line_format = LOG_LOGFMT;
static _Atomic(const char *) program_name = NULL;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* the repeat table and stderr */
static struct log_repeat_table repeats;

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_setup(const char *program, enum log_level level, enum log_format format)
{
    atomic_store(&program_name, program);
    atomic_store(&threshold, (int)level);
    atomic_store(&line_format, (int)format);
}

static bool needs_quotes(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.at[i] <= ' ' || s.at[i] >= 0x7F || strchr("\"\\=", s.at[i]) != NULL)
            return true;
    return s.len == 0;
}

static void write_text(struct buf *line, bool json, struct slice text)
{
    char cut[VALUE_CEILING];
    if (text.len > VALUE_CEILING) {
        memcpy(cut, text.at, VALUE_CEILING - 3);
        memcpy(cut + VALUE_CEILING - 3, "...", 3);
        text = slice_of(cut, VALUE_CEILING);
    }
    if (json || needs_quotes(text))
        json_string(line, text);
    else
        buf_append_slice(line, text);
}

static void write_f64(struct buf *line, bool json, double d)
{
    if (json || isfinite(d))
        json_double(line, d);
    else
        buf_append_str(line, isnan(d) ? "NaN" : d < 0 ? "-Infinity" : "Infinity");
}

static void write_field(struct buf *line, bool json, const struct log_field *f)
{
    if (json)
        buf_printf(line, "%s\"%s\":", line->len > 1 ? "," : "", f->name);
    else
        buf_printf(line, "%s%s=", line->len > 0 ? " " : "", f->name);
    switch (f->kind) {
    case LOG_FIELD_STR:
        write_text(line, json, f->text);
        break;
    case LOG_FIELD_I64:
        buf_printf(line, "%lld", (long long)f->number.i64);
        break;
    case LOG_FIELD_U64:
        buf_printf(line, "%llu", (unsigned long long)f->number.u64);
        break;
    case LOG_FIELD_F64:
        write_f64(line, json, f->number.f64);
        break;
    case LOG_FIELD_BOOL:
        buf_append_str(line, f->number.u64 ? "true" : "false");
        break;
    }
}

static void write_all(const uint8_t *at, size_t len)
{
    while (len > 0) {
        ssize_t n = write(STDERR_FILENO, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nowhere left to complain */
        at += n;
        len -= (size_t)n;
    }
}

/* Locks: held. */
static void write_line(enum log_level level, const char *message, const struct log_field *fields,
                       const struct log_field *extra)
{
    bool json = atomic_load(&line_format) == LOG_JSON;
    const char *program = atomic_load(&program_name);
    char time_text[CLOCK_TEXT_SIZE];
    struct log_field head[] = {
        log_str("level", level_names[level]),
        log_str("time", clock_text(clock_wall_ns(), time_text, sizeof(time_text))),
        log_str("msg", message),
        program ? log_str("program", program) : (struct log_field){0},
        {0},
    };
    const struct log_field *const lists[] = {head, fields, extra};
    struct buf line = BUF_INIT_CEILING(LINE_CEILING);
    if (json)
        buf_append_byte(&line, '{');
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
        for (const struct log_field *f = lists[i]; f != NULL && f->name != NULL; f++)
            write_field(&line, json, f);
    buf_append_str(&line, json ? "}\n" : "\n");
    if (line.failed) {
        buf_clear(&line);
        buf_append_str(&line, json ? "{\"level\":\"error\",\"msg\":\"a log line did not fit\"}\n"
                                   : "level=error msg=\"a log line did not fit\"\n");
    }
    write_all(line.at, line.len);
    buf_release(&line);
}

/* Locks: held. The line of a pair that stopped repeating, or lost its slot, with a count open. */
static void write_summary(const struct log_repeat *r)
{
    const struct log_field fields[] = {
        log_str("key", r->key), log_u64("repeated", r->held_back), {0}};
    write_line(r->level, r->message, fields, NULL);
}

/* Locks: held. */
static void write_due_summaries(uint64_t now_ns)
{
    struct log_repeat due;
    while (log_repeat_take_due(&repeats, now_ns, &due))
        write_summary(&due);
}

void log_write(enum log_level level, const char *message, const struct log_field *fields)
{
    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    int saved = errno;
    pthread_mutex_lock(&lock);
    write_line(level, message, fields, NULL);
    write_due_summaries(clock_mono_ns());
    pthread_mutex_unlock(&lock);
    errno = saved;
}

void log_write_repeated(enum log_level level, const char *message, const char *key,
                        const struct log_field *fields)
{
    if ((int)level > atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    int saved = errno;
    uint64_t held_back;
    struct log_repeat evicted;
    pthread_mutex_lock(&lock);
    uint64_t now_ns = clock_mono_ns(); /* under the lock: the table's times never run backwards */
    if (log_repeat_note(&repeats, level, message, key, now_ns, &held_back, &evicted)) {
        const struct log_field extra[] = {log_u64("repeated", held_back), {0}};
        write_line(level, message, fields, held_back > 0 ? extra : NULL);
    }
    if (evicted.held_back > 0)
        write_summary(&evicted);
    write_due_summaries(now_ns);
    pthread_mutex_unlock(&lock);
    errno = saved;
}
