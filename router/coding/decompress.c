#include "router/coding/decompress.h"

#include <lz4frame.h>
#include <zstd.h>

#define FIRST_ROOM 16384

uint8_t *decompress_room(struct buf *out, uint8_t *spare, size_t *ret_size)
{
    size_t room = out->len ? out->len : FIRST_ROOM;
    if (out->ceiling != 0 && room > out->ceiling - out->len)
        room = out->ceiling - out->len;
    *ret_size = room ? room : 1;
    return room ? buf_reserve(out, room) : spare;
}

void decompressor_release(struct decompressor *d)
{
    inflater_free(d->inflater);
    ZSTD_freeDCtx(d->zstd);
    LZ4F_freeDecompressionContext(d->lz4);
    *d = (struct decompressor){0};
}
