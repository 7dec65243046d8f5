#include "router/admission/outcome.h"

const struct outcome_info outcome_info[OUTCOME_COUNT] = {
#define ROW(id, reason, http, grpc, retryable, text) {reason, http, grpc, retryable, text},
    OUTCOMES(ROW)
#undef ROW
};
