/* Where in a request its key stands (R280-R283): router.key_headers, read at load into struct
 * key_carrier. Thread: any; pure but for the request's arena. */
#ifndef ROUTER_KEY_CARRIER_H
#define ROUTER_KEY_CARRIER_H

#include "router/admission/request.h"
#include "tenancy/conf.h"

/* What follows the scheme in a value ("Bearer <key>", "Bearer%20<key>": R282), trimmed;
 * at == NULL: another scheme. */
struct slice after_scheme(struct slice value, struct slice scheme);

enum carried { CARRIED_NOTHING, CARRIED_KEY, CARRIED_SEVERAL };
/* The key that these headers carry, wherever it stands; the same one several times is one. It lies
 * in the headers or, from Basic, in `a`. `*ret_key` is empty when there is none. */
enum carried carried_key(const struct header *headers, size_t n, const struct option_list *carriers,
                         struct arena *a, struct slice *ret_key);

#endif
