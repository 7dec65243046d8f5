#include "cli/listing.h"

#include "base/json.h"
#include "cli/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define BOLD  "\x1b[1m"
#define PLAIN "\x1b[0m"

void listing_cell(struct listing *l, const char *format, ...)
{
    va_list args;
    char *text;
    va_start(args, format);
    int n = vasprintf(&text, format, args);
    va_end(args);
    if (n < 0) {
        l->cells.failed = true;
        return;
    }
    buf_append(&l->cells, text, (size_t)n + 1);
    free(text);
}

void listing_time(struct listing *l, uint64_t wall_s)
{
    if (wall_s == 0)
        listing_cell(l, "%s", "");
    else
        listing_cell(l, "%llu", (unsigned long long)wall_s);
}

/* What people see of a cell. */
static const char *shown(const struct listing_column *c, const char *cell,
                         char scratch[CLI_TIME_SIZE])
{
    return c->kind == LISTING_TIME ? cli_time(strtoull(cell, NULL, 10), scratch) : cell;
}

/* Characters, not bytes: UTF-8 continuation bytes take no column. */
static size_t width_of(const char *text)
{
    size_t width = 0;
    for (; *text != 0; text++)
        width += ((unsigned char)*text & 0xC0) != 0x80;
    return width;
}

struct cell {
    const char *text; /* NULL = before the first */
    size_t column;
};

/* Steps to the next cell, row by row; false behind the last. */
static bool cell_next(const struct listing *l, struct cell *c)
{
    if (l->cells.len == 0)
        return false;
    if (c->text == NULL) {
        c->text = (const char *)l->cells.at;
        return true;
    }
    c->text += strlen(c->text) + 1;
    c->column = l->columns[c->column + 1].title ? c->column + 1 : 0;
    return c->text < (const char *)l->cells.at + l->cells.len;
}

static void measure(const struct listing *l, size_t widths[LISTING_MOST_COLUMNS])
{
    for (size_t i = 0; l->columns[i].title != NULL; i++)
        widths[i] = width_of(l->columns[i].title);
    for (struct cell c = {0}; cell_next(l, &c);) {
        char scratch[CLI_TIME_SIZE];
        size_t width = width_of(shown(&l->columns[c.column], c.text, scratch));
        if (width > widths[c.column])
            widths[c.column] = width;
    }
}

/* Filled up to the column's width and two blanks; the last column ends the line. */
static void print_cell(const struct listing_column *column, const char *text, size_t width,
                       struct buf *out)
{
    bool last = column[1].title == NULL;
    int fill = (int)(width - width_of(text));
    if (column->kind == LISTING_NUMBER)
        buf_printf(out, "%*s%s%s", fill, "", text, last ? "\n" : "  ");
    else if (last)
        buf_printf(out, "%s\n", text);
    else
        buf_printf(out, "%s%*s", text, fill + 2, "");
}

static void print_text(const struct listing *l, bool colour, struct buf *out)
{
    size_t widths[LISTING_MOST_COLUMNS] = {0};
    measure(l, widths);
    buf_append_str(out, colour ? BOLD : "");
    for (size_t i = 0; l->columns[i].title != NULL; i++)
        print_cell(&l->columns[i], l->columns[i].title, widths[i], out);
    buf_append_str(out, colour ? PLAIN : "");
    for (struct cell c = {0}; cell_next(l, &c);) {
        const struct listing_column *column = &l->columns[c.column];
        char scratch[CLI_TIME_SIZE];
        print_cell(column, shown(column, c.text, scratch), widths[c.column], out);
    }
}

static void print_value(const struct listing_column *column, const char *cell, struct buf *out)
{
    if (cell[0] == 0)
        buf_append_str(out, "null");
    else if (column->kind == LISTING_TEXT)
        json_string(out, slice_str(cell));
    else
        buf_append_str(out, cell);
}

static void print_json(const struct listing *l, struct buf *out)
{
    const char *before_row = "{";
    buf_append_byte(out, '[');
    for (struct cell c = {0}; cell_next(l, &c);) {
        const struct listing_column *column = &l->columns[c.column];
        buf_append_str(out, c.column ? ", " : before_row);
        buf_printf(out, "\"%s\": ", column->json);
        print_value(column, c.text, out);
        if (column[1].title == NULL)
            buf_append_byte(out, '}');
        before_row = ",\n {";
    }
    buf_append_str(out, "]\n");
}

void listing_print(const struct listing *l, bool json, bool colour, struct buf *out)
{
    if (json)
        print_json(l, out);
    else
        print_text(l, colour, out);
}

void listing_release(struct listing *l)
{
    buf_release(&l->cells);
}
