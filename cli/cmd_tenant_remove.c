/* tenant remove: steps that can be cut off anywhere and gone on with. Until the tenant's file is
 * put aside (<id>.removing) nothing is lost; from then on a second run goes on behind that point.
 *
 *   suspend → wait until everything is written → put the file aside → wait until no worker is left
 *   → delete topics and group → look that they are gone → delete keys and the file */
#include "cli/commands.h"
#include "cli/confirm.h"
#include "cli/ops.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/json.h"
#include "consumer/export/exporter.h"
#include "consumer/inspect/lag.h"
#include "tenancy/topics/remove.h"
#include "tenancy/topics/want.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define ANSWER_MS 30000
#define LOOK_NS   (500 * NS_PER_MS)
#define QUIET_NS  (2 * NS_PER_S) /* and router.answer_timeout: the last records came */
#define GONE_NS   (30 * NS_PER_S)

enum { PATH_SIZE = 4096 };

struct removal {
    const struct args *a;
    const char *id;
    struct ops o;
    struct tenant_file file; /* read from the file that was put aside */
    struct tenant aside;
    const struct tenant *t;
    bool put_aside; /* a run before this one came so far */
    char conf[PATH_SIZE], removing[PATH_SIZE], suspended[PATH_SIZE], keys[PATH_SIZE];
    rd_kafka_t *rk;
    struct topic_admin admin;
    bool has_topics, has_group;
    uint64_t waiting, letters;
    int topics, groups; /* deleted */
};

/* ---- what is there ---- */

static int read_aside(struct removal *r, struct errbuf *err)
{
    int rc = option_read_file(&tenant_options, r->removing, &r->file, &r->o.arena, NULL, err);
    if (rc == 0)
        rc = tenant_conf_finish(&r->file.tenant, r->removing, r->id, r->o.conf->state, NULL,
                                &r->o.arena, err);
    r->aside = (struct tenant){.conf = &r->file.tenant, .id = r->id};
    if (rc == 0 && !tenant_name(&r->aside, r->o.conf->kafka.prefix, &r->o.arena))
        rc = errbuf_set(err, ENOMEM, "out of memory");
    r->t = &r->aside;
    r->put_aside = true;
    return rc;
}

static int find(struct removal *r, struct errbuf *err)
{
    const struct conf *c = r->o.conf;
    if (tenant_id_check(slice_str(r->id), err) < 0)
        return -EINVAL;
    snprintf(r->conf, PATH_SIZE, "%s/%s.conf", c->tenants, r->id);
    snprintf(r->removing, PATH_SIZE, "%s/%s.removing", c->tenants, r->id);
    snprintf(r->suspended, PATH_SIZE, "%s/%s.suspended", c->tenants, r->id);
    snprintf(r->keys, PATH_SIZE, "%s/%s.keys", c->keys, r->id);
    r->t = snapshot_tenant(r->o.c.s, slice_str(r->id));
    if (r->t != NULL)
        return 0;
    if (access(r->removing, F_OK) == 0)
        return read_aside(r, err);
    if (access(r->conf, F_OK) == 0)
        return errbuf_set(err, EINVAL,
                          "its file is wrong, so that it is not known what belongs to "
                          "it: mend it first (`tenantry tenant check`)");
    return errbuf_set(err, ENOENT, "there is no tenant \"%s\": `tenantry tenant list` shows them",
                      r->id);
}

static int connect_to(struct removal *r, struct errbuf *err)
{
    if (r->o.brokers[0] == 0)
        return errbuf_set(err, ENOENT, "%s", ops_no_brokers);
    r->rk = topic_admin_connect(r->o.conf, r->o.brokers, KAFKA_LOG_PATIENCE_MS, err);
    r->admin = (struct topic_admin){r->rk, ANSWER_MS};
    return r->rk ? 0 : -EAGAIN;
}

static int count_letters(struct removal *r, struct kafka_log *log, struct errbuf *err)
{
    int64_t low, high;
    int n = kafka_log_partitions(log, r->t->dlq_topic, err), rc = n < 0 ? n : 0;
    r->letters = 0;
    for (int p = 0; rc == 0 && p < n; p++) {
        rc = kafka_log_range(log, r->t->dlq_topic, p, &low, &high, err);
        r->letters += rc == 0 ? (uint64_t)(high - low) : 0;
    }
    return rc;
}

/* What Kafka holds of it. *ret_end grows with every record that comes. */
static int look(struct removal *r, uint64_t *ret_end, struct errbuf *err)
{
    struct lag lag = {0};
    int topics = 0;
    struct kafka_log *log = ops_kafka(&r->o, r->t, err);
    int rc = log ? lag_measure(log, r->t, &lag, err) : -EAGAIN;
    *ret_end = 0;
    r->waiting = 0;
    for (size_t i = 0; rc == 0 && i < lag.n; i++) {
        r->waiting += lag.units[i].records;
        *ret_end += (uint64_t)lag.units[i].high;
    }
    for (int k = 0; rc == 0 && k < TOPIC_COUNT; k++) {
        int n = kafka_log_partitions(log, topic_name(r->t, k), err);
        rc = n < 0 ? n : 0;
        topics += n > 0;
    }
    r->has_topics = topics > 0;
    if (rc == 0)
        rc = count_letters(r, log, err);
    lag_release(&lag);
    kafka_log_close(log);
    return rc;
}

static int count_members(struct removal *r, char *who, size_t size, struct errbuf *err)
{
    return group_members(&r->admin, r->t->group, &r->has_group, who, size, err);
}

/* ---- waiting ---- */

static void say_waiting(const struct removal *r, const char *what)
{
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "tenantry %s: %s\n", r->a->command, what);
}

static void pause_a_little(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}

static int not_drained(const struct removal *r, const char *why, struct errbuf *err)
{
    char text[OPS_TEXT_SIZE];
    return errbuf_set(err, EAGAIN,
                      "%s record%s of %s %s not written yet%s. It stays suspended, and nothing is "
                      "deleted: look at `tenantry status %s` and run this again, or give them up "
                      "by --discard",
                      ops_number(r->waiting, false, text), r->waiting == 1 ? "" : "s", r->id,
                      r->waiting == 1 ? "is" : "are", why, r->id);
}

/* Until every record is written and no more come: requests that were let in before the suspension
 * end within router.answer_timeout. */
static int drain(struct removal *r, struct errbuf *err)
{
    uint64_t begin = clock_mono_ns(), since = begin, end, last = UINT64_MAX;
    uint64_t quiet = QUIET_NS + r->o.conf->router.answer_timeout;
    char who[256];
    int rc;
    if (r->has_topics)
        say_waiting(r, "waiting until everything is written and nothing comes any more");
    while ((rc = look(r, &end, err)) == 0 && r->has_topics) {
        uint64_t now = clock_mono_ns();
        if (end != last || r->waiting > 0)
            since = now;
        last = end;
        if (now - since >= quiet)
            break;
        int members = r->waiting > 0 ? count_members(r, who, sizeof(who), err) : 1;
        if (members == 0 && now - begin > quiet)
            return not_drained(r, ", and no worker runs that could do it", err);
        if (members < 0 || now - begin > args_number(r->a, "--wait") + quiet)
            return members < 0 ? members : not_drained(r, "", err);
        pause_a_little();
    }
    return rc;
}

/* True while the supervisor of this state folder, or a worker anywhere, has the tenant. */
static int still_in_use(struct removal *r, char *who, size_t size, struct errbuf *err)
{
    struct arena arena = ARENA_INIT;
    struct run_supervisor s = {0};
    struct run_workers w = {0};
    int rc = run_supervisor_read(r->o.conf->state, &arena, &s, err);
    if (rc == 0)
        rc = run_workers_read(r->o.conf->state, r->id, &arena, &w, err);
    if (rc == 0 && s.alive && run_supervisor_consumer(&s, r->id, &arena) != NULL) {
        snprintf(who, size, "the supervisor of this machine");
        rc = 1;
    }
    for (size_t i = 0; rc == 0 && i < w.n; i++)
        if (w.at[i].alive) {
            snprintf(who, size, "the worker with pid %d on this machine", w.at[i].pid);
            rc = 1;
        }
    arena_release(&arena);
    return rc != 0 ? rc : count_members(r, who, size, err);
}

static int wait_for_workers(struct removal *r, struct errbuf *err)
{
    uint64_t begin = clock_mono_ns();
    char who[256] = "";
    int rc;
    while ((rc = still_in_use(r, who, sizeof(who), err)) > 0) {
        if (clock_mono_ns() - begin > args_number(r->a, "--wait"))
            return errbuf_set(err, EBUSY,
                              "%s still has tenant %s (another machine's copy of its file?): stop "
                              "it, and run this again",
                              who, r->id);
        say_waiting(r, "waiting until no worker is left; Kafka notices it within a minute");
        pause_a_little();
    }
    return rc;
}

/* ---- the steps ---- */

static int suspend(const struct removal *r, struct errbuf *err)
{
    static const char reason[] = "is being removed\n";
    return access(r->suspended, F_OK) == 0
               ? 0
               : file_replace(r->suspended, slice_str(reason), 0644, err);
}

static int put_aside(struct removal *r, struct errbuf *err)
{
    if (rename(r->conf, r->removing) < 0)
        return errbuf_set(err, errno, "cannot rename \"%s\": %m", r->conf);
    FAULT_POINT("remove-file-aside");
    return 0;
}

/* What came since it was drained: none of the routers that follow this folder sent it. */
static int nothing_came(struct removal *r, struct errbuf *err)
{
    uint64_t end;
    char text[OPS_TEXT_SIZE];
    int rc = look(r, &end, err);
    if (rc < 0 || r->waiting == 0 || args_flag(r->a, "--discard"))
        return rc;
    return errbuf_set(err, EAGAIN,
                      "%s records came meanwhile, from a router that does not follow this folder: "
                      "rename %s to %s.conf to have them written, or give them up by --discard",
                      ops_number(r->waiting, false, text), r->removing, r->id);
}

static int delete_from_kafka(struct removal *r, struct errbuf *err)
{
    const char *names[TOPIC_COUNT];
    for (int k = 0; k < TOPIC_COUNT; k++)
        names[k] = topic_name(r->t, k);
    r->topics = topics_delete(&r->admin, names, TOPIC_COUNT, err);
    FAULT_POINT("remove-topics-gone");
    if (r->topics >= 0)
        r->groups = group_delete(&r->admin, r->t->group, err);
    return r->topics < 0 ? r->topics : r->groups < 0 ? r->groups : 0;
}

/* Asks the brokers, until they all know. */
static int see_that_it_is_gone(struct removal *r, struct errbuf *err)
{
    uint64_t begin = clock_mono_ns(), end;
    char who[256];
    int rc;
    while ((rc = look(r, &end, err)) == 0 && (rc = count_members(r, who, sizeof(who), err)) >= 0) {
        if (!r->has_topics && !r->has_group)
            return 0;
        if (clock_mono_ns() - begin > GONE_NS)
            return errbuf_set(err, EBUSY,
                              "%s of %s %s still there: somebody makes it anew, or the "
                              "brokers are slow. Run this again",
                              r->has_topics ? "topics" : "the group", r->id,
                              r->has_topics ? "are" : "is");
        pause_a_little();
    }
    return rc;
}

static int delete_file(const char *path, struct errbuf *err)
{
    return unlink(path) < 0 && errno != ENOENT
               ? errbuf_set(err, errno, "cannot delete \"%s\": %m", path)
               : 0;
}

static int delete_database(const struct removal *r, struct errbuf *err)
{
    struct exporter *x = exporter_for(r->t)->open(r->t, EXPORTER_READ, err);
    if (x == NULL)
        return -ENOMEM;
    enum export_result result = x->ops->destroy(x, err);
    x->ops->close(x);
    return result == EXPORT_OK ? 0 : -EIO;
}

/* The file goes last: as long as it is there, a second run goes on. */
static int delete_files(const struct removal *r, struct errbuf *err)
{
    int rc = args_flag(r->a, "--delete-database") ? delete_database(r, err) : 0;
    if (rc == 0)
        rc = delete_file(r->keys, err);
    if (rc == 0)
        rc = delete_file(r->suspended, err);
    return rc == 0 ? delete_file(r->removing, err) : rc;
}

static int run_steps(struct removal *r, struct errbuf *err)
{
    int rc = suspend(r, err);
    if (rc == 0 && !r->put_aside && !args_flag(r->a, "--discard"))
        rc = drain(r, err);
    if (rc == 0 && !r->put_aside)
        rc = put_aside(r, err);
    if (rc == 0)
        rc = wait_for_workers(r, err);
    if (rc == 0)
        rc = nothing_came(r, err);
    if (rc == 0)
        rc = delete_from_kafka(r, err);
    if (rc == 0)
        rc = see_that_it_is_gone(r, err);
    return rc == 0 ? delete_files(r, err) : rc;
}

/* ---- the command ---- */

static bool may_remove(struct removal *r)
{
    struct errbuf err = ERRBUF_INIT;
    char letters[OPS_TEXT_SIZE], waiting[OPS_TEXT_SIZE];
    bool discard = args_flag(r->a, "--discard");
    if (args_flag(r->a, "--yes"))
        return true;
    if (cli_confirm(r->a, &err,
                    "Senders of %s are refused from now on; %s records that are not written yet "
                    "are %s; then its topics with %s dead letters, its consumer group and its keys "
                    "are deleted, for ever, %s its database %.200s. Go on?",
                    r->id, ops_number(r->waiting, false, waiting),
                    discard ? "given up" : "written first", ops_number(r->letters, false, letters),
                    args_flag(r->a, "--delete-database") ? "and also" : "but not",
                    r->t->conf->database.target))
        return true;
    cli_fail(r->a, "%s: nothing was changed. --yes goes on without asking", err.text);
    return false;
}

static void tell(const struct removal *r)
{
    struct buf out = BUF_INIT;
    bool deleted = args_flag(r->a, "--delete-database");
    if (args_flag(r->a, "--json")) {
        buf_printf(&out, "{\"id\": \"%s\", \"topics\": %d, \"groups\": %d, \"database\": ", r->id,
                   r->topics, r->groups);
        json_string(&out, slice_str(r->t->conf->database.target));
        buf_printf(&out, ", \"database_deleted\": %s}\n", deleted ? "true" : "false");
    } else {
        buf_printf(&out,
                   "Tenant %s is removed: nothing of it is left in Kafka (%d topics and %d group "
                   "deleted now), its keys and its file are deleted.\nIts database %s %s.\n",
                   r->id, r->topics, r->groups, r->t->conf->database.target,
                   deleted ? "is deleted" : "stays");
    }
    cli_print(&out);
}

static int remove_tenant(const struct args *a)
{
    struct removal r = {.a = a, .id = a->operands[0]};
    struct errbuf err = ERRBUF_INIT;
    uint64_t end;
    int code = EXIT_FAILED, rc = ops_open_all(&r.o, a) ? 0 : -1;
    if (rc < 0)
        goto out;
    rc = find(&r, &err);
    if (rc == 0)
        rc = connect_to(&r, &err);
    if (rc == 0)
        rc = look(&r, &end, &err);
    if (rc == 0 && !may_remove(&r))
        goto out;
    if (rc == 0)
        rc = run_steps(&r, &err);
    if (rc == 0)
        tell(&r);
    code = rc == 0 ? EXIT_DONE : cli_fail(a, "%s", err.text);
out:
    if (r.rk != NULL)
        rd_kafka_destroy(r.rk);
    ops_close(&r.o);
    return code;
}

int cmd_tenant_remove(struct args *a)
{
    static const struct arg_row rows[] = {
        ARG_ROW_CONFIG,
        ARG_ROW_JSON,
        ARG_ROW_BROKERS,
        {"--yes", ARG_FLAG, NULL, NULL, "do not ask"},
        {"--wait", ARG_DURATION, "5m", "5m",
         "how long to wait: until all is written, until no worker is left"},
        {"--discard", ARG_FLAG, NULL, NULL, "give up what is not written yet"},
        {"--delete-database", ARG_FLAG, NULL, NULL, "delete the tenant's SQLite file, too"},
        {0},
    };
    static const struct args_spec spec = {
        "ID", 1, 1,
        "Removes a tenant: suspends it, waits until everything it sent is written, stops its\n"
        "worker (a running `tenantry up` or `supervise` does), deletes its topics, consumer "
        "group,\n"
        "keys and file, and looks that Kafka has nothing of it any more. The database stays\n"
        "unless --delete-database is given. Asks first. It can be interrupted and run again.",
        rows};
    int code = args_parse(a, &spec);
    return code == ARGS_GO_ON ? remove_tenant(a) : code;
}
