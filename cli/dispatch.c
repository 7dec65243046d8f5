#include "cli/dispatch.h"

#include "base/near.h"

#include <stdio.h>

static bool is_of_group(const struct command *c, const char *group)
{
    size_t len = strlen(group);
    return strncmp(c->text, group, len) == 0 && c->text[len] == ' ';
}

/* All commands, or those of one group ("tenant"). */
static void print_commands(FILE *out, const struct command *commands, const char *group)
{
    fprintf(out, "Usage: tenantry [--config FILE] %s [ARGUMENT]...\n\nCommands:\n",
            group ? group : "COMMAND");
    for (const struct command *c = commands; c->text != NULL; c++)
        if (group == NULL || is_of_group(c, group))
            fprintf(out, "  %-16s %s\n", c->text, c->help);
    fprintf(out, "\n`tenantry COMMAND --help` tells more.\n");
}

static bool is_group(const struct command *commands, const char *word)
{
    for (const struct command *c = commands; c->text != NULL; c++)
        if (is_of_group(c, word))
            return true;
    return false;
}

static const struct command *find(const struct command *commands, const char *text)
{
    const struct command *c = commands;
    while (c->text != NULL && strcmp(c->text, text) != 0)
        c++;
    return c->text ? c : NULL;
}

static int unknown(const struct command *commands, const char *text)
{
    const struct command *nearest = NULL;
    size_t best = near_limit(text);
    for (const struct command *c = commands; c->text != NULL; c++) {
        size_t d = near_distance(text, c->text);
        if (d < best) {
            best = d;
            nearest = c;
        }
    }
    fprintf(stderr, "tenantry: unknown command \"%s\"", text);
    fprintf(stderr, nearest ? ": did you mean \"%s\"?\n" : "\n", nearest ? nearest->text : "");
    fprintf(stderr, "Try `tenantry --help`.\n");
    return EXIT_USAGE;
}

static bool is_option(const char *arg)
{
    return arg[0] == '-';
}

static bool asks_for_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0 || strcmp(arg, "help") == 0;
}

static int run(const struct command *c, struct args *a, int argc, const char *const *argv)
{
    a->command = c->text;
    a->argc = argc;
    a->argv = argv;
    int code = c->run(a);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "tenantry %s: cannot write the output: %m\n", c->text);
        return EXIT_FAILED;
    }
    return code;
}

/* The command of argv[0], or of argv[0] and argv[1]. */
static int run_named(const struct command *commands, struct args *a, int argc,
                     const char *const *argv)
{
    char two_words[64];
    const struct command *c = find(commands, argv[0]);
    if (c != NULL)
        return run(c, a, argc - 1, argv + 1);
    if (!is_group(commands, argv[0]))
        return unknown(commands, argv[0]);
    if (argc > 1 && asks_for_help(argv[1])) {
        print_commands(stdout, commands, argv[0]);
        return EXIT_DONE;
    }
    if (argc == 1 || is_option(argv[1])) {
        print_commands(stderr, commands, argv[0]);
        return EXIT_USAGE;
    }
    snprintf(two_words, sizeof(two_words), "%s %s", argv[0], argv[1]);
    c = find(commands, two_words);
    return c ? run(c, a, argc - 2, argv + 2) : unknown(commands, two_words);
}

/* Options before the command: --config FILE, --config=FILE. Returns how many arguments they are. */
static int leading_options(struct args *a, int argc, const char *const *argv)
{
    static const char name[] = "--config";
    const size_t len = sizeof(name) - 1;
    int i = 0;
    while (i < argc && strncmp(argv[i], name, len) == 0) {
        bool joined = argv[i][len] == '=';
        if (!joined && (argv[i][len] != 0 || i + 1 == argc))
            break;
        a->config = joined ? argv[i] + len + 1 : argv[i + 1];
        i += joined ? 1 : 2;
    }
    return i;
}

int dispatch(const struct command *commands, int argc, const char *const *argv)
{
    struct args a = {0};
    int skip = leading_options(&a, argc, argv);
    argc -= skip;
    argv += skip;
    if (argc == 0) {
        print_commands(stderr, commands, NULL);
        return EXIT_USAGE;
    }
    if (asks_for_help(argv[0])) {
        print_commands(stdout, commands, NULL);
        return EXIT_DONE;
    }
    if (strcmp(argv[0], "--version") == 0) {
        printf("tenantry %s\n", TENANTRY_VERSION);
        return EXIT_DONE;
    }
    if (is_option(argv[0])) {
        fprintf(stderr, "tenantry: unknown option %s\nTry `tenantry --help`.\n", argv[0]);
        return EXIT_USAGE;
    }
    return run_named(commands, &a, argc, argv);
}
