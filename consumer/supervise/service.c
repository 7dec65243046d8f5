#include "consumer/supervise/service.h"

#include "base/child.h"
#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <stdio.h>

#define FIRST_BACKOFF_NS (200 * NS_PER_MS)
#define HEALTHY_NS       (30 * NS_PER_S) /* after so long a run the back-off begins anew */

const char *const service_state_name[SERVICE_STATE_COUNT] = {
#define ROW(id, name) name,
    SERVICE_STATES(ROW)
#undef ROW
};

void service_init(struct service *s, const char *name, const char *const *argv,
                  const char *output_file, uint64_t backoff_max_ns)
{
    *s = (struct service){
        .argv = argv,
        .output_file = output_file,
        .state = SERVICE_WAITING,
        .wanted = true,
        .backoff = {FIRST_BACKOFF_NS, backoff_max_ns, 0},
    };
    snprintf(s->name, sizeof(s->name), "%s", name);
}

/* SIGKILL on our death: whatever a child was at, nothing is lost by it, and no orphan stays to hold
 * ports, data folders or partitions against its successor. */
static void start(struct service *s)
{
    struct errbuf err = ERRBUF_INIT;
    struct child_spec spec = {
        .argv = s->argv, .output_file = s->output_file, .death_signal = SIGKILL};
    pid_t pid = child_start(&spec, &err);
    if (pid < 0) {
        uint64_t wait = backoff_next(&s->backoff);
        s->due_ns = clock_mono_ns() + wait;
        log_repeated(LOG_ERROR, "a process cannot be started, trying again", s->name,
                     log_str("process", s->name), log_str("reason", err.text));
        return;
    }
    s->pid = pid;
    s->restart = false;
    s->state = SERVICE_RUNNING;
    s->started_ns = clock_mono_ns();
    log_event(LOG_INFO, "process started", log_str("process", s->name), log_i64("pid", pid));
}

static void ask_to_stop(struct service *s, uint64_t stop_timeout_ns)
{
    kill(s->pid, SIGTERM);
    s->state = SERVICE_STOPPING;
    s->due_ns = clock_mono_ns() + stop_timeout_ns;
}

static void ended(struct service *s, int status)
{
    uint64_t now = clock_mono_ns();
    bool asked = s->state == SERVICE_STOPPING;
    child_status_text(status, s->last_end, sizeof(s->last_end));
    s->pid = 0;
    s->state = s->wanted ? SERVICE_WAITING : SERVICE_STOPPED;
    s->due_ns = now;
    if (asked) {
        log_event(LOG_INFO, "process stopped", log_str("process", s->name),
                  log_str("end", s->last_end));
        return;
    }
    s->restarts++;
    if (now - s->started_ns >= HEALTHY_NS)
        backoff_reset(&s->backoff);
    uint64_t wait = backoff_next(&s->backoff);
    s->due_ns = now + wait;
    log_event(LOG_WARN, "process ended by itself, starting it again", log_str("process", s->name),
              log_str("end", s->last_end), log_u64("in_ms", wait / NS_PER_MS),
              log_u64("restarts", s->restarts));
}

void service_step(struct service *s, bool may_start, uint64_t stop_timeout_ns)
{
    int status;
    if (s->pid != 0 && child_ended(s->pid, &status))
        ended(s, status);
    uint64_t now = clock_mono_ns();
    switch (s->state) {
    case SERVICE_WAITING:
    case SERVICE_STOPPED:
        if (!s->wanted)
            s->state = SERVICE_STOPPED;
        else if (may_start && now >= s->due_ns)
            start(s);
        break;
    case SERVICE_RUNNING:
        if (!s->wanted || s->restart)
            ask_to_stop(s, stop_timeout_ns);
        break;
    case SERVICE_STOPPING:
        if (now >= s->due_ns && s->pid != 0) {
            log_event(LOG_WARN, "process did not stop in time, killing it",
                      log_str("process", s->name), log_i64("pid", s->pid));
            kill(s->pid, SIGKILL);
            s->due_ns = now + NS_PER_S;
        }
        break;
    case SERVICE_STATE_COUNT:
        break;
    }
}
