/* What every test of this folder includes: cmocka and its prerequisites. */
#ifndef TESTS_BASE_UNIT_H
#define TESTS_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* Prints the nearest line, from `line` upwards, that names a requirement. */
static inline void print_rule(const char *file, int line)
{
    char text[1024], rule[sizeof(text)] = "";
    FILE *f = fopen(file, "r");
    while (f != NULL && line-- > 0 && fgets(text, sizeof(text), f) != NULL)
        for (const char *r = strchr(text, 'R'); r != NULL; r = strchr(r + 1, 'R'))
            if ((r == text || !isalnum((unsigned char)r[-1])) && isdigit((unsigned char)r[1]))
                memcpy(rule, text, sizeof(text));
    if (f != NULL)
        fclose(f);
    print_error("the rule: %s", rule[0] ? rule : "none is named\n");
}

/* For the check inside a loop over rows: names the row's line, and the rule it stands for. */
#define check_row(line, condition, ...)                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("row of line %d: %s: ", (line), #condition);                               \
            print_error(__VA_ARGS__);                                                              \
            print_error("\n");                                                                     \
            print_rule(TEST_SOURCE, (line));                                                       \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
