#include "cli/send/send_pack.h"

#include <errno.h>

#define GZIP_WINDOW  (15 + 16) /* zlib's way to ask for a gzip header */
#define GZIP_MEMORY  8
#define FRAME_HEADER 5

int send_pack_init(struct send_pack *p, enum send_protocol protocol, bool gzip)
{
    *p = (struct send_pack){.protocol = protocol, .gzip = gzip};
    if (!gzip)
        return 0;
    int rc = deflateInit2(&p->deflate, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW, GZIP_MEMORY,
                          Z_DEFAULT_STRATEGY);
    p->gzip = rc == Z_OK;
    return p->gzip ? 0 : -ENOMEM;
}

void send_pack_release(struct send_pack *p)
{
    if (p->gzip)
        deflateEnd(&p->deflate);
    p->gzip = false;
}

static void compress_into(struct send_pack *p, struct slice payload, struct buf *out)
{
    z_stream *z = &p->deflate;
    deflateReset(z);
    size_t most = deflateBound(z, payload.len);
    uint8_t *to = buf_reserve(out, most);
    if (to == NULL)
        return;
    z->next_in = (Bytef *)(uintptr_t)payload.at;
    z->avail_in = (uInt)payload.len;
    z->next_out = to;
    z->avail_out = (uInt)most;
    if (deflate(z, Z_FINISH) == Z_STREAM_END)
        out->len += most - z->avail_out;
    else
        out->failed = true;
}

int send_pack_body(struct send_pack *p, struct slice payload, struct buf *out)
{
    size_t start = out->len;
    uint8_t header[FRAME_HEADER] = {p->gzip};
    if (p->protocol == SEND_GRPC)
        buf_append(out, header, sizeof(header));
    if (p->gzip)
        compress_into(p, payload, out);
    else
        buf_append_slice(out, payload);
    if (out->failed)
        return -ENOBUFS;
    if (p->protocol == SEND_GRPC) {
        size_t len = out->len - start - FRAME_HEADER;
        for (int i = 1; i < FRAME_HEADER; i++)
            out->at[start + (size_t)i] = (uint8_t)(len >> 8 * (FRAME_HEADER - 1 - i));
    }
    return 0;
}
