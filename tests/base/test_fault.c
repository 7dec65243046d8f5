#include "unit.h"

#ifdef TENANTRY_FAULTS

#include "base/fault.h"

#include <dirent.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static void quiet_abort(void)
{
    if (freopen("/dev/null", "w", stderr) == NULL)
        _exit(99);
    signal(SIGABRT, SIG_DFL); /* cmocka's handler would report it as a failure */
}

/* Passes `a` five times and `b` twice under these orders; the exit code has one bit for each
 * passage that failed. */
static void pass_points(const char *orders, const char *folder)
{
    setenv("TENANTRY_FAULT", orders, 1);
    setenv("TENANTRY_FAULT_DIR", folder, 1);
    quiet_abort();
    int failed = 0;
    for (int i = 0; i < 5; i++) {
        FAULT_POINT("a");
        failed |= FAULT_FAILS("a") << i;
    }
    for (int i = 0; i < 2; i++) {
        FAULT_POINT("b");
        failed |= FAULT_FAILS("b") << (5 + i);
    }
    _exit(failed);
}

static int count_and_clear(const char *folder)
{
    int n = 0;
    DIR *d = opendir(folder);
    for (struct dirent *e; (e = readdir(d)) != NULL;)
        if (e->d_name[0] != '.') {
            unlinkat(dirfd(d), e->d_name, 0);
            n++;
        }
    closedir(d);
    return n;
}

static int run(const char *orders, const char *folder)
{
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        pass_points(orders, folder);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    if (WIFSTOPPED(status)) {
        int ignored;
        kill(pid, SIGKILL);
        waitpid(pid, &ignored, 0);
    }
    return status;
}

static void test_orders(void **state)
{
    (void)state;
    char folder[] = "/tmp/tenantry-fault-XXXXXX";
    assert_non_null(mkdtemp(folder));
    enum { EXIT, KILLED, STOPPED };
    static const struct {
        int line;
        const char *orders;
        int end, number, marks;
    } rows[] = {
        {__LINE__, "", EXIT, 0, 0},
        {__LINE__, "other:1", EXIT, 0, 0},
        {__LINE__, "a:5", KILLED, SIGKILL, 1},
        {__LINE__, "a:6", EXIT, 0, 0},
        {__LINE__, "b:2:kill", KILLED, SIGKILL, 1},
        {__LINE__, "b:1:stop", STOPPED, SIGSTOP, 1},
        {__LINE__, "a:2:fail", EXIT, 2, 1},
        {__LINE__, "a:1:fail,b:2:fail,other:1", EXIT, 1 | 1 << 6, 2},
        {__LINE__, "a", KILLED, SIGABRT, 0},
        {__LINE__, "a:0", KILLED, SIGABRT, 0},
        {__LINE__, "a:x", KILLED, SIGABRT, 0},
        {__LINE__, "a:1:explode", KILLED, SIGABRT, 0},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        int status = run(rows[i].orders, folder);
        int end = WIFSTOPPED(status) ? STOPPED : WIFSIGNALED(status) ? KILLED : EXIT;
        int number = end == STOPPED  ? WSTOPSIG(status)
                     : end == KILLED ? WTERMSIG(status)
                                     : WEXITSTATUS(status);
        int marks = count_and_clear(folder);
        check_row(rows[i].line, end == rows[i].end && number == rows[i].number, "%d %d", end,
                  number);
        check_row(rows[i].line, marks == rows[i].marks, "%d", marks);
    }
    rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_orders)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}

#else

int main(void)
{
    puts("skipped: built without TENANTRY_FAULTS");
    return 0;
}

#endif
