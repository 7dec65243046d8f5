#include "cli/listing.h"

#include "base/json.h"
#include "cli/common.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define MOST_COLUMNS 16
#define BOLD         "\x1b[1m"
#define PLAIN        "\x1b[0m"

static size_t count_columns(const struct listing *l)
{
    size_t n = 0;
    while (n < MOST_COLUMNS && l->columns[n].title != NULL)
        n++;
    return n;
}

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
    l->n_cells++;
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

static const char *next_cell(const char *cell)
{
    return cell + strlen(cell) + 1;
}

static void measure(const struct listing *l, size_t columns, size_t *widths)
{
    const char *cell = (const char *)l->cells.at;
    for (size_t i = 0; i < columns; i++)
        widths[i] = width_of(l->columns[i].title);
    for (size_t i = 0; i < l->n_cells; i++, cell = next_cell(cell)) {
        char scratch[CLI_TIME_SIZE];
        size_t width = width_of(shown(&l->columns[i % columns], cell, scratch));
        if (width > widths[i % columns])
            widths[i % columns] = width;
    }
}

/* One cell, filled up to its column's width and two blanks; the last column ends the line. */
static void print_cell(const char *text, size_t width, bool last, bool right, struct buf *out)
{
    int fill = (int)(width - width_of(text));
    if (right)
        buf_printf(out, "%*s%s%s", fill, "", text, last ? "\n" : "  ");
    else if (last)
        buf_printf(out, "%s\n", text);
    else
        buf_printf(out, "%s%*s", text, fill + 2, "");
}

static void print_text(const struct listing *l, bool colour, struct buf *out)
{
    size_t columns = count_columns(l), widths[MOST_COLUMNS];
    const char *cell = (const char *)l->cells.at;
    measure(l, columns, widths);
    buf_append_str(out, colour ? BOLD : "");
    for (size_t i = 0; i < columns; i++)
        print_cell(l->columns[i].title, widths[i], i + 1 == columns,
                   l->columns[i].kind == LISTING_NUMBER, out);
    buf_append_str(out, colour ? PLAIN : "");
    for (size_t i = 0; i < l->n_cells; i++, cell = next_cell(cell)) {
        char scratch[CLI_TIME_SIZE];
        const struct listing_column *c = &l->columns[i % columns];
        print_cell(shown(c, cell, scratch), widths[i % columns], i % columns + 1 == columns,
                   c->kind == LISTING_NUMBER, out);
    }
}

static void print_json(const struct listing *l, struct buf *out)
{
    size_t columns = count_columns(l);
    const char *cell = (const char *)l->cells.at;
    buf_append_byte(out, '[');
    for (size_t i = 0; i < l->n_cells; i++, cell = next_cell(cell)) {
        const struct listing_column *c = &l->columns[i % columns];
        buf_append_str(out, i % columns ? ", " : i ? ",\n {" : "{");
        buf_printf(out, "\"%s\": ", c->json);
        if (cell[0] == 0)
            buf_append_str(out, "null");
        else if (c->kind == LISTING_TEXT)
            json_string(out, slice_str(cell));
        else
            buf_append_str(out, cell);
        if (i % columns + 1 == columns)
            buf_append_byte(out, '}');
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
