/*
 * limits.h: what is said wherever a row is more than the line can carry; source and produce find that out in different places.
 */
#ifndef TAILRACE_CAPTURE_LIMITS_H
#define TAILRACE_CAPTURE_LIMITS_H

#define LIMITS_TOO_LARGE_HINT                                                                                \
	"leave the table out with table_exclude_list; if that stops with a gap, because other rows of this " \
	"transaction are in Kafka already, start anew with another topic_prefix (and slot)"

#endif
