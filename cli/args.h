/* A command's arguments by a table of rows: parsing, --help and "did you mean" come from it.
 *
 *     static const struct arg_row rows[] = {ARG_ROW_CONFIG, ARG_ROW_JSON,
 *         {"--rate", ARG_RATE, "20MB/s", NULL, "bytes per second"}, {0}};
 *     static const struct args_spec spec = {"TENANT", 1, 1, "Does this and that.", rows};
 *     int code = args_parse(a, &spec);
 *     if (code != ARGS_GO_ON)
 *         return code;
 *
 * Exit codes: 0 done, 1 failed, 2 wrong usage. Single-threaded. */
#ifndef CLI_ARGS_H
#define CLI_ARGS_H

#include "base/slice.h"

enum { EXIT_DONE = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };
enum { ARGS_GO_ON = -1 };
enum { ARGS_MOST_GIVEN = 64 }; /* options, and operands, on one command line */

enum arg_kind {
    ARG_FLAG, /* given or not */
    ARG_TEXT,
    ARG_TEXTS, /* may be given more than once */
    ARG_UINT,  /* the numbers: as options are written, "10MB", "200k/s", "90d" */
    ARG_SIZE,
    ARG_RATE,
    ARG_DURATION,
};

struct arg_row {
    const char *name; /* "--rate"; NULL ends a table */
    enum arg_kind kind;
    const char *value;        /* what --help calls the value; NULL for flags */
    const char *default_text; /* NULL = none: args_text is NULL, args_number 0 */
    const char *help;
};
#define ARG_ROW_CONFIG                                                                             \
    {                                                                                              \
        "--config", ARG_TEXT, "FILE", NULL,                                                        \
            "the config; else ./tenantry.conf, else /etc/tenantry/tenantry.conf"                   \
    }
#define ARG_ROW_JSON                                                                               \
    {                                                                                              \
        "--json", ARG_FLAG, NULL, NULL, "print JSON"                                               \
    }

struct args_spec {
    const char *operands; /* for the usage line: "TENANT [FILE]"; "" = none */
    int least, most;      /* how many; most < 0 = any number */
    const char *about;    /* sentences for --help */
    const struct arg_row *rows;
};

struct args {
    const char *command; /* "tenant add" */
    const char *config;  /* --config before the command, or NULL */
    int argc;
    const char *const *argv; /* behind the command's name */
    /* Filled by args_parse; strings are those of argv. */
    const struct args_spec *spec;
    struct {
        const struct arg_row *row;
        const char *text;
        uint64_t number;
    } given[ARGS_MOST_GIVEN];
    int n_given;
    const char *operands[ARGS_MOST_GIVEN];
    int n_operands;
};

/* ARGS_GO_ON, or the exit code after --help (on stdout) or wrong usage (a sentence on stderr). */
int args_parse(struct args *a, const struct args_spec *spec);

/* By the name of a row of the spec. */
bool args_given(const struct args *a, const char *name);
#define args_flag(a, name) args_given((a), (name))
/* The last one given, else the default. */
const char *args_text(const struct args *a, const char *name);
uint64_t args_number(const struct args *a, const char *name);
/* The i-th one given of an ARG_TEXTS; NULL past the end. */
const char *args_text_at(const struct args *a, const char *name, int i);

#endif
