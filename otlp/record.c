#include "otlp/record.h"

bool record_number(struct slice text, uint64_t *ret)
{
    uint64_t n = 0;
    if (text.len == 0 || text.len > 20)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        unsigned digit = (unsigned)text.at[i] - '0';
        if (digit > 9 || n > (UINT64_MAX - digit) / 10)
            return false;
        n = n * 10 + digit;
    }
    *ret = n;
    return true;
}

bool record_is_json(const struct record_headers *h, struct slice value)
{
    return h->version == 0 && value.len > 0 && value.at[0] == '{';
}

void record_header_read(struct record_headers *h, const char *name, struct slice value)
{
    uint64_t n;
    if (strcmp(name, RECORD_H_VERSION) == 0 && record_number(value, &n))
        h->version = n > UINT32_MAX ? UINT32_MAX : (unsigned)n;
    else if (strcmp(name, RECORD_H_TENANT) == 0)
        h->tenant = value;
    else if (strcmp(name, RECORD_H_KEY) == 0)
        h->key = value;
    else if (strcmp(name, RECORD_H_RECEIVED) == 0 && record_number(value, &n))
        h->received_ns = n;
    else if (strcmp(name, RECORD_H_ITEMS) == 0 && record_number(value, &n)) {
        h->items = n;
        h->has_items = true;
    } else if (strcmp(name, RECORD_H_REQUEST) == 0)
        h->request = value;
    else if (strcmp(name, RECORD_H_NAME) == 0 && value.len <= RECORD_NAME_MAX)
        h->name = value;
}
