#include "consumer/batch.h"

#include "base/crc32c.h"

#include <stdlib.h>

#define KEPT_ARENA (1024 * 1024)

uint32_t record_checksum(struct slice key, struct slice value)
{
    return crc32c(crc32c(0, key), value);
}

struct batch *batch_new(void)
{
    return calloc(1, sizeof(struct batch));
}

/* The batch's entry for a unit, made when missing. UINT32_MAX without memory. */
static uint32_t unit_index(struct batch *b, const char *topic, enum signal signal,
                           int32_t partition)
{
    for (size_t i = 0; i < b->n_units; i++)
        if (b->units[i].partition == partition && strcmp(b->units[i].topic, topic) == 0)
            return (uint32_t)i;
    struct batch_unit *units = realloc(b->units, (b->n_units + 1) * sizeof(*units));
    if (units == NULL)
        return UINT32_MAX;
    b->units = units;
    units[b->n_units] =
        (struct batch_unit){.topic = topic, .signal = signal, .partition = partition};
    return (uint32_t)b->n_units++;
}

static bool has_room(struct batch *b)
{
    if (b->n_records < b->records_capacity)
        return true;
    size_t capacity = b->records_capacity ? b->records_capacity * 2 : 64;
    struct batch_record *records = realloc(b->records, capacity * sizeof(*records));
    if (records == NULL)
        return false;
    b->records = records;
    b->records_capacity = capacity;
    return true;
}

struct batch_record *batch_add(struct batch *b, const char *topic, enum signal signal,
                               int32_t partition, rd_kafka_message_t *message)
{
    size_t n_units = b->n_units;
    uint32_t unit = has_room(b) ? unit_index(b, topic, signal, partition) : UINT32_MAX;
    if (unit == UINT32_MAX)
        return NULL;
    b->undo.n_units = n_units;
    b->undo.next = b->units[unit].next;
    struct batch_record *r = &b->records[b->n_records++];
    *r = (struct batch_record){
        .unit = unit,
        .offset = message->offset,
        .timestamp = rd_kafka_message_timestamp(message, NULL),
        .checksum = record_checksum(slice_of(message->key, message->key_len),
                                    slice_of(message->payload, message->len)),
        .message = message,
    };
    b->units[unit].next = message->offset + 1;
    return r;
}

void batch_take_back(struct batch *b)
{
    struct batch_record *r = &b->records[--b->n_records];
    b->units[r->unit].next = b->undo.next;
    b->n_units = b->undo.n_units; /* the entry that was made for it is the last one */
}

void batch_reset(struct batch *b)
{
    for (size_t i = 0; i < b->n_records; i++)
        rd_kafka_message_destroy((rd_kafka_message_t *)b->records[i].message);
    arena_reset(&b->arena, KEPT_ARENA);
    b->n_records = 0;
    b->n_units = 0;
    b->rows = b->bytes = b->opened_ns = 0;
    b->encoded = NULL;
}

void batch_free(struct batch *b)
{
    if (b == NULL)
        return;
    batch_reset(b);
    arena_release(&b->arena);
    free(b->records);
    free(b->units);
    free(b);
}
