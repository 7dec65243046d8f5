#include "consumer/export/exporter.h"

const struct exporter_ops *exporter_for(const struct tenant *t)
{
    switch ((enum database_kind)t->conf->database.kind) {
    case DATABASE_SQLITE:
        return &sqlite_exporter;
    case DATABASE_POSTGRES:
        return &postgres_exporter;
    }
    return NULL;
}
