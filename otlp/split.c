/* One pass over the levels that hold items. What a level says beside its items and holders (its
 * rest) is gathered when it is entered, since fields come in any order. An item is then appended to
 * the part it belongs to; levels that are not open there are opened first: key, room for a length,
 * rest. A level is closed, and its length made true, when the next item of that part lies elsewhere
 * or the part is finished. So a part costs what it holds, however many there are.
 *
 * A level is known by its serial number: one that is open in a part and is not the current one any
 * more has another. */
#include "otlp/split.h"

#include "otlp/scan_schema.h"
#include "otlp/trace_partition.h"
#include "otlp/wire.h"

#include <stdio.h>
#include <stdlib.h>

#define LEVELS  5 /* request, resource, scope, metric, data */
#define NO_PART SIZE_MAX

struct level {
    struct slice key; /* of its field, as it came; the request has none */
    struct buf rest;
    uint64_t shared; /* bytes that the row of every item repeats */
    uint64_t serial;
};

/* The part of a partition that is being filled. */
struct writer {
    size_t part; /* its index, or NO_PART */
    uint64_t expanded;
    unsigned open; /* levels */
    uint64_t serial[LEVELS];
    size_t content_at[LEVELS];
};

struct split {
    struct split_plan plan; /* a ceiling is there: UINT64_MAX for none */
    const uint8_t *end;     /* of the body */
    struct level levels[LEVELS];
    unsigned depth; /* levels that have been entered */
    uint64_t serials;
    size_t width; /* of the room for a length */
    struct writer *writers;
    size_t part_capacity;
    uint64_t total;
    struct split_result n;
    enum split_status status;
};

static void stop(struct split *s, enum split_status why)
{
    if (s->status == SPLIT_OK)
        s->status = why;
}

static size_t varint_width(uint64_t n)
{
    size_t width = 1;
    for (; n >= 0x80; n >>= 7)
        width++;
    return width;
}

/* --- writing parts -------------------------------------------------------------------------- */

/* The content from `content_at` on has room for a length of `width` bytes in front of it. */
static void put_length(struct buf *out, size_t content_at, size_t width)
{
    if (out->failed)
        return;
    uint8_t *at = out->at + content_at - width;
    size_t len = out->len - content_at, n = varint_width(len), left = len;
    memmove(at + n, at + width, len);
    for (size_t i = 0; i < n; i++, left >>= 7)
        at[i] = (uint8_t)(i + 1 < n ? left | 0x80 : left);
    out->len -= width - n;
}

/* Closes all levels of a part but the first `keep`. */
static void close_levels(struct split *s, struct writer *w, unsigned keep)
{
    struct buf *out = &s->n.parts[w->part].bytes;
    for (; w->open > keep; w->open--)
        if (w->open > 1)
            put_length(out, w->content_at[w->open - 1], s->width);
}

static void close_left(struct split *s, struct writer *w)
{
    unsigned same = 0;
    while (same < w->open && same < s->depth && w->serial[same] == s->levels[same].serial)
        same++;
    close_levels(s, w, same);
}

static size_t opening_size(const struct split *s, unsigned level)
{
    const struct level *l = &s->levels[level];
    return level == 0 ? l->rest.len : l->key.len + s->width + l->rest.len;
}

static void open_level(struct split *s, struct writer *w, struct buf *out)
{
    static const uint8_t room[10];
    const struct level *l = &s->levels[w->open];
    if (w->open > 0) {
        buf_append_slice(out, l->key);
        buf_append(out, room, s->width);
    }
    w->content_at[w->open] = out->len;
    w->serial[w->open++] = l->serial;
    buf_append_slice(out, buf_slice(&l->rest));
}

static bool grow_parts(struct split *s)
{
    if (s->n.n < s->part_capacity)
        return true;
    size_t capacity = s->part_capacity ? s->part_capacity * 2 : 8;
    struct split_part *parts = realloc(s->n.parts, capacity * sizeof(*parts));
    if (parts == NULL)
        return false;
    s->n.parts = parts;
    s->part_capacity = capacity;
    return true;
}

/* Without partitions the parts are filled one after the other: what one may need is known. */
static size_t first_room(const struct split *s, const uint8_t *at)
{
    size_t room = (size_t)(s->end - at);
    if (s->plan.partitions > 0)
        return 0;
    for (unsigned i = 0; i < s->depth; i++)
        room += opening_size(s, i);
    return room < s->plan.max_bytes ? room : (size_t)s->plan.max_bytes;
}

static void start_part(struct split *s, struct writer *w, const uint8_t *at)
{
    size_t most = s->plan.max_parts ? s->plan.max_parts + (size_t)s->plan.partitions : SIZE_MAX;
    if (s->n.n >= most) {
        stop(s, SPLIT_TOO_MANY);
        return;
    }
    if (!grow_parts(s)) {
        stop(s, SPLIT_NO_MEMORY);
        return;
    }
    struct split_part *p = &s->n.parts[s->n.n];
    *p = (struct split_part){.partition = (unsigned)(w - s->writers)};
    *w = (struct writer){.part = s->n.n++};
    buf_reserve(&p->bytes, first_room(s, at));
}

static void finish_part(struct split *s, struct writer *w)
{
    if (w->part == NO_PART)
        return;
    close_levels(s, w, 0);
    struct buf *b = &s->n.parts[w->part].bytes;
    w->part = NO_PART;
    if (b->failed) {
        stop(s, SPLIT_NO_MEMORY);
        return;
    }
    uint8_t *at = b->len > 0 ? realloc(b->at, b->len) : NULL; /* gives back what is left */
    if (at != NULL) {
        b->at = at;
        b->capacity = b->len;
    }
}

/* --- placing items -------------------------------------------------------------------------- */

static void reject(struct split *s, enum defect defect)
{
    if (s->n.rejected++ == 0)
        s->n.first = defect;
    s->n.by_defect[defect]++;
}

/* What the item adds to the expanded bytes, as scan.c counts them. */
static uint64_t expanded_size(const struct split *s, size_t item)
{
    uint64_t size = item;
    for (unsigned i = 0; i < s->depth; i++)
        size += s->levels[i].shared;
    return size;
}

/* The bytes of a part that holds this item only. */
static uint64_t size_alone(const struct split *s, size_t item)
{
    uint64_t size = item;
    for (unsigned i = s->depth; i-- > 1;) {
        size += s->levels[i].rest.len;
        size += s->levels[i].key.len + varint_width(size);
    }
    return size + s->levels[0].rest.len;
}

static bool fits_alone(const struct split *s, size_t item)
{
    return size_alone(s, item) <= s->plan.max_bytes &&
           expanded_size(s, item) <= s->plan.limits.expanded_bytes;
}

/* Levels that the part has open and the item is not in have been closed. */
static bool fits(const struct split *s, const struct writer *w, size_t item)
{
    const struct split_part *p = &s->n.parts[w->part];
    uint64_t size = p->bytes.len + (uint64_t)item;
    for (unsigned i = w->open; i < s->depth; i++)
        size += opening_size(s, i);
    return size <= s->plan.max_bytes && p->items < s->plan.limits.items &&
           w->expanded + expanded_size(s, item) <= s->plan.limits.expanded_bytes;
}

static bool all_zero(struct slice id)
{
    for (size_t i = 0; i < id.len; i++)
        if (id.at[i] != 0)
            return false;
    return true;
}

/* False: it has none that means something. */
static bool trace_id(const struct schema_message *m, struct slice item, struct slice *ret)
{
    struct wire w = wire_of(item);
    struct slice found = SLICE_NULL;
    uint32_t number;
    enum wire_type type;
    while (w.at < w.end && wire_key(&w, &number, &type)) {
        bool is_id = number <= SCHEMA_MAX_NUMBER && m->fields[number].role == ROLE_TRACE_ID;
        if (is_id ? !wire_bytes(&w, &found) : !wire_skip(&w, number, type))
            break;
    }
    *ret = found;
    return found.len == 16 && !all_zero(found);
}

/* `whole` is the item's field, `item` its content. */
static void append_item(struct split *s, struct writer *w, struct slice whole, bool traced)
{
    struct split_part *p = &s->n.parts[w->part];
    size_t before = p->bytes.len;
    while (w->open < s->depth)
        open_level(s, w, &p->bytes);
    buf_append_slice(&p->bytes, whole);
    p->items++;
    p->traced |= traced;
    w->expanded += expanded_size(s, whole.len);
    s->n.kept++;
    s->total += p->bytes.len - before;
    if (p->bytes.failed)
        stop(s, SPLIT_NO_MEMORY);
    else if (s->total > s->plan.max_total)
        stop(s, SPLIT_TOO_MANY);
}

static void place(struct split *s, const struct schema_message *m, struct slice whole,
                  struct slice item)
{
    unsigned defects = s->plan.bad_items ? scan_item(m, item) : 0;
    unsigned partition = s->plan.home;
    struct slice id;
    if (defects != 0) {
        reject(s, (enum defect)__builtin_ctz(defects));
        return;
    }
    bool traced = s->plan.partitions > 0 && trace_id(m, item, &id);
    if (traced)
        partition = trace_partition(id.at, s->plan.partitions);
    struct writer *w = &s->writers[partition];
    if (w->part != NO_PART) {
        close_left(s, w);
        if (!fits(s, w, whole.len)) {
            if (!fits_alone(s, whole.len)) {
                reject(s, DEFECT_TOO_LARGE);
                return;
            }
            finish_part(s, w);
        }
    } else if (!fits_alone(s, whole.len)) {
        reject(s, DEFECT_TOO_LARGE);
        return;
    }
    if (w->part == NO_PART)
        start_part(s, w, whole.at);
    if (s->status == SPLIT_OK)
        append_item(s, w, whole, traced);
}

/* --- the walk ------------------------------------------------------------------------------- */

struct step {
    const struct schema_field *field;
    uint32_t number;
    const uint8_t *at; /* of the key */
    struct slice key, whole;
    struct slice content; /* of an item or a holder */
};

/* False at the end. */
static bool step(struct wire *w, const struct schema_message *m, struct step *ret)
{
    enum wire_type type;
    ret->at = w->at;
    if (w->at >= w->end || !wire_key(w, &ret->number, &type))
        return false;
    ret->field = &m->fields[ret->number <= SCHEMA_MAX_NUMBER ? ret->number : 0];
    ret->key = slice_of(ret->at, (size_t)(w->at - ret->at));
    bool child = ret->field->role >= ROLE_RESOURCE;
    if (child ? !wire_bytes(w, &ret->content) : !wire_skip(w, ret->number, type))
        return false;
    ret->whole = slice_of(ret->at, (size_t)(w->at - ret->at));
    return true;
}

static void enter(struct split *s, struct slice key)
{
    struct level *l = &s->levels[s->depth++];
    l->key = key;
    l->shared = 0;
    l->serial = ++s->serials;
    buf_clear(&l->rest);
}

/* Adds to the rest of the innermost level. Returns where the data of a metric begins that counts:
 * the last run of one member (R218). */
static const uint8_t *gather(struct split *s, struct slice bytes, const struct schema_message *m)
{
    struct level *l = &s->levels[s->depth - 1];
    struct wire w = wire_of(bytes);
    struct step f;
    const uint8_t *data_at = NULL;
    uint32_t data = 0;
    while (step(&w, m, &f)) {
        if (f.field->role == ROLE_SHARED)
            l->shared += f.whole.len;
        if (f.field->role < ROLE_RESOURCE)
            buf_append_slice(&l->rest, f.whole);
        if (f.field->role == ROLE_DATA && f.number != data) {
            data = f.number;
            data_at = f.at;
        }
    }
    if (l->rest.failed)
        stop(s, SPLIT_NO_MEMORY);
    return data_at;
}

static void descend(struct split *s, struct slice bytes, const struct schema_message *m);

/* The members of one run are merged: each says things that hold for the points of all. */
static void data_run(struct split *s, struct slice bytes, const struct schema_message *m)
{
    struct wire w = wire_of(bytes);
    struct step f = {0};
    bool entered = false;
    while (step(&w, m, &f))
        if (f.field->role == ROLE_DATA) {
            if (!entered)
                enter(s, f.key);
            entered = true;
            gather(s, f.content, f.field->sub);
        }
    w = wire_of(bytes);
    while (step(&w, m, &f))
        if (f.field->role == ROLE_DATA)
            descend(s, f.content, f.field->sub);
    s->depth--;
}

static void holder(struct split *s, const struct step *f)
{
    const struct schema_message *m = f->field->sub;
    enter(s, f->key);
    const uint8_t *data_at = gather(s, f->content, m);
    if (data_at != NULL)
        data_run(s, slice_of(data_at, (size_t)(f->content.at + f->content.len - data_at)), m);
    else
        descend(s, f->content, m);
    s->depth--;
}

static void descend(struct split *s, struct slice bytes, const struct schema_message *m)
{
    struct wire w = wire_of(bytes);
    struct step f;
    while (s->status == SPLIT_OK && step(&w, m, &f)) {
        if (f.field->role == ROLE_ITEM)
            place(s, f.field->sub, f.whole, f.content);
        else if (f.field->role >= ROLE_RESOURCE)
            holder(s, &f);
    }
}

static void walk_request(struct split *s, struct slice body, const struct schema_message *m)
{
    enter(s, SLICE_NULL);
    gather(s, body, m);
    descend(s, body, m);
}

static uint64_t ceiling(uint64_t n)
{
    return n ? n : UINT64_MAX;
}

static bool start(struct split *s, struct slice body, const struct split_plan *plan)
{
    unsigned writers = plan->partitions ? plan->partitions : 1;
    s->plan = *plan;
    s->plan.limits.items = ceiling(plan->limits.items);
    s->plan.limits.expanded_bytes = ceiling(plan->limits.expanded_bytes);
    s->plan.max_bytes = ceiling(plan->max_bytes);
    s->plan.max_total = ceiling(plan->max_total);
    s->width = varint_width(body.len);
    s->end = wire_of(body).end;
    s->writers = malloc(writers * sizeof(*s->writers));
    for (unsigned i = 0; s->writers != NULL && i < writers; i++)
        s->writers[i].part = NO_PART;
    return s->writers != NULL;
}

enum split_status split_request(enum signal signal, struct slice body,
                                const struct split_plan *plan, struct split_result *ret)
{
    struct split s = {.status = SPLIT_OK};
    if (!start(&s, body, plan))
        return SPLIT_NO_MEMORY;
    walk_request(&s, body, schema_request[signal]);
    for (unsigned i = 0; i < (plan->partitions ? plan->partitions : 1); i++)
        finish_part(&s, &s.writers[i]);
    for (int i = 0; i < LEVELS; i++)
        buf_release(&s.levels[i].rest);
    free(s.writers);
    if (s.status == SPLIT_OK)
        *ret = s.n;
    else
        split_release(&s.n);
    return s.status;
}

void split_release(struct split_result *r)
{
    for (size_t i = 0; i < r->n; i++)
        buf_release(&r->parts[i].bytes);
    free(r->parts);
    r->parts = NULL;
    r->n = 0;
}

void split_describe(enum signal signal, const struct split_result *r, char *text, size_t size)
{
    snprintf(text, size, "%llu of %llu %ss rejected; in the first one, %s",
             (unsigned long long)r->rejected, (unsigned long long)(r->kept + r->rejected),
             signal_info[signal].item_name, defect_info[r->first].text);
}
