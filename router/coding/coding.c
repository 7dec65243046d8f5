#include "router/coding/coding.h"

static const struct {
    const char *name, *alias;
    decompress_fn *decompress[2]; /* by `grpc` */
} rows[CODING_UNSUPPORTED] = {[CODING_IDENTITY] = {"identity", "", {NULL, NULL}},
#define ROW(id, name, alias, http, grpc) [CODING_##id] = {name, alias, {http, grpc}},
                              CODINGS(ROW)
#undef ROW
};

static bool offered(int c, bool grpc)
{
    return c == CODING_IDENTITY || rows[c].decompress[grpc] != NULL;
}

enum coding coding_named(struct slice name, bool grpc)
{
    for (int c = 0; c < CODING_UNSUPPORTED; c++)
        if (offered(c, grpc) &&
            (slice_ieq(name, slice_str(rows[c].name)) ||
             (rows[c].alias != NULL && slice_ieq(name, slice_str(rows[c].alias)))))
            return (enum coding)c;
    return CODING_UNSUPPORTED;
}

struct slice coding_list(struct arena *a, bool grpc)
{
    struct buf b = BUF_INIT;
    for (int c = 0; c < CODING_UNSUPPORTED; c++)
        if (offered(c, grpc))
            buf_printf(&b, "%s%s", c == 0 ? "" : grpc ? "," : ", ", rows[c].name);
    bool ok = !b.failed;
    struct slice list = ok ? arena_copy(a, buf_slice(&b), &ok) : SLICE_NULL;
    buf_release(&b);
    return ok ? list : SLICE_NULL;
}

enum decompress_status coding_decompress(struct decompressor *d, enum coding c, bool grpc,
                                         struct slice in, struct buf *out)
{
    return rows[c].decompress[grpc](d, in, out);
}
