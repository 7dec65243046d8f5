#include "consumer/supervise/run_files.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/json_tree.h"
#include "consumer/worker_status.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

#define FILE_CEILING     (16 << 20)
#define LONGEST_INSTANCE 63

/* The file's content as a tree. *ret NULL: there is no such file. */
static int read_tree(const char *path, yajl_val *ret, struct errbuf *err)
{
    struct buf text = BUF_INIT_CEILING(FILE_CEILING);
    *ret = NULL;
    if (access(path, F_OK) != 0 && errno == ENOENT)
        return 0;
    int rc = file_read(path, &text, err);
    if (rc == 0) {
        *ret = json_tree_parse(buf_slice(&text), path, err);
        rc = *ret ? 0 : -EINVAL;
    }
    buf_release(&text);
    return rc == -ENOENT ? 0 : rc; /* it has gone meanwhile */
}

static double age(yajl_val tree)
{
    int64_t now_ms = (int64_t)(clock_wall_ns() / NS_PER_MS);
    int64_t at_ms = json_tree_number(tree, "written_at_ms", now_ms);
    return now_ms > at_ms ? (double)(now_ms - at_ms) / 1000 : 0;
}

static bool is_alive(int pid)
{
    return pid > 0 && (kill(pid, 0) == 0 || errno == EPERM);
}

static const char *keep(struct arena *a, const char *text)
{
    const char *kept = arena_strdup(a, slice_str(text));
    return kept ? kept : "";
}

static void read_processes(yajl_val list, struct arena *a, struct run_supervisor *s)
{
    size_t n = json_tree_length(list);
    s->processes = arena_calloc(a, n + 1, sizeof(*s->processes));
    for (size_t i = 0; s->processes != NULL && i < n; i++) {
        yajl_val p = json_tree_at(list, i);
        s->processes[s->n++] = (struct run_process){
            .name = keep(a, json_tree_text(p, "name")),
            .state = keep(a, json_tree_text(p, "state")),
            .pid = (int)json_tree_number(p, "pid", 0),
            .restarts = (uint64_t)json_tree_number(p, "restarts", 0),
            .last_end = keep(a, json_tree_text(p, "last_end")),
        };
    }
}

int run_supervisor_read(const char *state_folder, struct arena *a, struct run_supervisor *ret,
                        struct errbuf *err)
{
    char path[4096];
    yajl_val tree;
    *ret = (struct run_supervisor){.brokers = ""};
    snprintf(path, sizeof(path), "%s/run/supervisor.json", state_folder);
    int rc = read_tree(path, &tree, err);
    if (tree == NULL)
        return rc;
    ret->found = true;
    ret->alive = is_alive((int)json_tree_number(tree, "pid", 0));
    ret->age_s = age(tree);
    ret->brokers = keep(a, json_tree_text(tree, "brokers"));
    read_processes(json_tree_member(tree, "processes"), a, ret);
    yajl_tree_free(tree);
    return 0;
}

/* ---- workers ---- */

void run_worker_path(char *out, size_t size, const char *state_folder, const char *tenant,
                     const char *instance, const char *suffix)
{
    bool main_one = strcmp(instance, RUN_INSTANCE) == 0;
    snprintf(out, size, "%s/run/consumer-%s%s%s.%s", state_folder, tenant, main_one ? "" : "@",
             main_one ? "" : instance, suffix);
}

int run_instance_check(const char *instance, struct errbuf *err)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    size_t len = strlen(instance);
    if (len > 0 && len <= LONGEST_INSTANCE && strspn(instance, allowed) == len)
        return 0;
    return errbuf_set(err, EINVAL,
                      "the name of a worker's instance is 1-%d letters, digits, '.', '_' and '-'",
                      LONGEST_INSTANCE);
}

/* How bad a state is for its tenant. A worker without partitions is a reserve beside others. */
static int badness(const struct run_worker *w)
{
    static const enum worker_state order[] = {
        WORKER_WAITING_FOR_PARTITIONS, WORKER_RUNNING,  WORKER_STOPPING, WORKER_STARTING,
        WORKER_WAITING_FOR_KAFKA,      WORKER_RETRYING, WORKER_PARKED};
    if (!w->alive)
        return -1;
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        if (strcmp(w->state, worker_state_name[order[i]]) == 0)
            return (int)i;
    return 0;
}

static int add_worker(struct run_workers *ret, const char *path, const char *instance,
                      struct arena *a, struct errbuf *err)
{
    yajl_val tree;
    int rc = read_tree(path, &tree, err);
    if (tree == NULL)
        return rc;
    int pid = (int)json_tree_number(tree, "pid", 0);
    ret->at[ret->n++] = (struct run_worker){
        .instance = keep(a, instance),
        .alive = is_alive(pid),
        .pid = pid,
        .age_s = age(tree),
        .state = keep(a, json_tree_text(tree, "state")),
        .reason = keep(a, json_tree_text(tree, "reason")),
        .batches = (uint64_t)json_tree_number(tree, "batches", 0),
        .retries = (uint64_t)json_tree_number(tree, "retries", 0),
        .dead_letters = (uint64_t)json_tree_number(tree, "dead_letters", 0),
        .memory_bytes = (uint64_t)json_tree_number(tree, "memory_bytes", 0),
    };
    yajl_tree_free(tree);
    return 0;
}

/* "consumer-acme@two.json" → "two"; NULL for another tenant's. Cuts the name. */
static const char *other_instance(char *name, const char *tenant)
{
    static const char prefix[] = "consumer-";
    size_t len = strlen(tenant);
    if (strncmp(name, prefix, sizeof(prefix) - 1) != 0 ||
        strncmp(name + sizeof(prefix) - 1, tenant, len) != 0)
        return NULL;
    char *at = name + sizeof(prefix) - 1 + len, *end = strrchr(at, '.');
    if (*at != '@' || end == NULL)
        return NULL;
    *end = 0;
    return at + 1;
}

int run_workers_read(const char *state_folder, const char *tenant, struct arena *a,
                     struct run_workers *ret, struct errbuf *err)
{
    char path[4096], **names = NULL;
    struct errbuf none = ERRBUF_INIT;
    snprintf(path, sizeof(path), "%s/run", state_folder);
    int n = file_list(path, ".json", &names, &none); /* no folder: nobody told anything */
    *ret = (struct run_workers){
        .at = arena_calloc(a, n > 0 ? (size_t)n + 1 : 1, sizeof(struct run_worker))};
    int rc = ret->at ? 0 : errbuf_set(err, ENOMEM, "out of memory");
    run_worker_path(path, sizeof(path), state_folder, tenant, RUN_INSTANCE, "json");
    if (rc == 0)
        rc = add_worker(ret, path, RUN_INSTANCE, a, err);
    for (int i = 0; i < n && rc == 0; i++) {
        const char *instance = other_instance(names[i], tenant);
        if (instance == NULL)
            continue;
        run_worker_path(path, sizeof(path), state_folder, tenant, instance, "json");
        rc = add_worker(ret, path, instance, a, err);
    }
    if (n >= 0)
        file_list_free(names, n);
    for (size_t i = 0; i < ret->n; i++)
        if (ret->first == NULL || badness(&ret->at[i]) > badness(ret->first))
            ret->first = &ret->at[i];
    return rc;
}

/* "consumer acme" and "consumer acme@2". */
static bool is_consumer(const struct run_process *p, const char *tenant)
{
    static const char prefix[] = "consumer ";
    size_t len = strlen(tenant);
    const char *at = p->name + sizeof(prefix) - 1;
    return strncmp(p->name, prefix, sizeof(prefix) - 1) == 0 && strncmp(at, tenant, len) == 0 &&
           (at[len] == 0 || at[len] == '@');
}

const struct run_process *run_supervisor_consumer(const struct run_supervisor *s,
                                                  const char *tenant, struct arena *a)
{
    struct run_process *sum = NULL;
    for (size_t i = 0; i < s->n; i++) {
        const struct run_process *p = &s->processes[i];
        if (!is_consumer(p, tenant))
            continue;
        if (sum == NULL && (sum = arena_calloc(a, 1, sizeof(*sum))) == NULL)
            return NULL;
        uint64_t restarts = sum->restarts + p->restarts;
        if (sum->name == NULL || strcmp(sum->state, "running") == 0)
            *sum = *p;
        sum->restarts = restarts;
    }
    return sum;
}
