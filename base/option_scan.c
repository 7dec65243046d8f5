#include "base/option_row.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdlib.h>

struct scan {
    struct slice text;
    size_t at;
    int line;
};

static uint8_t peek(const struct scan *s, size_t ahead)
{
    return s->at + ahead < s->text.len ? s->text.at[s->at + ahead] : 0;
}

static void advance(struct scan *s)
{
    if (peek(s, 0) == '\n')
        s->line++;
    if (s->at < s->text.len)
        s->at++;
}

static void skip_line(struct scan *s)
{
    while (s->at < s->text.len && peek(s, 0) != '\n')
        advance(s);
}

static void skip_block_comment(struct scan *s)
{
    while (s->at < s->text.len && !(peek(s, 0) == '*' && peek(s, 1) == '/'))
        advance(s);
    advance(s);
    advance(s);
}

static void skip_string(struct scan *s)
{
    advance(s);
    while (s->at < s->text.len && peek(s, 0) != '"') {
        if (peek(s, 0) == '\\')
            advance(s);
        advance(s);
    }
    advance(s);
}

static void skip_name(struct scan *s)
{
    while (isalnum(peek(s, 0)) || peek(s, 0) == '_' || peek(s, 0) == '-' || peek(s, 0) == '*')
        advance(s);
}

/* Passes a number; *ret_long says that it is an integer that lacks the L it needs. */
static int scan_number(struct scan *s, bool *ret_long)
{
    char token[32];
    size_t len = 0;
    bool hex = peek(s, 0) == '0' && (peek(s, 1) == 'x' || peek(s, 1) == 'X'), is_float = false;
    for (uint8_t c; isalnum(c = peek(s, 0)) || c == '.'; advance(s)) {
        if (c == '.' || (!hex && (c == 'e' || c == 'E')))
            is_float = true;
        if (len < sizeof(token) - 1)
            token[len++] = (char)c;
    }
    token[len] = 0;
    *ret_long = false;
    if (is_float)
        return 0;
    char *end;
    errno = 0;
    unsigned long long n = strtoull(token, &end, hex ? 16 : 10);
    if (errno == ERANGE || n > INT64_MAX)
        return -ERANGE;
    *ret_long = n > INT_MAX && *end == 0;
    return 0;
}

/* Passes one token or comment. */
static int scan_token(struct scan *s, bool *ret_long)
{
    uint8_t c = peek(s, 0);
    *ret_long = false;
    if (c == '#' || (c == '/' && peek(s, 1) == '/'))
        skip_line(s);
    else if (c == '/' && peek(s, 1) == '*')
        skip_block_comment(s);
    else if (c == '"')
        skip_string(s);
    else if (isalpha(c) || c == '*' || c == '_')
        skip_name(s);
    else if (isdigit(c))
        return scan_number(s, ret_long);
    else if (c == '@')
        return -EINVAL;
    else
        advance(s);
    return 0;
}

int option_scan(const char *name, struct slice text, struct buf *out, struct errbuf *err)
{
    struct scan s = {text, 0, 1};
    if (text.len > 0 && memchr(text.at, 0, text.len) != NULL)
        return errbuf_set(err, EINVAL, "%s: this is not a text file: it holds a NUL byte", name);
    while (s.at < text.len) {
        size_t start = s.at;
        bool lacks_suffix;
        int rc = scan_token(&s, &lacks_suffix);
        if (rc == -ERANGE)
            return errbuf_set(err, EINVAL, "%s:%d: this number is too large", name, s.line);
        if (rc < 0)
            return errbuf_set(err, EINVAL, "%s:%d: @include is not supported here", name, s.line);
        buf_append(out, text.at + start, s.at - start);
        if (lacks_suffix)
            buf_append_byte(out, 'L');
    }
    return out->failed ? errbuf_set(err, ENOMEM, "%s: out of memory", name) : 0;
}
