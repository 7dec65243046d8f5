/* The filter's judge, shared by test_filter.c and fuzz_filter.c: protobuf-c's objects without the
 * items that are bad must be the same message as the filtered bytes. */
#ifndef TESTS_OTLP_FILTER_ORACLE_H
#define TESTS_OTLP_FILTER_ORACLE_H

#include "otlp/filter.h"
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

/* Takes the bad elements of a repeated field, and those that lost all their items, out. */
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
        if (t.kept == 0 && t.rejected > 0)
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

static const char *compare_with_pruned(enum signal signal, struct slice body, struct slice filtered,
                                       const struct filter_result *got)
{
    ProtobufCMessage *want = unpacked(signal, body), *have = unpacked(signal, filtered);
    const char *disagreement = NULL;
    if (want != NULL && have == NULL)
        disagreement = "protobuf-c refuses the filtered request";
    if (want != NULL && have != NULL) {
        struct tally t = prune(want);
        struct buf a = packed_message(want), b = packed_message(have);
        if (t.kept != got->kept || t.rejected != got->rejected)
            disagreement = "kept or rejected differ from protobuf-c";
        else if (!slice_eq(buf_slice(&a), buf_slice(&b)))
            disagreement = "the message differs from protobuf-c's";
        buf_release(&a);
        buf_release(&b);
    }
    if (want != NULL)
        protobuf_c_message_free_unpacked(want, NULL);
    if (have != NULL)
        protobuf_c_message_free_unpacked(have, NULL);
    return disagreement;
}

/* What the filter promises without asking protobuf-c. */
static const char *check_filtered(enum signal signal, struct slice body, const struct buf *out,
                                  const struct scan_result *before, const struct filter_result *got)
{
    struct scan_result after;
    uint64_t by_defect = 0;
    for (int i = 0; i < DEFECT_COUNT; i++)
        by_defect += got->by_defect[i];
    if (by_defect != got->rejected)
        return "the defects do not add up to the rejected";
    if (got->rejected != before->bad_items || got->kept + got->rejected != before->items)
        return "the filter and the scanner count differently";
    if (scan_request(signal, buf_slice(out), NULL, &after) != SCAN_OK)
        return "the scanner refuses the filtered request";
    if (after.bad_items != 0 || after.items != got->kept)
        return "the filtered request has other items than were kept";
    if (before->bad_items == 0 && after.expanded_bytes != before->expanded_bytes)
        return "something good was lost";
    return out->len <= body.len ? NULL : "the filtered request is longer";
}

/* NULL when the filter and its judges agree about `body`, else what they disagree about. */
static const char *filter_disagreement(enum signal signal, struct slice body)
{
    struct scan_result before;
    struct filter_result got;
    struct quirks q = {0};
    struct buf out = BUF_INIT;
    if (scan_request(signal, body, NULL, &before) != SCAN_OK)
        return NULL;
    if (filter_request(signal, body, &out, &got) != 0)
        abort();
    const char *disagreement = check_filtered(signal, body, &out, &before, &got);
    find_quirks(request_type[signal], body, &q);
    if (disagreement == NULL && !q.any_again && !q.number && !q.oneof_again)
        disagreement = compare_with_pruned(signal, body, buf_slice(&out), &got);
    buf_release(&out);
    return disagreement;
}

#endif
