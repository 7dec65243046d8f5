#include "base/errbuf.h"

#include <stdio.h>
#include <string.h>

int errbuf_set(struct errbuf *err, int code, const char *format, ...)
{
    if (err != NULL) {
        va_list args;
        va_start(args, format);
        vsnprintf(err->text, sizeof(err->text), format, args);
        va_end(args);
    }
    return -code;
}

void errbuf_prefix(struct errbuf *err, const char *format, ...)
{
    if (err == NULL)
        return;
    char old[ERRBUF_SIZE], context[ERRBUF_SIZE];
    memcpy(old, err->text, sizeof(old));
    va_list args;
    va_start(args, format);
    vsnprintf(context, sizeof(context), format, args);
    va_end(args);
    int n = snprintf(err->text, sizeof(err->text), "%s: ", context);
    if (n >= 0 && (size_t)n < sizeof(err->text)) {
        size_t room = sizeof(err->text) - (size_t)n - 1, len = strlen(old);
        memcpy(err->text + n, old, len < room ? len : room);
        err->text[n + (len < room ? len : room)] = 0;
    }
}
