#include "consumer/export/sqlite.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Telemetry is its tenant's own business; a group may be let in by the folder's setgid bit. */
#define FILE_MODE   0640
#define FOLDER_MODE 0750

/* synchronous=NORMAL: a commit waits for no disk, so a power cut may take the last transactions.
 * Rows and offsets go together then, and Kafka still has the records, so they are written again.
 * The WAL is checkpointed by the writer itself, every 32 MiB: more often would write hot index
 * pages again and again, less often would make the file that readers must search large. Pages of
 * 8 KiB: larger ones make the random places of a trace id dearer, smaller ones everything else. */
static const char settings[] = "PRAGMA page_size=8192;"
                               "PRAGMA synchronous=NORMAL;"
                               "PRAGMA wal_autocheckpoint=4096;"
                               "PRAGMA journal_size_limit=67108864;"
                               "PRAGMA cache_size=-8192;";

static void disconnect(struct sqlite *s)
{
    for (int t = 0; t < TABLE_COUNT; t++) {
        sqlite3_finalize(s->insert[t]);
        s->insert[t] = NULL;
    }
    sqlite3_close(s->db);
    s->db = NULL;
    s->stale = false;
}

int sqlite_run(struct sqlite *s, const char *sql)
{
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL);
}

sqlite3_stmt *sqlite_statement(struct sqlite *s, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL);
    return statement;
}

/* No file is there. Without offsets of ours a new one is made. */
static enum export_result file_missing(struct sqlite *s, struct errbuf *err)
{
    s->stale = true;
    if (s->holds_progress)
        return sqlite_refuse(s, EXPORT_CONFIGURATION, err,
                             "was removed while it was in use. Put it back; or restart the worker, "
                             "which begins an empty one with what Kafka still holds.");
    if (s->mode == EXPORTER_READ)
        return sqlite_refuse(s, EXPORT_MISSING, err,
                             "does not exist yet. The tenant's worker makes it.");
    return EXPORT_OK;
}

/* A deleted file takes writes without complaint while it is open, so each use looks at the path. */
static enum export_result check_file(struct sqlite *s, struct errbuf *err)
{
    struct stat st;
    if (stat(s->path, &st) == 0) {
        if (s->db != NULL && (st.st_dev != s->device || st.st_ino != s->inode))
            s->stale = true;
        return EXPORT_OK;
    }
    if (errno == ENOENT)
        return file_missing(s, err);
    return sqlite_refuse(s, EXPORT_TRANSIENT, err, "cannot be reached: %s. See to its folder.",
                         strerror(errno));
}

/* Makes folder and file where they are missing, with our modes rather than SQLite's. */
static enum export_result make_file(struct sqlite *s, struct errbuf *err)
{
    if (access(s->path, F_OK) == 0)
        return EXPORT_OK;
    const char *slash = strrchr(s->path, '/');
    if (slash != NULL && slash != s->path) {
        char *folder = strndup(s->path, (size_t)(slash - s->path));
        int rc = folder == NULL ? -ENOMEM : file_make_folder(folder, FOLDER_MODE, err);
        free(folder);
        if (rc < 0)
            return EXPORT_TRANSIENT;
    }
    int fd = open(s->path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, FILE_MODE);
    if (fd < 0 && errno != EEXIST)
        return sqlite_refuse(s, EXPORT_TRANSIENT, err,
                             "cannot be made: %s. Let this user write to its folder.",
                             strerror(errno));
    if (fd >= 0)
        close(fd);
    return EXPORT_OK;
}

/* Without WAL readers would lock the writer out. */
static enum export_result use_wal(struct sqlite *s, struct errbuf *err)
{
    sqlite3_stmt *st = sqlite_statement(s, "PRAGMA journal_mode=WAL");
    enum export_result result = EXPORT_OK;
    if (st == NULL || sqlite3_step(st) != SQLITE_ROW)
        result = sqlite_failed(s, err, "open it for writing");
    else if (strcmp((const char *)sqlite3_column_text(st, 0), "wal") != 0)
        result = sqlite_refuse(s, EXPORT_CONFIGURATION, err,
                               "lies on a file system without shared memory (a network one?), "
                               "which WAL needs. Move it to a local disk.");
    sqlite3_finalize(st);
    return result;
}

static enum export_result open_file(struct sqlite *s, struct errbuf *err)
{
    bool reads = s->mode == EXPORTER_READ;
    enum export_result result = reads ? EXPORT_OK : make_file(s, err);
    if (result != EXPORT_OK)
        return result;
    /* Looked at before it is opened: a file that is replaced in between is noticed by the next
     * check. */
    struct stat st = {0};
    stat(s->path, &st);
    s->device = st.st_dev;
    s->inode = st.st_ino;
    int flags = SQLITE_OPEN_NOMUTEX | (reads ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE);
    if (sqlite3_open_v2(s->path, &s->db, flags, NULL) != SQLITE_OK)
        return sqlite_failed(s, err, "open it");
    sqlite3_busy_timeout(s->db, s->busy_timeout_ms);
    if (sqlite_run(s, settings) != SQLITE_OK)
        return sqlite_failed(s, err, "open it");
    if (!reads)
        result = use_wal(s, err);
    return result == EXPORT_OK ? sqlite_schema_prepare(s, err) : result;
}

enum export_result sqlite_connect(struct sqlite *s, struct errbuf *err)
{
    enum export_result result = check_file(s, err);
    if (result != EXPORT_OK || (s->db != NULL && !s->stale))
        return result;
    disconnect(s);
    result = open_file(s, err);
    if (result != EXPORT_OK)
        disconnect(s);
    return result;
}

static enum export_result sqlite_prepare(struct exporter *x, struct errbuf *err)
{
    return sqlite_connect((struct sqlite *)x, err);
}

static void sqlite_close(struct exporter *x)
{
    if (x == NULL)
        return;
    struct sqlite *s = (struct sqlite *)x;
    disconnect(s);
    free(s->path);
    free(s->tenant);
    free(s);
}

static struct exporter *sqlite_open(const struct tenant *t, enum exporter_mode mode,
                                    struct errbuf *err)
{
    const struct database_conf *d = &t->conf->database;
    if (d->path == NULL || d->path[0] == 0) {
        errbuf_set(err, EINVAL, "Tenant %s has no database.path.", t->id);
        return NULL;
    }
    struct sqlite *s = calloc(1, sizeof(*s));
    if (s == NULL)
        goto no_memory;
    s->base.ops = &sqlite_exporter;
    s->mode = mode;
    s->busy_timeout_ms = (int)(d->busy_timeout / NS_PER_MS);
    s->no_compare_and_set = FAULT_FAILS("no_compare_and_set");
    s->path = strdup(d->path);
    s->tenant = strdup(t->id);
    if (s->path != NULL && s->tenant != NULL)
        return &s->base;
no_memory:
    errbuf_set(err, ENOMEM, "No memory for the database of tenant %s.", t->id);
    sqlite_close(s ? &s->base : NULL);
    return NULL;
}

static enum export_result sqlite_count_rows(struct exporter *x, enum signal signal, uint32_t source,
                                            int32_t partition, int64_t from, int64_t to,
                                            uint64_t *ret, struct errbuf *err)
{
    struct sqlite *s = (struct sqlite *)x;
    enum export_result result = sqlite_connect(s, err);
    uint64_t sum = 0;
    for (int t = 0; t < TABLE_COUNT && result == EXPORT_OK; t++) {
        if (table_info[t].signal != signal)
            continue;
        char sql[160];
        sqlite3_snprintf(sizeof(sql), sql,
                         "SELECT count(*) FROM \"%w\""
                         " WHERE _ks=%u AND _kp=%d AND _ko>=%lld AND _ko<%lld",
                         table_info[t].name, source, partition, (long long)from, (long long)to);
        sqlite3_stmt *st = sqlite_statement(s, sql);
        if (st != NULL && sqlite3_step(st) == SQLITE_ROW)
            sum += (uint64_t)sqlite3_column_int64(st, 0);
        else
            result = sqlite_failed(s, err, "count rows of %s", table_info[t].name);
        sqlite3_finalize(st);
    }
    if (result == EXPORT_OK)
        *ret = sum;
    return result;
}

static enum export_result sqlite_destroy(struct exporter *x, struct errbuf *err)
{
    static const char *const suffixes[] = {"-wal", "-shm", ""};
    struct sqlite *s = (struct sqlite *)x;
    disconnect(s);
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s%s", s->path, suffixes[i]);
        if (unlink(path) < 0 && errno != ENOENT)
            return sqlite_refuse(s, EXPORT_TRANSIENT, err, "cannot be deleted: %s: %s.", path,
                                 strerror(errno));
    }
    return EXPORT_OK;
}

const struct exporter_ops sqlite_exporter = {
    .name = "sqlite",
    .open = sqlite_open,
    .prepare = sqlite_prepare,
    .load = sqlite_load,
    .next_generation = sqlite_next_generation,
    .rows_new = sqlite_rows_new,
    .rows_add = sqlite_rows_add,
    .rows_free = sqlite_rows_free,
    .write = sqlite_write,
    .each_progress = sqlite_each_progress,
    .count_rows = sqlite_count_rows,
    .destroy = sqlite_destroy,
    .close = sqlite_close,
};
