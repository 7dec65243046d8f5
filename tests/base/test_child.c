#include "unit.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/file.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char folder[] = "/tmp/tenantry-child-XXXXXX";
static char output[64];

static int make_folder(void **state)
{
    (void)state;
    if (mkdtemp(folder) == NULL)
        return -1;
    snprintf(output, sizeof(output), "%s/output", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(output);
    return rmdir(folder);
}

static void nap(void)
{
    usleep(2000);
}

static int wait_for(pid_t pid)
{
    int status = -1;
    uint64_t deadline = clock_mono_ns() + 60 * NS_PER_S;
    while (!child_ended(pid, &status)) {
        assert_true(clock_mono_ns() < deadline);
        nap();
    }
    return status;
}

/* Runs `script` by sh; returns its status and what it wrote. */
static int run(const char *script, const char *const *env, char *text, size_t size)
{
    const char *const argv[] = {"sh", "-c", script, NULL};
    const struct child_spec spec = {argv, env, output, SIGKILL};
    struct errbuf err = ERRBUF_INIT;
    struct buf out = BUF_INIT;
    unlink(output);
    pid_t pid = child_start(&spec, &err);
    assert_string_equal(err.text, "");
    assert_true(pid > 0);
    int status = wait_for(pid);
    assert_int_equal(file_read(output, &out, &err), 0);
    snprintf(text, size, "%s", buf_cstr(&out));
    buf_release(&out);
    return status;
}

static void test_run(void **state)
{
    (void)state;
    setenv("TENANTRY_TEST_A", "old", 1);
    setenv("TENANTRY_TEST_AB", "kept", 1);
    const char *const env[] = {"TENANTRY_TEST_A=new", NULL};
    static const struct {
        int line;
        const char *script, *output, *status;
    } rows[] = {
        {__LINE__, "echo out; echo err >&2", "out\nerr\n", "exit code 0"},
        {__LINE__, "exit 3", "", "exit code 3"},
        {__LINE__, "kill -9 $$", "", "killed by signal 9 (KILL)"},
        {__LINE__, "echo $TENANTRY_TEST_A $TENANTRY_TEST_AB", "new kept\n", "exit code 0"},
        {__LINE__, "env | grep -c ^TENANTRY_TEST_A=", "1\n", "exit code 0"},
        {__LINE__, "test -e /proc/$$/fd/77 || echo closed", "closed\n", "exit code 0"},
        {__LINE__, "grep -E '^Sig(Blk|Ign)' /proc/self/status | cut -f2 | sort -u",
         "0000000000000000\n", "exit code 0"},
    };
    int leaked = dup2(STDIN_FILENO, 77); /* without O_CLOEXEC, and yet not inherited */
    sigset_t pipe_only, before;
    sigemptyset(&pipe_only);
    sigaddset(&pipe_only, SIGTERM);
    sigprocmask(SIG_BLOCK, &pipe_only, &before);
    signal(SIGPIPE, SIG_IGN);
    for (size_t i = 0; i < COUNT(rows); i++) {
        char text[256], status[64];
        child_status_text(run(rows[i].script, env, text, sizeof(text)), status, sizeof(status));
        check_row(rows[i].line, strcmp(text, rows[i].output) == 0, "%s", text);
        check_row(rows[i].line, strcmp(status, rows[i].status) == 0, "%s", status);
    }
    sigprocmask(SIG_SETMASK, &before, NULL);
    close(leaked);
}

static void test_refuse(void **state)
{
    (void)state;
    char plain[64];
    struct errbuf err = ERRBUF_INIT;
    snprintf(plain, sizeof(plain), "%s/plain", folder);
    assert_int_equal(file_replace(plain, SLICE_LIT("text"), 0644, &err), 0);
    const struct {
        int line;
        const char *file, *output;
        int wanted;
        const char *sentence;
    } rows[] = {
        {__LINE__, "/no/such/program", NULL, -ENOENT, "No such file or directory"},
        {__LINE__, "no-such-program", NULL, -ENOENT, "\"no-such-program\""},
        {__LINE__, plain, NULL, -EACCES, "Permission denied"},
        {__LINE__, "sh", "/no/such/folder/x", -ENOENT, "cannot open the output file"},
    };
    for (size_t i = 0; i < COUNT(rows); i++) {
        const char *const argv[] = {rows[i].file, NULL};
        const struct child_spec spec = {argv, NULL, rows[i].output, SIGKILL};
        pid_t pid = child_start(&spec, &err);
        check_row(rows[i].line, pid == rows[i].wanted, "%d", (int)pid);
        check_row(rows[i].line, strstr(err.text, rows[i].sentence) != NULL, "%s", err.text);
    }
    unlink(plain);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nothing is left to reap */
}

/* Starts a child that would live on, tells its pid and dies without a goodbye. */
static void be_parent(int report)
{
    const char *const argv[] = {"sleep", "100", NULL};
    const struct child_spec spec = {argv, NULL, NULL, SIGKILL};
    pid_t pid = child_start(&spec, NULL);
    if (write(report, &pid, sizeof(pid)) != (ssize_t)sizeof(pid))
        _exit(1);
    kill(getpid(), SIGKILL);
}

static void test_death_signal(void **state)
{
    (void)state;
    int fds[2];
    pid_t grandchild = 0;
    assert_int_equal(pipe(fds), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        be_parent(fds[1]);
    close(fds[1]);
    assert_int_equal(read(fds[0], &grandchild, sizeof(grandchild)), sizeof(grandchild));
    close(fds[0]);
    assert_true(grandchild > 0);
    wait_for(pid);
    /* It is gone, or a zombie that the init of this machine has not reaped: its files are closed.
     */
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/exe", (int)grandchild);
    uint64_t deadline = clock_mono_ns() + 60 * NS_PER_S;
    char exe[8];
    while (readlink(path, exe, sizeof(exe)) > 0) {
        assert_true(clock_mono_ns() < deadline);
        nap();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_run),
        cmocka_unit_test(test_refuse),
        cmocka_unit_test(test_death_signal),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
