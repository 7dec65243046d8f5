/* The sample file and the reference page, both from the rows. */
#include "base/option_row.h"

/* "From 1 to 64.", "At most 10MB.", "One of a, b."; nothing when anything goes. */
static void print_allowed(const struct option *row, struct buf *out)
{
    if (row->kind == OPT_ENUM) {
        buf_append_str(out, "One of");
        for (const struct option_choice *c = row->choices; c->text != NULL; c++)
            buf_printf(out, "%s %s", c == row->choices ? "" : ",", c->text);
        buf_append_byte(out, '.');
    } else if (row->min != NULL && row->max != NULL) {
        buf_printf(out, "From %s to %s.", row->min, row->max);
    } else if (row->min != NULL) {
        buf_printf(out, "At least %s.", row->min);
    } else if (row->max != NULL) {
        buf_printf(out, "At most %s.", row->max);
    }
}

/* Words of `text`, wrapped before column 100, each line after `indent` and "# ". */
static void print_comment(const char *indent, const char *text, struct buf *out)
{
    size_t column = 0;
    while (*text != 0) {
        size_t word = strcspn(text, " ");
        if (column == 0 || column + 1 + word > 98) {
            buf_printf(out, "%s%s#", column ? "\n" : "", indent);
            column = strlen(indent) + 1;
        }
        buf_printf(out, " %.*s", (int)word, text);
        column += 1 + word;
        text += word;
        text += strspn(text, " ");
    }
    buf_append_byte(out, '\n');
}

static void print_row_comment(const char *indent, const struct option *row, struct buf *out)
{
    struct buf text = BUF_INIT;
    buf_append_str(&text, row->doc);
    if (row->min || row->max || row->kind == OPT_ENUM)
        buf_append_byte(&text, ' ');
    print_allowed(row, &text);
    if (row->flags & OPT_REQUIRED)
        buf_append_str(&text, " Required.");
    print_comment(indent, buf_cstr(&text), out);
    buf_release(&text);
}

/* "a, b" as ["a", "b"]. */
static void print_default_strings(const char *text, struct buf *out)
{
    buf_append_byte(out, '[');
    while (*text != 0) {
        size_t len = strcspn(text, ",");
        buf_printf(out, "\"%.*s\"", SLICE_ARG(slice_trim(slice_of(text, len))));
        text += len;
        if (*text == ',') {
            buf_append_str(out, ", ");
            text++;
        }
    }
    buf_append_byte(out, ']');
}

/* A default as the file's grammar wants it. */
static void print_default(const struct option *row, struct buf *out)
{
    const char *text = row->default_text ? row->default_text : "...";
    bool digits = option_is_number(row) && strspn(text, "0123456789") == strlen(text);
    if (row->kind == OPT_STRINGS)
        print_default_strings(text, out);
    else if (row->kind == OPT_MAP)
        buf_append_str(out, "{}");
    else if (digits || (row->kind == OPT_BOOL && row->default_text != NULL))
        buf_append_str(out, text);
    else
        buf_printf(out, "\"%s\"", text);
}

static void print_sample_rows(const struct option_group *group, const char *indent,
                              struct buf *out);

static void print_sample_group(const struct option *row, const char *indent, struct buf *out)
{
    struct buf deeper = BUF_INIT;
    buf_printf(&deeper, "%s  ", indent);
    print_comment(indent, row->group->doc, out);
    buf_printf(out, "%s%s: {\n", indent, row->name);
    print_sample_rows(row->group, buf_cstr(&deeper), out);
    buf_printf(out, "%s};\n", indent);
    buf_release(&deeper);
}

/* The list stays empty, so its example element is a comment as a whole. */
static void print_sample_list(const struct option *row, const char *indent, struct buf *out)
{
    struct buf deeper = BUF_INIT;
    buf_printf(&deeper, "%s#    ", indent);
    print_row_comment(indent, row, out);
    buf_printf(out, "%s#%s = (\n%s#  {\n", indent, row->name, indent);
    print_sample_rows(row->group, buf_cstr(&deeper), out);
    buf_printf(out, "%s#  }\n%s#);\n", indent, indent);
    buf_release(&deeper);
}

static void print_sample_rows(const struct option_group *group, const char *indent, struct buf *out)
{
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        if (row->kind == OPT_GROUP) {
            print_sample_group(row, indent, out);
        } else if (row->kind == OPT_LIST) {
            print_sample_list(row, indent, out);
        } else {
            print_row_comment(indent, row, out);
            buf_printf(out, "%s#%s = ", indent, row->name);
            print_default(row, out);
            buf_append_str(out, ";\n");
        }
        if (row[1].name != NULL && strchr(indent, '#') == NULL)
            buf_append_byte(out, '\n');
    }
}

void option_print_sample(const struct option_group *group, struct buf *out)
{
    print_comment("", group->doc, out);
    buf_append_byte(out, '\n');
    print_sample_rows(group, "", out);
}

/* Text of a table cell. */
static void print_cell(const char *text, struct buf *out)
{
    for (; *text != 0; text++) {
        if (*text == '|')
            buf_append_byte(out, '\\');
        buf_append_byte(out, (uint8_t)*text);
    }
}

static void print_markdown_row(const struct option *row, struct buf *out)
{
    struct buf allowed = BUF_INIT;
    print_allowed(row, &allowed);
    buf_printf(out, "| `%s` | ", row->name);
    if (row->flags & OPT_REQUIRED)
        buf_append_str(out, "*required*");
    else if (row->default_text != NULL && *row->default_text != 0)
        buf_printf(out, "`%s`", row->default_text);
    buf_append_str(out, " | ");
    print_cell(buf_cstr(&allowed), out);
    buf_printf(out, " | %s | ", row->flags & OPT_RELOAD ? "yes" : "restart");
    print_cell(row->doc, out);
    buf_append_str(out, " |\n");
    buf_release(&allowed);
}

static void print_markdown_group(const struct option_group *group, const char *path,
                                 struct buf *out)
{
    bool has_values = false;
    buf_printf(out, "## %s\n\n%s\n\n", *path ? path : group->name, group->doc);
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        if (row->kind == OPT_GROUP)
            continue;
        if (!has_values)
            buf_append_str(out, "| Option | Default | Allowed | Reload | Meaning |\n"
                                "|---|---|---|---|---|\n");
        has_values = true;
        print_markdown_row(row, out);
    }
    if (has_values)
        buf_append_byte(out, '\n');
    for (const struct option *row = group->rows; row->name != NULL; row++) {
        if (row->kind != OPT_GROUP && row->kind != OPT_LIST)
            continue;
        struct buf deeper = BUF_INIT;
        buf_printf(&deeper, "%s%s%s%s", path, *path ? "." : "", row->name,
                   row->kind == OPT_LIST ? "[]" : "");
        print_markdown_group(row->group, buf_cstr(&deeper), out);
        buf_release(&deeper);
    }
}

void option_print_markdown(const struct option_group *group, struct buf *out)
{
    print_markdown_group(group, "", out);
}
