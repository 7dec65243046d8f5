#include "consumer/supervise/positions.h"

#include "base/file.h"
#include "base/json_tree.h"
#include "consumer/inspect/kafka_log.h"
#include "consumer/unit.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>

#define FILE_CEILING (16 << 20)
#define PATIENCE_MS  3000

/* ---- status files ---- */

static bool is_alive(int64_t pid)
{
    return pid > 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

static void note_unit(struct fleet *f, const struct tenant *t, yajl_val unit)
{
    int64_t next = json_tree_number(unit, "next", -1);
    enum signal signal = tenant_signal_of(t, slice_str(json_tree_text(unit, "topic")));
    const char *state = json_tree_text(unit, "state");
    if (signal == SIGNAL_COUNT || next < 0 || strcmp(state, unit_state_name[UNIT_LOADING]) == 0)
        return; /* it does not know yet */
    fleet_position(f, t, signal, (int32_t)json_tree_number(unit, "partition", -1), next);
}

bool positions_of_worker(struct fleet *f, const struct snapshot *s, struct slice json)
{
    struct errbuf err = ERRBUF_INIT;
    yajl_val tree = json_tree_parse(json, "status", &err);
    yajl_val units = json_tree_member(tree, "units");
    const struct tenant *t = snapshot_tenant(s, slice_str(json_tree_text(tree, "tenant")));
    bool alive = t != NULL && is_alive(json_tree_number(tree, "pid", 0));
    for (size_t i = 0; alive && i < json_tree_length(units); i++)
        note_unit(f, t, json_tree_at(units, i));
    yajl_tree_free(tree);
    return alive;
}

static void read_files(struct fleet *f, const struct snapshot *s)
{
    char folder[4096], path[4352], **names;
    struct errbuf err = ERRBUF_INIT;
    snprintf(folder, sizeof(folder), "%s/run", s->conf->state);
    int n = file_list(folder, ".json", &names, &err);
    for (int i = 0; i < n; i++) {
        struct buf text = BUF_INIT_CEILING(FILE_CEILING);
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        if (strncmp(names[i], "consumer-", 9) == 0 && file_read(path, &text, &err) == 0)
            positions_of_worker(f, s, buf_slice(&text));
        buf_release(&text);
    }
    if (n >= 0)
        file_list_free(names, n);
}

/* ---- commits ---- */

static int ask_commits(struct fleet *f, struct kafka_log *log, const struct tenant *t,
                       struct errbuf *err)
{
    struct fleet_unit *u = fleet_first(f, t->id);
    for (; u != NULL; u = fleet_after(f, u)) {
        struct progress copy;
        int64_t offset = -1;
        bool has_totals;
        int rc = u->placed ? 0
                           : kafka_log_committed(log, u->topic, u->partition, &offset, &copy,
                                                 &has_totals, err);
        if (rc < 0)
            return rc;
        if (!u->placed)
            fleet_position(f, t, u->signal, u->partition, offset);
    }
    return 0;
}

static void ask_group(struct fleet *f, const struct conf *conf, const char *brokers,
                      const struct tenant *t)
{
    struct errbuf err = ERRBUF_INIT;
    struct kafka_log *log = kafka_log_open(conf, brokers, t, PATIENCE_MS, &err);
    if (log != NULL)
        ask_commits(f, log, t, &err); /* what is not told stays as it was */
    kafka_log_close(log);
}

static bool all_placed(struct fleet *f, const struct tenant *t)
{
    const struct fleet_unit *u = fleet_first(f, t->id);
    while (u != NULL && u->placed)
        u = fleet_after(f, u);
    return u == NULL;
}

void positions_find(void *arg, const struct snapshot *s, struct fleet *f)
{
    struct positions *p = arg;
    size_t asked = 0, i = 0;
    read_files(f, s);
    for (; i < s->n_tenants && asked < POSITIONS_ASKED && !atomic_load(p->ending); i++) {
        const struct tenant *t = &s->tenants[(p->turn + i) % s->n_tenants];
        if (all_placed(f, t))
            continue;
        ask_group(f, s->conf, p->brokers, t);
        asked++;
    }
    p->turn = s->n_tenants ? (p->turn + i) % s->n_tenants : 0;
}
