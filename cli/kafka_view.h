/* How `tenantry status --kafka` shows a cluster. */
#ifndef CLI_KAFKA_VIEW_H
#define CLI_KAFKA_VIEW_H

#include "base/buf.h"
#include "tenancy/cluster.h"

void kafka_view_text(const struct cluster_view *v, const char *brokers, struct buf *out);
/* `problem`: why the cluster told nothing, or "". */
void kafka_view_json(const struct cluster_view *v, const char *brokers, const char *problem,
                     struct buf *out);

#endif
