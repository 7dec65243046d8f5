#include "cli/key_note.h"

#include <string.h>

/* Senders export every few seconds, metrics every minute; who was silent for so long has moved, or
 * is a job that runs now and then, which the figure beside it tells. */
#define QUIET_S 3600

const char *key_state(const struct key *k, uint64_t now_s)
{
    if (k->revoked)
        return "revoked";
    return k->expires_s != 0 && k->expires_s <= now_s ? "expired" : "active";
}

/* "3 h": the largest unit of which there are at least two, rounded down. */
static void print_span(struct buf *out, uint64_t seconds)
{
    static const struct {
        uint64_t seconds;
        const char *name;
    } units[] = {{86400, "d"}, {3600, "h"}, {60, "min"}, {1, "s"}};
    size_t i = 0;
    while (i < 3 && seconds < 2 * units[i].seconds)
        i++;
    buf_printf(out, "%llu %s", (unsigned long long)(seconds / units[i].seconds), units[i].name);
}

static uint64_t since(uint64_t now_s, uint64_t then_s)
{
    return now_s > then_s ? now_s - then_s : 0;
}

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

static void note_rotated(const struct key *k, const struct key_usage *used, const struct usage *u,
                         uint64_t now_s, struct buf *out)
{
    uint64_t last_s = used ? used->last_s : 0;
    /* Before counting began anything may have been. */
    uint64_t quiet_s = since(u->complete_s, later(last_s, later(u->since_s, k->created_s)));
    if (quiet_s >= QUIET_S) {
        buf_append_str(out, u->silent ? "unused for " : "safe to revoke: unused for ");
        print_span(out, quiet_s);
    } else if (last_s != 0) {
        buf_append_str(out, "still in use: ");
        print_span(out, since(u->complete_s, last_s));
        buf_append_str(out, " ago");
    } else {
        buf_append_str(out, "not seen in use for ");
        print_span(out, quiet_s);
    }
    if (u->silent != NULL) {
        buf_printf(out, ", but router %s has told nothing for ", u->silent);
        print_span(out, since(now_s, u->complete_s));
    }
}

void key_note(const struct key *k, const struct usage *u, uint64_t now_s, struct buf *out)
{
    const struct key_usage *used = usage_find(u, k->id);
    bool active = strcmp(key_state(k, now_s), "active") == 0;
    if (active && k->successor[0] != 0 && u->any) {
        note_rotated(k, used, u, now_s, out);
    } else if (active && k->successor[0] != 0) {
        buf_append_str(out, "no router has told of its use");
    } else if (!active && used != NULL && used->refused > 0) {
        buf_printf(out, "refused %llu times since, last ", (unsigned long long)used->refused);
        print_span(out, since(now_s, used->last_refused_s));
        buf_append_str(out, " ago");
    }
}
