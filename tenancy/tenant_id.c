#include "tenancy/tenancy.h"

#include <errno.h>

#define LONGEST_ID 63

static bool is_letter_or_digit(uint8_t c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

int tenant_id_check(struct slice id, struct errbuf *err)
{
    if (id.len == 0)
        return errbuf_set(err, EINVAL, "a tenant id cannot be empty");
    if (id.len > LONGEST_ID)
        return errbuf_set(err, EINVAL, "a tenant id has at most %d characters, this one has %zu",
                          LONGEST_ID, id.len);
    for (size_t i = 0; i < id.len; i++)
        if (!is_letter_or_digit(id.at[i]) && id.at[i] != '-' && id.at[i] != '_')
            return errbuf_set(err, EINVAL,
                              "a tenant id holds a-z, 0-9, '-' and '_' alone; character %zu is "
                              "another",
                              i + 1);
    if (!is_letter_or_digit(id.at[0]) || !is_letter_or_digit(id.at[id.len - 1]))
        return errbuf_set(err, EINVAL, "a tenant id begins and ends with a letter or digit");
    return 0;
}
