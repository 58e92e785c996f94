/*
 * consume_topics.h: what consume.c remembers of topics, beyond the life of one consume.
 */
#ifndef TAILRACE_APPLY_CONSUME_TOPICS_H
#define TAILRACE_APPLY_CONSUME_TOPICS_H

#include <stdbool.h>

#include "apply/consume.h"

#define CONSUME_ARENA_MAX ((size_t)512 << 20) /* one decoded event: Kafka's largest message, as values */

struct known_topic {
	char *name;
	bool looked;  /* its newest event was seen */
	bool carries; /* and it is a selected table's */
	bool wanted;  /* an END asked for it: read it, whatever its name says */
};

/* The entry of that name, made if need be; valid until the next call. NULL: memory is short. */
struct known_topic *consume_known(struct consume_topics *topics, const char *name);

/* The topic that codec_topic_name() gives to a table, instead of what `name` holds. */
int consume_topic_of(const struct consume_options *options, const struct table *table, struct buf *name,
	struct error *err);

/*
 * 1: the topic is to be read; 0: it is not; -1: err. Looks at its newest event if that was not done before, and has the
 * event's shape checked.
 */
int consume_subscribed(const struct consume_options *options, struct kafka_reader *reader, const char *name,
	int partitions, struct error *err);

#endif
