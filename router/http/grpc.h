/* gRPC over HTTP/2, the parts that are about bytes: content types, message frames, and the coding
 * of statuses in headers. Pure functions (R138-R140, R158-R165, R185-R191). */
#ifndef ROUTER_GRPC_H
#define ROUTER_GRPC_H

#include "base/arena.h"
#include "router/admission/outcome.h"

enum grpc_type {
    GRPC_NONE,          /* not gRPC; application/grpc-web neither (R68) */
    GRPC_PROTO,         /* application/grpc, +proto, with parameters (R138, R139) */
    GRPC_OTHER_SUBTYPE, /* +json and the like: refused, never taken for protobuf (R140) */
};
enum grpc_type grpc_content_type(struct slice content_type);

/* One message of a unary call, put together over any DATA boundaries (R158). Zeroed to begin with.
 */
struct grpc_frame {
    uint8_t prefix[5];
    uint8_t prefix_len;
    uint32_t left; /* bytes of the message still to come */
};

static inline bool grpc_frame_compressed(const struct grpc_frame *f)
{
    return f->prefix[0] == 1;
}

/* Takes the next piece of message from the front of `in`: *ret_piece points into it, empty when
 * there is none. Call until `in` is empty. A length above `max` fails at once, before a byte of it
 * came (R177). OUTCOME_ACCEPTED or what is wrong. */
enum outcome grpc_frame_next(struct grpc_frame *f, struct slice *in, uint64_t max,
                             struct slice *ret_piece);
/* The stream has ended: was it exactly one whole message (R161, R162)? */
enum outcome grpc_frame_end(const struct grpc_frame *f);

/* The 5 bytes in front of an uncompressed message of ours. */
void grpc_prefix(uint8_t out[5], size_t message_len);

/* `text` as the value of grpc-message: percent-encoded, cut before `max` bytes of text at a
 * character (R186, R191). At == NULL: no memory. */
struct slice grpc_message_value(struct arena *a, const char *text, size_t max);
/* Base64 without padding, for -bin headers (R190). */
struct slice grpc_binary_value(struct arena *a, struct slice bytes);

#endif
