#include "cli/confirm.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

bool cli_confirm(const struct args *a, struct errbuf *err, const char *question, ...)
{
    char text[512], answer[16] = "";
    va_list args;
    va_start(args, question);
    vsnprintf(text, sizeof(text), question, args);
    va_end(args);
    fflush(stdout);
    if (!isatty(STDIN_FILENO) || !isatty(STDERR_FILENO)) {
        errbuf_set(err, EPERM, "%s There is no terminal to ask on", text);
        return false;
    }
    fprintf(stderr, "tenantry %s: %s Only \"yes\" is yes: ", a->command, text);
    fflush(stderr);
    if (fgets(answer, sizeof(answer), stdin) != NULL)
        answer[strcspn(answer, "\n")] = 0;
    if (strcmp(answer, "yes") == 0)
        return true;
    errbuf_set(err, EPERM, "the answer was not \"yes\"");
    return false;
}
