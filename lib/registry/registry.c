/*
 * registry.c: registering and finding schemas, with the log of `_schemas` as the arbiter.
 *
 * To register texts, each for its subject, together:
 *   1. read on to the end of the topic (unless that was just done); the texts that stand there by now have their ids;
 *   2. write a record for each of the others, with the text's id (another subject may have it), else the next free id,
 *      and the subject's next version;
 *   3. when all are acknowledged, look where: at the offsets next to those that were read, nobody's record stands
 *      before ours, and they count as read. Else read on. A text that stands in its subject now is done. Where
 *      another's record with our id or version came first: repeat its record if ours has the same key (store.h:
 *      contested), and go back to 2, now with an id some way behind the next: whoever registers at this moment, too,
 *      will take the next.
 *
 * So a new table costs one round trip, or two after a pause; its events wait for that.
 *
 * One reader and, if this agent may write, one producer live as long as the registry; its connection is made at the
 * start and not when the first table's events wait for it. Nobody polls in between.
 */
#include "lib/registry/registry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/registry/store.h"

#define TOPIC "_schemas"
#define RECORD_MAX (8 * 1024 * 1024)
#define TOGETHER_MAX 8 /* records under way; an agent's own topics have 6 schemas, a table 2 */
#define REGISTER_TIMEOUT_US 10000000 /* as long as others are faster each time */
#define WRITE_TIMEOUT_MS 10000
#define FRESH_US 100000
#define SPREAD 16 /* ids among which one chooses that has lost a race */
#define READ_PERIOD_US 1000000 /* between two looks for an id that nobody registered */

struct registry {
	struct store store;
	struct codec_schemas schemas;
	struct kafka_reader *reader;
	struct kafka_producer *producer; /* NULL: this agent does not write, or the last one is broken */
	struct kafka_topic *topic;       /* the producer's handle */
	struct kafka_config config;      /* a copy */
	char *bootstrap_servers, *client_id, **properties;
	bool read_only;
	int64_t next;      /* offset up to which the topic was read */
	int64_t read_us;   /* when */
	int64_t missed_us; /* when an unknown id last made us read on */
	int32_t missed_id; /* that id; 0: none yet */
};

/* ---- reading ---- */

struct reading {
	struct store *store;
	struct error *err;
	int rc;
};

static int take_record(void *context, const struct kafka_message *message)
{
	struct reading *reading = context;

	(void)pthread_mutex_lock(&reading->store->mutex);
	reading->rc = store_apply(reading->store, message->key, message->key_len, message->value, message->value_len,
		reading->err);
	(void)pthread_mutex_unlock(&reading->store->mutex);
	return reading->rc;
}

static int read_on(struct registry *registry, struct error *err)
{
	struct reading reading = { &registry->store, err, 0 };
	int64_t next;

	if (kafka_reader_all(registry->reader, TOPIC, 0, registry->next, take_record, &reading, &next, err) < 0 ||
		reading.rc < 0)
		return -1;
	registry->next = next;
	registry->read_us = clock_monotonic_us();
	return 0;
}

/* ---- writing ---- */

/* One record to write. The texts are somebody else's. */
struct entry {
	const char *subject, *text;
	int32_t version, id;
	bool deleted;
	struct buf key, value; /* encode() to release() */
};

static void on_delivered(void *context, uint64_t token, const struct error *err)
{
	/* kafka_producer_flush() counts, and kafka_producer_poll() tells of a failure */
	(void)context;
	(void)token;
	(void)err;
}

/* Connects in the background. */
static int open_producer(struct registry *registry, struct error *err)
{
	if (registry->producer != NULL)
		return 0;
	if (kafka_producer_new(&registry->config, on_delivered, NULL, &registry->producer, err) < 0)
		return -1;
	return kafka_producer_topic(registry->producer, TOPIC, &registry->topic, err);
}

/* The order of the members is part of the format: compaction compares the key's bytes. */
static int encode(struct entry *entry, struct error *err)
{
	struct buf *key = &entry->key, *value = &entry->value;

	buf_init(key, RECORD_MAX);
	buf_init(value, RECORD_MAX);
	buf_append_str(key, "{\"keytype\":\"SCHEMA\",\"subject\":");
	buf_json_string(key, entry->subject, strlen(entry->subject));
	buf_printf(key, ",\"version\":%" PRId32 ",\"magic\":1}", entry->version);
	buf_append_str(value, "{\"subject\":");
	buf_json_string(value, entry->subject, strlen(entry->subject));
	buf_printf(value, ",\"version\":%" PRId32 ",\"id\":%" PRId32 ",\"schema\":", entry->version, entry->id);
	buf_json_string(value, entry->text, strlen(entry->text));
	buf_printf(value, ",\"deleted\":%s}", entry->deleted ? "true" : "false");
	if (buf_check(key, "key of a schema record", err) < 0)
		return -1;
	return buf_check(value, "schema record", err);
}

static void release(struct entry *entry)
{
	buf_release(&entry->key);
	buf_release(&entry->value);
}

static int produce(struct registry *registry, const struct entry *entry, struct error *err)
{
	const struct kafka_record record = { .key = entry->key.data, .key_len = entry->key.len,
		.value = entry->value.data, .value_len = entry->value.len };
	int taken;

	do
		taken = kafka_produce(registry->producer, registry->topic, &record, err);
	while (taken == 0 && kafka_producer_flush(registry->producer, WRITE_TIMEOUT_MS) == 0);
	return taken;
}

/* Returns when all are acknowledged. */
static int produce_all(struct registry *registry, const struct entry *entries, size_t count, struct error *err)
{
	int left = 0;

	if (open_producer(registry, err) < 0)
		goto broken;
	for (size_t i = 0; i < count && left == 0; i++) {
		int taken = produce(registry, &entries[i], err);

		if (taken < 0)
			goto broken;
		left = taken == 0;
	}
	if (left == 0)
		left = kafka_producer_flush(registry->producer, WRITE_TIMEOUT_MS);
	if (kafka_producer_poll(registry->producer, 0, err) < 0)
		goto broken;
	if (left == 0)
		return 0;
	(void)error_set(err, ERROR_RETRY, "a schema was not stored in topic \"" TOPIC "\" within %d s",
		WRITE_TIMEOUT_MS / 1000);
broken:
	kafka_producer_free(registry->producer);
	registry->producer = NULL;
	return error_prefix(err, "registering a schema");
}

/* What was just written, as if it had been read; see step 3. */
static int take_written(struct registry *registry, const struct entry *entries, size_t count, struct error *err)
{
	struct store *store = &registry->store;
	int rc = 0;

	(void)pthread_mutex_lock(&store->mutex);
	for (size_t i = 0; i < count && rc == 0; i++)
		rc = store_apply(store, entries[i].key.data, entries[i].key.len, entries[i].value.data,
			entries[i].value.len, err);
	(void)pthread_mutex_unlock(&store->mutex);
	if (rc == 0) {
		registry->next += (int64_t)count;
		registry->read_us = clock_monotonic_us();
	}
	return rc;
}

/* Step 3: what the log says from there to its end. The offsets of ours rise, and each is at or behind `next`. */
static int learn(struct registry *registry, const struct entry *entries, size_t count, struct error *err)
{
	int64_t offset = kafka_producer_offset(registry->producer), nearest = registry->next + (int64_t)count - 1;

	if (offset == nearest) /* there is none between */
		return take_written(registry, entries, count, err);
	if (offset < 0 || offset > nearest)
		return read_on(registry, err);
	(void)error_set(err, ERROR_GAP, "a schema was stored in topic \"" TOPIC "\" at offset %" PRId64 ", but it was read up to %" PRId64,
		offset, registry->next);
	return error_hint(err, "the broker lost records, or the topic was made anew; at the next start it is read from its beginning");
}

/* Steps 2 and 3. count is not 0. */
static int write_entries(struct registry *registry, struct entry *entries, size_t count, struct error *err)
{
	size_t encoded = 0;
	int rc = 0;

	while (rc == 0 && encoded < count)
		rc = encode(&entries[encoded++], err);
	if (rc == 0)
		rc = produce_all(registry, entries, count, err);
	if (rc == 0)
		rc = learn(registry, entries, count, err);
	while (encoded > 0)
		release(&entries[--encoded]);
	return rc;
}

/* The first contested version, copied, and its subject's name, which lives as long as the store; NULL: none. */
static const char *find_contested(struct registry *registry, struct version *ret_version)
{
	struct subject *subject, *next;
	const char *name = NULL;

	(void)pthread_mutex_lock(&registry->store.mutex);
	HASH_ITER(hh, registry->store.subjects, subject, next)
	{
		for (size_t i = 0; i < subject->count && name == NULL; i++) {
			if (subject->versions[i].contested) {
				*ret_version = subject->versions[i];
				name = subject->name;
			}
		}
	}
	(void)pthread_mutex_unlock(&registry->store.mutex);
	return name;
}

/* Repeats the valid record of each contested version. */
static int settle(struct registry *registry, struct error *err)
{
	struct version version = { 0 };
	const char *name;

	while (!registry->read_only && (name = find_contested(registry, &version)) != NULL) {
		struct entry valid = { .subject = name, .text = version.schema->text, .version = version.number,
			.id = version.schema->id, .deleted = version.deleted };

		if (write_entries(registry, &valid, 1, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the codec's view ---- */

/*
 * Fills in the ids of the texts that stand in their subjects; returns how many records are to be written for the others,
 * in `entries`. A text that is twice in the list is to be written once. skip: ids to leave out.
 */
static size_t look_up(struct registry *registry, struct codec_registration *list, size_t count, int32_t skip,
	struct entry *entries)
{
	struct store *store = &registry->store;
	size_t missing = 0;
	int32_t last_id;

	(void)pthread_mutex_lock(&store->mutex);
	last_id = store->last_id + skip;
	for (size_t i = 0; i < count; i++) {
		struct subject *subject = store_subject(store, list[i].subject);
		const struct version *version = subject != NULL ? store_version(subject, list[i].schema) : NULL;
		const struct schema *schema = store_schema_by_text(store, list[i].schema);
		struct entry entry = { .subject = list[i].subject, .text = list[i].schema, .version = 1 };
		bool twice = false;

		list[i].id = version != NULL ? version->schema->id : 0;
		if (version != NULL)
			continue;
		entry.id = schema != NULL ? schema->id : 0;
		if (subject != NULL && subject->count > 0)
			entry.version = subject->versions[subject->count - 1].number + 1;
		for (size_t j = 0; j < missing && !twice; j++) {
			bool same_text = strcmp(entries[j].text, entry.text) == 0;
			bool same_subject = strcmp(entries[j].subject, entry.subject) == 0;

			twice = same_text && same_subject;
			if (same_text)
				entry.id = entries[j].id;
			if (same_subject)
				entry.version = entries[j].version + 1;
		}
		if (twice)
			continue;
		if (entry.id == 0)
			entry.id = ++last_id;
		entries[missing++] = entry;
	}
	(void)pthread_mutex_unlock(&store->mutex);
	return missing;
}

/* At most TOGETHER_MAX. */
static int register_together(struct registry *registry, struct codec_registration *list, size_t count,
	struct error *err)
{
	int64_t end = clock_monotonic_us() + REGISTER_TIMEOUT_US;
	struct entry entries[TOGETHER_MAX];
	size_t missing = look_up(registry, list, count, 0, entries);
	/* what was read a moment ago need not be read again: where the log has our records decides */
	bool fresh = clock_monotonic_us() - registry->read_us < FRESH_US && !registry->read_only;

	if (missing > 0 && !fresh) {
		if (read_on(registry, err) < 0 || settle(registry, err) < 0)
			return -1;
		missing = look_up(registry, list, count, 0, entries);
	}
	for (int lost = 0; missing > 0; lost++) {
		int32_t skip = 0;

		if (registry->read_only)
			return error_set(err, ERROR_CONFIG,
				"subject \"%s\" does not have the schema, and this agent does not write it", entries[0].subject);
		if (lost > 0 && clock_monotonic_us() > end)
			return error_set(err, ERROR_RETRY, "subject \"%s\": others took the id %d times",
				entries[0].subject, lost);
		if (write_entries(registry, entries, missing, err) < 0 || settle(registry, err) < 0)
			return -1;
		/* if ours were not even read (a new leader may lag), the very same records have to be written again */
		if (kafka_producer_offset(registry->producer) < registry->next)
			skip = (int32_t)(clock_monotonic_us() % SPREAD);
		missing = look_up(registry, list, count, skip, entries);
	}
	return 0;
}

static int get_ids(void *context, struct codec_registration *list, size_t count, struct error *err)
{
	for (size_t done = 0, part; done < count; done += part) {
		part = count - done < TOGETHER_MAX ? count - done : TOGETHER_MAX;
		if (register_together(context, list + done, part, err) < 0)
			return -1;
	}
	return 0;
}

static const char *find_text(struct registry *registry, int32_t id)
{
	const struct schema *schema;

	(void)pthread_mutex_lock(&registry->store.mutex);
	schema = store_schema(&registry->store, id);
	(void)pthread_mutex_unlock(&registry->store.mutex);
	return schema != NULL ? schema->text : NULL; /* never freed before the store */
}

static int get_text(void *context, int32_t id, const char **ret_schema, struct error *err)
{
	struct registry *registry = context;
	const char *text = find_text(registry, id);
	int64_t now = clock_monotonic_us();

	/* Another id is another look: its record was durable before the message that names it was written. */
	if (text == NULL && (registry->missed_id != id || now - registry->missed_us >= READ_PERIOD_US)) {
		registry->missed_id = id;
		registry->missed_us = now;
		if (read_on(registry, err) < 0)
			return -1;
		text = find_text(registry, id);
	}
	if (text == NULL) {
		(void)error_set(err, ERROR_DATA, "schema id %" PRId32 " is not in topic \"" TOPIC "\"", id);
		return error_hint(err, "was the message written with another registry, or the topic made anew?");
	}
	*ret_schema = text;
	return 0;
}

const struct codec_schemas *registry_schemas(struct registry *registry)
{
	return &registry->schemas;
}

int registry_http(struct registry *registry, const char *path, struct buf *body)
{
	int status;

	(void)pthread_mutex_lock(&registry->store.mutex);
	status = store_http(&registry->store, path, body);
	(void)pthread_mutex_unlock(&registry->store.mutex);
	return status;
}

/* ---- life cycle ---- */

static int copy_config(struct registry *registry, const struct kafka_config *config, struct error *err)
{
	size_t count = 0;
	bool complete;

	registry->bootstrap_servers = strdup(config->bootstrap_servers != NULL ? config->bootstrap_servers : "");
	registry->client_id = strdup(config->client_id != NULL ? config->client_id : "tailrace");
	registry->properties = calloc(config->property_count + 1, sizeof *registry->properties);
	complete = registry->bootstrap_servers != NULL && registry->client_id != NULL && registry->properties != NULL;
	for (; complete && count < config->property_count; count++)
		complete = (registry->properties[count] = strdup(config->properties[count])) != NULL;
	registry->config.bootstrap_servers = registry->bootstrap_servers;
	registry->config.client_id = registry->client_id;
	registry->config.properties = (const char *const *)registry->properties;
	registry->config.property_count = count;
	return complete ? 0 : error_set(err, ERROR_RETRY, "out of memory for the schema registry");
}

static int prepare_topic(const struct kafka_config *config, int replication_factor, bool read_only, struct error *err)
{
	static const char *const settings[] = { "cleanup.policy=compact" };
	const struct kafka_topic_spec spec = { TOPIC, 1, replication_factor, settings, 1 };
	struct kafka_admin *admin;
	int partitions, rc;

	if (kafka_admin_new(config, &admin, err) < 0)
		return -1;
	rc = read_only ? kafka_topic_partitions(admin, TOPIC, &partitions, err)
		       : kafka_topic_ensure(admin, &spec, &partitions, err);
	kafka_admin_free(admin);
	if (rc < 0)
		return -1;
	if (partitions == 0) {
		(void)error_set(err, ERROR_RETRY, "there is no topic \"" TOPIC "\" yet");
		return error_hint(err, "the capture agent creates it when it first runs");
	}
	if (partitions != 1)
		return error_set(err, ERROR_CONFIG, "topic \"" TOPIC "\" has %d partitions, a registry needs exactly 1",
			partitions);
	return 0;
}

int registry_open(const struct kafka_config *config, int replication_factor, bool read_only,
	struct registry **ret_registry, struct error *err)
{
	struct registry *registry = calloc(1, sizeof *registry);

	if (registry == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for the schema registry");
	store_init(&registry->store);
	registry->schemas = (struct codec_schemas){ registry, get_ids, get_text };
	registry->read_only = read_only;
	if (copy_config(registry, config, err) < 0 ||
		prepare_topic(&registry->config, replication_factor, read_only, err) < 0 ||
		kafka_reader_open(&registry->config, &registry->reader, err) < 0 ||
		(!read_only && open_producer(registry, err) < 0) || read_on(registry, err) < 0 ||
		settle(registry, err) < 0) {
		registry_close(registry);
		return -1;
	}
	*ret_registry = registry;
	return 0;
}

void registry_close(struct registry *registry)
{
	if (registry == NULL)
		return;
	kafka_producer_free(registry->producer);
	kafka_reader_close(registry->reader);
	store_release(&registry->store);
	for (size_t i = 0; registry->properties != NULL && i < registry->config.property_count; i++)
		free(registry->properties[i]);
	free(registry->properties);
	free(registry->bootstrap_servers);
	free(registry->client_id);
	free(registry);
}
