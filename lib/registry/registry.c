/*
 * registry.c: registering and finding schemas, with the log of `_schemas` as the arbiter.
 *
 * To register a text for a subject:
 *   1. read on to the end of the topic (unless that was just done); if the text stands there by now, that is its id;
 *   2. write a record with the text's id (another subject may have it), else the next free id, and the subject's
 *      next version;
 *   3. when it is acknowledged, read on: if our text stands in the subject, done. Another's record with our id or
 *      version came first otherwise: repeat its record if ours has the same key (store.h: contested), and go back to
 *      2.
 *
 * One reader and, from the first registration on, one producer live as long as the registry. Nobody polls in between.
 */
#include "lib/registry/registry.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/registry/store.h"

#define TOPIC "_schemas"
#define RECORD_MAX (8 * 1024 * 1024)
#define REGISTER_TIMEOUT_US 10000000 /* as long as others are faster each time */
#define WRITE_TIMEOUT_MS 10000
#define FRESH_US 100000
#define READ_PERIOD_US 1000000 /* between two looks for an id that nobody registered */

struct registry {
	struct store store;
	struct codec_schemas schemas;
	struct kafka_reader *reader;
	struct kafka_producer *producer; /* NULL until something is to be written */
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

static void on_delivered(void *context, uint64_t token, const struct error *err)
{
	/* kafka_producer_flush() counts, and kafka_producer_poll() tells of a failure */
	(void)context;
	(void)token;
	(void)err;
}

static int write_bytes(struct registry *registry, const struct buf *key, const struct buf *value, struct error *err)
{
	struct kafka_record record = { .key = key->data, .key_len = key->len, .value = value->data,
		.value_len = value->len };
	struct kafka_topic *topic;
	int left;

	if (registry->producer == NULL &&
		kafka_producer_new(&registry->config, on_delivered, NULL, &registry->producer, err) < 0)
		return -1;
	if (kafka_producer_topic(registry->producer, TOPIC, &topic, err) < 0 ||
		kafka_produce(registry->producer, topic, &record, err) < 0)
		goto broken;
	left = kafka_producer_flush(registry->producer, WRITE_TIMEOUT_MS);
	if (kafka_producer_poll(registry->producer, 0, err) < 0)
		goto broken;
	if (left > 0) {
		(void)error_set(err, ERROR_RETRY, "a schema was not stored in topic \"" TOPIC "\" within %d s",
			WRITE_TIMEOUT_MS / 1000);
		goto broken;
	}
	return 0;
broken:
	kafka_producer_free(registry->producer);
	registry->producer = NULL;
	return error_prefix(err, "registering a schema");
}

/* The order of the members is part of the format: compaction compares the key's bytes. */
static int write_record(struct registry *registry, const char *subject, int32_t version, int32_t id, const char *schema,
	bool deleted, struct error *err)
{
	struct buf key, value;
	int rc = -1;

	buf_init(&key, RECORD_MAX);
	buf_init(&value, RECORD_MAX);
	buf_append_str(&key, "{\"keytype\":\"SCHEMA\",\"subject\":");
	buf_json_string(&key, subject, strlen(subject));
	buf_printf(&key, ",\"version\":%" PRId32 ",\"magic\":1}", version);
	buf_append_str(&value, "{\"subject\":");
	buf_json_string(&value, subject, strlen(subject));
	buf_printf(&value, ",\"version\":%" PRId32 ",\"id\":%" PRId32 ",\"schema\":", version, id);
	buf_json_string(&value, schema, strlen(schema));
	buf_printf(&value, ",\"deleted\":%s}", deleted ? "true" : "false");
	if (buf_check(&key, "key of a schema record", err) == 0 && buf_check(&value, "schema record", err) == 0)
		rc = write_bytes(registry, &key, &value, err);
	buf_release(&key);
	buf_release(&value);
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
		if (write_record(registry, name, version.number, version.schema->id, version.schema->text,
			    version.deleted, err) < 0 || read_on(registry, err) < 0)
			return -1;
	}
	return 0;
}

/* ---- the codec's view ---- */

/* The id if the text stands in the subject, else 0 and what to write. */
static int32_t find_id(struct registry *registry, const char *name, const char *text, int32_t *ret_version,
	int32_t *ret_id)
{
	struct store *store = &registry->store;
	const struct version *version = NULL;
	const struct schema *schema;
	struct subject *subject;

	(void)pthread_mutex_lock(&store->mutex);
	subject = store_subject(store, name);
	if (subject != NULL)
		version = store_version(subject, text);
	schema = store_schema_by_text(store, text);
	*ret_version = subject != NULL && subject->count > 0 ? subject->versions[subject->count - 1].number + 1 : 1;
	*ret_id = schema != NULL ? schema->id : store->last_id + 1;
	(void)pthread_mutex_unlock(&store->mutex);
	return version != NULL ? version->schema->id : 0;
}

static int get_id(void *context, const char *subject, const char *schema, int32_t *ret_id, struct error *err)
{
	struct registry *registry = context;
	int64_t end = clock_monotonic_us() + REGISTER_TIMEOUT_US;
	int32_t version, id, found = find_id(registry, subject, schema, &version, &id);

	for (int32_t attempt = 0; found == 0; attempt++) {
		/* what was read a moment ago need not be read again: the reading after the write decides */
		if (attempt == 0 && clock_monotonic_us() - registry->read_us < FRESH_US && !registry->read_only)
			continue;
		if (attempt > 0 && clock_monotonic_us() > end)
			return error_set(err, ERROR_RETRY, "subject \"%s\": others took the id %" PRId32 " times", subject,
				attempt - 1);
		if (attempt > 0 && write_record(registry, subject, version, id, schema, false, err) < 0)
			return -1;
		if (read_on(registry, err) < 0 || settle(registry, err) < 0)
			return -1;
		found = find_id(registry, subject, schema, &version, &id);
		if (found == 0 && registry->read_only)
			return error_set(err, ERROR_CONFIG,
				"subject \"%s\" does not have the schema, and this agent does not write it", subject);
	}
	*ret_id = found;
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
	registry->schemas = (struct codec_schemas){ registry, get_id, get_text };
	registry->read_only = read_only;
	if (copy_config(registry, config, err) < 0 ||
		prepare_topic(&registry->config, replication_factor, read_only, err) < 0 ||
		kafka_reader_open(&registry->config, &registry->reader, err) < 0 || read_on(registry, err) < 0 ||
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
