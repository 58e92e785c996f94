/*
 * clock.h: the only way to read or wait for time, so that a test can replace it.
 *
 * Wall time only labels events and lag; nothing is ordered or timed out by it. Units are microseconds.
 */
#ifndef TAILRACE_BASE_CLOCK_H
#define TAILRACE_BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock_ops {
	int64_t (*wall_us)(void);      /* since 1970-01-01 UTC */
	int64_t (*monotonic_us)(void); /* since some start, never back */
	void (*sleep_us)(int64_t us);
};

/* Replaces the clock; NULL puts the system's back. Before any thread starts. */
void clock_set(const struct clock_ops *ops);

int64_t clock_wall_us(void);
int64_t clock_monotonic_us(void);
void clock_sleep_us(int64_t us);

/* ISO 8601 in UTC with milliseconds into buf (at least 32 bytes); returns buf. */
const char *clock_format(int64_t wall_us, char *buf, size_t size);

#endif
