/*
 * produce.c: from an item of the log to the records in the outbox.
 *
 * 1. begin: note the transaction; is it older than what Kafka surely has, it is left out as a whole.
 * 2. first change: check that it is the next one that Kafka has, or behind all of them; BEGIN, unless it is there.
 * 3. change: number it (index in the transaction, index in its table), encode the key, choose the partition, leave it
 *    out if the partition has it, else encode the value. A change of the key becomes two events with consecutive
 *    numbers.
 * 4. commit: END with the counts, unless it is there; close the transaction in flight.
 *
 * Numbers are given to every event, also to those that are left out: they must be the same in each run.
 */
#include "capture/produce.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/limits.h"
#include "capture/produce_outbox.h"
#include "capture/produce_topics.h"
#include "capture/produce_window.h"
#include "lib/base/failpoint.h"

#define LARGE_VALUE ((size_t)64 << 10) /* what an old row is relieved of when the event is too large */
#define PLACE_MAX 300 /* a log file's name and an offset */
/* END lists each table of the transaction; keys and headers stand beside the row. */
#define OUTBOX_MAX (PRODUCE_ROW_MAX + ((size_t)8 << 20))

struct produce {
	struct produce_config config;
	struct produce_topics topics;
	struct outbox outbox;
	struct kafka_topic *transactions, *heartbeats, *positions;
	struct buf key, value; /* of a mark, heartbeat or position, on their way into the outbox */
	int64_t now_us;

	/* The transaction that is open. */
	const struct transaction *txn;
	uint64_t number; /* of begun transactions, to tell stale counts */
	bool known;      /* Kafka has all of it */
	bool opened;     /* it has events: it is in flight and has a BEGIN */
	bool closing;    /* its last record is in the outbox */
	uint64_t token;
	uint64_t index;
	struct produce_topic **touched; /* topics with events in it */
	size_t touched_count, touched_room;
	struct transaction_count *counts; /* as many as touched_room */
	struct value *slim; /* slim_before()'s */
	size_t slim_room;

	/* The chain. */
	bool resumed; /* the transaction of the position record was met, or need not be */
	char previous_id[TRANSACTION_ID_MAX];
	uint64_t previous_commit;

	struct produce_figures figures;
};

/* ---- life ---- */

const char *produce_topic_name(const char *prefix, enum produce_topic_kind kind, char *buf)
{
	static const char *const names[] = { "transaction", "heartbeat", "position" };

	(void)snprintf(buf, PRODUCE_TOPIC_MAX, "%s.%s", prefix, names[kind]);
	return buf;
}

static int own_topic(struct produce *produce, enum produce_topic_kind kind, struct kafka_topic **ret_topic,
	struct error *err)
{
	char name[PRODUCE_TOPIC_MAX];

	return kafka_producer_topic(produce->config.producer,
		produce_topic_name(produce->config.prefix, kind, name), ret_topic, err);
}

int produce_new(const struct produce_config *config, struct produce **ret_produce, struct error *err)
{
	struct produce *produce = calloc(1, sizeof *produce);
	const struct produce_known *known = &config->known;

	if (produce == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a producer");
	produce->config = *config;
	topics_init(&produce->topics, &produce->config);
	outbox_init(&produce->outbox, OUTBOX_MAX);
	buf_init(&produce->key, PRODUCE_ROW_MAX);
	buf_init(&produce->value, PRODUCE_ROW_MAX);
	produce->resumed = !known->previous_in_log;
	produce->previous_commit = known->previous_commit;
	memcpy(produce->previous_id, known->previous_id, sizeof produce->previous_id);
	if (own_topic(produce, PRODUCE_TRANSACTIONS, &produce->transactions, err) < 0 ||
		own_topic(produce, PRODUCE_HEARTBEATS, &produce->heartbeats, err) < 0 ||
		own_topic(produce, PRODUCE_POSITIONS, &produce->positions, err) < 0) {
		produce_free(produce);
		return -1;
	}
	*ret_produce = produce;
	return 0;
}

void produce_free(struct produce *produce)
{
	if (produce == NULL)
		return;
	topics_release(&produce->topics);
	outbox_release(&produce->outbox);
	buf_release(&produce->key);
	buf_release(&produce->value);
	free(produce->touched);
	free(produce->counts);
	free(produce->slim);
	free(produce);
}

int produce_expect(struct produce *produce, const char *schema, const char *name, struct error *err)
{
	return topics_expect(&produce->topics, schema, name, err);
}

int produce_make_topics(struct produce *produce, struct error *err)
{
	return topics_make(&produce->topics, err);
}

void produce_time(struct produce *produce, int64_t wall_us)
{
	produce->now_us = wall_us;
}

const struct produce_figures *produce_figures(const struct produce *produce)
{
	return &produce->figures;
}

/* ---- pieces ---- */

static int busy_error(struct error *err)
{
	return error_set(err, ERROR_BUG, "the outbox was not empty when something new was put in");
}

static struct outbox_piece piece_since(const struct produce *produce, size_t at)
{
	return (struct outbox_piece){ at, produce->outbox.bytes.len - at };
}

/* Names where the source's data could not be turned into records. */
static int failed_at(const struct produce *produce, const struct change *chg, struct error *err)
{
	char at[PLACE_MAX];

	return error_prefix(err, "transaction %s, event %" PRIu64 " at %s, table %s.%s", produce->txn->id, chg->index,
		position_place_format(chg->file, chg->lsn, at, sizeof at), chg->table->schema, chg->table->name);
}

/* Where the encoder puts the next mark, heartbeat or position. */
static void own_reset(struct produce *produce)
{
	buf_reset(&produce->key);
	buf_reset(&produce->value);
}

/* Puts what the encoder made there into the outbox, for partition 0 of one of the agent's own topics. */
static int own_add(struct produce *produce, struct kafka_topic *topic, uint64_t token, int before, int after,
	struct error *err)
{
	struct buf *bytes = &produce->outbox.bytes;
	struct outbox_record *record = outbox_add(&produce->outbox, topic, 0, token);
	size_t at = bytes->len;

	if (record == NULL)
		return busy_error(err);
	record->keyed = true;
	record->valued = true;
	record->before = before;
	record->after = after;
	buf_append(bytes, produce->key.data, produce->key.len);
	record->key = piece_since(produce, at);
	at = bytes->len;
	buf_append(bytes, produce->value.data, produce->value.len);
	record->value = piece_since(produce, at);
	if (buf_check(&produce->key, "key", err) < 0 || buf_check(&produce->value, "record", err) < 0)
		return -1;
	return buf_check(bytes, "record", err);
}

/* ---- transactions ---- */

static int other_history(const char *have, const char *want, struct error *err)
{
	error_set(err, ERROR_GAP, "the log has %s where Kafka's last recorded transaction %s should be", have, want);
	return error_hint(err, "the source was set back, or is another one: undo that, or start anew with another topic_prefix");
}

/*
 * A log that is read again from before the position record must have that record's transaction: else it is another
 * history, though it may have the same name (a copy of the source's files that was put back) and may be longer by now.
 */
static int check_resumed(struct produce *produce, struct error *err)
{
	const struct produce_known *known = &produce->config.known;
	const struct transaction *txn = produce->txn;
	char have[TRANSACTION_ID_MAX + 16];

	if (produce->resumed || txn->commit < known->previous_commit)
		return 0;
	if (txn->commit == known->previous_commit && strcmp(txn->id, known->previous_id) == 0) {
		produce->resumed = true;
		return 0;
	}
	(void)snprintf(have, sizeof have, "transaction %s", txn->id);
	return other_history(have, known->previous_id, err);
}

int produce_progress(const struct produce *produce, uint64_t lsn, struct error *err)
{
	const struct produce_known *known = &produce->config.known;

	if (!produce->resumed && lsn > known->previous_commit)
		return other_history("nothing", known->previous_id, err);
	return produce->config.window != NULL ? window_progress(produce->config.window, lsn, err) : 0;
}

int produce_begin(struct produce *produce, const struct transaction *txn, struct error *err)
{
	const struct produce_known *known = &produce->config.known;

	if (!outbox_empty(&produce->outbox))
		return busy_error(err);
	produce->txn = txn;
	produce->number++;
	produce->known = txn->commit < known->durable;
	produce->opened = false;
	produce->closing = false;
	produce->index = 0;
	produce->touched_count = 0;
	if (check_resumed(produce, err) < 0)
		return -1;
	if (produce->config.window != NULL && window_begin(produce->config.window, txn, err) < 0)
		return -1;
	return failpoint_reach(FP_CAPTURE_BEGIN, err);
}

/* The transaction has an event: it takes part in the chain. */
static int open_transaction(struct produce *produce, struct error *err)
{
	if (produce->config.window != NULL && window_met(produce->config.window, produce->txn, err) < 0)
		return -1;
	produce->token = flight_open(produce->config.flight, produce->txn);
	produce->opened = true;
	if (produce->txn->commit <= produce->config.known.begin_commit) {
		produce->figures.duplicates++;
		return 0;
	}
	own_reset(produce);
	if (encoder_begin(produce->config.encoder, produce->txn, produce->now_us, &produce->key, &produce->value,
		err) < 0)
		return -1;
	return own_add(produce, produce->transactions, produce->token, FAILPOINT_COUNT, FAILPOINT_COUNT, err);
}

static int add_end(struct produce *produce, struct error *err)
{
	own_reset(produce);
	for (size_t i = 0; i < produce->touched_count; i++)
		produce->counts[i] = (struct transaction_count){ produce->touched[i]->collection,
			produce->touched[i]->events };
	if (encoder_end(produce->config.encoder, produce->txn, produce->previous_id, produce->counts,
		    produce->touched_count, produce->index, produce->now_us, &produce->key, &produce->value, err) < 0)
		return error_prefix(err, "end of transaction %s", produce->txn->id);
	return own_add(produce, produce->transactions, produce->token, FP_CAPTURE_END_BEFORE, FP_CAPTURE_END, err);
}

/* What came must be what Kafka has of it. */
static int check_counts(struct produce *produce, struct error *err)
{
	struct window *window = produce->config.window;
	uint64_t tables = 0;

	if (window == NULL)
		return 0;
	for (size_t i = 0; window->open && i < produce->touched_count; i++)
		tables = window_tables(tables, produce->touched[i]->collection, produce->touched[i]->events);
	return window_commit(window, produce->txn, produce->index, tables, err);
}

int produce_commit(struct produce *produce, uint64_t *ret_upto, struct error *err)
{
	const struct transaction *txn = produce->txn;

	if (!outbox_empty(&produce->outbox))
		return busy_error(err);
	*ret_upto = 0;
	if (check_counts(produce, err) < 0)
		return -1;
	if (!produce->known && topics_passed(&produce->topics, txn->commit, err) < 0)
		return error_prefix(err, "end of transaction %s", txn->id);
	if (!produce->opened) {
		if (flight_progress(produce->config.flight, txn->end))
			*ret_upto = txn->end;
		return 0;
	}
	if (txn->commit <= produce->config.known.end_commit)
		produce->figures.duplicates++;
	else if (add_end(produce, err) < 0)
		return -1;
	produce->closing = true;
	produce->previous_commit = txn->commit;
	memcpy(produce->previous_id, txn->id, sizeof produce->previous_id);
	return 0;
}

/* ---- changes ---- */

static int count_event(struct produce *produce, struct produce_topic *topic, struct change *chg, struct error *err)
{
	if (topic->counted_in != produce->number) {
		if (produce->touched_count == produce->touched_room) {
			size_t room = produce->touched_room == 0 ? 16 : produce->touched_room * 2;
			struct produce_topic **touched;
			struct transaction_count *counts;

			touched = reallocarray(produce->touched, room, sizeof(struct produce_topic *));
			if (touched != NULL)
				produce->touched = touched;
			counts = reallocarray(produce->counts, room, sizeof *counts);
			if (counts != NULL)
				produce->counts = counts;
			if (touched == NULL || counts == NULL)
				return error_set(err, ERROR_RETRY, "out of memory for %zu tables", room);
			produce->touched_room = room;
		}
		produce->touched[produce->touched_count++] = topic;
		topic->counted_in = produce->number;
		topic->events = 0;
	}
	chg->index = ++produce->index;
	chg->table_index = ++topic->events;
	return produce->config.window != NULL ? window_event(produce->config.window, chg->index, err) : 0;
}

enum there { THERE_NOT, THERE_WITHOUT_TOMBSTONE, THERE };

uint64_t produce_fingerprint(const void *bytes, size_t len)
{
	const unsigned char *at = bytes;
	uint64_t hash = UINT64_C(14695981039346656037);

	/* FNV-1a; nobody gains by two that look alike here */
	for (size_t i = 0; i < len; i++)
		hash = (hash ^ at[i]) * UINT64_C(1099511628211);
	return len > 0 ? hash : 0;
}

uint64_t produce_trail(uint64_t trail, const char *transaction_id, const struct change *chg, const void *key,
	size_t key_len)
{
	const uint64_t parts[] = { trail, produce_fingerprint(transaction_id, strlen(transaction_id)), chg->index,
		chg->table_index, produce_fingerprint(key, key_len) };

	return produce_fingerprint(parts, sizeof parts);
}

/* Whether the partition has this event already. */
static int look_there(struct produce *produce, struct produce_topic *topic, int32_t partition,
	const struct change *chg, struct outbox_piece key, enum there *ret_there, struct error *err)
{
	struct produce_tail *tail;
	int order;

	*ret_there = THERE_NOT;
	if (topic->tails == NULL)
		return 0;
	tail = &topic->tails[partition];
	order = position_compare(produce->txn->commit, chg->index, tail->commit, tail->index);
	if (order > 0)
		return tail->awaited ? topics_missed(&produce->topics, topic, partition, err) : 0;
	if (tail->awaited &&
		position_compare(produce->txn->commit, chg->index, tail->from_commit, tail->from_index) >= 0)
		tail->again = produce_trail(tail->again, produce->txn->id, chg,
			key.len > 0 ? produce->outbox.bytes.data + key.at : NULL, key.len);
	if (order == 0 && tail->awaited) {
		if (tail->again != tail->trail)
			return topics_missed(&produce->topics, topic, partition, err);
		topics_met(&produce->topics, tail);
	}
	*ret_there = order == 0 && tail->bare_delete ? THERE_WITHOUT_TOMBSTONE : THERE;
	return 0;
}

static int too_large(const struct produce *produce, size_t size, struct error *err)
{
	error_set(err, ERROR_DATA, "the event has %zu bytes, more than the %zu that are carried", size,
		produce->config.row_max);
	return error_hint(err, LIMITS_TOO_LARGE_HINT);
}

/*
 * The old row of an update without its large values, which are said not to be carried: where the row is found by its key,
 * nobody needs them. NULL if there are none. *ret_slim is false where that is no way out.
 */
static int slim_before(struct produce *produce, const struct change *chg, bool *ret_slim, struct error *err)
{
	const struct table *table = chg->table;

	*ret_slim = false;
	if (chg->op != CHANGE_UPDATE || chg->before == NULL || table->key_count == 0)
		return 0;
	if (produce->slim_room < table->column_count) {
		struct value *grown = reallocarray(produce->slim, table->column_count, sizeof *grown);

		if (grown == NULL)
			return error_set(err, ERROR_RETRY, "out of memory for a row of %zu columns", table->column_count);
		produce->slim = grown;
		produce->slim_room = table->column_count;
	}
	for (size_t i = 0; i < table->column_count; i++) {
		const struct value *val = &chg->before[i];
		bool is_text = val->kind == VALUE_TEXT || val->kind == VALUE_BYTES || val->kind == VALUE_EXACT;

		produce->slim[i] = *val;
		if (table->columns[i].key || !is_text || val->text.len < LARGE_VALUE)
			continue;
		produce->slim[i].kind = VALUE_UNCHANGED;
		*ret_slim = true;
	}
	return 0;
}

static int encode_event(struct produce *produce, const struct produce_shape *shape, const struct change *chg,
	struct error *err)
{
	struct buf *bytes = &produce->outbox.bytes;

	if (encoder_change(shape->encoder, chg, produce->txn, produce->previous_commit, produce->now_us, bytes, err) < 0)
		return -1;
	return buf_check(bytes, "event", err);
}

/* Puts the event's value into the outbox, without the old row's large values if it is too large with them. */
static int add_value(struct produce *produce, const struct produce_shape *shape, const struct change *chg,
	size_t key_len, struct error *err)
{
	struct buf *bytes = &produce->outbox.bytes;
	struct error slim_err = ERROR_INIT;
	size_t at = bytes->len, most = produce->config.row_max;
	int rc = encode_event(produce, shape, chg, err);
	struct change slim = *chg;
	bool is_slim;

	if (rc < 0 ? bytes->failed : key_len + bytes->len - at > most) {
		if (slim_before(produce, chg, &is_slim, &slim_err) < 0) {
			*err = slim_err;
			return -1;
		}
		if (is_slim) {
			buf_cut(bytes, at);
			error_clear(err);
			slim.before = produce->slim;
			rc = encode_event(produce, shape, &slim, err);
		}
	}
	if (rc < 0)
		return bytes->failed ? error_hint(err, LIMITS_TOO_LARGE_HINT) : -1;
	return key_len + bytes->len - at > most ? too_large(produce, key_len + bytes->len - at, err) : 0;
}

/* One numbered event and, behind a delete, its tombstone. The key's bytes are in the outbox already. */
static int add_event(struct produce *produce, struct produce_shape *shape, const struct change *chg,
	struct outbox_piece key, const char *header, struct outbox_piece header_value, int before, struct error *err)
{
	struct produce_topic *topic = shape->topic;
	bool keyed = key.len > 0;
	int32_t partition =
		keyed ? kafka_partition(produce->outbox.bytes.data + key.at, key.len, topic->partitions) : 0;
	enum there there;
	struct outbox_record *record;

	if (look_there(produce, topic, partition, chg, key, &there, err) < 0)
		return -1;
	if (there == THERE_NOT) {
		size_t at = produce->outbox.bytes.len;

		if (add_value(produce, shape, chg, key.len, err) < 0)
			return -1;
		record = outbox_add(&produce->outbox, topic->handle, partition, produce->token);
		if (record == NULL)
			return error_set(err, ERROR_BUG, "too many records for one item of the log");
		record->keyed = keyed;
		record->key = key;
		record->valued = true;
		record->value = piece_since(produce, at);
		record->header = header;
		record->header_value = header_value;
		record->before = before;
		record->after = FP_CAPTURE_CHANGE;
		produce->figures.rows++;
	} else {
		produce->figures.duplicates++;
	}
	if (chg->op != CHANGE_DELETE || !keyed || !produce->config.tombstones || there == THERE)
		return 0;
	record = outbox_add(&produce->outbox, topic->handle, partition, produce->token);
	if (record == NULL)
		return error_set(err, ERROR_BUG, "too many records for one item of the log");
	record->keyed = true;
	record->key = key;
	record->before = FP_CAPTURE_TOMBSTONE;
	return 0;
}

static int add_key(struct produce *produce, const struct produce_shape *shape, const struct value *row,
	struct outbox_piece *ret_key, struct error *err)
{
	size_t at = produce->outbox.bytes.len;

	if (encoder_key(shape->encoder, row, &produce->outbox.bytes, err) < 0 ||
		buf_check(&produce->outbox.bytes, "key", err) < 0)
		return -1;
	*ret_key = piece_since(produce, at);
	return 0;
}

/*
 * The row's key changed: Debezium's contract has the old row deleted and a new one created, each naming the other's key
 * in a header.
 */
static int add_move(struct produce *produce, struct produce_shape *shape, const struct change *chg,
	struct outbox_piece old_key, struct outbox_piece new_key, struct error *err)
{
	struct change half = *chg;

	half.op = CHANGE_DELETE;
	half.after = NULL;
	if (count_event(produce, shape->topic, &half, err) < 0 ||
		add_event(produce, shape, &half, old_key, "__debezium.newkey", new_key, FAILPOINT_COUNT, err) < 0)
		return -1;
	half.op = CHANGE_INSERT;
	half.before = NULL;
	half.before_is_key = false;
	half.after = chg->after;
	if (count_event(produce, shape->topic, &half, err) < 0)
		return -1;
	return add_event(produce, shape, &half, new_key, "__debezium.oldkey", old_key, FP_CAPTURE_MOVE, err);
}

static int add_change(struct produce *produce, struct produce_shape *shape, struct change *chg, struct error *err)
{
	const struct value *row = chg->op == CHANGE_DELETE ? chg->before : chg->after;
	struct outbox_piece key = { 0, 0 }, old_key;
	const struct outbox_piece none = { 0, 0 };

	if (row != NULL && chg->table->key_count > 0) {
		if (add_key(produce, shape, row, &key, err) < 0)
			return -1;
		if (chg->op == CHANGE_UPDATE && chg->before != NULL) {
			const char *bytes;

			if (add_key(produce, shape, chg->before, &old_key, err) < 0)
				return -1;
			bytes = produce->outbox.bytes.data;
			if (key.len != old_key.len || memcmp(bytes + key.at, bytes + old_key.at, key.len) != 0)
				return add_move(produce, shape, chg, old_key, key, err);
		}
	}
	if (count_event(produce, shape->topic, chg, err) < 0)
		return -1;
	return add_event(produce, shape, chg, key, NULL, none, FAILPOINT_COUNT, err);
}

int produce_change(struct produce *produce, struct change *chg, struct error *err)
{
	struct produce_shape *shape;

	if (!outbox_empty(&produce->outbox))
		return busy_error(err);
	if (produce->txn == NULL)
		return error_set(err, ERROR_BUG, "a change outside of every transaction");
	if (produce->known) {
		produce->figures.duplicates++;
		return 0;
	}
	if (!produce->opened && open_transaction(produce, err) < 0)
		return -1;
	if (topics_shape(&produce->topics, chg->table, produce->txn->commit, &shape, err) < 0)
		return -1;
	if (add_change(produce, shape, chg, err) < 0)
		return failed_at(produce, chg, err);
	return 0;
}

/* ---- the agent's own records ---- */

int produce_heartbeat(struct produce *produce, int64_t source_us, uint64_t lsn, struct error *err)
{
	if (!outbox_empty(&produce->outbox))
		return busy_error(err);
	own_reset(produce);
	if (encoder_heartbeat(produce->config.encoder, source_us, lsn, &produce->key, &produce->value, err) < 0)
		return -1;
	return own_add(produce, produce->heartbeats, PRODUCE_TOKEN_HEARTBEAT, FAILPOINT_COUNT, FAILPOINT_COUNT, err);
}

int produce_position(struct produce *produce, const struct codec_position *position, struct error *err)
{
	if (!outbox_empty(&produce->outbox))
		return busy_error(err);
	own_reset(produce);
	if (encoder_position(produce->config.encoder, position, &produce->key, &produce->value, err) < 0)
		return -1;
	return own_add(produce, produce->positions, PRODUCE_TOKEN_POSITION, FAILPOINT_COUNT, FP_CAPTURE_POSITION, err);
}

/* ---- handing over ---- */

int produce_flush(struct produce *produce, struct error *err)
{
	int done = outbox_flush(&produce->outbox, produce->config.producer, produce->config.flight, err);

	produce->figures.bytes += produce->outbox.handed_bytes;
	produce->outbox.handed_bytes = 0;
	if (done == 1 && produce->closing) {
		produce->closing = false;
		produce->opened = false;
		flight_close(produce->config.flight, produce->token, produce->txn);
	}
	return done;
}

bool produce_discard(struct produce *produce)
{
	const struct outbox *outbox = &produce->outbox;
	bool position = !outbox_empty(outbox) && outbox->records[outbox->next].token == PRODUCE_TOKEN_POSITION;

	outbox_reset(&produce->outbox);
	produce->closing = false;
	return position;
}
