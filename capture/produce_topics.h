/*
 * produce_topics.h: the event topics and what is known of each: its table, its partitions, their tails, the count for
 * END.
 *
 * A topic is made known (and created, if need be) at the first sight of its table; topics of expected tables are
 * created ahead of it. Several shapes of one table share its topic; two tables whose names become one topic name are
 * refused. One thread.
 */
#ifndef TAILRACE_CAPTURE_PRODUCE_TOPICS_H
#define TAILRACE_CAPTURE_PRODUCE_TOPICS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "capture/produce.h"

/* Most tables with events in one run. */
#define TOPICS_MAX ((size_t)100000)
/* Most topics that are made ahead of their first event: a database may have many tables that never change. */
#define TOPICS_AHEAD_MAX ((size_t)1000)

struct produce_topic {
	struct kafka_topic *handle;
	char *name;       /* of the topic */
	char *collection; /* "schema.table" as the source spells it */
	int partitions;
	struct produce_tail *tails; /* one a partition; NULL: nothing of what is read now can be there */
	uint64_t counted_in;        /* number of the transaction that `events` counts for */
	uint64_t events;
};

/* One shape of a table. */
struct produce_shape {
	struct produce_topic *topic;
	struct encoder_table *encoder;
};

struct produce_topics {
	const struct produce_config *config;
	struct produce_topic **sorted; /* by name */
	size_t count, room;
	struct produce_shape *shapes; /* by struct table's slot */
	size_t shape_room;
	size_t awaited; /* tails that the log has not given again yet */
	char **expected; /* names of topics for topics_make() */
	size_t expected_count;
};

void topics_init(struct produce_topics *topics, const struct produce_config *config);
void topics_release(struct produce_topics *topics);
/*
 * What is known of this shape. commit: of the transaction in which it is met; the partitions' tails are read if that
 * may be in Kafka already. May wait for Kafka at the first sight. ERROR_CONFIG for two tables with one topic name;
 * ERROR_GAP for a topic that is ahead of the log.
 */
int topics_shape(struct produce_topics *topics, const struct table *table, uint64_t commit,
	struct produce_shape **ret_shape, struct error *err);
/* The last event of a partition was met again. */
void topics_met(struct produce_topics *topics, struct produce_tail *tail);
/*
 * Nothing of transactions up to this one will come any more: ERROR_GAP if the last event of some partition was of one
 * of them and was not met, or if the partition has other events of them than came.
 */
int topics_passed(struct produce_topics *topics, uint64_t commit, struct error *err);
/* Says which event was not met: always -1. */
int topics_missed(const struct produce_topics *topics, const struct produce_topic *topic, int partition,
	struct error *err);
/* As produce_expect() and produce_make_topics(). */
int topics_expect(struct produce_topics *topics, const char *schema, const char *name, struct error *err);
int topics_make(struct produce_topics *topics, struct error *err);

#endif
