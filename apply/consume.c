/*
 * consume.c: from topics to heads.
 *
 *  1. List the topics "<prefix>.*"; all but transaction, heartbeat and position carry changes.
 *  2. Which table a change topic carries is said by its events, not by its name: names are reduced to Kafka's alphabet.
 *     So look at the newest event of each topic once, in all its partitions. That also gives the newest shape, which
 *     the caller checks against the target. An empty topic goes by its name; if the lists miss the table for that, step
 *     6 brings it in.
 *  3. Each partition begins at its stored offset, or without one at its first record. In the transaction topic, a
 *     stored offset that is there no more is a gap. What retention removed from a change topic may have been applied
 *     long ago, since only what is read moves an idle table's offset: there the numbers in the events decide, and where
 *     no event is left to read, consume_check_lost(). The heartbeat topic begins at its end: old heartbeats say nothing.
 *  4. Fetch. Each partition has a bounded queue in the client; of each, one message at most is decoded, in an arena of
 *     its own.
 *  5. pop() moves the offset. The offsets become durable with the target's commit, nowhere else.
 *  6. An END may name a table whose topic is new, and a topic may get partitions. Adding to a running consumer would
 *     need another way of finding where to begin; instead this consume says that it is stale, and the one made after
 *     it, from the same offsets, knows.
 */
#include "apply/consume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/consume_topics.h"
#include "lib/base/log.h"

#define PARTITIONS_MAX 65536
#define MARK_HANDLE 0

enum partition_kind { PARTITION_MARKS, PARTITION_HEARTBEATS, PARTITION_EVENTS };

struct topic {
	char *name;
	int *handles;
	size_t count;
	bool asked; /* by an END: it is known to be ours */
	bool warned; /* that changes are passed over */
};

struct partition {
	struct topic *topic;
	int number;
	enum partition_kind kind;
	char *name;   /* "topic[number]" */
	int64_t next; /* first offset not taken */
	int64_t begin; /* the target's offset; without one 0 */
	bool stored;   /* it has one */
	bool taken;    /* an event: whatever was removed before that is older */
	bool at_hand; /* message and head are set */
	struct kafka_message message;
	struct order_head head;
	struct arena arena;
};

struct consume {
	struct consume_options options;
	struct order_heads heads;
	struct kafka_admin *admin;
	struct kafka_consumer *kafka;
	struct topic **topics;
	size_t topic_count;
	struct partition *partitions; /* by handle */
	size_t partition_count;
	int heartbeat; /* handle, -1: there is no such topic yet */
	bool stale;
	uint64_t bytes;
	int64_t *hints;
};

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_RETRY, "out of memory for the list of topics");
}

/* ---- step 3: where to begin ---- */
/* The offset of "topic partition" in the text, -1 if it has none. */
static int64_t stored_offset(const char *offsets, const char *topic, int partition)
{
	char start[300];
	size_t len;
	const char *line = offsets;

	len = (size_t)snprintf(start, sizeof start, "%s %d ", topic, partition);
	while (line != NULL && *line != '\0') {
		if (strncmp(line, start, len) == 0)
			return strtoll(line + len, NULL, 10);
		line = strchr(line, '\n');
		if (line != NULL)
			line++;
	}
	return -1;
}

static int first_offset(struct consume *con, struct partition *part, const char *offsets, int64_t *ret_offset,
	struct error *err)
{
	int64_t low, high, stored = offsets != NULL ? stored_offset(offsets, part->topic->name, part->number) : -1;

	if (kafka_watermarks(con->admin, part->topic->name, part->number, &low, &high, err) < 0)
		return -1;
	if (part->kind == PARTITION_HEARTBEATS) {
		*ret_offset = high;
		return 0;
	}
	/* Without any stored offset none can be missed. */
	part->stored = stored >= 0 || offsets == NULL;
	part->begin = stored >= 0 ? stored : 0;
	if (stored >= 0 && stored < low && part->kind == PARTITION_EVENTS) {
		log_warning("%s: retention has removed offsets %" PRId64 " to %" PRId64 " unread; if changes in them were "
			    "not applied, their transaction will tell", part->name, stored, low - 1);
		stored = low;
	}
	if (stored >= 0 && (stored < low || stored > high)) {
		(void)error_set(err, ERROR_GAP,
			"%s: the target has applied everything before offset %" PRId64 ", but the partition now holds "
				"offsets %" PRId64
			" to %" PRId64,
			part->name, stored, low, high);
		return error_hint(err, stored < low ?
			"retention has removed transactions that were not applied: the tables have to be copied anew"
						    : "the topic was made anew: the table has to be copied anew");
	}
	*ret_offset = stored >= 0 ? stored : low;
	return 0;
}

/* ---- step 4: heads ---- */
/*
 * A table that was left out for a while: its offset went out of the position row, its events are read from the first
 * on, and those of transactions that were applied without it are duplicates by their position. They are not.
 */
static void note_passed_over(struct consume *con, const struct partition *part)
{
	const struct event *event = &part->head.event;
	char upto[24];

	if (part->stored || part->topic->warned || event->commit > con->options.applied)
		return;
	part->topic->warned = true;
	log_warning("%s: the target has no offset of it, and passes over its changes up to %s: if table %s.%s was excluded "
		    "for a while, copy it anew", part->name,
		position_commit_format(con->options.log, con->options.applied, upto, sizeof upto), event->change.table->schema,
		event->change.table->name);
}

static int decode_event(struct consume *con, struct partition *part, struct error *err)
{
	const struct kafka_message *message = &part->message;
	struct order_head *head = &part->head;
	struct decoder *decoder = con->options.decoder;
	const struct table *table;
	struct value *row;
	const void *value;
	size_t len;

	if (message->value == NULL) {
		head->kind = ORDER_HEAD_SKIP;
		return 0;
	}
	head->kind = ORDER_HEAD_EVENT;
	if (decoder_event(decoder, message->key, message->key_len, message->value, message->value_len, &part->arena,
		    &head->event, err) < 0)
		return -1;
	table = head->event.change.table;
	if (head->event.change.op == CHANGE_DELETE)
		head->key_leaves = kafka_message_header(message, "__debezium.newkey", &value, &len);
	else if (head->event.change.op == CHANGE_INSERT && kafka_message_header(message, "__debezium.oldkey", &value,
		&len)) {
		row = arena_alloc(&part->arena, table->column_count * sizeof *row);
		if (row == NULL)
			return arena_error(&part->arena, err);
		if (decoder_key(decoder, table, value, len, &part->arena, row, err) < 0)
			return -1;
		head->old_key = row;
	}
	note_passed_over(con, part);
	return 0;
}

static int decode(struct consume *con, struct partition *part, struct error *err)
{
	const struct kafka_message *message = &part->message;

	arena_reset(&part->arena);
	part->head.offset = message->offset;
	part->head.key_leaves = false;
	part->head.old_key = NULL;
	if (part->kind == PARTITION_EVENTS)
		return decode_event(con, part, err);
	if (part->kind == PARTITION_HEARTBEATS || message->value == NULL) {
		part->head.kind = ORDER_HEAD_SKIP;
		return 0;
	}
	part->head.kind = ORDER_HEAD_MARK;
	return decoder_mark(con->options.decoder, message->value, message->value_len, &part->arena, &part->head.mark,
		err);
}

static int peek(void *context, int handle, const struct order_head **ret_head, struct error *err)
{
	struct consume *con = context;
	struct partition *part = &con->partitions[handle];

	if (!part->at_hand) {
		int rc = kafka_consumer_next(con->kafka, handle, &part->message, err);

		if (rc <= 0)
			return rc;
		if (decode(con, part, err) < 0) {
			(void)error_prefix(err, "%s offset %" PRId64, part->name, part->message.offset);
			kafka_message_done(&part->message);
			return -1;
		}
		part->at_hand = true;
	}
	*ret_head = &part->head;
	return 1;
}

static void pop(void *context, int handle)
{
	struct consume *con = context;
	struct partition *part = &con->partitions[handle];

	if (!part->at_hand)
		return;
	part->next = part->message.offset + 1;
	part->taken = part->taken || part->head.kind == ORDER_HEAD_EVENT;
	con->bytes += part->message.key_len + part->message.value_len;
	kafka_message_done(&part->message);
	part->at_hand = false;
}

static const char *name(void *context, int handle)
{
	const struct consume *con = context;

	return con->partitions[handle].name;
}

static struct topic *find_topic(const struct consume *con, const char *topic)
{
	for (size_t i = 0; i < con->topic_count; i++)
		if (strcmp(con->topics[i]->name, topic) == 0)
			return con->topics[i];
	return NULL;
}

/*
 * Step 6: a selected table whose topic is not read. The first to notice makes this consume stale, the one made after it
 * waits for the topic.
 */
static int miss_topic(struct consume *con, const char *topic_name, const char *collection, struct error *err)
{
	struct known_topic *topic = consume_known(con->options.topics, topic_name);

	if (topic == NULL)
		return out_of_memory(err);
	if (!topic->wanted) {
		topic->wanted = true;
		con->stale = true;
		return error_set(err, ERROR_RETRY, "topic %s is new", topic_name);
	}
	(void)error_set(err, ERROR_RETRY, "a transaction has events of %s, but there is no topic %s", collection,
		topic_name);
	return error_hint(err, "if the topic was deleted, its events are lost: copy the table anew, or exclude it");
}

/* The name of the topic that a collection's events are in; topic_name is the caller's in any case. */
static int topic_of_collection(const struct consume *con, const char *collection_name, struct buf *topic_name,
	struct error *err)
{
	const char *dot = strchr(collection_name, '.');
	struct table table = { .schema = NULL };
	char *schema;
	int rc;

	buf_init(topic_name, 4096);
	if (dot == NULL)
		return error_set(err, ERROR_DATA, "the transaction topic names a table \"%s\" without a schema",
			collection_name);
	schema = strndup(collection_name, (size_t)(dot - collection_name));
	if (schema == NULL)
		return out_of_memory(err);
	table.schema = schema;
	table.name = dot + 1;
	rc = consume_topic_of(&con->options, &table, topic_name, err);
	free(schema);
	return rc;
}

static int collection(void *context, const char *collection_name, const int **ret_handles, size_t *ret_count,
	struct error *err)
{
	struct consume *con = context;
	struct topic *topic;
	struct buf topic_name;
	int rc = -1;

	if (strchr(collection_name, '.') != NULL && !con->options.selected(con->options.context, collection_name))
		return 0;
	if (topic_of_collection(con, collection_name, &topic_name, err) < 0)
		goto out;
	topic = find_topic(con, buf_cstr(&topic_name));
	if (topic == NULL) {
		rc = miss_topic(con, buf_cstr(&topic_name), collection_name, err);
		goto out;
	}
	topic->asked = true;
	*ret_handles = topic->handles;
	*ret_count = topic->count;
	rc = 1;
out:
	buf_release(&topic_name);
	return rc;
}

/* The topic of a collection that was asked for before; NULL: err. */
static struct topic *asked_topic(const struct consume *con, const char *collection_name, struct error *err)
{
	struct topic *topic = NULL;
	struct buf topic_name;

	if (topic_of_collection(con, collection_name, &topic_name, err) == 0) {
		topic = find_topic(con, buf_cstr(&topic_name));
		if (topic == NULL)
			(void)error_set(err, ERROR_BUG, "%s has no topic that is read", collection_name);
	}
	buf_release(&topic_name);
	return topic;
}

/* Step 6: a topic may have got partitions since it was opened, and what seems to be missing may be there. */
static int confirm(void *context, const char *collection_name, struct error *err)
{
	struct consume *con = context;
	const struct topic *topic = asked_topic(con, collection_name, err);
	int partitions;

	if (topic == NULL || kafka_topic_partitions(con->admin, topic->name, &partitions, err) < 0)
		return -1;
	if ((size_t)partitions <= topic->count)
		return 0;
	con->stale = true;
	return error_set(err, ERROR_RETRY, "topic %s has new partitions", topic->name);
}

int consume_check_lost(struct consume *con, const char *collection_name, struct error *err)
{
	const struct topic *topic = asked_topic(con, collection_name, err);
	const struct partition *lost = NULL;
	int64_t lost_low = 0;

	if (topic == NULL)
		return -1;
	for (size_t i = 0; i < topic->count; i++) {
		const struct partition *part = &con->partitions[topic->handles[i]];
		int64_t low, high;

		if (kafka_watermarks(con->admin, topic->name, part->number, &low, &high, err) < 0)
			return -1;
		if (part->next < high && low < high)
			return 0; /* there is something to read */
		if (lost == NULL && (part->next < low || (!part->taken && part->begin < low))) {
			lost = part;
			lost_low = low;
		}
	}
	if (lost == NULL)
		return 0;
	(void)error_set(err, ERROR_GAP,
		"an event of %s is awaited, but all that is left in its topic was read, and from %s offsets %" PRId64
		" to %" PRId64 " were removed unread", collection_name, lost->name,
		lost->next < lost_low ? lost->next : lost->begin, lost_low - 1);
	return error_hint(err, "retention has removed events that were not applied: the table has to be copied anew");
}

/* ---- opening ---- */
static int add_partition(struct consume *con, struct topic *topic, int number, enum partition_kind kind,
	struct error *err)
{
	struct partition *part;
	char text[320];

	if (con->partition_count == PARTITIONS_MAX)
		return error_set(err, ERROR_CONFIG, "more than %d partitions to read", PARTITIONS_MAX);
	/* Grown by doubling; heads are handed out only after the last one was added. */
	if ((con->partition_count & (con->partition_count - 1)) == 0) {
		size_t size = con->partition_count == 0 ? 1 : con->partition_count * 2;
		struct partition *more = realloc(con->partitions, size * sizeof *more);

		if (more == NULL)
			return out_of_memory(err);
		con->partitions = more;
	}
	(void)snprintf(text, sizeof text, "%s[%d]", topic->name, number);
	part = &con->partitions[con->partition_count];
	memset(part, 0, sizeof *part);
	part->topic = topic;
	part->number = number;
	part->kind = kind;
	part->name = strdup(text);
	if (part->name == NULL)
		return out_of_memory(err);
	arena_init(&part->arena, CONSUME_ARENA_MAX);
	topic->handles[topic->count++] = (int)con->partition_count++;
	return 0;
}

static int add_topic(struct consume *con, const char *topic_name, int partitions, enum partition_kind kind,
	struct error *err)
{
	struct topic **more = realloc(con->topics, (con->topic_count + 1) * sizeof(struct topic *));
	struct topic *topic;

	if (more == NULL)
		return out_of_memory(err);
	con->topics = more;
	topic = calloc(1, sizeof *topic);
	if (topic == NULL)
		return out_of_memory(err);
	con->topics[con->topic_count++] = topic;
	topic->name = strdup(topic_name);
	topic->handles = calloc((size_t)partitions, sizeof *topic->handles);
	if (topic->name == NULL || topic->handles == NULL)
		return out_of_memory(err);
	for (int i = 0; i < partitions; i++)
		if (add_partition(con, topic, i, kind, err) < 0)
			return -1;
	return 0;
}

static bool is_own(const char *prefix, const char *topic, const char *what)
{
	size_t len = strlen(prefix);

	return strncmp(topic, prefix, len) == 0 && topic[len] == '.' && strcmp(topic + len + 1, what) == 0;
}

/* The transaction topic must be there; without the heartbeat's, refresh() looks for it. */
static int add_own_topics(struct consume *con, struct error *err)
{
	char text[320];
	int partitions;

	(void)snprintf(text, sizeof text, "%s.transaction", con->options.prefix);
	if (kafka_topic_partitions(con->admin, text, &partitions, err) < 0)
		return -1;
	if (partitions == 0) {
		(void)error_set(err, ERROR_RETRY, "there is no topic %s", text);
		return error_hint(err, "start the capture agent with topic_prefix \"%s\"; it makes the topic",
			con->options.prefix);
	}
	if (partitions != 1)
		return error_set(err, ERROR_CONFIG, "topic %s has %d partitions, it must have one", text, partitions);
	if (add_topic(con, text, 1, PARTITION_MARKS, err) < 0)
		return -1;
	(void)snprintf(text, sizeof text, "%s.heartbeat", con->options.prefix);
	if (kafka_topic_partitions(con->admin, text, &partitions, err) < 0)
		return -1;
	if (partitions == 0)
		return 0;
	con->heartbeat = (int)con->partition_count;
	return add_topic(con, text, 1, PARTITION_HEARTBEATS, err);
}

static int add_event_topics(struct consume *con, struct error *err)
{
	const char *prefix = con->options.prefix;
	struct kafka_reader *reader = NULL;
	char **names = NULL, text[320];
	size_t count = 0;
	int rc = -1;

	(void)snprintf(text, sizeof text, "%s.", prefix);
	if (kafka_topics(con->admin, text, &names, &count, err) < 0 ||
		kafka_reader_open(con->options.kafka, &reader, err) < 0)
		goto out;
	for (size_t i = 0; i < count; i++) {
		int partitions, subscribed;

		if (is_own(prefix, names[i], "transaction") || is_own(prefix, names[i], "heartbeat") ||
			is_own(prefix, names[i], "position"))
			continue;
		if (kafka_topic_partitions(con->admin, names[i], &partitions, err) < 0)
			goto out;
		if (partitions == 0)
			continue;
		subscribed = consume_subscribed(&con->options, reader, names[i], partitions, err);
		if (subscribed < 0 || (subscribed > 0 && add_topic(con, names[i], partitions, PARTITION_EVENTS,
			err) < 0))
			goto out;
	}
	rc = 0;
out:
	kafka_reader_close(reader);
	kafka_names_free(names, count);
	return rc;
}

static int start(struct consume *con, const char *offsets, struct error *err)
{
	const struct consume_options *options = &con->options;

	con->hints = calloc(con->partition_count, sizeof *con->hints);
	if (con->hints == NULL)
		return out_of_memory(err);
	if (kafka_consumer_new(options->kafka, options->group, options->memory, &con->kafka, err) < 0)
		return -1;
	for (size_t i = 0; i < con->partition_count; i++) {
		struct partition *part = &con->partitions[i];
		int handle;

		if (first_offset(con, part, offsets, &part->next, err) < 0)
			return -1;
		handle = kafka_consumer_add(con->kafka, part->topic->name, part->number, part->next, err);
		if (handle < 0)
			return -1;
		if (handle != (int)i)
			return error_set(err, ERROR_BUG, "partition %zu has handle %d", i, handle);
	}
	return kafka_consumer_start(con->kafka, err);
}

int consume_open(const struct consume_options *options, const char *offsets, struct consume **ret_consume,
	struct error *err)
{
	struct consume *con = calloc(1, sizeof *con);

	if (con == NULL)
		return out_of_memory(err);
	con->options = *options;
	con->heartbeat = -1;
	con->heads = (struct order_heads){ .context = con, .collection = collection, .peek = peek, .pop = pop,
		.name = name, .confirm = confirm };
	if (kafka_admin_new(options->kafka, &con->admin, err) < 0 || add_own_topics(con, err) < 0 ||
		add_event_topics(con, err) < 0 || start(con, offsets, err) < 0) {
		consume_close(con);
		return -1;
	}
	*ret_consume = con;
	return 0;
}

void consume_close(struct consume *con)
{
	if (con == NULL)
		return;
	for (size_t i = 0; i < con->partition_count; i++) {
		struct partition *part = &con->partitions[i];

		if (part->at_hand)
			kafka_message_done(&part->message);
		arena_release(&part->arena);
		free(part->name);
	}
	kafka_consumer_free(con->kafka);
	kafka_admin_free(con->admin);
	for (size_t i = 0; i < con->topic_count; i++) {
		free(con->topics[i]->name);
		free(con->topics[i]->handles);
		free(con->topics[i]);
	}
	free(con->topics);
	free(con->partitions);
	free(con->hints);
	free(con);
}

/* ---- for the pipeline ---- */
const struct order_heads *consume_heads(const struct consume *con)
{
	return &con->heads;
}

int consume_fd(const struct consume *con)
{
	return kafka_consumer_fd(con->kafka);
}

void consume_quiet(struct consume *con)
{
	kafka_consumer_quiet(con->kafka);
}

bool consume_has_heartbeat(const struct consume *con)
{
	return con->heartbeat >= 0;
}

int consume_heartbeat(struct consume *con, int64_t *ret_source_us, uint64_t *ret_lsn, struct error *err)
{
	const struct order_head *head;
	const struct partition *part;
	int rc;

	if (con->heartbeat < 0)
		return 0;
	rc = peek(con, con->heartbeat, &head, err);
	if (rc <= 0)
		return rc;
	part = &con->partitions[con->heartbeat];
	if (part->message.value == NULL)
		rc = 0;
	else if (decoder_heartbeat(con->options.decoder, part->message.value, part->message.value_len,
			 &con->partitions[con->heartbeat].arena, ret_source_us, ret_lsn, err) < 0)
		rc = error_prefix(err, "%s offset %" PRId64, part->name, part->message.offset);
	pop(con, con->heartbeat);
	return rc;
}

int consume_tidy(struct consume *con, struct error *err)
{
	for (size_t i = 0; i < con->partition_count; i++) {
		const struct order_head *head;
		int rc = 0;

		if (con->partitions[i].kind == PARTITION_EVENTS && con->partitions[i].topic->asked)
			while ((rc = peek(con, (int)i, &head, err)) > 0 && head->kind == ORDER_HEAD_SKIP)
				pop(con, (int)i);
		if (rc < 0)
			return -1;
	}
	return 0;
}

void consume_offsets(const struct consume *con, struct buf *out)
{
	for (size_t i = 0; i < con->partition_count; i++) {
		const struct partition *part = &con->partitions[i];

		if (part->kind != PARTITION_HEARTBEATS)
			buf_printf(out, "%s %d %" PRId64 "\n", part->topic->name, part->number, part->next);
	}
}

bool consume_hint(struct consume *con)
{
	for (size_t i = 0; i < con->partition_count; i++)
		con->hints[i] = con->partitions[i].kind == PARTITION_HEARTBEATS ? -1 : con->partitions[i].next;
	return kafka_consumer_hint(con->kafka, con->hints);
}

size_t consume_partitions(const struct consume *con)
{
	return con->partition_count;
}

int64_t consume_marks_left(const struct consume *con)
{
	int64_t high = kafka_consumer_high(con->kafka, MARK_HANDLE), next = con->partitions[MARK_HANDLE].next;

	if (high < 0)
		return -1;
	return high >= next ? high - next + 1 : 0;
}

uint64_t consume_bytes(const struct consume *con)
{
	return con->bytes;
}

int consume_refresh(struct consume *con, struct error *err)
{
	int partitions;

	for (size_t i = 0; i < con->topic_count; i++) {
		if (kafka_topic_partitions(con->admin, con->topics[i]->name, &partitions, err) < 0)
			return -1;
		if ((size_t)partitions > con->topics[i]->count)
			con->stale = true;
	}
	if (con->heartbeat < 0) {
		char text[320];

		(void)snprintf(text, sizeof text, "%s.heartbeat", con->options.prefix);
		if (kafka_topic_partitions(con->admin, text, &partitions, err) < 0)
			return -1;
		if (partitions > 0)
			con->stale = true;
	}
	return 0;
}

bool consume_is_stale(const struct consume *con)
{
	return con->stale;
}
