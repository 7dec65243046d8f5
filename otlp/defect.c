#include "otlp/defect.h"

const struct defect_info defect_info[DEFECT_COUNT] = {
#define ROW(id, reason, text) {reason, text},
    DEFECTS(ROW)
#undef ROW
};
