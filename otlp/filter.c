/* One pass over the levels that hold items, copying runs of bytes. A message that holds items is
 * written with its length as it was and, since it can only get shorter, has the length corrected in
 * place when it is through. The scanner itself says what is wrong with an item, so that it counts
 * exactly what is rejected here. */
#include "otlp/filter.h"

#include "otlp/scan.h"
#include "otlp/scan_schema.h"
#include "otlp/wire.h"

#include <errno.h>
#include <stdio.h>

struct filter {
    struct buf *out;
    struct filter_result n;
};

static void append(struct filter *f, const uint8_t *from, const uint8_t *to)
{
    buf_append(f->out, from, (size_t)(to - from));
}

static bool keep_item(struct filter *f, const struct schema_message *m, struct slice item)
{
    unsigned defects = scan_item(m, item);
    if (defects == 0) {
        f->n.kept++;
        return true;
    }
    enum defect defect = (enum defect)__builtin_ctz(defects);
    if (f->n.rejected++ == 0)
        f->n.first = defect;
    f->n.by_defect[defect]++;
    return false;
}

/* The content from `content_at` on has a length of `width` bytes in front of it: makes it true. */
static void correct_length(struct buf *out, size_t content_at, size_t width)
{
    if (out->failed)
        return;
    uint8_t *at = out->at + content_at - width;
    size_t len = out->len - content_at, n = 0, left = len;
    uint8_t varint[10];
    for (; left >= 0x80; left >>= 7)
        varint[n++] = (uint8_t)(left | 0x80);
    varint[n++] = (uint8_t)left;
    memmove(at + n, at + width, len);
    memcpy(at, varint, n);
    out->len -= width - n;
}

static void filter_message(struct filter *f, struct slice bytes, const struct schema_message *m);

/* A message that holds items: its key stands at `key_at`, its length at `length_at`. */
static void filter_holder(struct filter *f, const struct schema_field *field, const uint8_t *key_at,
                          const uint8_t *length_at, struct slice content)
{
    const uint64_t kept = f->n.kept, rejected = f->n.rejected;
    size_t start = f->out->len;
    append(f, key_at, content.at);
    size_t content_at = f->out->len;
    filter_message(f, content, field->sub);
    bool lost_all = f->n.kept == kept && f->n.rejected > rejected;
    if (lost_all && field->role != ROLE_DATA) /* an empty member says which kind the metric is */
        f->out->len = start;
    else
        correct_length(f->out, content_at, (size_t)(content.at - length_at));
}

static void filter_message(struct filter *f, struct slice bytes, const struct schema_message *m)
{
    const struct filter_result before = f->n;
    struct wire w = wire_of(bytes);
    const uint8_t *from = w.at; /* of what is not copied yet */
    uint32_t number, data = 0;
    enum wire_type type;
    for (const uint8_t *key_at = w.at; w.at < w.end && wire_key(&w, &number, &type);
         key_at = w.at) {
        const struct schema_field *field = &m->fields[number <= SCHEMA_MAX_NUMBER ? number : 0];
        const uint8_t *length_at = w.at;
        struct slice content;
        if (field->role < ROLE_RESOURCE) {
            if (!wire_skip(&w, number, type))
                break;
            continue;
        }
        if (!wire_bytes(&w, &content))
            break;
        if (field->role == ROLE_ITEM && keep_item(f, field->sub, content))
            continue;
        append(f, from, key_at);
        from = w.at;
        if (field->role == ROLE_ITEM)
            continue;
        if (field->role == ROLE_DATA && number != data) {
            f->n = before;
            data = number;
        }
        filter_holder(f, field, key_at, length_at, content);
    }
    append(f, from, w.end);
}

int filter_request(enum signal signal, struct slice body, struct buf *out,
                   struct filter_result *ret)
{
    struct filter f = {.out = out};
    if (body.len > 0 && buf_reserve(out, body.len) == NULL)
        return -ENOMEM;
    filter_message(&f, body, schema_request[signal]);
    if (out->failed)
        return -ENOMEM;
    *ret = f.n;
    return 0;
}

void filter_describe(enum signal signal, const struct filter_result *r, char *text, size_t size)
{
    snprintf(text, size, "%llu of %llu %ss rejected; in the first one, %s",
             (unsigned long long)r->rejected, (unsigned long long)(r->kept + r->rejected),
             signal_info[signal].item_name, defect_info[r->first].text);
}
