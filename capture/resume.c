/*
 * resume.c: reads the ends of the agent's topics and compares them with the log.
 *
 * What must hold, the log's positions from left to right:
 *
 *   slot's (or source's) confirmed <= position record's confirmed <= log's end
 *   position record's transaction <= last END <= last BEGIN < log's end
 *
 * The first, because the slot is told a position only after its record is durable; the second, because a position is
 * recorded only after the END is durable. "Last" is the newest by its position: an agent that was paused while another
 * took over may have put copies of old records behind it. If anything else is found, somebody moved the slot, set the
 * source back, or took records out of Kafka: going on would lose or mix events in silence, so each case is a stop with
 * a name.
 */
#include "capture/resume.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"

/* For decoding one record of a tail. */
#define ARENA_MAX ((size_t)64 << 20)
/*
 * Records to look at from the end: an event and its tombstone, END and the next BEGIN; some more for where compaction
 * has been.
 */
#define TAIL_RECORDS 4
/* When old records came late: as many as an agent's queue of 64 MiB has (pipeline.c). */
#define LOOK_BACK_RECORDS 65536

#define HINT_ANEW "restore what was there, or start anew with another topic_prefix (and slot)"

bool resume_has_history(const struct resume_point *point)
{
	return point->has_position || point->has_end || point->begin_commit > 0 || point->expired;
}

/* ---- the agent's own topics ---- */

static int own_topic(const struct resume_reader *reader, enum produce_topic_kind kind, int replication_factor,
	const char *setting, struct error *err)
{
	char name[PRODUCE_TOPIC_MAX];
	const char *const settings[] = { setting };
	struct kafka_topic_spec spec = { produce_topic_name(reader->prefix, kind, name), 1, replication_factor,
		settings, setting != NULL ? 1 : 0 };
	int partitions;

	if (kafka_topic_ensure(reader->admin, &spec, &partitions, err) < 0)
		return error_prefix(err, "topic \"%s\"", name);
	if (partitions == 1)
		return 0;
	error_set(err, ERROR_CONFIG, "topic \"%s\" has %d partitions", name, partitions);
	return error_hint(err,
		"it must have one, because its records are in the order of the log; delete it if nothing is in it");
}

int resume_topics(const struct resume_reader *reader, int replication_factor, struct error *err)
{
	/* END counts every table of its transaction. */
	char largest[48];

	(void)snprintf(largest, sizeof largest, "max.message.bytes=%zu", PRODUCE_MESSAGE_MAX);
	if (own_topic(reader, PRODUCE_TRANSACTIONS, replication_factor, largest, err) < 0 ||
		own_topic(reader, PRODUCE_HEARTBEATS, replication_factor, NULL, err) < 0)
		return -1;
	return own_topic(reader, PRODUCE_POSITIONS, replication_factor, "cleanup.policy=compact", err);
}

struct visit {
	const struct resume_reader *reader;
	struct resume_point *point;
	struct arena arena;
	struct error *err;
	bool failed;
};

/* Keeps the position; its resume stands in the arena of the visit. */
static int keep_position(struct resume_point *point, const struct codec_position *position, struct error *err)
{
	char *resume = position->resume[0] != '\0' ? strdup(position->resume) : NULL;

	if (resume == NULL && position->resume[0] != '\0')
		return error_set(err, ERROR_RETRY, "out of memory for a position record");
	free(point->resume);
	point->resume = resume;
	point->position = *position;
	point->position.resume = resume != NULL ? resume : "";
	point->has_position = true;
	return 0;
}

/* The newest is that of the last epoch, and in it the furthest. */
static int visit_position(void *context, const struct kafka_message *message)
{
	struct visit *visit = context;
	const struct codec_position *newest = &visit->point->position;
	struct codec_position position;

	if (message->value == NULL)
		return 0;
	arena_reset(&visit->arena);
	if (decoder_position(visit->reader->decoder, message->value, message->value_len, &visit->arena, &position,
		    visit->err) < 0) {
		visit->failed = true;
		return 1;
	}
	if (visit->point->has_position && (position.epoch < newest->epoch ||
		(position.epoch == newest->epoch && position.confirmed <= newest->confirmed)))
		return 0;
	visit->failed = keep_position(visit->point, &position, visit->err) < 0;
	return visit->failed ? 1 : 0;
}

static int visit_mark(void *context, const struct kafka_message *message)
{
	struct visit *visit = context;
	struct resume_point *point = visit->point;
	struct mark mark;

	if (message->value == NULL)
		return 0;
	arena_reset(&visit->arena);
	if (decoder_mark(visit->reader->decoder, message->value, message->value_len, &visit->arena, &mark,
		visit->err) < 0) {
		visit->failed = true;
		return 1;
	}
	if (mark.commit > point->begin_commit) {
		point->begin_commit = mark.commit;
		(void)snprintf(point->begin_id, sizeof point->begin_id, "%s", mark.id);
	}
	if (!mark.end)
		return 0;
	if (mark.epoch > point->epoch)
		point->epoch = mark.epoch;
	if (point->has_end && mark.commit <= point->end_commit)
		return 0;
	point->has_end = true;
	point->end_commit = mark.commit;
	(void)snprintf(point->end_id, sizeof point->end_id, "%s", mark.id);
	(void)snprintf(point->end_log, sizeof point->end_log, "%s", mark.log != NULL ? mark.log : "");
	return 0;
}

/* All records of the last LOOK_BACK_RECORDS, oldest first. */
static int look_back(const struct resume_reader *reader, const char *topic, int partition, kafka_visit *look,
	void *context, struct error *err)
{
	int64_t low, high, next;

	if (kafka_watermarks(reader->admin, topic, partition, &low, &high, err) < 0)
		return -1;
	return kafka_reader_all(reader->kafka, topic, partition, high > LOOK_BACK_RECORDS ? high - LOOK_BACK_RECORDS : 0,
		look, context, &next, err);
}

/* A transaction that is surely there is not among the last marks: what stands behind it came late. */
static int look_for_marks(struct visit *visit)
{
	struct resume_point *point = visit->point;
	char name[PRODUCE_TOPIC_MAX];

	if (!point->has_position || point->begin_commit == 0 || point->end_commit >= point->position.commit)
		return 0;
	if (look_back(visit->reader, produce_topic_name(visit->reader->prefix, PRODUCE_TRANSACTIONS, name), 0, visit_mark,
		    visit, visit->err) < 0)
		visit->failed = true;
	point->disordered = point->end_commit >= point->position.commit;
	return visit->failed ? error_prefix(visit->err, "end of topic \"%s\"", name) : 0;
}

static int read_own(struct visit *visit, enum produce_topic_kind kind, kafka_visit *look)
{
	char name[PRODUCE_TOPIC_MAX];

	if (kafka_reader_tail(visit->reader->kafka, produce_topic_name(visit->reader->prefix, kind, name), 0,
		TAIL_RECORDS, look, visit, visit->err) < 0)
		visit->failed = true;
	return visit->failed ? error_prefix(visit->err, "end of topic \"%s\"", name) : 0;
}

int resume_read(const struct resume_reader *reader, struct resume_point *ret_point, struct error *err)
{
	struct resume_point point = { .position.resume = "" };
	struct visit visit = { .reader = reader, .point = &point, .err = err };
	char name[PRODUCE_TOPIC_MAX];
	int64_t low, high;
	int result = -1;

	arena_init(&visit.arena, ARENA_MAX);
	if (read_own(&visit, PRODUCE_POSITIONS, visit_position) < 0 ||
		read_own(&visit, PRODUCE_TRANSACTIONS, visit_mark) < 0 || look_for_marks(&visit) < 0)
		goto out;
	if (point.begin_commit == 0) {
		if (kafka_watermarks(reader->admin, produce_topic_name(reader->prefix, PRODUCE_TRANSACTIONS, name), 0,
			&low, &high, err) < 0)
			goto out;
		point.expired = high > 0;
	}
	if (point.has_position && point.position.epoch > point.epoch)
		point.epoch = point.position.epoch;
	*ret_point = point;
	point.resume = NULL;
	result = 0;
out:
	resume_release(&point);
	arena_release(&visit.arena);
	return result;
}

void resume_release(struct resume_point *point)
{
	free(point->resume);
	memset(point, 0, sizeof *point);
}

bool resume_moved(const struct resume_point *before, const struct resume_point *after)
{
	if (!after->has_position || after->position.resume[0] == '\0')
		return false;
	return !before->has_position || before->position.confirmed != after->position.confirmed ||
		before->position.epoch != after->position.epoch;
}

/* ---- comparing ---- */

static int other_log(const char *what, const char *theirs, const char *ours, struct error *err)
{
	error_set(err, ERROR_GAP, "%s is of the log %s, but the source is %s", what, theirs, ours);
	return error_hint(err,
		"the source was replaced, promoted or restored: what it lost or gained since cannot be told from "
			       "its log; " HINT_ANEW);
}

static int compare_log(const struct resume_point *point, const struct resume_log *log, struct error *err)
{
	if (point->has_position && strcmp(point->position.log, log->log) != 0)
		return other_log("the position in Kafka", point->position.log, log->log, err);
	if (point->has_end && strcmp(point->end_log, log->log) != 0)
		return other_log("the last transaction in Kafka", point->end_log, log->log, err);
	return 0;
}

static int compare_slot(const struct resume_point *point, const struct resume_log *log, struct error *err)
{
	char moved[24], have[24];

	if (log->confirmed <= point->position.confirmed)
		return 0;
	(void)position_commit_format(log->log, log->confirmed, moved, sizeof moved);
	(void)position_commit_format(log->log, point->position.confirmed, have, sizeof have);
	if (log->slot == NULL || log->slot[0] == '\0') {
		error_set(err, ERROR_GAP, "the server gives its log from transaction %s on, but Kafka has it only up to %s",
			moved, have);
		return error_hint(err, "what lies between is lost to the stream: " HINT_ANEW);
	}
	error_set(err, ERROR_GAP, "slot \"%s\" was moved to %s, but Kafka has the log only up to %s", log->slot, moved, have);
	return error_hint(err,
		"another program read from the slot or advanced it, or it was made anew; what lies between is "
			       "lost to the stream: " HINT_ANEW);
}

static int compare_end_of_log(const struct resume_point *point, const struct resume_log *log, struct error *err)
{
	uint64_t most = point->position.confirmed;
	char have[24], head[24];

	if (point->begin_commit >= most)
		most = point->begin_commit + 1;
	if (most <= log->head)
		return 0;
	error_set(err, ERROR_GAP, "the log ends at %s, but Kafka has it up to %s",
		position_commit_format(log->log, log->head, head, sizeof head),
		position_commit_format(log->log, most, have, sizeof have));
	return error_hint(err, "the source was set back to an older state: " HINT_ANEW);
}

/* Records that were durable and are no longer there. */
static int compare_records(const struct resume_point *point, struct error *err)
{
	if (!point->has_position) {
		error_set(err, ERROR_GAP, "there are transactions in Kafka, but no position record");
		return error_hint(err, "the position topic was deleted or emptied: " HINT_ANEW);
	}
	if (point->position.commit == 0 || point->expired)
		return 0;
	if (point->has_end ? point->end_commit >= point->position.commit : point->begin_commit > point->position.commit)
		return 0;
	error_set(err, ERROR_GAP, "the transaction topic ends before transaction %s, which the position record names",
		point->position.transaction_id);
	return error_hint(err, "the topic was deleted or lost records: " HINT_ANEW);
}

int resume_compare(const struct resume_point *point, const struct resume_log *log, struct produce_known *ret_known,
	struct error *err)
{
	struct produce_known known = { .head = log->head, .durable = log->confirmed };

	if (resume_has_history(point)) {
		if (compare_records(point, err) < 0 || compare_log(point, log, err) < 0 ||
			compare_slot(point, log, err) < 0 || compare_end_of_log(point, log, err) < 0)
			return -1;
		known.durable = point->position.confirmed;
		known.end_commit = point->has_end ? point->end_commit : point->position.commit;
		known.begin_commit = point->begin_commit > known.end_commit ? point->begin_commit : known.end_commit;
		known.begin_in_log = point->begin_commit >= known.durable && point->begin_commit > 0;
		known.previous_commit = point->position.commit;
		known.previous_in_log = point->position.commit > 0 && log->confirmed <= point->position.commit;
		(void)snprintf(known.begin_id, sizeof known.begin_id, "%s", point->begin_id);
		(void)snprintf(known.previous_id, sizeof known.previous_id, "%s", point->position.transaction_id);
	}
	*ret_known = known;
	return 0;
}

/* ---- event topics ---- */

struct tail_visit {
	const struct resume_reader *reader;
	struct produce_tail tail;
	bool tombstone; /* newest first: seen before (that is: behind) the event */
	bool newest;    /* oldest first: the last event seen is the tail */
	struct arena arena;
	struct error *err;
	bool failed;
};

static int decode_tail(struct tail_visit *visit, const struct kafka_message *message, struct produce_tail *ret_tail)
{
	struct event event;

	arena_reset(&visit->arena);
	if (decoder_event(visit->reader->decoder, message->key, message->key_len, message->value, message->value_len,
		    &visit->arena, &event, visit->err) < 0) {
		visit->failed = true;
		return -1;
	}
	*ret_tail = (struct produce_tail){
		.commit = event.commit,
		.index = event.change.index,
		.bare_delete = event.change.op == CHANGE_DELETE,
		.table_index = event.change.table_index,
		.key = produce_fingerprint(message->key, message->key_len),
	};
	return 0;
}

static int visit_event(void *context, const struct kafka_message *message)
{
	struct tail_visit *visit = context;

	if (message->value == NULL) {
		visit->tombstone = true;
		return 0;
	}
	if (decode_tail(visit, message, &visit->tail) == 0 && visit->tombstone)
		visit->tail.bare_delete = false;
	return 1;
}

static int visit_late(void *context, const struct kafka_message *message)
{
	struct tail_visit *visit = context;
	struct produce_tail tail;

	if (message->value == NULL) {
		if (visit->newest)
			visit->tail.bare_delete = false;
		return 0;
	}
	if (decode_tail(visit, message, &tail) < 0)
		return 1;
	visit->newest = position_compare(tail.commit, tail.index, visit->tail.commit, visit->tail.index) >= 0;
	if (visit->newest)
		visit->tail = tail;
	return 0;
}

int resume_tail(void *context, const char *topic, int partition, struct produce_tail *ret_tail, struct error *err)
{
	struct tail_visit visit = { .reader = context, .err = err };

	arena_init(&visit.arena, ARENA_MAX);
	if (kafka_reader_tail(visit.reader->kafka, topic, partition, TAIL_RECORDS, visit_event, &visit, err) < 0)
		visit.failed = true;
	if (!visit.failed && visit.tail.commit < visit.reader->look_back_below &&
		look_back(visit.reader, topic, partition, visit_late, &visit, err) < 0)
		visit.failed = true;
	arena_release(&visit.arena);
	if (visit.failed)
		return -1;
	*ret_tail = visit.tail;
	return 0;
}
