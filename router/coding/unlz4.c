#include "router/coding/decompress.h"

#include <lz4frame.h>

static LZ4F_dctx *context_of(struct decompressor *d)
{
    if (d->lz4 == NULL && LZ4F_isError(LZ4F_createDecompressionContext(&d->lz4, LZ4F_VERSION)))
        d->lz4 = NULL;
    if (d->lz4 != NULL)
        LZ4F_resetDecompressionContext(d->lz4);
    return d->lz4;
}

static enum decompress_status failure(size_t rc)
{
    bool memory = strcmp(LZ4F_getErrorName(rc), "ERROR_allocation_failed") == 0;
    return memory ? DECOMPRESS_NO_MEMORY : DECOMPRESS_CORRUPT;
}

enum decompress_status decompress_lz4(struct decompressor *d, struct slice in, struct buf *out)
{
    LZ4F_dctx *context = context_of(d);
    if (context == NULL)
        return DECOMPRESS_NO_MEMORY;
    for (;;) {
        uint8_t spare;
        size_t room, used = in.len;
        uint8_t *at = decompress_room(out, &spare, &room);
        if (at == NULL)
            return DECOMPRESS_NO_MEMORY;
        size_t got = room;
        size_t rc = LZ4F_decompress(context, at, &got, in.at, &used, NULL);
        if (LZ4F_isError(rc))
            return failure(rc);
        if (at == &spare && got > 0)
            return DECOMPRESS_TOO_LARGE;
        out->len += got;
        in = slice_of(in.at + used, in.len - used);
        if (in.len == 0 && rc == 0) /* the end of a frame, and no other follows */
            return DECOMPRESS_OK;
        if (got < room && (in.len == 0 || used == 0))
            return DECOMPRESS_CORRUPT; /* cut off */
    }
}
