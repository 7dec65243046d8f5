#include "router/coding/decompress.h"

#include <zstd.h>
#include <zstd_errors.h>

#define MAX_WINDOW_LOG 23 /* 8 MiB (RFC 9659) */

static ZSTD_DCtx *context_of(struct decompressor *d)
{
    if (d->zstd == NULL) {
        d->zstd = ZSTD_createDCtx();
        if (d->zstd != NULL)
            ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, MAX_WINDOW_LOG);
    }
    if (d->zstd != NULL)
        ZSTD_DCtx_reset(d->zstd, ZSTD_reset_session_only);
    return d->zstd;
}

static enum decompress_status failure(size_t rc)
{
    return ZSTD_getErrorCode(rc) == ZSTD_error_memory_allocation ? DECOMPRESS_NO_MEMORY
                                                                 : DECOMPRESS_CORRUPT;
}

enum decompress_status decompress_zstd(struct decompressor *d, struct slice in, struct buf *out)
{
    ZSTD_DCtx *context = context_of(d);
    ZSTD_inBuffer from = {in.at, in.len, 0};
    if (context == NULL)
        return DECOMPRESS_NO_MEMORY;
    for (;;) {
        uint8_t spare;
        size_t room;
        uint8_t *at = decompress_room(out, &spare, &room);
        if (at == NULL)
            return DECOMPRESS_NO_MEMORY;
        ZSTD_outBuffer to = {at, room, 0};
        size_t rc = ZSTD_decompressStream(context, &to, &from);
        if (ZSTD_isError(rc))
            return failure(rc);
        if (at == &spare && to.pos > 0)
            return DECOMPRESS_TOO_LARGE;
        out->len += to.pos;
        if (from.pos == from.size && rc == 0) /* the end of a frame, and no other follows */
            return DECOMPRESS_OK;
        if (from.pos == from.size && to.pos < to.size)
            return DECOMPRESS_CORRUPT; /* cut off */
    }
}
