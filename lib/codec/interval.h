/*
 * interval.h: PostgreSQL's interval text -> approximate microseconds, for Debezium's MicroDuration.
 *
 * A month counts as 365.25 / 12 days. It is a convenience for foreign readers: the exact text travels in `exact`.
 */
#ifndef TAILRACE_CODEC_INTERVAL_H
#define TAILRACE_CODEC_INTERVAL_H

#include <stddef.h>
#include <stdint.h>

/* "1 year 2 mons -3 days +04:05:06.789" (IntervalStyle postgres); 0 when it is not that or does not fit. */
int64_t interval_approximate_us(const char *text, size_t len);

#endif
