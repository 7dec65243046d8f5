#include "consumer/export/sqlite.h"

#include <stdio.h>

/* code, class, what to do. Codes that are not here are EXPORT_CONFIGURATION: they need a person. */
#define CLASSES(ROW)                                                                               \
    ROW(BUSY, TRANSIENT, "Another process holds its lock; writing goes on once it lets go")        \
    ROW(LOCKED, TRANSIENT, "Another connection holds its lock; writing goes on once it lets go")   \
    ROW(PROTOCOL, TRANSIENT, "Other processes fight for its lock; writing goes on after them")     \
    ROW(IOERR, TRANSIENT, "Look at the disk and at the kernel's log")                              \
    ROW(FULL, TRANSIENT, "Make room on its file system")                                           \
    ROW(CANTOPEN, TRANSIENT, "See that its folder exists and that this user may write there")      \
    ROW(READONLY, TRANSIENT,                                                                       \
        "Let this user write to the file and its folder, and mount the file system for writing")   \
    ROW(NOMEM, TRANSIENT, "Give the process more memory")                                          \
    ROW(INTERRUPT, TRANSIENT, "It was stopped from outside and is tried again")                    \
    ROW(CORRUPT, CONFIGURATION, "Restore it from a backup, or move it away to begin a new one")    \
    ROW(NOTADB, CONFIGURATION, "database.path names a file of another kind")                       \
    ROW(AUTH, CONFIGURATION, "This user lacks a right")                                            \
    ROW(SCHEMA, CONFIGURATION, "Its tables were changed; restart the worker")                      \
    ROW(ERROR, CONFIGURATION,                                                                      \
        "Its tables are not as Tenantry makes them: add what is missing, or rename the table")     \
    ROW(CONSTRAINT, DATA, "The table has a rule that the row breaks")                              \
    ROW(TOOBIG, DATA, "The row is larger than SQLite allows")                                      \
    ROW(MISMATCH, DATA, "The table wants another type")

struct class
{
    int code;
    enum export_result result;
    const char *name, *advice;
};

static const struct class classes[] = {
#define ROW(code, result, advice) {SQLITE_##code, EXPORT_##result, "SQLITE_" #code, advice},
    CLASSES(ROW)
#undef ROW
};

static const struct class *last_class(const struct sqlite *s)
{
    static const struct class other = {0, EXPORT_CONFIGURATION, "SQLITE_OTHER",
                                       "This is not expected; please report it"};
    int code = sqlite3_errcode(s->db) & 0xFF;
    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++)
        if (classes[i].code == code)
            return &classes[i];
    return &other;
}

const char *sqlite_error_name(const struct sqlite *s)
{
    return last_class(s)->name;
}

/* Fills `err` and returns the class of the last error. */
static enum export_result explain(struct sqlite *s, struct errbuf *err, const char *what)
{
    const struct class *c = last_class(s);
    errbuf_set(err, 0, "SQLite database %s of tenant %s: cannot %s: %s (%s). %s.", s->path,
               s->tenant, what, sqlite3_errmsg(s->db), c->name, c->advice);
    s->stale = c->result != EXPORT_DATA && c->code != SQLITE_BUSY;
    return c->result;
}

enum export_result sqlite_failed(struct sqlite *s, struct errbuf *err, const char *format, ...)
{
    char what[256];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    enum export_result result = explain(s, err, what);
    return result == EXPORT_DATA ? EXPORT_CONFIGURATION : result;
}

enum export_result sqlite_row_failed(struct sqlite *s, enum table table, struct errbuf *err)
{
    char what[128];
    snprintf(what, sizeof(what), "write to %s", table_info[table].name);
    return explain(s, err, what);
}

enum export_result sqlite_refuse(const struct sqlite *s, enum export_result result,
                                 struct errbuf *err, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof(what), format, args);
    va_end(args);
    errbuf_set(err, 0, "SQLite database %s of tenant %s %s", s->path, s->tenant, what);
    return result;
}
