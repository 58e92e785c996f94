/*
 * limits.h: limits of the line that more than one place must know, and what is said where a row is more than it can carry.
 */
#ifndef TAILRACE_CAPTURE_LIMITS_H
#define TAILRACE_CAPTURE_LIMITS_H

/*
 * Records that an agent has under way at most. So many may come late, behind those of the agent that took over, and at a start so many are
 * looked through.
 */
#define LIMITS_QUEUE_RECORDS 65536

#define LIMITS_TOO_LARGE_HINT                                                                                \
	"leave the table out with table_exclude_list; if that stops with a gap, because other rows of this " \
	"transaction are in Kafka already, start anew with another topic_prefix (and slot)"

#endif
