#include "consumer/export/postgres.h"

#include <stdio.h>

/* The beginning of the SQLSTATE (PostgreSQL's Appendix A), class, what to do; the first that fits.
 * States that are not here are EXPORT_CONFIGURATION: they need a person. */
#define CLASSES(ROW)                                                                               \
    ROW("08", TRANSIENT, "See that it runs and can be reached")                                    \
    ROW("25006", TRANSIENT,                                                                        \
        "It takes no writes now (a standby?); writing goes on once it does, or another does")      \
    ROW("40", TRANSIENT, "It is tried again")                                                      \
    ROW("53100", TRANSIENT, "Make room on its disk")                                               \
    ROW("53300", TRANSIENT, "Raise its max_connections, or close other connections")               \
    ROW("53", TRANSIENT, "Give the server more of what it lacks")                                  \
    ROW("54", DATA, "The row is larger than PostgreSQL, or an index, allows")                      \
    ROW("55P03", TRANSIENT, "Another session holds a lock; writing goes on once it lets go")       \
    ROW("55", TRANSIENT, "It is in use; it is tried again")                                        \
    ROW("57014", TRANSIENT, "It was cancelled (statement_timeout?) and is tried again")            \
    ROW("57", TRANSIENT, "Writing goes on once the server is back")                                \
    ROW("58", TRANSIENT, "Look at the server's disk and its log")                                  \
    ROW("28", CONFIGURATION,                                                                       \
        "See to database.user, database.password_file and the server's pg_hba.conf")               \
    ROW("3D", CONFIGURATION, "database.name names a database that is not there: make it")          \
    ROW("3F", CONFIGURATION, "database.schema is not there: make it, or let the user make it")     \
    ROW("42501", CONFIGURATION, "The user lacks a right: it has to own the schema's tables")       \
    ROW("42", CONFIGURATION,                                                                       \
        "Its tables are not as Tenantry makes them: add what is missing, or rename the table")     \
    ROW("22P04", CONFIGURATION, "This is not expected; please report it")                          \
    ROW("22", DATA, "The row holds a value that the table does not take")                          \
    ROW("23", DATA, "The table has a rule that the row breaks")                                    \
    ROW("P0001", DATA, "A trigger of the table refuses the row")                                   \
    ROW("XX001", CONFIGURATION, "Its data is damaged: restore it from a backup")

struct class
{
    const char *state;
    enum export_result result;
    const char *advice;
};

static const struct class classes[] = {
#define ROW(state, result, advice) {state, EXPORT_##result, advice},
    CLASSES(ROW)
#undef ROW
};

/* A refused connection has no SQLSTATE, only the server's text: what a person has to see to. All
 * else that has none is a connection that is not there or went away. */
static const struct {
    const char *text;
    struct class class;
} refusals[] = {
    {"authentication failed",
     {"28P01", EXPORT_CONFIGURATION, "See to database.user and database.password_file"}},
    {"no password supplied", {"28P01", EXPORT_CONFIGURATION, "Set database.password_file"}},
    {"pg_hba.conf",
     {"28000", EXPORT_CONFIGURATION, "Let this host and user in, in the server's pg_hba.conf"}},
    {"does not exist",
     {"3D000", EXPORT_CONFIGURATION, "Make it, or see to database.name and database.user"}},
    {"permission denied for database",
     {"42501", EXPORT_CONFIGURATION, "Grant the user CONNECT on it"}},
    {"certificate",
     {"08001", EXPORT_CONFIGURATION,
      "See to database.ca_file, database.cert_file and the name in database.url"}},
    {"does not support SSL",
     {"08001", EXPORT_CONFIGURATION,
      "Turn TLS on in the server, or set database.tls = \"disable\" where nobody listens"}},
};

static struct class last_class(const struct postgres *p)
{
    static const struct class unreachable = {"08006", EXPORT_TRANSIENT,
                                             "See that it runs and can be reached"};
    static const struct class other = {"", EXPORT_CONFIGURATION,
                                       "This is not expected; please report it"};
    for (size_t i = 0; p->sqlstate[0] != 0 && i < sizeof(classes) / sizeof(classes[0]); i++)
        if (strncmp(p->sqlstate, classes[i].state, strlen(classes[i].state)) == 0)
            return classes[i];
    if (p->sqlstate[0] != 0)
        return other;
    for (size_t i = 0; !p->timed_out && i < sizeof(refusals) / sizeof(refusals[0]); i++)
        if (strstr(p->message, refusals[i].text) != NULL)
            return refusals[i].class;
    return unreachable;
}

static enum export_result explain(struct postgres *p, struct errbuf *err, const char *what)
{
    const struct class c = last_class(p);
    const char *state = p->sqlstate[0] ? p->sqlstate : c.state;
    errbuf_set(err, 0, "PostgreSQL database %s of tenant %s: cannot %s: %s (%s). %s.",
               p->conf->target, p->tenant, what, p->message, state, c.advice);
    return c.result;
}

enum export_result postgres_failed(struct postgres *p, struct errbuf *err, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    enum export_result result = explain(p, err, what);
    return result == EXPORT_DATA ? EXPORT_CONFIGURATION : result;
}

enum export_result postgres_row_failed(struct postgres *p, enum table table, struct errbuf *err)
{
    char what[128];
    snprintf(what, sizeof(what), "write to %s", table_info[table].name);
    return explain(p, err, what);
}

enum export_result postgres_refuse(const struct postgres *p, enum export_result result,
                                   struct errbuf *err, const char *format, ...)
{
    char what[1024];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    errbuf_set(err, 0, "PostgreSQL database %s of tenant %s %s", p->conf->target, p->tenant, what);
    return result;
}
