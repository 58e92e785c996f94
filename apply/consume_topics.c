/*
 * consume_topics.c: which topics carry a selected table, found out once for each (step 2 of consume.c).
 */
#include "apply/consume_topics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TAIL 3 /* records from a partition's end in which an event is looked for: the last one may be a tombstone */

struct consume_topics {
	struct known_topic *items;
	size_t count, size;
};

struct consume_topics *consume_topics_new(void)
{
	return calloc(1, sizeof(struct consume_topics));
}

void consume_topics_free(struct consume_topics *topics)
{
	if (topics == NULL)
		return;
	for (size_t i = 0; i < topics->count; i++)
		free(topics->items[i].name);
	free(topics->items);
	free(topics);
}

struct known_topic *consume_known(struct consume_topics *topics, const char *name)
{
	struct known_topic *topic;

	for (size_t i = 0; i < topics->count; i++)
		if (strcmp(topics->items[i].name, name) == 0)
			return &topics->items[i];
	if (topics->count == topics->size) {
		size_t size = topics->size == 0 ? 32 : topics->size * 2;
		struct known_topic *more = realloc(topics->items, size * sizeof *more);

		if (more == NULL)
			return NULL;
		topics->items = more;
		topics->size = size;
	}
	topic = &topics->items[topics->count];
	*topic = (struct known_topic){ .name = strdup(name) };
	if (topic->name == NULL)
		return NULL;
	topics->count++;
	return topic;
}

/* ---- which table does the topic carry? ---- */
struct look {
	const struct consume_options *options;
	struct known_topic *topic;
	struct arena arena;
	struct error *err;
	bool failed;
	const struct table *table; /* of the newest event so far; the decoder's */
	uint64_t commit, index;
};

int consume_topic_of(const struct consume_options *options, const struct table *table, struct buf *name,
	struct error *err)
{
	buf_reset(name);
	if (codec_topic_name(options->prefix, table, name, err) < 0)
		return -1;
	(void)buf_cstr(name);
	return buf_check(name, "a topic name", err);
}

static int look_at(void *context, const struct kafka_message *message)
{
	struct look *look = context;
	struct event event;

	if (message->value == NULL)
		return 0;
	arena_reset(&look->arena);
	look->topic->looked = true;
	if (decoder_event(look->options->decoder, message->key, message->key_len, message->value, message->value_len,
		    &look->arena, &event, look->err) < 0) {
		/*
		 * Of another prefix that begins with ours; or broken, then it is wanted by an END and reported when it
		 * is its turn.
		 */
		look->failed = look->err->class != ERROR_DATA;
		return 1;
	}
	if (look->table == NULL ||
		position_compare(event.commit, event.change.index, look->commit, look->index) > 0) {
		look->table = event.change.table;
		look->commit = event.commit;
		look->index = event.change.index;
	}
	return 1;
}

/* Whether the newest event is of a table that we want, and of a shape that the target takes. */
static void look_up(struct look *look)
{
	const struct consume_options *options = look->options;
	const struct table *table = look->table;
	struct buf own_name;
	char collection[1024];

	buf_init(&own_name, 4096);
	if (consume_topic_of(options, table, &own_name, NULL) == 0 && strcmp(buf_cstr(&own_name), look->topic->name) == 0) {
		(void)snprintf(collection, sizeof collection, "%s.%s", table->schema, table->name);
		look->topic->carries = options->selected(options->context, collection);
		if (look->topic->carries && options->shape != NULL)
			look->failed = options->shape(options->context, table, look->err) < 0;
	}
	buf_release(&own_name);
}

int consume_subscribed(const struct consume_options *options, struct kafka_reader *reader, const char *name,
	int partitions, struct error *err)
{
	struct known_topic *topic = consume_known(options->topics, name);
	struct look look = { .options = options, .topic = topic, .err = err };
	bool known;
	int rc = 0;

	if (topic == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the list of topics");
	known = topic->looked;
	arena_init(&look.arena, CONSUME_ARENA_MAX);
	for (int i = 0; i < partitions && !known && rc == 0 && !look.failed; i++)
		rc = kafka_reader_tail(reader, name, i, TAIL, look_at, &look, err);
	arena_release(&look.arena);
	if (rc == 0 && !look.failed && look.table != NULL)
		look_up(&look);
	if (rc < 0 || look.failed) {
		topic->carries = false;
		topic->looked = false; /* the next try checks again */
		return -1;
	}
	if (topic->looked)
		return topic->carries || topic->wanted;
	return topic->wanted || options->selected(options->context, name + strlen(options->prefix) + 1);
}
