#include "tenancy/tenancy.h"

#include "base/file.h"
#include "base/hash.h"
#include "base/log.h"
#include "tenancy/conf_fixed.h"
#include "tenancy/reload/gather.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define CONF_CEILING (1024ul * 1024)

struct tenancy {
    pthread_mutex_t lock; /* of `current` */
    struct snapshot *current;
    _Atomic uint64_t version; /* of current */
    /* Below: the reloading thread's. */
    char *file, *only;
    uint64_t file_stamp;
    struct entry *boot; /* the conf the process started with */
    struct source *source;
    struct tenancy_notice *notices;
    size_t n_notices;
};

/* Reads tenantry.conf; NULL with a sentence when it is wrong. The running entry is taken over when
 * nothing changed. */
static struct entry *read_conf(struct tenancy *t, struct errbuf *err)
{
    struct buf text = BUF_INIT_CEILING(CONF_CEILING);
    struct entry *running = t->current ? t->current->entries[0] : NULL, *e = NULL;
    t->file_stamp = file_stamp(t->file); /* before reading: what changes meanwhile is read again */
    if (file_read(t->file, &text, err) == 0) {
        struct slice content = buf_slice(&text);
        struct source_entry from = {SOURCE_CONF, "",  t->file, hash_slice(HASH_START, content),
                                    content,     NULL};
        bool same = running != NULL && running->version == from.version;
        e = same ? entry_ref(running) : entry_parse(&from, NULL, err);
    }
    buf_release(&text);
    return e;
}

/* A conf that was read again: what needs a restart stays as it was at the start. */
static int keep_fixed(struct tenancy *t, struct entry *conf, struct gathering *g)
{
    if (t->boot == NULL || conf->boot != NULL || conf == t->boot)
        return 0;
    struct buf changed = BUF_INIT;
    char text[ERRBUF_SIZE];
    int rc = 0;
    conf_keep_fixed(&conf_options, t->boot->conf, conf->conf, &changed);
    conf->boot = entry_ref(t->boot);
    if (changed.len > 0) {
        snprintf(text, sizeof(text), "%s: what was changed takes effect after a restart: %s",
                 t->file, buf_cstr(&changed));
        rc = gathering_note(g, false, text);
    }
    buf_release(&changed);
    return rc;
}

static int open_source(struct tenancy *t, const struct conf *c, struct errbuf *err)
{
    if (t->source == NULL)
        t->source = source_files_open(c->tenants, c->keys, t->only, err);
    return t->source ? 0 : -ENOMEM;
}

static int gather(struct tenancy *t, struct entry *conf, struct gathering *g, struct errbuf *err)
{
    struct source_list list = {0};
    int rc = keep_fixed(t, conf, g);
    if (rc < 0)
        return errbuf_set(err, ENOMEM, "out of memory");
    rc = open_source(t, conf->conf, err);
    if (rc == 0)
        rc = t->source->ops->read(t->source, &list, err);
    if (rc == 0)
        rc = gathering_fill(g, conf, &list, t->current, err);
    arena_release(&list.arena);
    return rc == 0 ? gathering_settle(g, err) : rc;
}

static bool is_running(const struct gathering *g, const struct snapshot *s)
{
    bool same = s != NULL && s->n_entries == g->n;
    for (size_t i = 0; same && i < g->n; i++)
        same = g->at[i].use == s->entries[i];
    return same;
}

static const char *first_refusal(const struct gathering *g)
{
    for (size_t i = 0; i < g->n_notices; i++)
        if (g->notices[i].refused)
            return g->notices[i].text;
    return NULL;
}

static int use(struct tenancy *t, const struct gathering *g, struct errbuf *err)
{
    struct entry **entries = calloc(g->n, sizeof(struct entry *));
    if (entries == NULL)
        return errbuf_set(err, ENOMEM, "out of memory");
    for (size_t i = 0; i < g->n; i++)
        entries[i] = g->at[i].use;
    struct snapshot *next = snapshot_make(entries, g->n, t->current, err);
    free(entries);
    if (next == NULL)
        return -ENOMEM;
    pthread_mutex_lock(&t->lock);
    struct snapshot *before = t->current;
    t->current = next;
    atomic_store_explicit(&t->version, next->version, memory_order_release);
    pthread_mutex_unlock(&t->lock);
    snapshot_release(before);
    return 0;
}

static void take_notices(struct tenancy *t, struct gathering *g)
{
    for (size_t i = 0; i < t->n_notices; i++)
        free((char *)t->notices[i].text);
    free(t->notices);
    t->notices = g->notices;
    t->n_notices = g->n_notices;
    g->notices = NULL;
    g->n_notices = 0;
}

int tenancy_reload(struct tenancy *t, struct errbuf *err)
{
    struct gathering g = {0};
    struct entry *conf = read_conf(t, err);
    int rc = conf ? gather(t, conf, &g, err) : -EINVAL;
    if (rc == 0 && !is_running(&g, t->current)) {
        rc = use(t, &g, err);
        rc = rc < 0 ? rc : 1;
    } else if (rc == 0 && first_refusal(&g) != NULL) {
        rc = errbuf_set(err, EINVAL, "%s", first_refusal(&g));
    }
    take_notices(t, &g);
    gathering_release(&g);
    entry_release(conf);
    return rc;
}

/* The worker's tenant must be there and right. */
static int check_only(const struct tenancy *t, struct errbuf *err)
{
    if (t->only == NULL || snapshot_tenant(t->current, slice_str(t->only)) != NULL)
        return 0;
    if (t->n_notices > 0)
        return errbuf_set(err, EINVAL, "%s", t->notices[0].text);
    return errbuf_set(err, ENOENT, "there is no tenant \"%s\": %s/%s.conf does not exist", t->only,
                      t->current->conf->tenants, t->only);
}

struct tenancy *tenancy_open(const char *file, const char *only, struct errbuf *err)
{
    if (only != NULL && tenant_id_check(slice_str(only), err) < 0)
        return NULL;
    struct tenancy *t = calloc(1, sizeof(*t));
    if (t == NULL || pthread_mutex_init(&t->lock, NULL) != 0) {
        free(t);
        errbuf_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    t->file = strdup(file);
    t->only = only ? strdup(only) : NULL;
    if (t->file == NULL || (only != NULL && t->only == NULL)) {
        errbuf_set(err, ENOMEM, "out of memory");
        goto fail;
    }
    if (tenancy_reload(t, err) < 0 || check_only(t, err) < 0)
        goto fail;
    t->boot = entry_ref(t->current->entries[0]);
    return t;
fail:
    tenancy_close(t);
    return NULL;
}

void tenancy_close(struct tenancy *t)
{
    struct gathering none = {0};
    if (t == NULL)
        return;
    take_notices(t, &none);
    if (t->source != NULL)
        t->source->ops->close(t->source);
    snapshot_release(t->current);
    entry_release(t->boot);
    pthread_mutex_destroy(&t->lock);
    free(t->file);
    free(t->only);
    free(t);
}

struct snapshot *tenancy_acquire(struct tenancy *t)
{
    pthread_mutex_lock(&t->lock);
    struct snapshot *s = snapshot_ref(t->current);
    pthread_mutex_unlock(&t->lock);
    return s;
}

uint64_t tenancy_version(const struct tenancy *t)
{
    return atomic_load_explicit(&t->version, memory_order_acquire);
}

bool tenancy_changed(struct tenancy *t)
{
    return file_stamp(t->file) != t->file_stamp || t->source->ops->changed(t->source);
}

const struct tenancy_notice *tenancy_notices(const struct tenancy *t, size_t *ret_n)
{
    *ret_n = t->n_notices;
    return t->notices;
}

bool tenancy_refuses(const struct tenancy *t)
{
    bool refused = false;
    for (size_t i = 0; i < t->n_notices; i++)
        refused = refused || t->notices[i].refused;
    return refused;
}

void tenancy_log_notices(const struct tenancy *t)
{
    for (size_t i = 0; i < t->n_notices; i++)
        log_event(t->notices[i].refused ? LOG_ERROR : LOG_WARN, "configuration notice",
                  log_str("text", t->notices[i].text));
}
