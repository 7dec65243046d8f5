#include "cli/args.h"

#include "base/near.h"
#include "base/option.h"

#include <assert.h>
#include <stdio.h>

static const struct arg_row help_row = {"--help", ARG_FLAG, NULL, NULL, "this text"};

static const struct arg_row *row_by_name(const struct args_spec *spec, struct slice name)
{
    for (const struct arg_row *row = spec->rows; row->name != NULL; row++)
        if (slice_eq(name, slice_str(row->name)))
            return row;
    return NULL;
}

static enum option_kind number_kind(enum arg_kind kind)
{
    switch (kind) {
    case ARG_SIZE:
        return OPT_SIZE;
    case ARG_RATE:
        return OPT_RATE;
    case ARG_DURATION:
        return OPT_DURATION;
    default:
        return OPT_UINT;
    }
}

static bool is_number(const struct arg_row *row)
{
    return row->kind >= ARG_UINT;
}

static void print_row(const struct arg_row *row)
{
    char left[64];
    snprintf(left, sizeof(left), "%s%s%s", row->name, row->value ? " " : "",
             row->value ? row->value : "");
    printf("  %-26s %s", left, row->help);
    if (row->default_text != NULL)
        printf(" (default: %s)", row->default_text);
    putchar('\n');
}

static int print_help(const struct args *a, const struct args_spec *spec)
{
    printf("Usage: tenantry %s%s%s [OPTION]...\n\n%s\n\nOptions:\n", a->command,
           spec->operands[0] ? " " : "", spec->operands, spec->about);
    for (const struct arg_row *row = spec->rows; row->name != NULL; row++)
        print_row(row);
    print_row(&help_row);
    return EXIT_DONE;
}

static int wrong_usage(const struct args *a)
{
    fprintf(stderr, "Try `tenantry %s --help`.\n", a->command);
    return EXIT_USAGE;
}

static int unknown_option(const struct args *a, const struct args_spec *spec, const char *name)
{
    const struct arg_row *nearest = NULL;
    size_t best = near_limit(name);
    for (const struct arg_row *row = spec->rows; row->name != NULL; row++) {
        size_t d = near_distance(name, row->name);
        if (d < best) {
            best = d;
            nearest = row;
        }
    }
    fprintf(stderr, "tenantry %s: unknown option %s", a->command, name);
    fprintf(stderr, nearest ? ": did you mean %s?\n" : "\n", nearest ? nearest->name : "");
    return wrong_usage(a);
}

static int take_value(struct args *a, const struct arg_row *row, const char *text)
{
    struct errbuf err = ERRBUF_INIT;
    uint64_t number = 0;
    if (is_number(row) && option_parse_number(number_kind(row->kind), text, &number, &err) < 0) {
        fprintf(stderr, "tenantry %s: %s: %s\n", a->command, row->name, err.text);
        return wrong_usage(a);
    }
    if (a->n_given == ARGS_MOST_GIVEN) {
        fprintf(stderr, "tenantry %s: too many options\n", a->command);
        return EXIT_USAGE;
    }
    a->given[a->n_given].row = row;
    a->given[a->n_given].text = text;
    a->given[a->n_given++].number = number;
    return ARGS_GO_ON;
}

/* One option at argv[*i], its value there too (--name=value) or in the next argument. */
static int take_option(struct args *a, const struct args_spec *spec, int *i)
{
    const char *arg = a->argv[*i], *equals = strchr(arg, '=');
    struct slice name = slice_of(arg, equals ? (size_t)(equals - arg) : strlen(arg));
    const struct arg_row *row = row_by_name(spec, name);
    if (row == NULL)
        return unknown_option(a, spec, arg);
    if (row->kind == ARG_FLAG && equals == NULL)
        return take_value(a, row, "");
    if (row->kind == ARG_FLAG) {
        fprintf(stderr, "tenantry %s: %s takes no value\n", a->command, row->name);
        return wrong_usage(a);
    }
    if (equals != NULL)
        return take_value(a, row, equals + 1);
    if (*i + 1 == a->argc) {
        fprintf(stderr, "tenantry %s: %s needs a value: %s\n", a->command, row->name, row->value);
        return wrong_usage(a);
    }
    return take_value(a, row, a->argv[++*i]);
}

static int check_operands(const struct args *a, const struct args_spec *spec)
{
    if (a->n_operands >= spec->least && (spec->most < 0 || a->n_operands <= spec->most))
        return ARGS_GO_ON;
    if (a->n_operands < spec->least)
        fprintf(stderr, "tenantry %s: something is missing: %s\n", a->command, spec->operands);
    else
        fprintf(stderr, "tenantry %s: too much: %s\n", a->command, a->operands[spec->most]);
    return wrong_usage(a);
}

static bool asks_for_help(const char *arg)
{
    return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0;
}

int args_parse(struct args *a, const struct args_spec *spec)
{
    bool options = true; /* until "--" */
    a->spec = spec;
    for (int i = 0; i < a->argc; i++) {
        const char *arg = a->argv[i];
        int code = ARGS_GO_ON;
        if (options && asks_for_help(arg))
            return print_help(a, spec);
        if (options && strcmp(arg, "--") == 0)
            options = false;
        else if (options && arg[0] == '-' && arg[1] != 0)
            code = take_option(a, spec, &i);
        else if (a->n_operands < ARGS_MOST_GIVEN)
            a->operands[a->n_operands++] = arg;
        if (code != ARGS_GO_ON)
            return code;
    }
    return check_operands(a, spec);
}

static const struct arg_row *row_of(const struct args *a, const char *name)
{
    const struct arg_row *row = row_by_name(a->spec, slice_str(name));
    assert(row != NULL); /* a command asks for its own rows alone */
    return row;
}

/* Index of the last one given, or -1. */
static int last_given(const struct args *a, const struct arg_row *row)
{
    int i = a->n_given - 1;
    while (i >= 0 && a->given[i].row != row)
        i--;
    return i;
}

bool args_given(const struct args *a, const char *name)
{
    return last_given(a, row_of(a, name)) >= 0;
}

const char *args_text(const struct args *a, const char *name)
{
    const struct arg_row *row = row_of(a, name);
    int i = last_given(a, row);
    return i >= 0 ? a->given[i].text : row->default_text;
}

uint64_t args_number(const struct args *a, const char *name)
{
    const struct arg_row *row = row_of(a, name);
    int i = last_given(a, row);
    uint64_t n = 0;
    if (i >= 0)
        return a->given[i].number;
    if (row->default_text != NULL)
        option_parse_number(number_kind(row->kind), row->default_text, &n, NULL);
    return n;
}

const char *args_text_at(const struct args *a, const char *name, int i)
{
    const struct arg_row *row = row_of(a, name);
    for (int at = 0; at < a->n_given; at++)
        if (a->given[at].row == row && i-- == 0)
            return a->given[at].text;
    return NULL;
}
