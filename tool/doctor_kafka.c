/*
 * doctor_kafka.c: Kafka and what it holds of the source: topics, registry, position record, the newest shape of each table.
 *
 *   1. brokers reachable, topics of the prefix
 *   2. registry readable, if there is one yet: before the first start of capture there is none, and nothing to decode either
 *   3. the position record
 *   4. capture: partitions against kafka.partitions; the record against the slot, by the rules of the agent's start (capture/resume.c)
 *      apply: the newest event of each table's topic, for its shape
 *
 * The settings of topics (cleanup.policy, retention) are not looked at.
 */
#include "config.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apply/map.h"
#include "lib/base/arena.h"
#include "lib/base/clock.h"
#include "lib/codec/codec.h"
#include "lib/kafka/kafka.h"
#include "lib/registry/registry.h"
#include "tool/doctor.h"

#define REGISTRY_TOPIC "_schemas"
#define TOPIC_BYTES 250
/* For decoding one record. */
#define ARENA_MAX ((size_t)64 << 20)
/* An event and its tombstone; more only where compaction has been. */
#define TAIL_RECORDS 16

enum own_topic { OWN_TRANSACTION, OWN_HEARTBEAT, OWN_POSITION, OWN_COUNT };

struct doctor_kafka {
	struct kafka_config config;
	const char *prefix;
	struct kafka_admin *admin;
	struct kafka_reader *reader;
	struct registry *registry; /* NULL: none yet, or not readable */
	struct decoder *decoder;
	struct arena arena;
	char **topics; /* all that begin with "<prefix>." */
	size_t topic_count;
	bool own[OWN_COUNT];
	bool has_history; /* marks in the transaction topic */
	bool has_position;
	struct codec_position position;
	const struct table **shapes;
};

static const char *const own_names[] = { "transaction", "heartbeat", "position" };

static const char *own_name(const struct doctor_kafka *kafka, enum own_topic which, char *buf)
{
	(void)snprintf(buf, TOPIC_BYTES, "%s.%s", kafka->prefix, own_names[which]);
	return buf;
}

static bool is_own(const struct doctor_kafka *kafka, const char *topic)
{
	char name[TOPIC_BYTES];

	for (int i = 0; i < OWN_COUNT; i++)
		if (strcmp(topic, own_name(kafka, (enum own_topic)i, name)) == 0)
			return true;
	return false;
}

/* ---- topics ---- */

static int list_topics(struct doctor_kafka *kafka, struct error *err)
{
	char prefix[TOPIC_BYTES];

	(void)snprintf(prefix, sizeof prefix, "%s.", kafka->prefix);
	if (kafka_admin_new(&kafka->config, &kafka->admin, err) < 0 ||
		kafka_topics(kafka->admin, prefix, &kafka->topics, &kafka->topic_count, err) < 0)
		return -1;
	return kafka_reader_open(&kafka->config, &kafka->reader, err);
}

static void check_own_topics(struct doctor *doctor, struct doctor_kafka *kafka)
{
	char name[TOPIC_BYTES];
	size_t there = 0;

	for (int i = 0; i < OWN_COUNT; i++) {
		struct error err = ERROR_INIT;
		int partitions = 0;

		if (kafka_topic_partitions(kafka->admin, own_name(kafka, (enum own_topic)i, name), &partitions, &err) < 0) {
			doctor_error(doctor, "topics", &err);
			continue;
		}
		kafka->own[i] = partitions > 0;
		there += kafka->own[i] ? 1 : 0;
		if (partitions <= 1)
			continue;
		doctor_fail(doctor, "topics", "kafka: topic \"%s\" has %d partitions, it must have one", name, partitions);
		doctor_remedy(doctor, "if nothing is in it: kafka-topics.sh --bootstrap-server %s --delete --topic %s; the capture agent makes it again",
			kafka->config.bootstrap_servers, name);
	}
	if (there == OWN_COUNT) {
		doctor_ok(doctor, "topics", "kafka: the topics \"%s.transaction\", \"%s.heartbeat\" and \"%s.position\" are there", kafka->prefix,
			kafka->prefix, kafka->prefix);
	} else if (doctor->kind == TOOL_CAPTURE && kafka->topic_count == 0) {
		doctor_ok(doctor, "topics", "kafka: no topic of prefix \"%s\" yet; the agent will make them", kafka->prefix);
	} else if (doctor->kind == TOOL_CAPTURE) {
		doctor_ok(doctor, "topics", "kafka: %zu of the 3 topics of the agent's own records are there; the agent will make the others", there);
	} else {
		doctor_warn(doctor, "topics", "kafka: no capture agent has made the topics of prefix \"%s\" yet", kafka->prefix);
		doctor_remedy(doctor, "start tailrace-capture with topic_prefix = \"%s\", or correct topic_prefix in %s", kafka->prefix, doctor->path);
	}
}

static void check_partitions(struct doctor *doctor, struct doctor_kafka *kafka)
{
	int64_t wanted = doctor->capture->partitions;
	size_t tables = 0, others = 0;

	for (size_t i = 0; i < kafka->topic_count; i++) {
		struct error err = ERROR_INIT;
		int partitions;

		if (is_own(kafka, kafka->topics[i]))
			continue;
		tables++;
		if (kafka_topic_partitions(kafka->admin, kafka->topics[i], &partitions, &err) < 0) {
			doctor_error(doctor, "partitions", &err);
			return;
		}
		if (partitions == wanted)
			continue;
		others++;
		doctor_warn(doctor, "partitions", "kafka: topic \"%s\" has %d partitions, kafka.partitions is %" PRId64 ": it keeps its number",
			kafka->topics[i], partitions, wanted);
		doctor_remedy(doctor, "set kafka.partitions = %d in %s, or leave it: do not add partitions to the topic, that would part the events "
			"of a row", partitions, doctor->path);
	}
	if (tables > 0 && others == 0)
		doctor_ok(doctor, "partitions", "kafka: all %zu tables' topics have %" PRId64 " partitions", tables, wanted);
}

/* ---- registry ---- */

static void open_registry(struct doctor *doctor, struct doctor_kafka *kafka)
{
	struct error err = ERROR_INIT;
	int partitions = 0;

	if (kafka_topic_partitions(kafka->admin, REGISTRY_TOPIC, &partitions, &err) < 0)
		goto fail;
	if (partitions == 0) {
		if (kafka->topic_count == 0) {
			doctor_ok(doctor, "registry", "kafka: no schema registry yet; the capture agent will make topic \"" REGISTRY_TOPIC "\"");
			return;
		}
		doctor_fail(doctor, "registry", "kafka: topic \"" REGISTRY_TOPIC "\" is missing, but there are events of prefix \"%s\": nobody can read them",
			kafka->prefix);
		doctor_remedy(doctor, "restore the topic \"" REGISTRY_TOPIC "\" from a backup, or start anew with another topic_prefix");
		return;
	}
	if (registry_open(&kafka->config, 1, true, &kafka->registry, &err) < 0)
		goto fail;
	kafka->decoder = decoder_new(registry_schemas(kafka->registry));
	if (kafka->decoder == NULL) {
		(void)error_set(&err, ERROR_RETRY, "out of memory for the registry");
		goto fail;
	}
	doctor_ok(doctor, "registry", "kafka: the schema registry in topic \"" REGISTRY_TOPIC "\" is readable");
	return;
fail:
	(void)error_prefix(&err, "kafka");
	doctor_error(doctor, "registry", &err);
}

/* ---- the position record ---- */

struct visit {
	struct doctor_kafka *kafka;
	struct error err;
	bool failed;
	const struct table *shape; /* of the newest event so far */
	uint64_t commit, index;
};

static int visit_position(void *context, const struct kafka_message *message)
{
	struct visit *visit = context;

	if (message->value == NULL)
		return 0;
	arena_reset(&visit->kafka->arena);
	if (decoder_position(visit->kafka->decoder, message->value, message->value_len, &visit->kafka->arena,
		    &visit->kafka->position, &visit->err) < 0)
		visit->failed = true;
	else
		visit->kafka->has_position = true;
	return 1;
}

static void read_position(struct doctor *doctor, struct doctor_kafka *kafka)
{
	struct visit visit = { .kafka = kafka, .err = ERROR_INIT };
	char name[TOPIC_BYTES], place[24];
	int64_t low, high;

	if (kafka->own[OWN_TRANSACTION] &&
		kafka_watermarks(kafka->admin, own_name(kafka, OWN_TRANSACTION, name), 0, &low, &high, &visit.err) == 0)
		kafka->has_history = high > 0;
	if (!kafka->own[OWN_POSITION] || kafka->decoder == NULL)
		return;
	if (kafka_reader_tail(kafka->reader, own_name(kafka, OWN_POSITION, name), 0, TAIL_RECORDS, visit_position, &visit, &visit.err) < 0 ||
		visit.failed) {
		(void)error_prefix(&visit.err, "kafka: topic \"%s\"", name);
		doctor_error(doctor, "position", &visit.err);
	} else if (kafka->has_position) {
		doctor_ok(doctor, "position", "kafka: the log of the source is durable up to %s",
			position_commit_format(kafka->position.log, kafka->position.confirmed, place, sizeof place));
	}
}

const char *doctor_kafka_log(const struct doctor_kafka *kafka)
{
	return kafka->has_position ? kafka->position.log : "";
}

/* ---- capture: the record and the slot ---- */

static void gap(struct doctor *doctor)
{
	doctor_remedy(doctor, "what lies between cannot be read any more: restore what was there, or start anew with another topic_prefix%s in %s",
		strcmp(doctor->capture->type, "postgresql") == 0 ? " and slot_name" : "", doctor->path);
}

/*
 * MySQL, MariaDB: whether the server still has the log from the record's place on is the agent's to find out; what can be said is how old the record is, and
 * how long the server keeps its log. The identity names the server where the numbering began, which may be gone by now.
 */
static void compare_binlog(struct doctor *doctor, const struct codec_position *position, const struct doctor_log *log)
{
	int64_t age_s = (clock_wall_us() - position->wall_us) / 1000000;
	const char *type = doctor->capture->type;

	if (strncmp(position->log, type, strlen(type)) != 0 || position->log[strlen(type)] != ':') {
		doctor_fail(doctor, "continuity", "Kafka has the log %s, but the source is of type \"%s\"", position->log, type);
		gap(doctor);
	} else if (log->kept_known && log->kept_s > 0 && age_s >= log->kept_s) {
		doctor_fail(doctor, "continuity", "Kafka has the log %s as it was %" PRId64 " s ago, and the server keeps its log for %" PRId64 " s only",
			position->log, age_s, log->kept_s);
		doctor_remedy(doctor, "start the agent: if the log is gone it says so, and then start anew with another topic_prefix in %s; keep the log longer "
			"(binlog_expire_logs_seconds)", doctor->path);
	} else if (log->kept_known && log->kept_s > 0 && age_s >= log->kept_s / 2) {
		doctor_warn(doctor, "continuity", "Kafka has the log %s as it was %" PRId64 " s ago, and the server keeps its log for %" PRId64 " s only",
			position->log, age_s, log->kept_s);
		doctor_remedy(doctor, "start the agent, or keep the log longer: SET GLOBAL binlog_expire_logs_seconds = %" PRId64, log->kept_s * 4);
	} else if (log->kept_known) {
		doctor_ok(doctor, "continuity", "Kafka has the log %s as it was %" PRId64 " s ago", position->log, age_s < 0 ? 0 : age_s);
	}
}

void doctor_kafka_compare(struct doctor *doctor, struct doctor_kafka *kafka, const struct doctor_log *log)
{
	const struct codec_position *position = &kafka->position;
	char slot[20], have[20];

	check_partitions(doctor, kafka);
	if (!kafka->has_position) {
		if (kafka->has_history && kafka->decoder != NULL) {
			doctor_fail(doctor, "continuity", "there are transactions of prefix \"%s\" in Kafka, but no position record", kafka->prefix);
			gap(doctor);
		}
		return;
	}
	if (strcmp(doctor->capture->type, "postgresql") != 0) {
		compare_binlog(doctor, position, log);
		return;
	}
	(void)position_lsn_format(position->confirmed, have, sizeof have);
	if (log->log[0] != '\0' && strcmp(log->log, position->log) != 0) {
		doctor_fail(doctor, "continuity", "Kafka has the log %s, but the source is %s", position->log, log->log);
		gap(doctor);
	} else if (log->slot_asked && !log->slot_found) {
		doctor_fail(doctor, "continuity", "Kafka has the log up to %s, but replication slot \"%s\" is not there to go on from", have,
			doctor->capture->slot_name);
		gap(doctor);
	} else if (log->slot_found && log->confirmed > position->confirmed) {
		doctor_fail(doctor, "continuity", "replication slot \"%s\" was moved to %s, but Kafka has the log only up to %s",
			doctor->capture->slot_name, position_lsn_format(log->confirmed, slot, sizeof slot), have);
		gap(doctor);
	} else if (log->head_known && log->head < position->confirmed) {
		doctor_fail(doctor, "continuity", "the log of the source ends at %s, but Kafka has it up to %s",
			position_lsn_format(log->head, slot, sizeof slot), have);
		gap(doctor);
	} else if (log->slot_found) {
		doctor_ok(doctor, "continuity", "replication slot and Kafka continue each other");
	}
}

/* ---- apply: shapes ---- */

static int visit_event(void *context, const struct kafka_message *message)
{
	struct visit *visit = context;
	struct event event;

	if (message->value == NULL)
		return 0;
	arena_reset(&visit->kafka->arena);
	if (decoder_event(visit->kafka->decoder, message->key, message->key_len, message->value, message->value_len,
		    &visit->kafka->arena, &event, &visit->err) < 0) {
		visit->failed = true;
	} else if (visit->shape == NULL ||
		   position_compare(event.commit, event.change.index, visit->commit, visit->index) > 0) {
		visit->shape = event.change.table;
		visit->commit = event.commit;
		visit->index = event.change.index;
	}
	return 1;
}

/* The shape of the newest event of all partitions; NULL: none, or a FAIL. */
static const struct table *newest_shape(struct doctor *doctor, struct doctor_kafka *kafka, const char *topic)
{
	struct visit visit = { .kafka = kafka, .err = ERROR_INIT };
	int partitions = 0;

	if (kafka_topic_partitions(kafka->admin, topic, &partitions, &visit.err) < 0)
		visit.failed = true;
	for (int i = 0; i < partitions && !visit.failed; i++)
		if (kafka_reader_tail(kafka->reader, topic, i, TAIL_RECORDS, visit_event, &visit, &visit.err) < 0)
			visit.failed = true;
	if (!visit.failed)
		return visit.shape;
	(void)error_prefix(&visit.err, "kafka: newest event of topic \"%s\"", topic);
	doctor_error(doctor, "events", &visit.err);
	return NULL;
}

void doctor_kafka_shapes(struct doctor *doctor, struct doctor_kafka *kafka, const struct table *const **ret_shapes,
	size_t *ret_count)
{
	struct map *map = map_new(doctor->apply);
	size_t count = 0;

	kafka->shapes = calloc(kafka->topic_count + 1, sizeof *kafka->shapes);
	for (size_t i = 0; i < kafka->topic_count && map != NULL && kafka->shapes != NULL && kafka->decoder != NULL; i++) {
		const struct table *shape = is_own(kafka, kafka->topics[i]) ? NULL : newest_shape(doctor, kafka, kafka->topics[i]);
		char collection[256];

		if (shape == NULL)
			continue;
		(void)snprintf(collection, sizeof collection, "%s.%s", shape->schema, shape->name);
		if (map_selected(map, collection))
			kafka->shapes[count++] = shape;
	}
	map_free(map);
	*ret_shapes = kafka->shapes;
	*ret_count = kafka->shapes != NULL ? count : 0;
}

/* ---- open and close ---- */

struct doctor_kafka *doctor_kafka_open(struct doctor *doctor)
{
	struct doctor_kafka *kafka = calloc(1, sizeof *kafka);
	struct error err = ERROR_INIT;

	if (kafka == NULL) {
		doctor_fail(doctor, "kafka", "out of memory");
		return NULL;
	}
	arena_init(&kafka->arena, ARENA_MAX);
	kafka->prefix = doctor->capture != NULL ? doctor->capture->topic_prefix : doctor->apply->topic_prefix;
	kafka->config = doctor->kafka;
	if (list_topics(kafka, &err) < 0) {
		doctor_fail(doctor, "kafka", "kafka: no answer from %s: %s", kafka->config.bootstrap_servers, err.text);
		doctor_remedy(doctor, "%s%sstart the brokers, or correct kafka.bootstrap_servers and kafka.properties in %s", err.hint,
			err.hint[0] != '\0' ? "; " : "", doctor->path);
		doctor_kafka_close(kafka);
		return NULL;
	}
	doctor_ok(doctor, "kafka", "kafka: %s answers", kafka->config.bootstrap_servers);
	check_own_topics(doctor, kafka);
	open_registry(doctor, kafka);
	read_position(doctor, kafka);
	return kafka;
}

void doctor_kafka_close(struct doctor_kafka *kafka)
{
	if (kafka == NULL)
		return;
	free(kafka->shapes);
	decoder_free(kafka->decoder);
	if (kafka->registry != NULL)
		registry_close(kafka->registry);
	kafka_reader_close(kafka->reader);
	kafka_names_free(kafka->topics, kafka->topic_count);
	if (kafka->admin != NULL)
		kafka_admin_free(kafka->admin);
	arena_release(&kafka->arena);
	free(kafka);
}
