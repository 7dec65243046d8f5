/* One supervised process: started, watched, restarted with back-off when it ends by itself, stopped
 * in order when it is no longer wanted. Thread: the supervisor's. */
#ifndef CONSUMER_SERVICE_H
#define CONSUMER_SERVICE_H

#include "base/errbuf.h"
#include "consumer/supervise/backoff.h"

#include <stdbool.h>
#include <sys/types.h>

/* id, name */
#define SERVICE_STATES(ROW)                                                                        \
    ROW(WAITING, "waiting") /* its time has not come: back-off, or what it needs is not there */   \
    ROW(RUNNING, "running")                                                                        \
    ROW(STOPPING, "stopping") /* SIGTERM was sent, SIGKILL follows at the deadline */              \
    ROW(STOPPED, "stopped")

enum service_state {
#define ROW(id, ...) SERVICE_##id,
    SERVICE_STATES(ROW)
#undef ROW
        SERVICE_STATE_COUNT
};
extern const char *const service_state_name[SERVICE_STATE_COUNT];

struct service {
    char name[96];           /* "kafka", "router", "consumer acme" */
    const char *const *argv; /* borrowed */
    const char *output_file; /* NULL = inherited; borrowed */
    enum service_state state;
    bool wanted;     /* false: is stopped and stays so */
    bool restart;    /* stop, then start at once (its config changed) */
    pid_t pid;       /* 0 = none */
    uint64_t due_ns; /* WAITING: when to start; STOPPING: when to kill */
    uint64_t started_ns;
    uint64_t restarts; /* ends that were not asked for */
    char last_end[64]; /* "exit code 1" */
    struct backoff backoff;
};

void service_init(struct service *s, const char *name, const char *const *argv,
                  const char *output_file, uint64_t backoff_max_ns);
/* Moves it on: reaps, starts what is due (when `may_start`), stops what is not wanted, kills what
 * does not stop within `stop_timeout_ns`. */
void service_step(struct service *s, bool may_start, uint64_t stop_timeout_ns);

#endif
