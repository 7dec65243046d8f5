/* Child processes: started with a parent-death signal, so that no orphan outlives a killed parent,
 * and reaped by pid. Linux ties that signal to the thread that started the child, so this is a
 * thread that lives as long as the process: the main one. A child stays in the process group: a
 * Ctrl-C reaches it directly. */
#ifndef BASE_CHILD_H
#define BASE_CHILD_H

#include "base/errbuf.h"

#include <stdbool.h>
#include <sys/types.h>

struct child_spec {
    const char *const *argv; /* argv[0] is looked up in PATH unless it holds a slash; NULL-ended */
    const char *const *env;  /* "NAME=value" to add; NULL or NULL-ended */
    const char *output_file; /* stdout and stderr are appended to it; NULL = inherited */
    int death_signal;        /* sent to the child when the parent dies: SIGTERM or SIGKILL */
};

/* Starts it. Returns the pid, or a negative errno with a sentence (also when exec fails: the child
 * reports through a pipe). All descriptors but 0-2 are closed in the child; signal mask and
 * handlers are reset. */
pid_t child_start(const struct child_spec *spec, struct errbuf *err);
/* Without blocking: true when it has ended, *status as of waitpid. */
bool child_ended(pid_t pid, int *status);
/* "exit code 1", "killed by signal 9 (KILL)". */
const char *child_status_text(int status, char *out, size_t size);

#endif
