/* A PostgreSQL server for one test program, reached by a socket in its folder, ended with it. */
#ifndef TESTS_CONSUMER_POSTGRES_FIXTURE_H
#define TESTS_CONSUMER_POSTGRES_FIXTURE_H

#include "base/clock.h"
#include "consumer/export/postgres.h"

#include <glob.h>
#include <grp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define NOBODY 65534 /* the server refuses to run as root */

static struct server {
    char folder[64], url[160], programs[128];
    pid_t pid;
} server;

static inline const char *server_data(void)
{
    static char data[80];
    snprintf(data, sizeof(data), "%s/data", server.folder);
    return data;
}

/* A child that dies with us; as somebody else when we are root. Its words go to <folder>/log. */
static inline pid_t server_spawn(const char *program, const char *argv[])
{
    char path[192], log[80];
    snprintf(path, sizeof(path), "%s/%s", server.programs, program);
    snprintf(log, sizeof(log), "%s/log", server.folder);
    argv[0] = path; /* by which it finds its fellows */
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid > 0)
        return pid;
    if (geteuid() == 0 && (setgroups(0, NULL) < 0 || setgid(NOBODY) < 0 || setuid(NOBODY) < 0))
        _exit(127);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (freopen(log, "a", stdout) == NULL || freopen(log, "a", stderr) == NULL ||
        chdir(server.folder) < 0)
        _exit(127);
    execv(path, (char *const *)argv);
    _exit(127);
}

static inline void server_find_programs(void)
{
    glob_t found;
    if (glob("/usr/lib/postgresql/*/bin", 0, NULL, &found) != 0)
        fail_msg("PostgreSQL is not installed; run tools/deps");
    snprintf(server.programs, sizeof(server.programs), "%s", found.gl_pathv[found.gl_pathc - 1]);
    globfree(&found);
}

static inline bool server_answers(void)
{
    PGconn *conn = PQconnectdb(server.url);
    bool ok = PQstatus(conn) == CONNECTION_OK;
    PQfinish(conn);
    return ok;
}

static inline int server_start(void **state)
{
    (void)state;
    int status;
    snprintf(server.folder, sizeof(server.folder), "/tmp/tenantry-postgres-XXXXXX");
    assert_non_null(mkdtemp(server.folder));
    if (geteuid() == 0)
        assert_int_equal(chown(server.folder, NOBODY, NOBODY), 0);
    snprintf(server.url, sizeof(server.url), "postgresql:///?host=%s&dbname=postgres&user=acme",
             server.folder);
    server_find_programs();
    const char *data = server_data();
    const char *init[] = {NULL,        "-D", data,   "-U",         "acme", "--auth=trust",
                          "--no-sync", "-E", "UTF8", "--locale=C", NULL};
    assert_int_equal(waitpid(server_spawn("initdb", init), &status, 0) > 0 && status == 0, 1);
    const char *run[] = {NULL, "-D", data, "-k", server.folder, "-h", "", "-F", NULL};
    server.pid = server_spawn("postgres", run);
    while (!server_answers()) {
        if (waitpid(server.pid, &status, WNOHANG) != 0)
            fail_msg("PostgreSQL has ended: see %s/log", server.folder);
        usleep(20000);
    }
    return 0;
}

static inline int server_stop(void **state)
{
    (void)state;
    char command[128];
    if (server.pid > 0) {
        kill(server.pid, SIGQUIT);
        waitpid(server.pid, NULL, 0);
    }
    snprintf(command, sizeof(command), "rm -rf %s", server.folder);
    return system(command);
}

/* SQL through a connection of its own; what its first row's first column says. */
static inline long long server_sql(const char *schema, const char *sql)
{
    PGconn *conn = PQconnectdb(server.url);
    char path[128];
    long long n = 0;
    snprintf(path, sizeof(path), "SET search_path TO \"%s\"", schema);
    PQclear(PQexec(conn, path));
    PGresult *result = PQexec(conn, sql);
    ExecStatusType status = PQresultStatus(result);
    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK)
        fail_msg("%s: %s", sql, PQerrorMessage(conn));
    if (PQntuples(result) > 0)
        n = atoll(PQgetvalue(result, 0, 0));
    PQclear(result);
    PQfinish(conn);
    return n;
}

#endif
