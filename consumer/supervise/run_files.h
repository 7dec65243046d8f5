/* What the running processes tell in <state>/run/, read from outside: supervisor.json and a
 * consumer-<tenant>.json of each worker. A file may outlive its process: `alive` tells. */
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

#define RUN_INSTANCE "main" /* of a worker that was given no other name */

struct run_worker {
    const char *instance;
    bool alive;
    int pid;
    double age_s;
    const char *state, *reason; /* worker_state_name */
    uint64_t batches, retries, dead_letters, memory_bytes;
};

/* All workers of a tenant that told of themselves, by their instance. */
struct run_workers {
    struct run_worker *at;
    size_t n;
    /* The one to look at first: of those that live the one with the worst state. NULL = there is
     * none at all. */
    const struct run_worker *first;
};

/* A worker's file: suffix "json" or "prom". */
void run_worker_path(char *out, size_t size, const char *state_folder, const char *tenant,
                     const char *instance, const char *suffix);
/* An instance becomes a file's name and a member of the group: 1-63 of letters, digits, '.', '_'
 * and
 * '-'. 0 or -EINVAL with a sentence. */
int run_instance_check(const char *instance, struct errbuf *err);

/* Strings live in `a`. 0 also when there is no file; a negative errno with a sentence when it
 * cannot be read. */
int run_supervisor_read(const char *state_folder, struct arena *a, struct run_supervisor *ret,
                        struct errbuf *err);
int run_workers_read(const char *state_folder, const char *tenant, struct arena *a,
                     struct run_workers *ret, struct errbuf *err);
/* The supervisor's row of a tenant's worker, or NULL. Of several: one that does not run, if any,
 * with the restarts of all. */
const struct run_process *run_supervisor_consumer(const struct run_supervisor *s,
                                                  const char *tenant, struct arena *a);

#endif
