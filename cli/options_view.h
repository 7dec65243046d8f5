/* Options with their values and where each came from, for `config` and `tenant show`. */
#ifndef CLI_OPTIONS_VIEW_H
#define CLI_OPTIONS_VIEW_H

#include "base/option.h"

/* Appends a listing of the group's options in `conf`. Names begin behind `skip` ("tenant."), where
 * an option's name in `where` has it. */
void options_view(const struct option_group *group, const void *conf,
                  const struct option_origins *where, const char *skip, bool json, struct buf *out);

#endif
