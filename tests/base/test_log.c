#include "unit.h"

#include "base/file.h"
#include "base/log.h"
#include "base/log_repeat.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

/* While on, stderr goes to a file whose content the test reads. */
static struct {
    char path[64];
    int stderr_before;
} capture;

static void capture_start(void)
{
    snprintf(capture.path, sizeof(capture.path), "/tmp/tenantry-log-XXXXXX");
    int fd = mkostemp(capture.path, O_CLOEXEC);
    assert_true(fd >= 0);
    capture.stderr_before = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 10);
    dup2(fd, STDERR_FILENO);
    close(fd);
}

static void capture_end(struct buf *out)
{
    dup2(capture.stderr_before, STDERR_FILENO);
    close(capture.stderr_before);
    struct errbuf err = ERRBUF_INIT;
    int rc = file_read(capture.path, out, &err);
    unlink(capture.path);
    assert_int_equal(rc, 0);
}

static void test_fields(void **state)
{
    (void)state;
    static const struct {
        int line;
        struct log_field field;
        const char *logfmt, *json;
    } rows[] = {
#define TEXT(s) {"f", LOG_FIELD_STR, {(const uint8_t *)(s), sizeof(s) - 1}, {0}}
        {__LINE__, TEXT("acme"), " f=acme\n", ",\"f\":\"acme\"}\n"},
        {__LINE__, TEXT(""), " f=\"\"\n", ",\"f\":\"\"}\n"},
        {__LINE__, TEXT("two words"), " f=\"two words\"\n", ",\"f\":\"two words\"}\n"},
        {__LINE__, TEXT("a=b"), " f=\"a=b\"\n", ",\"f\":\"a=b\"}\n"},
        {__LINE__, TEXT("a\"b"), " f=\"a\\\"b\"\n", ",\"f\":\"a\\\"b\"}\n"},
        {__LINE__, TEXT("a\\b"), " f=\"a\\\\b\"\n", ",\"f\":\"a\\\\b\"}\n"},
        {__LINE__, TEXT("a\nlevel=error"), " f=\"a\\nlevel=error\"\n", "\"a\\nlevel=error\"}\n"},
        {__LINE__, TEXT("\x1b[31m\0"), " f=\"\\u001b[31m\\u0000\"\n", "\"\\u001b[31m\\u0000\"}\n"},
        {__LINE__, TEXT("\xC3\xA9"), " f=\"\xC3\xA9\"\n", "\"\xC3\xA9\"}\n"},
        {__LINE__, TEXT("\xFF"), " f=\"\xEF\xBF\xBD\"\n", "\"\xEF\xBF\xBD\"}\n"},
#undef TEXT
        {__LINE__, {"f", LOG_FIELD_I64, {0}, {.i64 = -5}}, " f=-5\n", ",\"f\":-5}\n"},
        {__LINE__, {"f", LOG_FIELD_U64, {0}, {.u64 = 7}}, " f=7\n", ",\"f\":7}\n"},
        {__LINE__, {"f", LOG_FIELD_F64, {0}, {.f64 = 1.5}}, " f=1.5\n", ",\"f\":1.5}\n"},
        {__LINE__, {"f", LOG_FIELD_F64, {0}, {.f64 = NAN}}, " f=NaN\n", ",\"f\":\"NaN\"}\n"},
        {__LINE__, {"f", LOG_FIELD_BOOL, {0}, {.u64 = 1}}, " f=true\n", ",\"f\":true}\n"},
    };
    for (size_t i = 0; i < 2 * COUNT(rows); i++) {
        bool json = i % 2;
        const char *wanted = json ? rows[i / 2].json : rows[i / 2].logfmt;
        struct buf out = BUF_INIT;
        log_setup(NULL, LOG_INFO, json ? LOG_JSON : LOG_LOGFMT);
        capture_start();
        log_write(LOG_INFO, "m", (const struct log_field[]){rows[i / 2].field, {0}});
        capture_end(&out);
        size_t len = strlen(wanted);
        check_row(rows[i / 2].line,
                  out.len > len && memcmp(out.at + out.len - len, wanted, len) == 0, "%s",
                  buf_cstr(&out));
        check_row(rows[i / 2].line, memchr(out.at, '\n', out.len) == out.at + out.len - 1, "lines");
        buf_release(&out);
    }
}

static void test_lines(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    char *long_text = malloc(100000);
    memset(long_text, 'x', 99999);
    long_text[99999] = 0;
    capture_start();
    log_setup("router", LOG_WARN, LOG_LOGFMT);
    errno = EPIPE;
    log_event(LOG_WARN, "tenant is parked", log_str("tenant", "acme"), log_u64("offset", 12));
    bool errno_kept = errno == EPIPE;
    log_event(LOG_INFO, "not written");
    log_event(LOG_ERROR, "no fields");
    log_setup("router", LOG_DEBUG, LOG_JSON);
    log_event(LOG_DEBUG, "in JSON", log_str("none", NULL));
    log_event(LOG_DEBUG, "long", log_str("text", long_text));
    capture_end(&out);
    free(long_text);
    const char *text = buf_cstr(&out);
    assert_true(errno_kept);
    assert_memory_equal(text, "level=warn time=20", 18);
    assert_non_null(
        strstr(text, "Z msg=\"tenant is parked\" program=router tenant=acme offset=12\n"));
    assert_null(strstr(text, "not written"));
    assert_non_null(strstr(text, " msg=\"no fields\" program=router\n"));
    assert_non_null(strstr(text, "\n{\"level\":\"debug\",\"time\":\"20"));
    assert_non_null(
        strstr(text, "Z\",\"msg\":\"in JSON\",\"program\":\"router\",\"none\":\"\"}\n"));
    assert_non_null(strstr(text, "xxx...\"}\n"));
    assert_true(out.len < 6000);
    buf_release(&out);
    log_setup(NULL, LOG_INFO, LOG_LOGFMT);
}

/* So many long values that the line's ceiling is passed: a line says so. */
static void test_line_ceiling(void **state)
{
    (void)state;
    static char value[5000];
    struct log_field fields[21];
    struct buf out = BUF_INIT;
    memset(value, '"', sizeof(value) - 1);
    for (size_t i = 0; i < 20; i++)
        fields[i] = log_str("f", value);
    fields[20] = (struct log_field){0};
    capture_start();
    log_write(LOG_INFO, "m", fields);
    capture_end(&out);
    assert_string_equal(buf_cstr(&out), "level=error msg=\"a log line did not fit\"\n");
    buf_release(&out);
}

static void test_repeated(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    capture_start();
    for (int i = 0; i < 100; i++) {
        log_repeated(LOG_WARN, "refused", "acme", log_str("tenant", "acme"));
        log_repeated(LOG_WARN, "refused", "beta", log_str("tenant", "beta"));
        log_repeated(LOG_DEBUG, "refused", "gamma");
    }
    capture_end(&out);
    int lines = 0;
    for (size_t i = 0; i < out.len; i++)
        lines += out.at[i] == '\n';
    assert_int_equal(lines, 2);
    assert_null(strstr(buf_cstr(&out), "repeated="));
    buf_release(&out);
}

/* A slot's life, on a clock of our own. */
static void test_repeat_table(void **state)
{
    (void)state;
    static struct log_repeat_table t;
    const uint64_t s = 1000000000ull;
    static const struct {
        int line;
        uint64_t second;
        const char *key;
        bool written;
        uint64_t held_back;
    } rows[] = {
        {__LINE__, 100, "a", true, 0}, {__LINE__, 101, "a", false, 0},
        {__LINE__, 102, "b", true, 0}, {__LINE__, 109, "a", false, 0},
        {__LINE__, 110, "a", true, 2}, {__LINE__, 119, "a", false, 0},
        {__LINE__, 130, "b", true, 0}, {__LINE__, 140, "a", true, 1},
    };
    struct log_repeat other;
    for (size_t i = 0; i < COUNT(rows); i++) {
        uint64_t held_back = 0;
        bool written =
            log_repeat_note(&t, LOG_WARN, "m", rows[i].key, rows[i].second * s, &held_back, &other);
        check_row(rows[i].line, written == rows[i].written, "written");
        check_row(rows[i].line, held_back == rows[i].held_back, "%lu", held_back);
        check_row(rows[i].line, other.message == NULL, "evicted");
    }
    uint64_t held_back;
    assert_false(log_repeat_note(&t, LOG_WARN, "m", "a", 141 * s, &held_back, &other));
    assert_false(log_repeat_take_due(&t, 149 * s, &other));
    assert_true(log_repeat_take_due(&t, 150 * s, &other));
    assert_string_equal(other.key, "a");
    assert_int_equal(other.held_back, 1);
    assert_false(log_repeat_take_due(&t, 200 * s, &other));
    assert_true(log_repeat_note(&t, LOG_WARN, "other message", "a", 200 * s, &held_back, &other));
}

/* The table stays at its size; who is pushed out with a count open is handed over. */
static void test_repeat_eviction(void **state)
{
    (void)state;
    static struct log_repeat_table t;
    struct log_repeat evicted;
    uint64_t held_back, now_ns = 1;
    char key[200];
    assert_true(log_repeat_note(&t, LOG_WARN, "m", "first", now_ns++, &held_back, &evicted));
    assert_false(log_repeat_note(&t, LOG_WARN, "m", "first", now_ns++, &held_back, &evicted));
    for (int i = 0; i < LOG_REPEAT_SLOTS; i++) {
        snprintf(key, sizeof(key), "key %d", i);
        assert_true(log_repeat_note(&t, LOG_WARN, "m", key, now_ns++, &held_back, &evicted));
        assert_int_equal(evicted.message != NULL, i == LOG_REPEAT_SLOTS - 1);
    }
    assert_string_equal(evicted.key, "first");
    assert_int_equal(evicted.held_back, 1);
    memset(key, 'k', sizeof(key));
    key[sizeof(key) - 1] = 0;
    assert_true(log_repeat_note(&t, LOG_WARN, "m", key, now_ns++, &held_back, &evicted));
    assert_false(log_repeat_note(&t, LOG_WARN, "m", key, now_ns++, &held_back, &evicted));
}

static void *log_many(void *arg)
{
    for (int i = 0; i < 200; i++) {
        log_event(LOG_INFO, "line", log_i64("i", i));
        log_repeated(LOG_INFO, "again", arg);
    }
    return NULL;
}

static void test_threads(void **state)
{
    (void)state;
    enum { THREADS = 4 };
    static char keys[THREADS][2] = {"1", "2", "3", "4"};
    pthread_t threads[THREADS];
    struct buf out = BUF_INIT;
    capture_start();
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, log_many, keys[i]);
    log_setup(NULL, LOG_INFO, LOG_LOGFMT);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    capture_end(&out);
    int lines = 0;
    for (const char *at = buf_cstr(&out); *at != 0; at = strchr(at, '\n') + 1, lines++)
        assert_memory_equal(at, "level=info time=", 16);
    assert_int_equal(lines, THREADS * 201);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),       cmocka_unit_test(test_lines),
        cmocka_unit_test(test_line_ceiling), cmocka_unit_test(test_repeated),
        cmocka_unit_test(test_repeat_table), cmocka_unit_test(test_repeat_eviction),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
