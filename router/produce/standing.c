#include "router/produce/standing.h"

#include "base/clock.h"

#define LEAST_WINDOW   (256u << 10)
#define LEAST_QUIET_NS (5 * NS_PER_S)
#define MOST_QUIET_NS  (60 * NS_PER_S)
#define RELAPSE_NS     (60 * NS_PER_S) /* trouble this soon after the return doubles the quiet time */
#define MOST_WINDOW    (1ull << 40)

static uint64_t later(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* When Kafka gave its last answer it had answered all along while what began at `from_ns` waited.
 */
static bool stalled(uint64_t from_ns, uint64_t stall_ns, struct kafka_alive alive)
{
    return alive.last_ns >= later(from_ns, alive.since_ns) + stall_ns;
}

/* --- lanes --------------------------------------------------------------------------------- */

static void note_trouble(struct standing *s, uint64_t now_ns)
{
    s->trouble_ns = now_ns;
    s->window = LEAST_WINDOW;
    if (s->lane == LANE_SLOW)
        return;
    bool relapse = s->moved_ns != 0 && now_ns < s->moved_ns + RELAPSE_NS;
    s->quiet_ns = relapse ? s->quiet_ns * 2 : LEAST_QUIET_NS;
    if (s->quiet_ns > MOST_QUIET_NS)
        s->quiet_ns = MOST_QUIET_NS;
    s->lane = LANE_SLOW;
    s->moved_ns = now_ns;
    s->waiting_ns = now_ns;
}

static void note_success(struct standing *s, uint64_t now_ns)
{
    s->waiting_ns = now_ns;
    if (s->lane == LANE_FAST)
        return;
    if (s->window < MOST_WINDOW)
        s->window *= 2;
    if (now_ns < s->trouble_ns + s->quiet_ns)
        return;
    s->lane = LANE_FAST;
    s->moved_ns = now_ns;
}

/* --- records ------------------------------------------------------------------------------- */

/* One more tenant than there are: room is left for whoever comes next. */
static bool within_share(const struct standing *s, uint64_t bytes, const struct lane_load *load)
{
    uint64_t others = load->tenants - (s->records[s->lane] > 0);
    if (s->records[s->lane] == 0 || load->bytes + bytes <= load->ceiling / 2)
        return true;
    return s->bytes[s->lane] + bytes <= load->ceiling / (others + 2);
}

static bool within_window(const struct standing *s, uint64_t bytes)
{
    return s->lane == LANE_FAST || s->records[LANE_SLOW] == 0 ||
           s->bytes[LANE_SLOW] + bytes <= s->window;
}

enum standing_answer standing_admit(struct standing *s, uint64_t records, uint64_t bytes,
                                    const struct lane_load loads[LANE_COUNT], uint64_t stall_ns,
                                    struct kafka_alive alive, uint64_t now_ns)
{
    if (s->records[s->lane] == 0)
        s->waiting_ns = now_ns;
    else if (stalled(s->waiting_ns, stall_ns, alive))
        note_trouble(s, now_ns);
    if (!within_window(s, bytes))
        return STANDING_STALLED;
    if (!within_share(s, bytes, &loads[s->lane]))
        return STANDING_OVER_SHARE;
    s->records[s->lane] += records;
    s->bytes[s->lane] += bytes;
    return STANDING_SEND;
}

void standing_done(struct standing *s, enum lane lane, uint64_t bytes, uint64_t sent_ns,
                   enum standing_report report, uint64_t stall_ns, struct kafka_alive alive,
                   uint64_t now_ns)
{
    s->records[lane]--;
    s->bytes[lane] -= bytes;
    if (report == STANDING_STORED)
        note_success(s, now_ns);
    else if (report == STANDING_UNTAKEN ||
             (report == STANDING_LATE && stalled(sent_ns, stall_ns, alive)))
        note_trouble(s, now_ns);
}
