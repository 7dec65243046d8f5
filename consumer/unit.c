#include "consumer/unit.h"

#include "base/clock.h"
#include "base/log.h"

#include <stdlib.h>

#define DOUBTS_TO_CONCLUDE 3
#define GAPS_TO_TRUST      3
#define DOUBT_PAUSE_NS                                                                             \
    (700 * NS_PER_MS) /* a leader that has just started may not know its end yet */
#define VERIFY_PATIENCE_NS (2 * NS_PER_S)
#define FIRST_LOOK_NS      (5 * NS_PER_S)
#define LONGEST_LOOK_NS    (60 * NS_PER_S)

const char *const unit_state_name[UNIT_STATE_COUNT] = {
#define ROW(id, name) name,
    UNIT_STATES(ROW)
#undef ROW
};

void unit_loaded(struct unit *u, const struct progress *p)
{
    u->progress = *p;
    u->lost = u->gaps = 0;
    u->gaps_proven = 0;
    u->doubts = 0;
    u->doubt_due_ns = 0;
    u->gap_seen = 0;
    u->end = 0;
    u->parked_since = 0;
    u->restart = true;
    if (p->known && p->next > p->first) {
        u->state = UNIT_VERIFYING;
        u->read_next = p->next - 1;
    } else {
        u->state = UNIT_RUNNING;
        u->read_next = p->known ? p->next : UNIT_READ_ANY;
    }
}

void unit_regenerated(struct unit *u, const struct progress *p)
{
    u->told.n = 0;
    unit_loaded(u, p);
    log_event(
        LOG_WARN,
        "the topic is not the one that was written from before (recreated, or another cluster): "
        "reading it from its start as a new generation; nothing is skipped",
        log_str("topic", u->topic), log_i64("partition", u->partition),
        log_u64("generation", p->generation));
}

static void regenerate(struct unit *u)
{
    u->state = UNIT_REGENERATING;
    u->restart = false;
}

/* Offsets [from, to) are gone: retention was faster than the database. */
static void count_expired(struct unit *u, int64_t from, int64_t to)
{
    u->lost += (uint64_t)(to - from);
    log_event(LOG_ERROR,
              "records expired in Kafka before they were written: counted as lost; raise the "
              "topic's retention or the database's speed",
              log_str("topic", u->topic), log_i64("partition", u->partition), log_i64("from", from),
              log_i64("to", to));
}

/* Offsets [from, to) never were a record for us. */
static void count_gap(struct unit *u, int64_t from, int64_t to)
{
    u->gaps += (uint64_t)(to - from);
    log_repeated(LOG_INFO,
                 "offsets without a record (a transaction's marks, aborted, compacted): passed by",
                 u->topic, log_str("topic", u->topic), log_i64("partition", u->partition),
                 log_i64("from", from), log_i64("to", to));
}

static enum unit_take verify(struct unit *u, int64_t offset, int64_t timestamp, uint32_t checksum)
{
    const struct progress *p = &u->progress;
    if (offset < p->next - 1)
        return UNIT_SKIP;
    if (offset == p->next - 1) {
        if (timestamp != p->last_timestamp || checksum != p->last_checksum) {
            regenerate(u);
            return UNIT_SKIP;
        }
        u->state = UNIT_RUNNING;
        u->read_next = p->next;
        return UNIT_SKIP;
    }
    /* The last written record has expired: nothing to compare with. */
    u->state = UNIT_RUNNING;
    u->read_next = p->next;
    return UNIT_TAKE;
}

/* A fetch from below the log's start is refused, never moved; so once the first gaps of a unit have
 * proven to be none of ours (some writer uses transactions), the others are believed at once: each
 * look costs all that was fetched ahead. */
static bool trusts_gaps(const struct unit *u)
{
    return u->state == UNIT_RUNNING && u->gaps_proven >= GAPS_TO_TRUST;
}

bool unit_wants_low(const struct unit *u, int64_t offset)
{
    bool reads = u->state == UNIT_VERIFYING || u->state == UNIT_RUNNING;
    return reads && offset > u->read_next &&
           (u->read_next == UNIT_READ_ANY ? offset > 0 : !trusts_gaps(u));
}

/* A record beyond the expected one. Offsets below the log's start are lost; otherwise the position
 * is set once more, and what is still missing then was never a record. */
static enum unit_take gap(struct unit *u, int64_t offset, int64_t low)
{
    if (low > u->read_next) {
        int64_t to = low < offset ? low : offset;
        count_expired(u, u->read_next, to);
        u->read_next = to;
    }
    if (u->read_next == offset)
        return UNIT_TAKE;
    if (u->gap_seen != offset && !trusts_gaps(u)) {
        u->gap_seen = offset;
        u->restart = true;
        return UNIT_RESTART;
    }
    u->gaps_proven++;
    count_gap(u, u->read_next, offset);
    u->read_next = offset;
    return UNIT_TAKE;
}

void unit_distrust_gaps(struct unit *u)
{
    u->gaps_proven = 0;
}

bool unit_wants_written_before(const struct unit *u, int64_t low)
{
    return u->state == UNIT_RUNNING && u->read_next == UNIT_READ_ANY && low > 0;
}

/* The first record of this generation that we see. One from further behind in the log is a stale
 * one, unless it comes again. What expired before is lost, but for what an earlier database had
 * written: Kafka keeps how far that got. */
static bool begin(struct unit *u, int64_t offset, int64_t low)
{
    if (low >= 0 && low < offset && u->gap_seen != offset) {
        u->gap_seen = offset;
        u->restart = true;
        return false;
    }
    int64_t from = u->progress.generation > 1 || u->written_before < 0 ? 0 : u->written_before;
    u->progress.first = u->progress.next = u->read_next = offset;
    if (low > from && low <= offset) {
        count_expired(u, from, low);
        u->gaps += (uint64_t)(offset - low);
        u->progress.first = u->progress.next = from;
    }
    return true;
}

enum unit_take unit_record(struct unit *u, int64_t offset, int64_t timestamp, uint32_t checksum,
                           int64_t low)
{
    enum unit_take take = UNIT_TAKE;
    if (u->state == UNIT_VERIFYING)
        take = verify(u, offset, timestamp, checksum);
    if (u->state != UNIT_RUNNING)
        return UNIT_SKIP;
    if (take != UNIT_TAKE)
        return take;
    if (u->read_next == UNIT_READ_ANY && !begin(u, offset, low))
        return UNIT_RESTART;
    if (offset < u->read_next)
        return UNIT_SKIP; /* stale: fetched before the position was set */
    if (offset > u->read_next) {
        take = gap(u, offset, low);
        if (take != UNIT_TAKE)
            return take;
    }
    u->read_next = offset + 1;
    return UNIT_TAKE;
}

bool unit_out_of_range(struct unit *u, uint64_t now_ns)
{
    if (u->state == UNIT_RUNNING)
        return true;
    if (u->state == UNIT_VERIFYING) {
        u->state = UNIT_DOUBTFUL;
        u->doubts = 0;
        u->doubt_due_ns = now_ns;
    }
    return false;
}

bool unit_wants_watermarks(struct unit *u, uint64_t now_ns)
{
    if (u->state == UNIT_VERIFYING && u->doubt_due_ns == 0)
        u->doubt_due_ns = now_ns + VERIFY_PATIENCE_NS;
    return (u->state == UNIT_VERIFYING || u->state == UNIT_DOUBTFUL) && now_ns >= u->doubt_due_ns;
}

void unit_watermarks_unknown(struct unit *u, uint64_t now_ns)
{
    u->doubt_due_ns = now_ns + DOUBT_PAUSE_NS;
}

void unit_watermarks(struct unit *u, int64_t low, int64_t high, uint64_t now_ns)
{
    const struct progress *p = &u->progress;
    if (u->state == UNIT_VERIFYING && high < p->next)
        u->state = UNIT_DOUBTFUL;
    else if (u->state == UNIT_VERIFYING)
        u->doubt_due_ns = now_ns + VERIFY_PATIENCE_NS;
    if (u->state != UNIT_DOUBTFUL)
        return;
    if (high < p->next) {
        u->doubt_due_ns = now_ns + DOUBT_PAUSE_NS;
        if (++u->doubts >= DOUBTS_TO_CONCLUDE)
            regenerate(u);
        return;
    }
    if (low < p->next) { /* the answer was a passing one: the last written record is still there */
        u->state = UNIT_VERIFYING;
        u->read_next = p->next - 1;
    } else { /* the last written record has expired, perhaps more */
        u->state = UNIT_RUNNING;
        u->read_next = low;
        if (low > p->next)
            count_expired(u, p->next, low);
    }
    u->restart = true;
}

int64_t unit_fetch_offset(const struct unit *u)
{
    return u->read_next == UNIT_READ_ANY ? RD_KAFKA_OFFSET_BEGINNING : u->read_next;
}

/* All that was read is written, or records would be taken for stale ones. */
static bool is_settled(const struct unit *u)
{
    return u->state == UNIT_RUNNING && u->progress.known && u->progress.next > u->progress.first &&
           u->read_next == u->progress.next && u->lost == 0 && u->gaps == 0;
}

bool unit_idle(struct unit *u, uint64_t after_ns, uint64_t now_ns)
{
    bool settled = is_settled(u);
    if (!settled)
        u->idle_since_ns = 0;
    else if (u->idle_since_ns == 0 || u->idle_next != u->progress.next)
        u->idle_since_ns = now_ns;
    u->idle_next = u->progress.next;
    return settled && now_ns - u->idle_since_ns >= after_ns;
}

void unit_look_again(struct unit *u)
{
    u->idle_since_ns = 0;
    u->state = UNIT_VERIFYING;
    u->read_next = u->progress.next - 1;
    u->doubts = 0;
    u->doubt_due_ns = 0;
    u->restart = true;
}

void unit_stop(struct unit *u, uint64_t now_ns)
{
    u->state = UNIT_PARKED;
    u->stopped = true;
    u->parked_since = u->writing_since;
    u->writing_since = u->open_since = 0;
    u->look_pause_ns = u->look_pause_ns ? 2 * u->look_pause_ns : FIRST_LOOK_NS;
    if (u->look_pause_ns > LONGEST_LOOK_NS)
        u->look_pause_ns = LONGEST_LOOK_NS;
    u->look_again_ns = now_ns + u->look_pause_ns;
}

bool unit_looks_again(const struct unit *u, uint64_t now_ns)
{
    return u->stopped && u->state == UNIT_PARKED && now_ns >= u->look_again_ns;
}

bool unit_written(struct unit *u)
{
    bool was = u->stopped;
    u->stopped = false;
    u->look_pause_ns = 0;
    u->told.n = 0;
    return was;
}

/* Without memory it is not noted: the letter is sent again and counts once. */
void unit_tell(struct unit *u, int64_t offset)
{
    if (u->told.n > 0 && offset <= u->told.at[u->told.n - 1])
        return; /* they come in order, from the unit's progress on */
    int64_t *at = realloc(u->told.at, (u->told.n + 1) * sizeof(*at));
    if (at == NULL)
        return;
    u->told.at = at;
    at[u->told.n++] = offset;
}

bool unit_told(const struct unit *u, int64_t offset)
{
    size_t from = 0, to = u->told.n;
    while (from < to) {
        size_t mid = from + (to - from) / 2;
        if (u->told.at[mid] < offset)
            from = mid + 1;
        else
            to = mid;
    }
    return from < u->told.n && u->told.at[from] == offset;
}
