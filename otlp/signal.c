#include "otlp/signal.h"

const struct signal_info signal_info[SIGNAL_COUNT] = {
#define ROW(id, name, http, grpc, rejected, item) {name, http, grpc, rejected, item},
    SIGNALS(ROW)
#undef ROW
};

enum signal signal_by_name(struct slice name)
{
    for (int s = 0; s < SIGNAL_COUNT; s++)
        if (slice_eq(name, slice_str(signal_info[s].name)))
            return (enum signal)s;
    return SIGNAL_COUNT;
}
