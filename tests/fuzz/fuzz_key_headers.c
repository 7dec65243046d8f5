/* Any bytes as the values of headers that may carry a key, as a key and a grpc-timeout: what is
 * taken out lies within what came in, is never empty, and a key that is accepted as well-formed has
 * its length.
 *
 * Files: router/admission/key_carrier.c tenancy/keys/key.c */
#include "router/admission/admission_steps.h"
#include "router/admission/key_carrier.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool lies_within(struct slice inner, struct slice outer)
{
    return inner.at >= outer.at && inner.at + inner.len <= outer.at + outer.len;
}

static void look(struct slice value)
{
    static const struct key_carrier carriers[] = {
        {{(const uint8_t *)"authorization", 13}, {(const uint8_t *)"Bearer", 6}},
        {{(const uint8_t *)"authorization", 13}, {(const uint8_t *)"Basic", 5}},
        {{(const uint8_t *)"x-api-key", 9}, {NULL, 0}}};
    static const struct option_list all = {(void *)carriers, 3};
    struct arena a = ARENA_INIT;
    const struct header headers[] = {{SLICE_LIT("authorization"), value},
                                     {SLICE_LIT("x-api-key"), value}};
    for (size_t i = 0; i < 2; i++) {
        struct slice key;
        enum carried found = carried_key(&headers[i], 1, &all, &a, &key);
        bool decoded = a.used > 0;
        if ((found == CARRIED_NOTHING) != (key.len == 0) || key.len > value.len ||
            (key.len > 0 && !decoded && !lies_within(key, value)))
            abort();
    }
    arena_release(&a);
}

/* A key that was made is one, and another text is not taken for it. */
static void check_made(struct slice value)
{
    static struct key k;
    static char text[KEY_TEXT_LENGTH + 1];
    struct key_parts parts;
    struct errbuf err = ERRBUF_INIT;
    if (text[0] == 0 && key_generate(&k, text, &err) < 0)
        abort();
    if (key_parse(slice_str(text), &parts) != KEY_FORM_OK || !key_id_valid(parts.id) ||
        !key_secret_matches(&k, parts.secret) || key_secret_matches(&k, value))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice value = slice_of(data, size);
    struct key_parts parts;
    uint64_t ns;
    look(value);
    check_made(value);
    if (key_parse(value, &parts) == KEY_FORM_OK && size != KEY_TEXT_LENGTH)
        abort();
    if (grpc_timeout(value, &ns) && (size < 2 || size > 9))
        abort();
    return 0;
}
