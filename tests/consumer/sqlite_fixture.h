/* What the tests of the SQLite exporter share: a database in a folder of its own, questions in
 * SQL. */
#ifndef TESTS_CONSUMER_SQLITE_FIXTURE_H
#define TESTS_CONSUMER_SQLITE_FIXTURE_H

#include "consumer/export/sqlite.h"
#include "tests/consumer/export_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static inline void fixture_init(struct fixture *f)
{
    *f = (struct fixture){.folder = "/tmp/tenantry-sqlite-XXXXXX"};
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof(f->path), "%s/db/acme.db", f->folder);
    f->conf = (struct tenant_conf){.id = "acme", .database = {.path = f->path}};
    f->tenant = (struct tenant){.conf = &f->conf, .id = "acme"};
}

static inline void fixture_release(struct fixture *f)
{
    static const char *const names[] = {
        "db/acme.db", "db/acme.db-wal", "db/acme.db-shm", "db/aside.db", "db", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char path[128];
        snprintf(path, sizeof(path), "%s/%s", f->folder, names[i]);
        remove(path);
    }
}

static inline struct exporter *fixture_open(struct fixture *f, enum exporter_mode mode)
{
    struct exporter *x = sqlite_exporter.open(&f->tenant, mode, &f->err);
    assert_non_null(x);
    return x;
}

/* SQL through a connection of its own; what its first row's first column says. */
static inline int64_t fixture_sql(struct fixture *f, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *st;
    int64_t n = 0;
    assert_int_equal(sqlite3_open(f->path, &db), SQLITE_OK);
    while (sql[0] != 0) {
        if (sqlite3_prepare_v2(db, sql, -1, &st, &sql) != SQLITE_OK)
            fail_msg("%s: %s", sql, sqlite3_errmsg(db));
        int rc = sqlite3_step(st);
        if (rc != SQLITE_ROW && rc != SQLITE_DONE)
            fail_msg("%s", sqlite3_errmsg(db));
        if (rc == SQLITE_ROW)
            n = sqlite3_column_int64(st, 0);
        sqlite3_finalize(st);
    }
    sqlite3_close(db);
    return n;
}

#endif
