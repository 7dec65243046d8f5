#include "consumer/supervise/watch.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/periodic.h"
#include "consumer/inspect/fleet.h"
#include "consumer/supervise/books.h"
#include "consumer/supervise/grower.h"
#include "consumer/supervise/positions.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define BOOKS_TURN_NS (5 * NS_PER_S)
#define STOP_NS       (20 * NS_PER_S)
#define CLOSE_S       5

struct watch_all {
    const char *brokers;
    struct tenancy *tenancy;
    _Atomic bool ending, looking, checking; /* the latter: a turn is under way */
    struct periodic lag, checks;
    bool lag_runs, checks_run;
    struct fleet_client *client;
    struct fleet fleet;
    struct positions positions;
    struct grower *grower;
    struct books books;
};

/* ---- pages ---- */

static void page_path(char out[4352], const struct snapshot *s, const char *name)
{
    snprintf(out, 4352, "%s/run/%s", s->conf->state, name);
}

static void write_page(const struct snapshot *s, const char *name, struct buf *page)
{
    char path[4352];
    struct errbuf err = ERRBUF_INIT;
    page_path(path, s, name);
    if (page->failed || file_replace(path, buf_slice(page), 0644, &err) < 0)
        log_repeated(LOG_WARN, "the status file cannot be written", name,
                     log_str("reason", page->failed ? "out of memory" : err.text));
    buf_release(page);
}

static void disk_page(const struct snapshot *s, struct buf *out)
{
    struct statvfs disk;
    if (statvfs(s->conf->state, &disk) < 0)
        return;
    const struct {
        const char *name, *help;
        double value;
    } rows[] = {
        {"tenantry_state_free_bytes", "Room on the disk of the state folder.",
         (double)disk.f_bavail * (double)disk.f_frsize},
        {"tenantry_state_disk_bytes", "Size of that disk.",
         (double)disk.f_blocks * (double)disk.f_frsize},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        buf_printf(out, "# HELP %s %s\n# TYPE %s gauge\n%s{of=\"supervisor\"} %.17g\n",
                   rows[i].name, rows[i].help, rows[i].name, rows[i].name, rows[i].value);
}

/* ---- lag ---- */

static void look(struct watch_all *w, const struct snapshot *s)
{
    struct errbuf err = ERRBUF_INIT;
    if (w->client == NULL)
        w->client = fleet_open(s->conf, w->brokers, &err);
    if (w->client == NULL ||
        fleet_look(w->client, s, &w->fleet, positions_find, &w->positions, &err) < 0)
        log_repeated(LOG_WARN, "the lag cannot be measured now, trying again", "lag",
                     log_str("reason", err.text));
}

static void lag_turn(void *arg)
{
    struct watch_all *w = arg;
    struct buf page = BUF_INIT;
    atomic_store(&w->looking, true);
    struct snapshot *s = tenancy_acquire(w->tenancy);
    if (!atomic_load(&w->ending))
        look(w, s);
    fleet_page(&w->fleet, s, clock_wall_ns() / NS_PER_MS, &page);
    disk_page(s, &page);
    write_page(s, "lag.prom", &page);
    page = (struct buf)BUF_INIT;
    fleet_json(&w->fleet, s, clock_wall_ns() / NS_PER_MS, &page);
    write_page(s, "lag.json", &page);
    if (!atomic_load(&w->ending))
        grower_turn(w->grower, s, &w->fleet);
    snapshot_release(s);
    atomic_store(&w->looking, false);
}

/* ---- books ---- */

static void checks_turn(void *arg)
{
    struct watch_all *w = arg;
    struct buf page = BUF_INIT;
    atomic_store(&w->checking, true);
    struct snapshot *s = tenancy_acquire(w->tenancy);
    books_turn(&w->books, s, w->brokers, &w->ending);
    books_page(&w->books, &page);
    if (!atomic_load(&w->ending))
        write_page(s, "books.prom", &page);
    buf_release(&page);
    snapshot_release(s);
    atomic_store(&w->checking, false);
}

/* ---- life ---- */

/* Neither turn is under way any more; false after STOP_NS. */
static bool wait_for_turns(struct watch_all *w)
{
    uint64_t since = clock_mono_ns();
    while (atomic_load(&w->looking) || atomic_load(&w->checking)) {
        if (clock_mono_ns() - since > STOP_NS)
            return false;
        nanosleep(&(struct timespec){.tv_nsec = 10 * NS_PER_MS}, NULL);
    }
    return true;
}

static void *close_main(void *client)
{
    fleet_close(client);
    return NULL;
}

static bool close_client(struct fleet_client *client)
{
    pthread_t thread;
    struct timespec until;
    if (client == NULL)
        return true;
    if (pthread_create(&thread, NULL, close_main, client) != 0)
        return false;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += CLOSE_S;
    return pthread_timedjoin_np(thread, NULL, &until) == 0;
}

struct watch_all *watch_all_start(const char *brokers, struct tenancy *tenancy, struct errbuf *err)
{
    struct watch_all *w = calloc(1, sizeof(*w));
    if (w == NULL) {
        errbuf_set(err, ENOMEM, "out of memory");
        return NULL;
    }
    w->brokers = brokers;
    w->positions = (struct positions){.brokers = brokers, .ending = &w->ending};
    w->tenancy = tenancy;
    w->grower = grower_new(brokers);
    struct snapshot *s = tenancy_acquire(tenancy);
    uint64_t lag_ns = s->conf->supervisor.lag_interval;
    uint64_t books_ns = s->conf->supervisor.ledger_interval;
    snapshot_release(s);
    w->lag_runs = periodic_start(&w->lag, "lag", lag_ns, lag_turn, w) == 0;
    w->checks_run =
        periodic_start(&w->checks, "books", books_ns < BOOKS_TURN_NS ? books_ns : BOOKS_TURN_NS,
                       checks_turn, w) == 0;
    if (w->grower != NULL && w->lag_runs && w->checks_run)
        return w;
    watch_all_stop(w);
    errbuf_set(err, EAGAIN, "cannot start a thread");
    return NULL;
}

void watch_all_end(struct watch_all *w)
{
    atomic_store(&w->ending, true);
}

bool watch_all_stop(struct watch_all *w)
{
    if (w == NULL)
        return true;
    watch_all_end(w);
    if (!wait_for_turns(w))
        return false;
    if (w->lag_runs)
        periodic_stop(&w->lag);
    if (w->checks_run)
        periodic_stop(&w->checks);
    struct snapshot *s = tenancy_acquire(w->tenancy);
    static const char *const pages[] = {"lag.prom", "lag.json", "books.prom"};
    for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++) {
        char path[4352];
        page_path(path, s, pages[i]);
        unlink(path);
    }
    snapshot_release(s);
    if (!close_client(w->client))
        return false;
    grower_free(w->grower);
    fleet_release(&w->fleet);
    books_release(&w->books);
    free(w);
    return true;
}
