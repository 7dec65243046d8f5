/* The judge of splitting, shared by test_split.c and fuzz_split.c. protobuf-c reads the request,
 * and of each item that is not bad makes the request that holds it alone, with its resource, scope
 * and metric. The parts, read in the same way, must give the same: in the same order, and but for
 * items that are alone above a ceiling. The scanner judges the ceilings. */
#ifndef TESTS_OTLP_SPLIT_ORACLE_H
#define TESTS_OTLP_SPLIT_ORACLE_H

#include "otlp/split.h"
#include "otlp/trace_partition.h"
#include "tests/otlp/oracle.h"

#include <stdlib.h>

static bool item_is_bad(const ProtobufCMessage *item)
{
    const char *name = item->descriptor->short_name;
    if (strcmp(name, "Span") == 0)
        return oracle_span_is_bad((const Span *)item);
    return strcmp(name, "LogRecord") != 0 && oracle_point_is_bad(item);
}

struct tally {
    uint64_t kept, rejected;
};

static struct tally prune(ProtobufCMessage *m);

/* Takes the bad elements of a repeated field, and those without items, out. */
static struct tally prune_repeated(ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    struct tally all = {0, 0};
    size_t *n = (size_t *)((uint8_t *)m + f->quantifier_offset), kept = 0;
    ProtobufCMessage **at = *(ProtobufCMessage ***)((uint8_t *)m + f->offset);
    for (size_t i = 0; i < *n; i++) {
        bool bad = is_item(f) && item_is_bad(at[i]);
        struct tally t = is_item(f) ? (struct tally){!bad, bad} : prune(at[i]);
        all.kept += t.kept;
        all.rejected += t.rejected;
        if (t.kept == 0)
            protobuf_c_message_free_unpacked(at[i], NULL);
        else
            at[kept++] = at[i];
    }
    *n = kept;
    return all;
}

static struct tally prune(ProtobufCMessage *m)
{
    struct tally all = {0, 0};
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        struct tally t = {0, 0};
        if (!is_item(f) && !holds_items(f))
            continue;
        if (f->label == PROTOBUF_C_LABEL_REPEATED)
            t = prune_repeated(m, f);
        else if (*(uint32_t *)((uint8_t *)m + f->quantifier_offset) == f->id)
            t = prune(*(ProtobufCMessage **)((uint8_t *)m + f->offset));
        all.kept += t.kept;
        all.rejected += t.rejected;
    }
    return all;
}

static struct buf packed_message(const ProtobufCMessage *m)
{
    struct buf b = BUF_INIT;
    size_t size = protobuf_c_message_get_packed_size(m);
    uint8_t *at = buf_reserve(&b, size + 1);
    if (at == NULL)
        abort();
    b.len = protobuf_c_message_pack(m, at);
    return b;
}

static ProtobufCMessage *unpacked(enum signal signal, struct slice body)
{
    return protobuf_c_message_unpack(request_type[signal], NULL, body.len,
                                     body.len ? body.at : (const uint8_t *)"");
}

/* --- requests of one item -------------------------------------------------------------------- */

struct lone {
    struct buf bytes;
    unsigned partition;
};
struct lones {
    struct lone *at;
    size_t n, capacity;
};

static void release_lones(struct lones *l)
{
    for (size_t i = 0; i < l->n; i++)
        buf_release(&l->at[i].bytes);
    free(l->at);
}

static unsigned partition_of(const ProtobufCMessage *item, const struct split_plan *plan)
{
    static const uint8_t zeros[16];
    const ProtobufCFieldDescriptor *f =
        protobuf_c_message_descriptor_get_field_by_name(item->descriptor, "trace_id");
    if (plan->partitions == 0)
        return 0;
    const ProtobufCBinaryData *id =
        f ? (const ProtobufCBinaryData *)((const uint8_t *)item + f->offset) : NULL;
    return id != NULL && id->len == 16 && memcmp(id->data, zeros, 16) != 0
               ? trace_partition(id->data, plan->partitions)
               : plan->home;
}

static void add_lone(struct lones *l, const ProtobufCMessage *root, unsigned partition)
{
    if (l->n == l->capacity) {
        l->capacity = l->capacity ? 2 * l->capacity : 64;
        l->at = realloc(l->at, l->capacity * sizeof(*l->at));
        if (l->at == NULL)
            abort();
    }
    l->at[l->n++] = (struct lone){packed_message(root), partition};
}

/* Of `m`, which is in `root` or is it; for each item all its neighbours are hidden. */
static void collect_lones(const ProtobufCMessage *root, ProtobufCMessage *m,
                          const struct split_plan *plan, struct lones *l)
{
    for (unsigned i = 0; i < m->descriptor->n_fields; i++) {
        const ProtobufCFieldDescriptor *f = &m->descriptor->fields[i];
        void *count = (uint8_t *)m + f->quantifier_offset, *field = (uint8_t *)m + f->offset;
        if (!is_item(f) && !holds_items(f))
            continue;
        if (f->label != PROTOBUF_C_LABEL_REPEATED) {
            if (*(uint32_t *)count == f->id)
                collect_lones(root, *(ProtobufCMessage **)field, plan, l);
            continue;
        }
        const size_t n = *(size_t *)count;
        ProtobufCMessage **at = *(ProtobufCMessage ***)field;
        *(size_t *)count = 1;
        for (size_t k = 0; k < n; k++) {
            *(ProtobufCMessage ***)field = at + k;
            if (is_item(f))
                add_lone(l, root, partition_of(at[k], plan));
            else
                collect_lones(root, at[k], plan, l);
        }
        *(size_t *)count = n;
        *(ProtobufCMessage ***)field = at;
    }
}

/* --- comparing ------------------------------------------------------------------------------- */

static uint64_t unless_zero(uint64_t n)
{
    return n ? n : UINT64_MAX;
}

/* What a part promises without asking protobuf-c. */
static const char *check_part(enum signal signal, const struct split_part *p,
                              const struct split_plan *plan)
{
    struct scan_result found;
    if (scan_request(signal, buf_slice(&p->bytes), &plan->limits, &found) != SCAN_OK)
        return "the scanner refuses a part, or finds it above a ceiling";
    if ((plan->bad_items && found.bad_items != 0) || found.items != p->items || found.items == 0)
        return "a part has other items than it says";
    if (p->bytes.len > unless_zero(plan->max_bytes))
        return "a part is larger than the ceiling";
    return NULL;
}

/* Whether two that follow each other in a partition might have been one. */
static bool might_be_one(enum signal signal, const struct split_part *a, const struct split_part *b,
                         const struct split_plan *plan)
{
    struct scan_result x, y;
    scan_request(signal, buf_slice(&a->bytes), NULL, &x);
    scan_request(signal, buf_slice(&b->bytes), NULL, &y);
    return a->items + b->items <= unless_zero(plan->limits.items) &&
           x.expanded_bytes + y.expanded_bytes <= unless_zero(plan->limits.expanded_bytes) &&
           a->bytes.len + b->bytes.len + 25 <= unless_zero(plan->max_bytes); /* 5 lengths */
}

static const char *check_parts(enum signal signal, const struct split_plan *plan,
                               const struct scan_result *before, const struct split_result *got)
{
    uint64_t by_defect = 0, items = 0;
    const char *wrong = NULL;
    for (int i = 0; i < DEFECT_COUNT; i++)
        by_defect += got->by_defect[i];
    if (by_defect != got->rejected)
        return "the defects do not add up to the rejected";
    if (got->rejected - got->by_defect[DEFECT_TOO_LARGE] !=
            (plan->bad_items ? before->bad_items : 0) ||
        got->kept + got->rejected != before->items)
        return "the parts and the scanner count differently";
    for (size_t i = 0; i < got->n && wrong == NULL; i++) {
        wrong = check_part(signal, &got->parts[i], plan);
        items += got->parts[i].items;
        for (size_t k = i; k-- > 0 && wrong == NULL;)
            if (got->parts[k].partition == got->parts[i].partition) {
                if (might_be_one(signal, &got->parts[k], &got->parts[i], plan))
                    wrong = "two parts might have been one";
                break;
            }
    }
    return wrong != NULL || items == got->kept ? wrong : "not all kept items are in a part";
}

/* Whether a request of one item is rightly rejected. */
static bool too_large_alone(enum signal signal, const struct lone *l, const struct split_plan *plan)
{
    struct scan_result found;
    scan_request(signal, buf_slice(&l->bytes), NULL, &found);
    return l->bytes.len > unless_zero(plan->max_bytes) ||
           found.expanded_bytes > unless_zero(plan->limits.expanded_bytes);
}

/* `canonical`: the request was written as protobuf-c writes it, so that sizes are comparable. */
static const char *compare_lones(enum signal signal, const struct split_plan *plan, bool canonical,
                                 const struct lones *want, const struct lones *have)
{
    size_t *next = calloc(plan->partitions + 1, sizeof(*next)); /* in `have`, of each partition */
    const char *wrong = next ? NULL : "no memory";
    size_t met = 0;
    for (size_t i = 0; i < want->n && wrong == NULL; i++) {
        unsigned partition = want->at[i].partition;
        size_t *k = &next[partition];
        while (*k < have->n && have->at[*k].partition != partition)
            ++*k;
        if (*k < have->n &&
            slice_eq(buf_slice(&have->at[*k].bytes), buf_slice(&want->at[i].bytes))) {
            ++*k;
            met++;
        } else if (canonical && !too_large_alone(signal, &want->at[i], plan)) {
            wrong = "an item is missing, out of order, in another partition or another one";
        }
    }
    free(next);
    return wrong != NULL || met == have->n ? wrong : "there are items that did not come";
}

static const char *compare_with_protobuf_c(enum signal signal, struct slice body,
                                           const struct split_plan *plan,
                                           const struct split_result *got)
{
    struct lones want = {0}, have = {0};
    ProtobufCMessage *m = unpacked(signal, body);
    const char *wrong = NULL;
    if (m == NULL)
        return NULL;
    bool canonical = protobuf_c_message_get_packed_size(m) == body.len;
    if (plan->bad_items)
        prune(m);
    collect_lones(m, m, plan, &want);
    protobuf_c_message_free_unpacked(m, NULL);
    for (size_t i = 0; i < got->n && wrong == NULL; i++) {
        size_t first = have.n;
        m = unpacked(signal, buf_slice(&got->parts[i].bytes));
        if (m == NULL) {
            wrong = "protobuf-c refuses a part";
            break;
        }
        collect_lones(m, m, plan, &have);
        protobuf_c_message_free_unpacked(m, NULL);
        for (; first < have.n; first++)
            if (have.at[first].partition != got->parts[i].partition)
                wrong = "an item stands in a part of another partition";
    }
    if (wrong == NULL && have.n + got->by_defect[DEFECT_TOO_LARGE] != want.n)
        wrong = "protobuf-c counts otherwise";
    if (wrong == NULL)
        wrong = compare_lones(signal, plan, canonical, &want, &have);
    release_lones(&want);
    release_lones(&have);
    return wrong;
}

/* NULL when the parts and their judges agree about `body`, else what they disagree about. */
static const char *split_disagreement(enum signal signal, struct slice body,
                                      const struct split_plan *plan)
{
    struct scan_result before;
    struct split_result got = {0};
    struct quirks q = {0};
    if (scan_request(signal, body, NULL, &before) != SCAN_OK)
        return NULL;
    switch (split_request(signal, body, plan, &got)) {
    case SPLIT_NO_MEMORY:
        abort();
    case SPLIT_TOO_MANY:
        return plan->max_parts || plan->max_total ? NULL : "too many parts without a ceiling";
    case SPLIT_OK:
        break;
    }
    find_quirks(request_type[signal], body, &q);
    const char *wrong = check_parts(signal, plan, &before, &got);
    if (wrong == NULL && !q.any_again && !q.number && !q.oneof_again)
        wrong = compare_with_protobuf_c(signal, body, plan, &got);
    split_release(&got);
    return wrong;
}

#endif
