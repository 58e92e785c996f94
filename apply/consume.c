/*
 * consume.c: from topics to heads.
 *
 *  1. List the topics "<prefix>.*"; all but transaction, heartbeat and position carry changes.
 *  2. Which table a change topic carries is said by its events, not by its name: names are reduced to Kafka's alphabet.
 *     So look at the newest event of each topic once. That also gives the newest shape, which the caller checks against
 *     the target. An empty topic goes by its name; if the lists miss the table for that, step 6 brings it in.
 *  3. Each partition begins at its stored offset, or without one at its first record. A stored offset that the
 *     partition does not have any more is a gap. The heartbeat topic begins at its end: old heartbeats say nothing.
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

#define TAIL 3 /* records from a partition's end in which an event is looked for: the last one may be a tombstone */
#define PARTITIONS_MAX 65536
#define ARENA_MAX ((size_t)512 << 20) /* one decoded event: Kafka's largest message, as values */
#define MARK_HANDLE 0

enum partition_kind { PARTITION_MARKS, PARTITION_HEARTBEATS, PARTITION_EVENTS };

/* ---- what is remembered of a topic ---- */
struct known_topic {
	char *name;
	bool looked;  /* its newest event was seen */
	bool carries; /* and it is a selected table's */
	bool wanted;  /* an END asked for it: read it, whatever its name says */
};

struct consume_topics {
	struct known_topic *items;
	size_t count, size;
};

struct topic {
	char *name;
	int *handles;
	size_t count;
	bool asked; /* by an END: it is known to be ours */
};

struct partition {
	const struct topic *topic;
	int number;
	enum partition_kind kind;
	char *name;   /* "topic[number]" */
	int64_t next; /* first offset not taken */
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

static int out_of_memory(struct error *err)
{
	return error_set(err, ERROR_RETRY, "out of memory for the list of topics");
}

/* The entry of that name, made if need be. */
static struct known_topic *known_topic(struct consume_topics *topics, const char *name)
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

/* ---- step 2: which table does the topic carry? ---- */
struct look {
	struct consume *con;
	struct known_topic *topic;
	struct arena arena;
	struct error *err;
	bool failed;
};

/* The topic that codec_topic_name() gives to a table. */
static int topic_of(const struct consume *con, const struct table *table, struct buf *name, struct error *err)
{
	buf_reset(name);
	if (codec_topic_name(con->options.prefix, table, name, err) < 0)
		return -1;
	(void)buf_cstr(name);
	return buf_check(name, "a topic name", err);
}

static int look_at(void *context, const struct kafka_message *message)
{
	struct look *look = context;
	const struct consume_options *options = &look->con->options;
	const struct table *table;
	struct event event;
	struct buf own_name;
	char collection[1024];

	if (message->value == NULL)
		return 0;
	arena_reset(&look->arena);
	if (decoder_event(options->decoder, message->key, message->key_len, message->value, message->value_len,
		    &look->arena, &event, look->err) < 0) {
		/*
		 * Of another prefix that begins with ours; or broken, then it is wanted by an END and reported when it
		 * is its turn.
		 */
		look->failed = look->err->class != ERROR_DATA;
		look->topic->looked = true;
		return 1;
	}
	table = event.change.table;
	buf_init(&own_name, 4096);
	look->topic->looked = true;
	if (topic_of(look->con, table, &own_name, NULL) == 0 && strcmp(buf_cstr(&own_name), look->topic->name) == 0) {
		(void)snprintf(collection, sizeof collection, "%s.%s", table->schema, table->name);
		look->topic->carries = options->selected(options->context, collection);
		if (look->topic->carries && options->shape != NULL)
			look->failed = options->shape(options->context, table, look->err) < 0;
	}
	buf_release(&own_name);
	return 1;
}

/* 1: read this topic; 0: leave it; -1: err. */
static int is_subscribed(struct consume *con, struct kafka_reader *reader, const char *name, int partitions,
	struct error *err)
{
	const struct consume_options *options = &con->options;
	struct known_topic *topic = known_topic(options->topics, name);
	struct look look = { .con = con, .topic = topic, .err = err };
	int rc = 0;

	if (topic == NULL)
		return out_of_memory(err);
	arena_init(&look.arena, ARENA_MAX);
	for (int i = 0; i < partitions && !topic->looked && rc == 0 && !look.failed; i++)
		rc = kafka_reader_tail(reader, name, i, TAIL, look_at, &look, err);
	arena_release(&look.arena);
	if (rc < 0)
		return -1;
	if (look.failed) {
		topic->carries = false;
		topic->looked = false; /* the next try checks again */
		return -1;
	}
	if (topic->looked)
		return topic->carries || topic->wanted;
	return topic->wanted || options->selected(options->context, name + strlen(options->prefix) + 1);
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

static int first_offset(struct consume *con, const struct partition *part, const char *offsets, int64_t *ret_offset,
	struct error *err)
{
	int64_t low, high, stored = offsets != NULL ? stored_offset(offsets, part->topic->name, part->number) : -1;

	if (kafka_watermarks(con->admin, part->topic->name, part->number, &low, &high, err) < 0)
		return -1;
	if (part->kind == PARTITION_HEARTBEATS) {
		*ret_offset = high;
		return 0;
	}
	if (stored >= 0 && (stored < low || stored > high)) {
		(void)error_set(err, ERROR_GAP,
			"%s: the target has applied everything before offset %" PRId64 ", but the partition now holds "
				"offsets %" PRId64
			" to %" PRId64,
			part->name, stored, low, high);
		return error_hint(err, stored < low ?
			"retention has removed events that were not applied: the table has to be copied anew"
						    : "the topic was made anew: the table has to be copied anew");
	}
	*ret_offset = stored >= 0 ? stored : low;
	return 0;
}

/* ---- step 4: heads ---- */
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
	struct known_topic *topic = known_topic(con->options.topics, topic_name);

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

static int collection(void *context, const char *collection_name, const int **ret_handles, size_t *ret_count,
	struct error *err)
{
	struct consume *con = context;
	const char *dot = strchr(collection_name, '.');
	struct table table = { .schema = NULL };
	struct topic *topic;
	struct buf topic_name;
	char *schema;
	int rc = -1;

	if (dot == NULL)
		return error_set(err, ERROR_DATA, "the transaction topic names a table \"%s\" without a schema",
			collection_name);
	if (!con->options.selected(con->options.context, collection_name))
		return 0;
	buf_init(&topic_name, 4096);
	schema = strndup(collection_name, (size_t)(dot - collection_name));
	if (schema == NULL) {
		(void)out_of_memory(err);
		goto out;
	}
	table.schema = schema;
	table.name = dot + 1;
	if (topic_of(con, &table, &topic_name, err) < 0)
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
	free(schema);
	buf_release(&topic_name);
	return rc;
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
	arena_init(&part->arena, ARENA_MAX);
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
		subscribed = is_subscribed(con, reader, names[i], partitions, err);
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
		.name = name };
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
