/* Between fork and exec only async-signal-safe calls run, because other threads of the parent may
 * have held locks at the fork: argv, environment and the path candidates are made before it.
 *
 * The child stays in the parent's process group: a Ctrl-C in the terminal reaches all, and the
 * parent treats a child that ends during its own shutdown as expected. */
#include "base/child.h"

#include "base/buf.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* What the child needs, all made before the fork. */
struct launch {
    const struct child_spec *spec;
    char **env;
    struct buf paths; /* candidates for exec, each with its NUL */
    pid_t parent;
    int report; /* write end of the pipe that closes when exec succeeds */
};

/* What the child tells when it can't start. */
struct report {
    int code;
    char step[32];
};

/* The environment's variable of the same name is left out where `add` brings a new value. */
static bool is_replaced(const char *entry, const char *const *add)
{
    size_t name = strcspn(entry, "=") + 1;
    for (; add != NULL && *add != NULL; add++)
        if (strncmp(entry, *add, name) == 0)
            return true;
    return false;
}

static char **make_env(const char *const *add)
{
    size_t n = 0, added = 0;
    while (environ[n] != NULL)
        n++;
    while (add != NULL && add[added] != NULL)
        added++;
    char **env = calloc(n + added + 1, sizeof(*env));
    if (env == NULL)
        return NULL;
    size_t out = 0;
    for (size_t i = 0; i < n; i++)
        if (!is_replaced(environ[i], add))
            env[out++] = environ[i];
    for (size_t i = 0; i < added; i++)
        env[out++] = (char *)add[i]; /* execve's type; it is not written */
    return env;
}

/* The file itself when it holds a slash, else one candidate for each folder of PATH. */
static void add_paths(struct buf *paths, const char *file)
{
    const char *path = getenv("PATH");
    if (strchr(file, '/') != NULL) {
        buf_append(paths, file, strlen(file) + 1);
        return;
    }
    if (path == NULL || *path == 0)
        path = "/usr/bin:/bin";
    for (;;) {
        size_t len = strcspn(path, ":");
        buf_printf(paths, "%.*s%s%s", (int)len, path, len ? "/" : "", file);
        buf_append_byte(paths, 0);
        if (path[len] == 0)
            return;
        path += len + 1;
    }
}

static void report_and_exit(const struct launch *l, const char *step)
{
    struct report r = {.code = errno};
    strncpy(r.step, step, sizeof(r.step) - 1);
    ssize_t ignored = write(l->report, &r, sizeof(r)); /* the parent then sees a plain exit */
    (void)ignored;
    _exit(127);
}

static void reset_signals(void)
{
    struct sigaction plain = {.sa_handler = SIG_DFL};
    for (int i = 1; i < NSIG; i++)
        sigaction(i, &plain, NULL); /* fails for KILL, STOP and the C library's own */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void redirect_output(const struct launch *l)
{
    int fd = open(l->spec->output_file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0640);
    if (fd < 0 || dup2(fd, STDOUT_FILENO) < 0 || dup2(fd, STDERR_FILENO) < 0)
        report_and_exit(l, "open the output file");
}

/* As execvp: a candidate that is missing or may not be run yields to the next. */
static void exec_first(const struct launch *l)
{
    const char *path = (const char *)l->paths.at, *end = path + l->paths.len;
    bool denied = false;
    for (; path < end; path += strlen(path) + 1) {
        execve(path, (char *const *)l->spec->argv, l->env);
        if (errno != ENOENT && errno != ENOTDIR && errno != EACCES)
            break;
        denied = denied || errno == EACCES;
    }
    if (denied)
        errno = EACCES;
    report_and_exit(l, "run");
}

/* Runs in the child; does not return. */
static void run_child(const struct launch *l)
{
    if (prctl(PR_SET_PDEATHSIG, l->spec->death_signal) < 0)
        report_and_exit(l, "set the parent-death signal");
    if (getppid() != l->parent) /* it died before the signal was set */
        _exit(127);
    reset_signals();
    if (l->spec->output_file != NULL)
        redirect_output(l);
    /* The report pipe must stay open until exec, so all are marked rather than closed. */
    if (close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
        report_and_exit(l, "close descriptors");
    exec_first(l);
}

/* Waits until exec succeeded (end of file) or failed (a report). */
static int read_report(int fd, pid_t pid, const struct child_spec *spec, struct errbuf *err)
{
    struct report r = {0};
    ssize_t n;
    do {
        n = read(fd, &r, sizeof(r));
    } while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof(r))
        return 0;
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return errbuf_set(err, r.code, "cannot %s for the program \"%s\": %s",
                      strcmp(r.step, "run") == 0 ? "call exec" : r.step, spec->argv[0],
                      strerror(r.code));
}

/* With all signals blocked around the fork, so that no handler of the parent runs in the child. */
static pid_t fork_blocked(const struct launch *l)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        run_child(l);
    int code = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = code;
    return pid;
}

static pid_t launch(struct launch *l, struct errbuf *err)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) < 0)
        return errbuf_set(err, errno, "cannot make a pipe: %s", strerror(errno));
    l->report = fds[1];
    pid_t pid = fork_blocked(l);
    int code = errno;
    close(fds[1]);
    if (pid < 0) {
        pid = errbuf_set(err, code, "cannot start a process: %s", strerror(code));
    } else {
        int rc = read_report(fds[0], pid, l->spec, err);
        if (rc < 0)
            pid = rc;
    }
    close(fds[0]);
    return pid;
}

pid_t child_start(const struct child_spec *spec, struct errbuf *err)
{
    struct launch l = {
        .spec = spec, .env = make_env(spec->env), .paths = BUF_INIT, .parent = getpid()};
    add_paths(&l.paths, spec->argv[0]);
    pid_t pid = l.env == NULL || l.paths.failed ? errbuf_set(err, ENOMEM, "out of memory")
                                                : launch(&l, err);
    free(l.env);
    buf_release(&l.paths);
    return pid;
}

bool child_ended(pid_t pid, int *status)
{
    pid_t got;
    do {
        got = waitpid(pid, status, WNOHANG);
    } while (got < 0 && errno == EINTR);
    return got == pid;
}

const char *child_status_text(int status, char *out, size_t size)
{
    if (WIFEXITED(status)) {
        snprintf(out, size, "exit code %d", WEXITSTATUS(status));
    } else if (WIFSIGNALED(status)) {
        const char *name = sigabbrev_np(WTERMSIG(status));
        snprintf(out, size, "killed by signal %d (%s)", WTERMSIG(status), name ? name : "?");
    } else {
        snprintf(out, size, "status %#x", (unsigned)status);
    }
    return out;
}
