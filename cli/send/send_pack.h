/* From export request to request body: gzip and the frame of gRPC. */
#ifndef CLI_SEND_PACK_H
#define CLI_SEND_PACK_H

#include "base/buf.h"
#include "cli/send/send_answer.h"

#include <zlib.h>

struct send_pack {
    enum send_protocol protocol;
    bool gzip;
    z_stream deflate; /* kept from body to body */
};

/* 0 or -ENOMEM. */
int send_pack_init(struct send_pack *p, enum send_protocol protocol, bool gzip);
void send_pack_release(struct send_pack *p);
/* Appends the body to `out`; 0 or -ENOBUFS. */
int send_pack_body(struct send_pack *p, struct slice payload, struct buf *out);

#endif
