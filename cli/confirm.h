/* Asking a person before something is lost. */
#ifndef CLI_CONFIRM_H
#define CLI_CONFIRM_H

#include "base/errbuf.h"
#include "cli/args.h"

/* Asks on the terminal; true when the answer is "yes". Without a terminal nobody is asked and it is
 * false. When false, the sentence without its period says why. */
bool cli_confirm(const struct args *a, struct errbuf *err, const char *question, ...)
    __attribute__((format(printf, 3, 4)));

#endif
