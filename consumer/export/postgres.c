#include "consumer/export/postgres.h"

#include "base/clock.h"
#include "base/fault.h"
#include "base/file.h"

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

#define SYSTEM_CA      "/etc/ssl/certs/ca-certificates.crt"
#define SECRET_LONGEST 4096

/* --- waiting ------------------------------------------------------------------------------- */

/* False when the server has not moved within database.timeout; the connection is then of no use. */
static bool wait_for(struct postgres *p, short events)
{
    struct pollfd fd = {PQsocket(p->conn), events, 0};
    int rc;
    do
        rc = poll(&fd, 1, (int)(p->conf->timeout / NS_PER_MS));
    while (rc < 0 && errno == EINTR);
    p->timed_out = rc == 0;
    return rc > 0;
}

/* Remembers why the last call failed: the connection is given up unless the server itself told. */
static void note_failure(struct postgres *p, const PGresult *result)
{
    const char *state = result ? PQresultErrorField(result, PG_DIAG_SQLSTATE) : NULL;
    const char *text = result ? PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
    if (text == NULL)
        text = p->timed_out ? "no answer within database.timeout" : PQerrorMessage(p->conn);
    snprintf(p->sqlstate, sizeof(p->sqlstate), "%s", state ? state : "");
    snprintf(p->message, sizeof(p->message), "%.*s", (int)strcspn(text, "\n"), text);
    if (state == NULL || PQstatus(p->conn) != CONNECTION_OK)
        p->stale = true;
}

bool postgres_no_memory(struct postgres *p)
{
    p->sqlstate[0] = 0;
    snprintf(p->message, sizeof(p->message), "this process is out of memory");
    p->stale = true; /* a COPY may be under way */
    return false;
}

static bool flush(struct postgres *p)
{
    int rc;
    while ((rc = PQflush(p->conn)) > 0)
        if (!wait_for(p, POLLIN | POLLOUT) || !PQconsumeInput(p->conn))
            return false;
    return rc == 0;
}

/* The next result of what was sent; false when the connection failed. *ret NULL = there is none. */
static bool next_result(struct postgres *p, PGresult **ret)
{
    while (PQisBusy(p->conn))
        if (!wait_for(p, POLLIN) || !PQconsumeInput(p->conn))
            return false;
    *ret = PQgetResult(p->conn);
    return true;
}

static bool succeeded(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_COPY_IN;
}

/* All results of what was sent: the last one, or NULL when any failed. Stops at the start of a
 * COPY, which goes on. */
static PGresult *take_results(struct postgres *p)
{
    PGresult *result, *last = NULL;
    bool ok = true;
    for (;;) {
        if (!next_result(p, &result)) {
            note_failure(p, NULL);
            PQclear(last);
            return NULL;
        }
        if (result == NULL)
            break;
        if (!succeeded(result) && ok) {
            note_failure(p, result);
            ok = false;
        }
        PQclear(last);
        last = result;
        if (PQresultStatus(result) == PGRES_COPY_IN)
            break;
    }
    if (ok && last != NULL)
        return last;
    PQclear(last);
    return NULL;
}

static PGresult *finish(struct postgres *p, int sent)
{
    p->timed_out = false;
    if (sent && flush(p))
        return take_results(p);
    note_failure(p, NULL);
    return NULL;
}

bool postgres_run(struct postgres *p, const char *sql)
{
    PGresult *result = finish(p, PQsendQuery(p->conn, sql));
    bool ok = result != NULL;
    PQclear(result);
    return ok;
}

bool postgres_runf(struct postgres *p, const char *format, ...)
{
    char sql[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(sql, sizeof(sql), format, args);
    va_end(args);
    return postgres_run(p, sql);
}

PGresult *postgres_query(struct postgres *p, const char *sql, int n, const char *const *values)
{
    return finish(p, PQsendQueryParams(p->conn, sql, n, NULL, values, NULL, NULL, 0));
}

bool postgres_copy_data(struct postgres *p, struct slice data)
{
    p->timed_out = false;
    int rc;
    while ((rc = PQputCopyData(p->conn, (const char *)data.at, (int)data.len)) == 0)
        if (!wait_for(p, POLLIN | POLLOUT) || !PQconsumeInput(p->conn))
            break;
    if (rc == 1 && flush(p))
        return true;
    note_failure(p, NULL);
    return false;
}

bool postgres_copy_end(struct postgres *p)
{
    int rc;
    while ((rc = PQputCopyEnd(p->conn, NULL)) == 0)
        if (!wait_for(p, POLLIN | POLLOUT))
            break;
    PGresult *result = finish(p, rc == 1);
    bool ok = result != NULL;
    PQclear(result);
    return ok;
}

/* --- connection ---------------------------------------------------------------------------- */

static void disconnect(struct postgres *p)
{
    PQfinish(p->conn);
    p->conn = NULL;
    p->stale = false;
    postgres_days_release(p);
}

/* Read for each connection, so that a changed password needs no restart. */
static enum export_result read_password(const struct postgres *p, struct buf *ret,
                                        struct errbuf *err)
{
    struct errbuf why = ERRBUF_INIT;
    if (p->conf->password_file[0] == 0)
        return EXPORT_OK;
    if (file_read(p->conf->password_file, ret, &why) < 0)
        return postgres_refuse(p, EXPORT_CONFIGURATION, err,
                               "cannot be reached: database.password_file: %s.", why.text);
    while (ret->len > 0 && strchr("\r\n", ret->at[ret->len - 1]) != NULL)
        ret->len--;
    return EXPORT_OK;
}

static bool poll_connect(struct postgres *p)
{
    PostgresPollingStatusType status = PGRES_POLLING_WRITING;
    while (status != PGRES_POLLING_OK && status != PGRES_POLLING_FAILED) {
        if (PQsocket(p->conn) >= 0 &&
            !wait_for(p, status == PGRES_POLLING_READING ? POLLIN : POLLOUT))
            break;
        status = PQconnectPoll(p->conn);
    }
    return status == PGRES_POLLING_OK;
}

static bool start_connection(struct postgres *p, const char *password)
{
    static const char *const modes[] = {
        [DATABASE_TLS_DISABLE] = "disable",
        [DATABASE_TLS_REQUIRE] = "require",
        [DATABASE_TLS_VERIFY] = "verify-full",
    };
    const struct database_conf *c = p->conf;
    bool verify = c->tls == DATABASE_TLS_VERIFY;
    char name[128];
    snprintf(name, sizeof(name), "tenantry %s", p->tenant);
    /* The first dbname is the URL; what follows overrides what it says. */
    const char *const pairs[][2] = {
        {"dbname", c->url},
        {"dbname", c->name},
        {"user", c->user},
        {"password", password},
        {"sslmode", modes[c->tls]},
        {"sslrootcert", !verify         ? ""
                        : c->ca_file[0] ? c->ca_file
                                        : SYSTEM_CA},
        {"sslcert", c->cert_file},
        {"sslkey", c->key_file},
        {"application_name", name},
        {"client_encoding", "UTF8"},
        {"target_session_attrs", p->mode == EXPORTER_WRITE ? "read-write" : "any"},
        {"options", "-c TimeZone=UTC -c DateStyle=ISO"},
    };
    enum { PAIRS = sizeof(pairs) / sizeof(pairs[0]) };
    const char *keys[PAIRS + 1] = {0}, *values[PAIRS + 1] = {0};
    size_t given = 0;
    for (size_t i = 0; i < PAIRS; i++)
        if (pairs[i][1][0] != 0) {
            keys[given] = pairs[i][0];
            values[given++] = pairs[i][1];
        }
    p->conn = PQconnectStartParams(keys, values, 1);
    p->timed_out = false;
    return p->conn != NULL && PQstatus(p->conn) != CONNECTION_BAD && poll_connect(p);
}

static void ignore_notice(void *arg, const char *text)
{
    (void)arg;
    (void)text;
}

static enum export_result open_connection(struct postgres *p, struct errbuf *err)
{
    struct buf password = BUF_INIT_CEILING(SECRET_LONGEST);
    enum export_result result = read_password(p, &password, err);
    if (result == EXPORT_OK && !start_connection(p, buf_cstr(&password))) {
        if (p->conn == NULL)
            result = postgres_refuse(p, EXPORT_TRANSIENT, err, "cannot be reached: out of memory.");
        else {
            note_failure(p, NULL);
            result = postgres_failed(p, err, "connect");
        }
    }
    buf_release(&password);
    if (result != EXPORT_OK)
        return result;
    PQsetNoticeProcessor(p->conn, ignore_notice, NULL);
    PQsetnonblocking(p->conn, 1);
    return EXPORT_OK;
}

/* Names are quoted wherever they stand; the option's check lets no quotes through. */
static enum export_result use_schema(struct postgres *p, struct errbuf *err)
{
    const char *encoding = PQparameterStatus(p->conn, "server_encoding");
    if (encoding == NULL || strcmp(encoding, "UTF8") != 0)
        return postgres_refuse(p, EXPORT_CONFIGURATION, err,
                               "has the encoding %s, which not every text fits in. Make a "
                               "database with the encoding UTF8.",
                               encoding ? encoding : "(none)");
    if (!postgres_runf(p, "SET search_path TO \"%s\"", p->conf->schema))
        return postgres_failed(p, err, "use the schema %s", p->conf->schema);
    return EXPORT_OK;
}

enum export_result postgres_connect(struct postgres *p, struct errbuf *err)
{
    if (p->conn != NULL && (p->stale || PQstatus(p->conn) != CONNECTION_OK))
        disconnect(p);
    if (p->conn != NULL)
        return EXPORT_OK;
    enum export_result result = open_connection(p, err);
    if (result == EXPORT_OK)
        result = use_schema(p, err);
    if (result == EXPORT_OK)
        result = postgres_schema_prepare(p, err);
    if (result != EXPORT_OK && p->conn != NULL)
        disconnect(p);
    return result;
}

static enum export_result postgres_prepare(struct exporter *x, struct errbuf *err)
{
    return postgres_connect((struct postgres *)x, err);
}

static void postgres_close(struct exporter *x)
{
    if (x == NULL)
        return;
    disconnect((struct postgres *)x);
    free(x);
}

static struct exporter *postgres_open(const struct tenant *t, enum exporter_mode mode,
                                      struct errbuf *err)
{
    struct postgres *p = calloc(1, sizeof(*p));
    if (p == NULL) {
        errbuf_set(err, ENOMEM, "No memory for the database of tenant %s.", t->id);
        return NULL;
    }
    p->base.ops = &postgres_exporter;
    p->mode = mode;
    p->conf = &t->conf->database;
    p->tenant = t->id;
    p->no_compare_and_set = FAULT_FAILS("no_compare_and_set");
    return &p->base;
}

static enum export_result postgres_count_rows(struct exporter *x, enum signal signal,
                                              uint32_t source, int32_t partition, int64_t from,
                                              int64_t to, uint64_t *ret, struct errbuf *err)
{
    struct postgres *p = (struct postgres *)x;
    enum export_result result = postgres_connect(p, err);
    uint64_t sum = 0;
    for (int t = 0; t < TABLE_COUNT && result == EXPORT_OK; t++) {
        if (table_info[t].signal != signal)
            continue;
        char sql[256];
        snprintf(sql, sizeof(sql),
                 "SELECT count(*) FROM \"%s\" WHERE _ks=%" PRIu32 " AND _kp=%" PRId32
                 " AND _ko>=%" PRId64 " AND _ko<%" PRId64,
                 table_info[t].name, source, partition, from, to);
        PGresult *answer = postgres_query(p, sql, 0, NULL);
        if (answer != NULL)
            sum += strtoull(PQgetvalue(answer, 0, 0), NULL, 10);
        else
            result = postgres_failed(p, err, "count rows of %s", table_info[t].name);
        PQclear(answer);
    }
    if (result == EXPORT_OK)
        *ret = sum;
    return result;
}

static enum export_result postgres_destroy(struct exporter *x, struct errbuf *err)
{
    struct postgres *p = (struct postgres *)x;
    enum export_result result = postgres_connect(p, err);
    if (result != EXPORT_OK)
        return result == EXPORT_MISSING ? EXPORT_OK : result;
    for (int t = 0; t < TABLE_COUNT; t++)
        if (!postgres_runf(p, "DROP TABLE IF EXISTS \"%s\"", table_info[t].name))
            return postgres_failed(p, err, "drop %s", table_info[t].name);
    if (!postgres_run(p, "DROP TABLE tenantry_recent, tenantry_progress, tenantry_source,"
                         " tenantry_schema"))
        return postgres_failed(p, err, "drop its tables");
    return EXPORT_OK;
}

const struct exporter_ops postgres_exporter = {
    .name = "postgres",
    .open = postgres_open,
    .prepare = postgres_prepare,
    .load = postgres_load,
    .next_generation = postgres_next_generation,
    .rows_new = postgres_rows_new,
    .rows_add = postgres_rows_add,
    .rows_free = postgres_rows_free,
    .write = postgres_write,
    .each_progress = postgres_each_progress,
    .count_rows = postgres_count_rows,
    .destroy = postgres_destroy,
    .close = postgres_close,
};
