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

#include "capture/limits.h"
#include "lib/base/arena.h"

/* For decoding one record of a tail. */
#define ARENA_MAX ((size_t)64 << 20)
/*
 * Records to look at from the end: an event and its tombstone, END and the next BEGIN; some more for where compaction
 * has been.
 */
#define TAIL_RECORDS 4
/* When old records came late. */
#define LOOK_BACK_RECORDS LIMITS_QUEUE_RECORDS
/* BEGIN and END of all that may be there without a position record, and late ones behind them. */
#define WINDOW_RECORDS (2 * (int64_t)WINDOW_MAX + LOOK_BACK_RECORDS)
/* Of an event topic, to reach the last BEGIN: at first, and how many times more at each further try, up to LOOK_BACK_RECORDS. */
#define TRAIL_RECORDS 1024
#define TRAIL_FACTOR 8
/* Transactions in a trail; more than can be under way (pipeline.c). */
#define STEPS_MAX ((size_t)16384)

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
	bool whole; /* a mark from before the window was seen before those in it */
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

static void note_mark(struct resume_point *point, const struct mark *mark)
{
	if (mark->commit > point->begin_commit)
		point->begin_commit = mark->commit;
	if (!mark->end)
		return;
	if (mark->epoch > point->epoch)
		point->epoch = mark->epoch;
	if (point->has_end && mark->commit <= point->end_commit)
		return;
	point->has_end = true;
	point->end_commit = mark->commit;
	(void)snprintf(point->end_id, sizeof point->end_id, "%s", mark->id);
	(void)snprintf(point->end_log, sizeof point->end_log, "%s", mark->log != NULL ? mark->log : "");
}

static int decode_mark(struct visit *visit, const struct kafka_message *message, struct mark *ret_mark)
{
	arena_reset(&visit->arena);
	if (decoder_mark(visit->reader->decoder, message->value, message->value_len, &visit->arena, ret_mark,
		    visit->err) == 0)
		return 0;
	visit->failed = true;
	return -1;
}

static int visit_mark(void *context, const struct kafka_message *message)
{
	struct visit *visit = context;
	struct mark mark;

	if (message->value == NULL)
		return 0;
	if (decode_mark(visit, message, &mark) < 0)
		return 1;
	note_mark(visit->point, &mark);
	return 0;
}

/* Oldest first. */
static int visit_window(void *context, const struct kafka_message *message)
{
	struct visit *visit = context;
	struct window *window = &visit->point->window;
	struct mark mark;

	if (message->value == NULL)
		return 0;
	if (decode_mark(visit, message, &mark) < 0)
		return 1;
	note_mark(visit->point, &mark);
	if (mark.commit < window->from && window->count == 0)
		visit->whole = true;
	visit->failed = window_add(window, &mark, visit->err) < 0;
	return visit->failed ? 1 : 0;
}

/* The last `most` records, oldest first; *ret_older: how many offsets lie before them, *ret_kept: whether some are still there. */
static int look_back(const struct resume_reader *reader, const char *topic, int partition, int64_t most,
	kafka_visit *look, void *context, int64_t *ret_older, bool *ret_kept, struct error *err)
{
	int64_t low, high, from, end;

	if (kafka_watermarks(reader->admin, topic, partition, &low, &high, err) < 0)
		return -1;
	from = high - most > low ? high - most : low;
	*ret_older = from;
	*ret_kept = from > low;
	return kafka_reader_all(reader->kafka, topic, partition, from, look, context, &end, err);
}

/*
 * Not the last records count, but all that any agent may have left there: what it had queued may come late, behind what
 * the next one has put there.
 */
int resume_read_window(const struct resume_reader *reader, struct resume_point *point, struct error *err)
{
	struct visit visit = { .reader = reader, .point = point, .err = err };
	uint64_t begin_commit = point->begin_commit, end_commit = point->end_commit;
	char name[PRODUCE_TOPIC_MAX];
	int64_t older = 0;
	bool kept;

	if (!point->has_position || point->begin_commit == 0)
		return 0;
	window_release(&point->window);
	window_init(&point->window, point->position.confirmed);
	arena_init(&visit.arena, ARENA_MAX);
	if (look_back(reader, produce_topic_name(reader->prefix, PRODUCE_TRANSACTIONS, name), 0, WINDOW_RECORDS,
		    visit_window, &visit, &older, &kept, err) < 0)
		visit.failed = true;
	arena_release(&visit.arena);
	if (visit.failed)
		return error_prefix(err, "end of topic \"%s\"", name);
	if (older > 0 && !visit.whole)
		window_cut(&point->window);
	point->disordered = point->begin_commit > begin_commit || point->end_commit > end_commit;
	return 0;
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
		read_own(&visit, PRODUCE_TRANSACTIONS, visit_mark) < 0)
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
	window_release(&point->window);
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
		known.previous_commit = point->position.commit;
		known.previous_in_log = point->position.commit > 0 && log->confirmed <= point->position.commit;
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
	bool reached;   /* oldest first: the first event seen is not behind the last BEGIN */
	size_t step_room;
	struct arena arena;
	struct error *err;
	bool failed;
};

/* The event as if it were the partition's only one; its trail goes on from `trail`. */
static int decode_tail(struct tail_visit *visit, const struct kafka_message *message, uint64_t trail,
	struct produce_tail *ret_tail)
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
		.from_commit = event.commit,
		.from_index = event.change.index,
		.trail = produce_trail(trail, event.transaction_id, &event.change, message->key, message->key_len),
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
	if (decode_tail(visit, message, 0, &visit->tail) == 0 && visit->tombstone)
		visit->tail.bare_delete = false;
	return 1;
}

static int add_step(struct tail_visit *visit, const struct produce_tail *found)
{
	struct produce_tail *tail = &visit->tail;

	if (tail->step_count > 0 && tail->steps[tail->step_count - 1].commit == found->commit) {
		tail->steps[tail->step_count - 1].trail = found->trail;
		return 0;
	}
	if (tail->step_count == STEPS_MAX) {
		error_set(visit->err, ERROR_GAP, "events of more than %zu transactions stand behind the last BEGIN of the "
			"transaction topic", STEPS_MAX);
		return error_hint(visit->err, "the transaction topic lost records: " HINT_ANEW);
	}
	if (tail->step_count == visit->step_room) {
		size_t room = visit->step_room == 0 ? 64 : visit->step_room * 2;
		struct produce_step *grown = reallocarray(tail->steps, room, sizeof *grown);

		if (grown == NULL)
			return error_set(visit->err, ERROR_RETRY, "out of memory for %zu transactions", room);
		tail->steps = grown;
		visit->step_room = room;
	}
	tail->steps[tail->step_count++] = (struct produce_step){ found->commit, found->trail };
	return 0;
}

/* Oldest first: the newest by its position, and the trail of what stands behind the last BEGIN. */
static int visit_trail(void *context, const struct kafka_message *message)
{
	struct tail_visit *visit = context;
	struct produce_tail *tail = &visit->tail, found;
	bool first = tail->commit == 0, goes_on = tail->step_count > 0;
	int order;

	if (message->value == NULL) {
		if (visit->newest)
			tail->bare_delete = false;
		return 0;
	}
	if (decode_tail(visit, message, goes_on ? tail->trail : 0, &found) < 0)
		return 1;
	if (first)
		visit->reached = found.commit <= visit->reader->last_begin;
	order = position_compare(found.commit, found.index, tail->commit, tail->index);
	visit->newest = order >= 0;
	if (order >= 0)
		tail->bare_delete = found.bare_delete;
	if (order <= 0)
		return 0;
	if (found.commit > visit->reader->last_begin && add_step(visit, &found) < 0) {
		visit->failed = true;
		return 1;
	}
	tail->commit = found.commit;
	tail->index = found.index;
	tail->trail = found.trail;
	if (!goes_on) {
		tail->from_commit = found.commit;
		tail->from_index = found.index;
	}
	return 0;
}

static void forget_trail(struct tail_visit *visit)
{
	struct produce_step *steps = visit->tail.steps;

	memset(&visit->tail, 0, sizeof visit->tail);
	visit->tail.steps = steps;
	visit->newest = false;
}

/* Reads as far back as is needed: to the last BEGIN, or, where old records came late, all that may be late. */
static int read_trail(struct tail_visit *visit, const char *topic, int partition)
{
	const struct produce_tail last = visit->tail;
	int64_t most = last.commit < visit->reader->look_back_below ? LOOK_BACK_RECORDS : TRAIL_RECORDS, older = 0;
	bool kept = true;

	for (;; most *= TRAIL_FACTOR) {
		forget_trail(visit);
		if (look_back(visit->reader, topic, partition, most, visit_trail, visit, &older, &kept, visit->err) < 0 ||
			visit->failed)
			return -1;
		if (visit->reached || !kept || most >= LOOK_BACK_RECORDS)
			break;
	}
	/* no other event may come between the last BEGIN and the first one found */
	if (visit->tail.step_count > 0 && (visit->reached || older == 0)) {
		visit->tail.from_commit = visit->reader->last_begin + 1;
		visit->tail.from_index = 0;
	}
	/* nothing but tombstones, or what compaction left out */
	if (position_compare(visit->tail.commit, visit->tail.index, last.commit, last.index) < 0) {
		free(visit->tail.steps);
		visit->tail = last;
	}
	return 0;
}

int resume_tail(void *context, const char *topic, int partition, struct produce_tail *ret_tail, struct error *err)
{
	struct tail_visit visit = { .reader = context, .err = err };
	int rc;

	arena_init(&visit.arena, ARENA_MAX);
	rc = kafka_reader_tail(visit.reader->kafka, topic, partition, TAIL_RECORDS, visit_event, &visit, err);
	if (visit.failed)
		rc = -1;
	if (rc == 0 && (visit.tail.commit < visit.reader->look_back_below || visit.tail.commit > visit.reader->last_begin))
		rc = read_trail(&visit, topic, partition);
	arena_release(&visit.arena);
	if (rc == 0)
		*ret_tail = visit.tail;
	else
		free(visit.tail.steps);
	return rc;
}
