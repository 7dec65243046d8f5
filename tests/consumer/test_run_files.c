/* Status files read from outside, of processes that run, ended or never were. */
#include "consumer/supervise/run_files.h"

#include "base/clock.h"
#include "base/file.h"
#include "tests/base/unit.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/tenantry-run-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    char run[64];
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(run, sizeof(run), "%s/run", folder);
    return file_make_folder(run, 0755, NULL);
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"run/supervisor.json",
                                        "run/consumer-acme.json",
                                        "run/consumer-acme@two.json",
                                        "run/consumer-acme@3.json",
                                        "run/consumer-ac@me.json",
                                        "run",
                                        ""};
    char path[96];
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        remove(path);
    }
    return 0;
}

static void write_file(const char *name, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void write_file(const char *name, const char *format, ...)
{
    char path[96], text[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    snprintf(path, sizeof(path), "%s/run/%s", folder, name);
    assert_int_equal(file_replace(path, slice_str(text), 0644, NULL), 0);
}

static unsigned long long ago(unsigned seconds)
{
    return (unsigned long long)(clock_wall_ns() / NS_PER_MS - seconds * 1000);
}

/* A pid that was and is not. */
static int dead_pid(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    waitpid(pid, NULL, 0);
    return pid;
}

static void test_missing(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct run_supervisor s;
    struct run_workers w;
    assert_int_equal(run_supervisor_read("/nowhere", &a, &s, &err), 0);
    assert_false(s.found);
    assert_string_equal(s.brokers, "");
    assert_null(run_supervisor_consumer(&s, "acme", &a));
    assert_int_equal(run_workers_read("/nowhere", "acme", &a, &w, &err), 0);
    assert_null(w.first);
    arena_release(&a);
}

static void test_supervisor(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct run_supervisor s;
    write_file("supervisor.json",
               "{\"pid\":%d,\"written_at_ms\":%llu,\"brokers\":\"127.0.0.1:9\",\"processes\":["
               "{\"name\":\"router\",\"state\":\"running\",\"pid\":5,\"restarts\":0},"
               "{\"name\":\"consumer acme@2\",\"state\":\"running\",\"pid\":6,\"restarts\":1},"
               "{\"name\":\"consumer acme\",\"state\":\"waiting\",\"pid\":0,\"restarts\":3,"
               "\"last_end\":\"exit code 1\"},"
               "{\"name\":\"consumer acme@3\",\"state\":\"running\",\"pid\":7,\"restarts\":1},"
               "{\"name\":\"consumer acme2\",\"state\":\"running\",\"pid\":8,\"restarts\":9}]}",
               getpid(), ago(2));
    assert_int_equal(run_supervisor_read(folder, &a, &s, &err), 0);
    assert_true(s.found && s.alive);
    assert_true(s.age_s >= 2 && s.age_s < 60);
    assert_string_equal(s.brokers, "127.0.0.1:9");
    assert_int_equal(s.n, 5);
    const struct run_process *p = run_supervisor_consumer(&s, "acme", &a);
    assert_non_null(p);
    assert_int_equal(p->restarts, 5); /* of all three */
    assert_string_equal(p->state, "waiting");
    assert_string_equal(p->last_end, "exit code 1");
    assert_null(run_supervisor_consumer(&s, "acm", &a));
    arena_release(&a);
}

static void test_worker(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct run_workers w;
    write_file("consumer-acme.json",
               "{\"tenant\":\"acme\",\"pid\":%d,\"written_at_ms\":%llu,\"state\":\"retrying\","
               "\"reason\":\"The disk is full.\",\"retries\":8}",
               getpid(), ago(0));
    assert_int_equal(run_workers_read(folder, "acme", &a, &w, &err), 0);
    assert_true(w.n == 1 && w.first->alive);
    assert_string_equal(w.first->state, "retrying");
    assert_string_equal(w.first->reason, "The disk is full.");
    assert_int_equal(w.first->retries, 8);
    write_file("consumer-acme.json", "{\"pid\":%d,\"written_at_ms\":%llu,\"state\":\"running\"}",
               dead_pid(), ago(30));
    assert_int_equal(run_workers_read(folder, "acme", &a, &w, &err), 0);
    assert_true(w.n == 1 && !w.first->alive);
    assert_true(w.first->age_s >= 30);
    arena_release(&a);
}

/* Each worker of a tenant has a file of its own. */
static void test_several_workers(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *main_state, *two_state, *first;
    } rows[] = {
        {__LINE__, "running", "waiting_for_partitions", "main"},
        {__LINE__, "waiting_for_partitions", "running", "two"},
        {__LINE__, "running", "retrying", "two"},
        {__LINE__, "parked", "retrying", "main"},
        {__LINE__, "running", "running", "main"},
    };
    struct run_workers w;
    struct errbuf err = ERRBUF_INIT;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct arena a = ARENA_INIT;
        static const char form[] = "{\"pid\":%d,\"written_at_ms\":%llu,\"state\":\"%s\"}";
        write_file("consumer-acme.json", form, getpid(), ago(0), rows[i].main_state);
        write_file("consumer-acme@two.json", form, getpid(), ago(0), rows[i].two_state);
        write_file("consumer-acme@3.json", form, dead_pid(), ago(100), "parked");
        write_file("consumer-ac@me.json", form, getpid(), ago(0), "running"); /* another tenant's */
        assert_int_equal(run_workers_read(folder, "acme", &a, &w, &err), 0);
        assert_int_equal(w.n, 3);
        if (strcmp(w.first->instance, rows[i].first) != 0)
            fail_msg("line %d: %s", rows[i].line, w.first->instance);
        assert_string_equal(w.at[0].instance, "main");
        assert_string_equal(w.at[1].instance, "3");
        assert_false(w.at[1].alive);
        assert_int_equal(run_workers_read(folder, "ac", &a, &w, &err), 0);
        assert_int_equal(w.n, 1);
        assert_string_equal(w.first->instance, "me");
        arena_release(&a);
    }
}

static void test_names_of_instances(void **state)
{
    (void)state;
    static const struct {
        int line;
        const char *name;
        bool fits;
    } rows[] = {
        {__LINE__, "main", true},
        {__LINE__, "host-7.example_2", true},
        {__LINE__, "", false},
        {__LINE__, "a/b", false},
        {__LINE__, "two words", false},
        {__LINE__, "0123456789012345678901234567890123456789012345678901234567890123", false},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct errbuf err = ERRBUF_INIT;
        if ((run_instance_check(rows[i].name, &err) == 0) != rows[i].fits)
            fail_msg("line %d: %s", rows[i].line, err.text);
    }
}

static void test_broken(void **state)
{
    (void)state;
    struct arena a = ARENA_INIT;
    struct errbuf err = ERRBUF_INIT;
    struct run_workers w;
    write_file("consumer-acme.json", "{\"pid\":");
    assert_true(run_workers_read(folder, "acme", &a, &w, &err) < 0);
    assert_non_null(strstr(err.text, "consumer-acme.json is not JSON"));
    assert_null(w.first);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing),
        cmocka_unit_test(test_supervisor),
        cmocka_unit_test(test_worker),
        cmocka_unit_test(test_several_workers),
        cmocka_unit_test(test_names_of_instances),
        cmocka_unit_test(test_broken),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
