#include "router/admission/quota_keeper.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/periodic.h"
#include "tenancy/limits/quota_file.h"
#include "tenancy/runtime.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* With the time a write takes, what a crash loses stays below a second. */
#define PERIOD_NS (250 * NS_PER_MS)

struct quota_keeper {
    char path[4096];
    int lock; /* descriptor */
    struct buf written;
    struct periodic keeping;
    uint64_t looked_ns; /* when the rates were looked at */
};

static void look_at_rates(struct tenant_runtime *rt, void *arg)
{
    const uint64_t *after_ns = arg, day = day_of(clock_wall_ns());
    for (int i = 0; i < SIGNAL_COUNT; i++) {
        meter_look(&rt->rates[i].bytes, day_count_read(&rt->limits[i].today, day), *after_ns);
        meter_look(&rt->rates[i].items, day_count_read(&rt->items[i], day), *after_ns);
        meter_look(&rt->rates[i].requests, day_count_read(&rt->requests[i], day), *after_ns);
    }
}

static void keep(struct quota_keeper *k)
{
    struct buf now = BUF_INIT;
    struct errbuf err = ERRBUF_INIT;
    if (k->lock < 0)
        return;
    quota_file_write(&now, day_of(clock_wall_ns()));
    if (now.failed || slice_eq(buf_slice(&now), buf_slice(&k->written))) {
        buf_release(&now);
        return;
    }
    if (file_replace(k->path, buf_slice(&now), 0600, &err) < 0) {
        log_repeated(LOG_ERROR, "the daily quotas cannot be kept", "", log_str("reason", err.text));
        buf_release(&now);
        return;
    }
    buf_release(&k->written);
    k->written = now;
}

static void keep_and_look(void *arg)
{
    struct quota_keeper *k = arg;
    keep(k);
    uint64_t now_ns = clock_mono_ns(), after_ns = now_ns - k->looked_ns;
    k->looked_ns = now_ns;
    tenant_runtime_each(look_at_rates, &after_ns);
}

/* Locked as long as this process lives. */
static int lock_folder(struct quota_keeper *k, const char *state, struct errbuf *err)
{
    char path[4200];
    int rc = file_make_folder(state, 0700, err);
    if (rc < 0)
        return rc;
    snprintf(k->path, sizeof(k->path), "%s/quota", state);
    snprintf(path, sizeof(path), "%s/quota.lock", state);
    k->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (k->lock < 0)
        return errbuf_set(err, errno, "%s: %s", path, strerror(errno));
    if (flock(k->lock, LOCK_EX | LOCK_NB) < 0)
        return errbuf_set(err, EBUSY, "another router keeps them in %s: give each its own state",
                          state);
    return 0;
}

static void read_back(const struct quota_keeper *k)
{
    struct buf text = BUF_INIT;
    struct errbuf err = ERRBUF_INIT;
    int rc = file_read(k->path, &text, &err);
    if (rc == 0)
        rc = quota_file_read(buf_slice(&text), day_of(clock_wall_ns()), &err);
    if (rc < 0 && rc != -ENOENT)
        log_event(LOG_ERROR, "daily quotas are counted anew", log_str("file", k->path),
                  log_str("reason", err.text));
    buf_release(&text);
}

static void quota_keeper_free(struct quota_keeper *k)
{
    if (k->lock >= 0)
        close(k->lock);
    buf_release(&k->written);
    free(k);
}

struct quota_keeper *quota_keeper_start(const char *state)
{
    struct errbuf err = ERRBUF_INIT;
    struct quota_keeper *k = calloc(1, sizeof(*k));
    if (k == NULL)
        return NULL;
    k->lock = -1;
    if (lock_folder(k, state, &err) < 0) {
        log_event(LOG_ERROR, "the daily quotas cannot be kept", log_str("reason", err.text));
        if (k->lock >= 0)
            close(k->lock);
        k->lock = -1;
    }
    if (k->lock >= 0)
        read_back(k);
    k->looked_ns = clock_mono_ns();
    if (periodic_start(&k->keeping, "quota", PERIOD_NS, keep_and_look, k) == 0)
        return k;
    quota_keeper_free(k);
    return NULL;
}

void quota_keeper_stop(struct quota_keeper *k)
{
    if (k == NULL)
        return;
    periodic_stop(&k->keeping);
    keep(k);
    quota_keeper_free(k);
}
