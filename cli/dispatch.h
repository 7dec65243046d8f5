/* From the command line to the command's function. */
#ifndef CLI_DISPATCH_H
#define CLI_DISPATCH_H

#include "cli/args.h"

struct command {
    const char *text; /* "tenant add"; NULL ends a table */
    int (*run)(struct args *a);
    const char *help;
};

/* Runs the command that argv (without the program's name) names, or says what there is. Returns the
 * exit code. */
int dispatch(const struct command *commands, int argc, const char *const *argv);

#endif
