/*
 * fake_kafka.c: topics, a producer and a reader in memory.
 */
#include "tests/fake/fake_kafka.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOPICS_MAX 64

struct kafka_topic {
	char name[250];
	int count;
	struct fake_partition *partitions;
};

struct kafka_admin {
	int nothing;
};

struct kafka_reader {
	int nothing;
};

struct kafka_producer {
	kafka_delivered *delivered;
	void *context;
};

static struct {
	struct kafka_topic topics[TOPICS_MAX];
	size_t count;
	uint64_t random;
	unsigned full_percent, slow_percent;
	uint64_t steps, crash_after;
	bool crashed, late_metadata;
} fake = { .random = 1, .crash_after = UINT64_MAX };

/* ---- dice (splitmix64) ---- */

void fake_kafka_seed(uint64_t seed)
{
	fake.random = seed;
}

uint64_t fake_random(uint64_t n)
{
	uint64_t z = (fake.random += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
	return n == 0 ? 0 : (z ^ (z >> 31)) % n;
}

/* ---- records ---- */

static void record_release(struct fake_record *record)
{
	free(record->key);
	free(record->value);
	free(record->header_value);
}

static void *copy(const void *bytes, size_t len)
{
	char *made;

	if (bytes == NULL)
		return NULL;
	made = malloc(len + 1);
	assert(made != NULL);
	memcpy(made, bytes, len);
	made[len] = '\0';
	return made;
}

static struct fake_record *append(struct fake_partition *partition)
{
	if (partition->count == partition->room) {
		partition->room = partition->room == 0 ? 16 : partition->room * 2;
		partition->records = realloc(partition->records, partition->room * sizeof *partition->records);
		assert(partition->records != NULL);
	}
	memset(&partition->records[partition->count], 0, sizeof *partition->records);
	return &partition->records[partition->count++];
}

static struct kafka_topic *find(const char *name)
{
	for (size_t i = 0; i < fake.count; i++)
		if (strcmp(fake.topics[i].name, name) == 0)
			return &fake.topics[i];
	return NULL;
}

static struct kafka_topic *make(const char *name, int partitions)
{
	struct kafka_topic *topic = find(name);

	if (topic != NULL)
		return topic;
	assert(fake.count < TOPICS_MAX);
	topic = &fake.topics[fake.count++];
	(void)snprintf(topic->name, sizeof topic->name, "%s", name);
	topic->count = partitions;
	topic->partitions = calloc((size_t)partitions, sizeof *topic->partitions);
	assert(topic->partitions != NULL);
	return topic;
}

void fake_kafka_reset(void)
{
	for (size_t i = 0; i < fake.count; i++) {
		for (int p = 0; p < fake.topics[i].count; p++) {
			struct fake_partition *partition = &fake.topics[i].partitions[p];

			for (size_t r = 0; r < partition->count; r++)
				record_release(&partition->records[r]);
			free(partition->records);
		}
		free(fake.topics[i].partitions);
	}
	memset(&fake, 0, sizeof fake);
	fake.random = 1;
	fake.crash_after = UINT64_MAX;
}

struct fake_partition *fake_kafka_partition(const char *name, int partition)
{
	struct kafka_topic *topic = find(name);

	return topic != NULL && partition < topic->count ? &topic->partitions[partition] : NULL;
}

int fake_kafka_partitions(const char *name)
{
	struct kafka_topic *topic = find(name);

	return topic != NULL ? topic->count : 0;
}

const char *fake_kafka_topic_name(size_t n)
{
	return n < fake.count ? fake.topics[n].name : NULL;
}

void fake_kafka_put(const char *name, int partitions, int partition, const char *key, const char *value)
{
	struct fake_partition *to = &make(name, partitions)->partitions[partition];
	struct fake_record *record = append(to);

	record->key = copy(key, key != NULL ? strlen(key) : 0);
	record->key_len = key != NULL ? strlen(key) : 0;
	record->value = copy(value, value != NULL ? strlen(value) : 0);
	record->value_len = value != NULL ? strlen(value) : 0;
	to->durable = to->reported = to->count;
}

void fake_kafka_late_metadata(void)
{
	fake.late_metadata = true;
}

void fake_kafka_repeat(const char *name, int partition, size_t count)
{
	struct fake_partition *to = fake_kafka_partition(name, partition);

	for (size_t i = 0; i < count && i < to->durable; i++) {
		struct fake_record *made = append(to);

		*made = to->records[i];
		made->key = copy(made->key, made->key_len);
		made->value = copy(made->value, made->value_len);
		made->header_value = copy(made->header_value, made->header_len);
	}
	to->durable = to->reported = to->count;
}

void fake_kafka_truncate(const char *name, int partition, size_t left)
{
	struct fake_partition *from = fake_kafka_partition(name, partition);

	while (from->count > left)
		record_release(&from->records[--from->count]);
	from->durable = from->reported = from->count;
}

/* ---- the end of the world ---- */

void fake_kafka_trouble(unsigned full_percent, unsigned slow_percent)
{
	fake.full_percent = full_percent;
	fake.slow_percent = slow_percent;
}

void fake_kafka_crash_after(uint64_t steps)
{
	fake.steps = 0;
	fake.crash_after = steps;
}

/* Each partition keeps some of what was in its queue, from the front. */
static void resolve_queues(bool by_crash)
{
	for (size_t i = 0; i < fake.count; i++) {
		for (int p = 0; p < fake.topics[i].count; p++) {
			struct fake_partition *partition = &fake.topics[i].partitions[p];
			size_t waiting = partition->count - partition->durable;

			if (by_crash)
				partition->durable += (size_t)fake_random(waiting + 1);
			while (partition->count > partition->durable)
				record_release(&partition->records[--partition->count]);
			partition->reported = partition->durable;
		}
	}
}

bool fake_step(struct error *err)
{
	if (!fake.crashed && fake.steps++ >= fake.crash_after) {
		fake.crashed = true;
		resolve_queues(true);
	}
	if (fake.crashed)
		(void)error_set(err, ERROR_RETRY, "the world ended");
	return fake.crashed;
}

bool fake_kafka_crashed(void)
{
	return fake.crashed;
}

void fake_kafka_recover(void)
{
	fake.crashed = false;
	fake.steps = 0;
	fake.crash_after = UINT64_MAX;
}

uint64_t fake_steps(void)
{
	return fake.steps;
}

/* ---- kafka.h: admin ---- */

int kafka_config_check(const struct kafka_config *config, struct error *err)
{
	return 0;
}

int kafka_admin_new(const struct kafka_config *config, struct kafka_admin **ret_admin, struct error *err)
{
	*ret_admin = calloc(1, sizeof **ret_admin);
	assert(*ret_admin != NULL);
	return 0;
}

void kafka_admin_free(struct kafka_admin *admin)
{
	free(admin);
}

int kafka_topic_ensure(struct kafka_admin *admin, const struct kafka_topic_spec *spec, int *ret_partitions,
	struct error *err)
{
	if (fake_step(err))
		return -1;
	*ret_partitions = make(spec->name, spec->partitions)->count;
	return 0;
}

int kafka_topics_create(struct kafka_admin *admin, const struct kafka_topic_spec *specs, size_t count,
	struct error *err)
{
	if (fake_step(err))
		return -1;
	for (size_t i = 0; i < count; i++)
		(void)make(specs[i].name, specs[i].partitions);
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

int kafka_topics(struct kafka_admin *admin, const char *prefix, char ***ret_names, size_t *ret_count, struct error *err)
{
	if (fake_step(err))
		return -1;
	*ret_count = 0;
	*ret_names = calloc(fake.count + 1, sizeof **ret_names);
	assert(*ret_names != NULL);
	for (size_t i = 0; i < fake.count; i++)
		if (strncmp(fake.topics[i].name, prefix, strlen(prefix)) == 0)
			(*ret_names)[(*ret_count)++] = strdup(fake.topics[i].name);
	qsort(*ret_names, *ret_count, sizeof **ret_names, compare_names);
	return 0;
}

void kafka_names_free(char **names, size_t count)
{
	for (size_t i = 0; i < count; i++)
		free(names[i]);
	free(names);
}

int kafka_topic_partitions(struct kafka_admin *admin, const char *name, int *ret_partitions, struct error *err)
{
	if (fake_step(err))
		return -1;
	*ret_partitions = fake.late_metadata ? 0 : fake_kafka_partitions(name);
	return 0;
}

int kafka_watermarks(struct kafka_admin *admin, const char *name, int partition, int64_t *ret_low, int64_t *ret_high,
	struct error *err)
{
	const struct fake_partition *from = fake_kafka_partition(name, partition);

	*ret_low = 0;
	*ret_high = from != NULL ? (int64_t)from->durable : 0;
	return 0;
}

/* ---- kafka.h: reader ---- */

int kafka_reader_open(const struct kafka_config *config, struct kafka_reader **ret_reader, struct error *err)
{
	*ret_reader = calloc(1, sizeof **ret_reader);
	assert(*ret_reader != NULL);
	return 0;
}

void kafka_reader_close(struct kafka_reader *reader)
{
	free(reader);
}

int kafka_reader_tail(struct kafka_reader *reader, const char *name, int partition, int most, kafka_visit *visit,
	void *context, struct error *err)
{
	const struct fake_partition *from = fake_kafka_partition(name, partition);

	if (fake_step(err))
		return -1;
	for (size_t i = from != NULL ? from->durable : 0; i > 0 && most > 0; i--, most--) {
		const struct fake_record *record = &from->records[i - 1];
		struct kafka_message message = { .key = record->key, .key_len = record->key_len, .value = record->value,
			.value_len = record->value_len, .offset = (int64_t)i - 1 };

		if (visit(context, &message) != 0)
			break;
	}
	return 0;
}

int kafka_reader_all(struct kafka_reader *reader, const char *name, int partition, int64_t first, kafka_visit *visit,
	void *context, int64_t *ret_next, struct error *err)
{
	const struct fake_partition *from = fake_kafka_partition(name, partition);
	size_t end = from != NULL ? from->durable : 0;

	if (fake_step(err))
		return -1;
	for (size_t i = (size_t)first; i < end; i++) {
		const struct fake_record *record = &from->records[i];
		struct kafka_message message = { .key = record->key, .key_len = record->key_len, .value = record->value,
			.value_len = record->value_len, .offset = (int64_t)i };

		if (visit(context, &message) != 0)
			break;
	}
	*ret_next = (int64_t)end;
	return 0;
}

/* ---- kafka.h: producer ---- */

int kafka_producer_new(const struct kafka_config *config, kafka_delivered *delivered, void *context,
	struct kafka_producer **ret_producer, struct error *err)
{
	if (fake_step(err))
		return -1;
	*ret_producer = calloc(1, sizeof **ret_producer);
	assert(*ret_producer != NULL);
	(*ret_producer)->delivered = delivered;
	(*ret_producer)->context = context;
	return 0;
}

void kafka_producer_free(struct kafka_producer *producer)
{
	if (producer != NULL)
		resolve_queues(true);
	free(producer);
}

int kafka_producer_topic(struct kafka_producer *producer, const char *name, struct kafka_topic **ret_topic,
	struct error *err)
{
	*ret_topic = find(name);
	assert(*ret_topic != NULL);
	return 0;
}

int32_t kafka_partition(const void *key, size_t key_len, int32_t partitions)
{
	const unsigned char *bytes = key;
	uint32_t hash = 2166136261u;

	for (size_t i = 0; key != NULL && i < key_len; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return key == NULL ? 0 : (int32_t)(hash % (uint32_t)partitions);
}

void kafka_producer_limit(struct kafka_producer *producer, size_t bytes)
{
}

int kafka_produce(struct kafka_producer *producer, struct kafka_topic *topic, const struct kafka_record *record,
	struct error *err)
{
	struct fake_record *made;

	if (fake_step(err))
		return -1;
	if (fake_random(100) < fake.full_percent)
		return 0;
	assert(record->partition >= 0 && record->partition < topic->count);
	made = append(&topic->partitions[record->partition]);
	made->key = copy(record->key, record->key_len);
	made->key_len = record->key_len;
	made->value = copy(record->value, record->value_len);
	made->value_len = record->value_len;
	made->token = record->token;
	if (record->header_count > 0) {
		(void)snprintf(made->header, sizeof made->header, "%s", record->headers[0].name);
		made->header_value = copy(record->headers[0].value, record->headers[0].len);
		made->header_len = record->headers[0].len;
	}
	return 1;
}

int kafka_producer_poll(struct kafka_producer *producer, int timeout_ms, struct error *err)
{
	int served = 0;

	if (fake_step(err))
		return -1;
	for (size_t i = 0; i < fake.count; i++) {
		for (int p = 0; p < fake.topics[i].count; p++) {
			struct fake_partition *partition = &fake.topics[i].partitions[p];
			size_t waiting = partition->count - partition->durable;

			if (waiting > 0 && fake_random(100) >= fake.slow_percent)
				partition->durable += 1 + (size_t)fake_random(waiting);
			/* Durable and reported are two things: the report may be the one that a crash takes. */
			while (partition->reported < partition->durable && fake_random(100) >= fake.slow_percent / 2) {
				producer->delivered(producer->context,
					partition->records[partition->reported++].token, NULL);
				served++;
			}
		}
	}
	return served;
}

int kafka_producer_push(struct kafka_producer *producer)
{
	return -1;
}

int kafka_producer_fd(struct kafka_producer *producer)
{
	return -1;
}

int kafka_producer_flush(struct kafka_producer *producer, int timeout_ms)
{
	(void)kafka_producer_poll(producer, 0, NULL);
	return 0;
}
