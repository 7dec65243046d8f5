/* Two clocks, never mixed: monotonic for durations and deadlines, wall for what people and records
 * see. All in nanoseconds. Thread: any. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_US 1000ull
#define NS_PER_MS 1000000ull
#define NS_PER_S  1000000000ull

uint64_t clock_mono_ns(void);
uint64_t clock_wall_ns(void); /* since 1970-01-01T00:00:00Z */
/* "2026-01-31T23:59:59.123Z"; `out` holds at least CLOCK_TEXT_SIZE bytes. Returns out. */
#define CLOCK_TEXT_SIZE 32
char *clock_text(uint64_t wall_ns, char *out, size_t size);

#endif
