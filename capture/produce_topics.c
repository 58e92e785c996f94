/*
 * produce_topics.c: event topics, looked up by the shape's slot (each event) and by name (the first event of a shape).
 */
#include "capture/produce_topics.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"

/* Of a topic's name before its length is checked: three names of the source or of the configuration. */
#define NAME_ROOM ((size_t)4096)

void topics_init(struct produce_topics *topics, const struct produce_config *config)
{
	memset(topics, 0, sizeof *topics);
	topics->config = config;
}

static void topic_free(struct produce_topic *topic)
{
	if (topic == NULL)
		return;
	free(topic->name);
	free(topic->collection);
	for (int p = 0; topic->tails != NULL && p < topic->partitions; p++)
		free(topic->tails[p].steps);
	free(topic->tails);
	free(topic);
}

void topics_release(struct produce_topics *topics)
{
	for (size_t i = 0; i < topics->shape_room; i++)
		if (topics->shapes[i].encoder != NULL)
			encoder_table_free(topics->shapes[i].encoder);
	for (size_t i = 0; i < topics->count; i++)
		topic_free(topics->sorted[i]);
	for (size_t i = 0; i < topics->expected_count; i++)
		free(topics->expected[i]);
	free(topics->expected);
	free(topics->shapes);
	free(topics->sorted);
	memset(topics, 0, sizeof *topics);
}

/* The place of the name in the sorted list; *ret_found says whether it is taken. */
static size_t place_of(const struct produce_topics *topics, const char *name, bool *ret_found)
{
	size_t low = 0, high = topics->count;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(topics->sorted[middle]->name, name);

		if (order == 0) {
			*ret_found = true;
			return middle;
		}
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int read_tails(struct produce_topics *topics, struct produce_topic *topic, struct error *err)
{
	const struct produce_config *config = topics->config;

	topic->tails = calloc((size_t)topic->partitions, sizeof *topic->tails);
	if (topic->tails == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for %d partitions", topic->partitions);
	for (int i = 0; i < topic->partitions; i++) {
		struct produce_tail *tail = &topic->tails[i];
		char at[24], head[24];

		if (config->tail(config->tail_context, topic->name, i, tail, err) < 0)
			return error_prefix(err, "end of topic \"%s\", partition %d", topic->name, i);
		if (tail->commit < config->known.head) {
			/* older ones may be forgotten by the log, and are left out unseen if they come */
			tail->awaited = tail->commit > 0 && tail->commit >= config->known.durable;
			topics->awaited += tail->awaited;
			continue;
		}
		error_set(err, ERROR_GAP,
			"topic \"%s\", partition %d ends with a change committed at %s, but the log ends at %s",
			topic->name, i, position_commit_format(config->log, tail->commit, at, sizeof at),
			position_commit_format(config->log, config->known.head, head, sizeof head));
		return error_hint(err,
			"the source was set back to an older state, or another source writes to these topics: "
				       "start anew with another topic_prefix, or restore the source");
	}
	return 0;
}

void topics_met(struct produce_topics *topics, struct produce_tail *tail)
{
	tail->awaited = false;
	topics->awaited--;
	free(tail->steps);
	tail->steps = NULL;
	tail->step_count = 0;
}

int topics_missed(const struct produce_topics *topics, const struct produce_topic *topic, int partition,
	struct error *err)
{
	const struct produce_tail *tail = &topic->tails[partition];
	char at[24];

	error_set(err, ERROR_GAP,
		"topic \"%s\", partition %d ends with event %" PRIu64 " of the transaction committed at %s, and the log does "
		"not give that and what is before it again there",
		topic->name, partition, tail->index,
		position_commit_format(topics->config->log, tail->commit, at, sizeof at));
	return error_hint(err, "part of a transaction is in Kafka, and before the rest came the choice of tables, a table's key "
			       "or the topic's number of partitions was changed, or another server took over that tells the "
			       "last transactions in another order: undo that, or start anew with another topic_prefix (and slot)");
}

/* Whether what came of transactions up to this one is what the partition has of them. */
static bool is_as_there(struct produce_tail *tail, uint64_t commit)
{
	if (tail->commit <= commit)
		return false;
	while (tail->step < tail->step_count && tail->steps[tail->step].commit <= commit)
		tail->step++;
	return tail->step_count == 0 || tail->again == (tail->step > 0 ? tail->steps[tail->step - 1].trail : 0);
}

int topics_passed(struct produce_topics *topics, uint64_t commit, struct error *err)
{
	for (size_t i = 0; topics->awaited > 0 && i < topics->count; i++) {
		struct produce_topic *topic = topics->sorted[i];

		for (int p = 0; topic->tails != NULL && p < topic->partitions; p++)
			if (topic->tails[p].awaited && !is_as_there(&topic->tails[p], commit))
				return topics_missed(topics, topic, p, err);
	}
	return 0;
}

/* How a topic of events is made. */
static struct kafka_topic_spec topic_spec(const struct produce_topics *topics, const char *name,
	const char *const *settings)
{
	const struct produce_config *config = topics->config;

	return (struct kafka_topic_spec){ name, config->partitions, config->replication_factor, settings, 1 };
}

static void largest_setting(char *out, size_t size)
{
	(void)snprintf(out, size, "max.message.bytes=%zu", PRODUCE_MESSAGE_MAX);
}

/* Finds or makes the topic in Kafka and reads its tails if it may hold what is read from the log now. */
static int topic_meet(struct produce_topics *topics, struct produce_topic *topic, uint64_t commit, struct error *err)
{
	const struct produce_config *config = topics->config;
	char largest[48];
	const char *const settings[] = { largest };
	struct kafka_topic_spec spec = topic_spec(topics, topic->name, settings);
	int before;

	largest_setting(largest, sizeof largest);
	if (kafka_topic_partitions(config->admin, topic->name, &before, err) < 0)
		return -1;
	topic->partitions = before;
	if (before == 0 && kafka_topic_ensure(config->admin, &spec, &topic->partitions, err) < 0)
		return -1;
	if (topic->partitions < 1)
		return error_set(err, ERROR_RETRY, "topic \"%s\" has no partitions", topic->name);
	/* a topic that was said to be missing may have been there: what is known of topics may be late */
	if (commit < config->known.head && read_tails(topics, topic, err) < 0)
		return -1;
	return kafka_producer_topic(config->producer, topic->name, &topic->handle, err);
}

static int topic_new(struct produce_topics *topics, const struct table *table, const char *name, uint64_t commit,
	struct produce_topic **ret_topic, struct error *err)
{
	struct produce_topic *topic = calloc(1, sizeof *topic);
	size_t size = strlen(table->schema) + strlen(table->name) + 2;

	if (topic == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for topic \"%s\"", name);
	topic->name = strdup(name);
	topic->collection = malloc(size);
	if (topic->name == NULL || topic->collection == NULL) {
		topic_free(topic);
		return error_set(err, ERROR_RETRY, "out of memory for topic \"%s\"", name);
	}
	(void)snprintf(topic->collection, size, "%s.%s", table->schema, table->name);
	if (topic_meet(topics, topic, commit, err) < 0) {
		topic_free(topic);
		return -1;
	}
	*ret_topic = topic;
	return 0;
}

/* The agent's own topics are not for tables: a schema and table may not become their names. */
static bool is_own_name(const struct produce_topics *topics, const char *name)
{
	char own[PRODUCE_TOPIC_MAX];

	for (int kind = PRODUCE_TRANSACTIONS; kind <= PRODUCE_POSITIONS; kind++)
		if (strcmp(name, produce_topic_name(topics->config->prefix, (enum produce_topic_kind)kind, own)) == 0)
			return true;
	return false;
}

static int topic_of(struct produce_topics *topics, const struct table *table, const char *name, uint64_t commit,
	struct produce_topic **ret_topic, struct error *err)
{
	bool found;
	size_t place = place_of(topics, name, &found);

	if (found) {
		struct produce_topic *topic = topics->sorted[place];
		size_t schema_len = strlen(table->schema);

		if (strncmp(topic->collection, table->schema, schema_len) != 0 ||
			topic->collection[schema_len] != '.' ||
			strcmp(topic->collection + schema_len + 1, table->name) != 0) {
			error_set(err, ERROR_CONFIG, "tables %s and %s.%s would share the topic \"%s\"",
				topic->collection, table->schema, table->name, name);
			return error_hint(err, "leave one of them out with table_exclude_list, or rename it");
		}
		*ret_topic = topic;
		return 0;
	}
	if (is_own_name(topics, name))
		return error_set(err, ERROR_CONFIG, "table %s.%s would have the agent's own topic \"%s\"",
			table->schema, table->name, name);
	if (topics->count == topics->room) {
		size_t room = topics->room == 0 ? 64 : topics->room * 2;
		struct produce_topic **grown;

		if (topics->count >= TOPICS_MAX)
			return error_set(err, ERROR_CONFIG, "more than %zu tables", TOPICS_MAX);
		grown = reallocarray(topics->sorted, room, sizeof(struct produce_topic *));
		if (grown == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for %zu topics", room);
		topics->sorted = grown;
		topics->room = room;
	}
	if (topic_new(topics, table, name, commit, ret_topic, err) < 0)
		return -1;
	memmove(&topics->sorted[place + 1], &topics->sorted[place], (topics->count - place) * sizeof *topics->sorted);
	topics->sorted[place] = *ret_topic;
	topics->count++;
	return 0;
}

static int shapes_grow(struct produce_topics *topics, size_t slot, struct error *err)
{
	size_t room = topics->shape_room == 0 ? 64 : topics->shape_room;
	struct produce_shape *grown;

	while (room <= slot)
		room *= 2;
	grown = reallocarray(topics->shapes, room, sizeof *grown);
	if (grown == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for %zu shapes of tables", room);
	memset(grown + topics->shape_room, 0, (room - topics->shape_room) * sizeof *grown);
	topics->shapes = grown;
	topics->shape_room = room;
	return 0;
}

int topics_shape(struct produce_topics *topics, const struct table *table, uint64_t commit,
	struct produce_shape **ret_shape, struct error *err)
{
	struct produce_shape *shape;
	struct encoder_table *encoder;

	if (table->slot < topics->shape_room && topics->shapes[table->slot].topic != NULL) {
		*ret_shape = &topics->shapes[table->slot];
		return 0;
	}
	if (table->slot >= topics->shape_room && shapes_grow(topics, table->slot, err) < 0)
		return -1;
	shape = &topics->shapes[table->slot];
	if (encoder_table_new(topics->config->encoder, table, &encoder, err) < 0)
		return error_prefix(err, "table %s.%s", table->schema, table->name);
	if (topic_of(topics, table, encoder_table_topic(encoder), commit, &shape->topic, err) < 0) {
		encoder_table_free(encoder);
		return -1;
	}
	shape->encoder = encoder;
	*ret_shape = shape;
	return 0;
}

/* ---- ahead of the first event ---- */

int topics_expect(struct produce_topics *topics, const char *schema, const char *name, struct error *err)
{
	const struct table table = { .schema = schema, .name = name };
	struct buf topic;
	char **grown;

	if (topics->expected_count == TOPICS_AHEAD_MAX)
		return 0;
	grown = reallocarray(topics->expected, topics->expected_count + 1, sizeof *grown);
	if (grown == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the names of topics");
	topics->expected = grown;
	buf_init(&topic, NAME_ROOM);
	if (codec_topic_name(topics->config->prefix, &table, &topic, err) < 0) {
		/* refused when an event of it comes */
		error_clear(err);
		buf_release(&topic);
		return 0;
	}
	topics->expected[topics->expected_count] = buf_take(&topic);
	if (topics->expected[topics->expected_count] == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the names of topics");
	topics->expected_count++;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Those that are missing among `there`, which is sorted. */
static int make_missing(struct produce_topics *topics, char *const *there, size_t there_count, struct error *err)
{
	struct kafka_topic_spec *specs = calloc(topics->expected_count, sizeof *specs);
	char largest[48];
	const char *const settings[] = { largest };
	size_t count = 0;
	int rc;

	if (specs == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for %zu topics", topics->expected_count);
	largest_setting(largest, sizeof largest);
	for (size_t i = 0; i < topics->expected_count; i++) {
		char *const *name = &topics->expected[i];

		/* two tables with one topic name: refused when the second has an event */
		if (i > 0 && strcmp(*name, name[-1]) == 0)
			continue;
		if (bsearch(name, there, there_count, sizeof *there, compare_names) == NULL)
			specs[count++] = topic_spec(topics, *name, settings);
	}
	rc = kafka_topics_create(topics->config->admin, specs, count, err);
	free(specs);
	return rc;
}

int topics_make(struct produce_topics *topics, struct error *err)
{
	char **there, prefix[PRODUCE_TOPIC_MAX];
	size_t count;
	int rc;

	if (topics->expected_count == 0)
		return 0;
	(void)snprintf(prefix, sizeof prefix, "%s.", topics->config->prefix);
	if (kafka_topics(topics->config->admin, prefix, &there, &count, err) < 0)
		return -1;
	qsort(topics->expected, topics->expected_count, sizeof *topics->expected, compare_names);
	rc = make_missing(topics, there, count, err);
	kafka_names_free(there, count);
	return rc;
}
