/* What the running processes tell in <state>/run/, read from outside: supervisor.json and the
 * workers' consumer-<tenant>.json. A file may outlive its process: `alive` tells. */
#ifndef CONSUMER_RUN_FILES_H
#define CONSUMER_RUN_FILES_H

#include "base/arena.h"
#include "base/errbuf.h"

struct run_process {
    const char *name;  /* "kafka", "router", "consumer acme" */
    const char *state; /* enum service_state's name */
    int pid;
    uint64_t restarts;
    const char *last_end;
};

struct run_supervisor {
    bool found; /* the file is there */
    bool alive; /* and its process runs */
    double age_s;
    const char *brokers;
    struct run_process *processes;
    size_t n;
};

struct run_worker {
    bool found, alive;
    int pid;
    double age_s;
    const char *state, *reason; /* worker_state_name */
    uint64_t batches, retries, dead_letters, memory_bytes;
};

/* Strings live in `a`. 0 also when there is no file; a negative errno with a sentence when it
 * cannot be read. */
int run_supervisor_read(const char *state_folder, struct arena *a, struct run_supervisor *ret,
                        struct errbuf *err);
int run_worker_read(const char *state_folder, const char *tenant, struct arena *a,
                    struct run_worker *ret, struct errbuf *err);
/* The supervisor's row of a tenant's worker, or NULL. */
const struct run_process *run_supervisor_consumer(const struct run_supervisor *s,
                                                  const char *tenant);

#endif
