#include "cli/commands.h"
#include "cli/dispatch.h"

static const struct command commands[] = {
#define ROW(text, name, help) {text, cmd_##name, help},
    COMMANDS(ROW)
#undef ROW
        {0},
};

int main(int argc, char **argv)
{
    return dispatch(commands, argc - 1, (const char *const *)argv + 1);
}
