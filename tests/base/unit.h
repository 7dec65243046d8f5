/* What every test of this folder includes: cmocka and its prerequisites. */
#ifndef TESTS_BASE_UNIT_H
#define TESTS_BASE_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

/* For the check inside a loop over rows: names the row's line. */
#define check_row(line, condition, ...)                                                            \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            print_error("row of line %d: %s: ", (line), #condition);                               \
            print_error(__VA_ARGS__);                                                              \
            print_error("\n");                                                                     \
            fail();                                                                                \
        }                                                                                          \
    } while (0)

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
