/* All commands, one row each: what is typed, the function cmd_<name> that runs it, one line of
 * help. A new command is a row here and its function in cli/cmd_*.c. */
#ifndef CLI_COMMANDS_H
#define CLI_COMMANDS_H

#include "cli/args.h"

#define COMMANDS(ROW)                                                                              \
    ROW("config", config, "show the config in effect, a sample file or the reference")

#define ROW(text, name, help) int cmd_##name(struct args *a);
COMMANDS(ROW)
#undef ROW

#endif
