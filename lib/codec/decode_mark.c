/*
 * decode_mark.c: messages that belong to no table: BEGIN and END of transactions, heartbeats, positions. By field
 * name, so that a later writer may add fields.
 */
#include <string.h>

#include "lib/codec/decoder.h"

static int malformed(const char *what, const char *field, struct error *err)
{
	return error_set(err, ERROR_DATA, "%s: %s is malformed or ends too early", what, field);
}

static int missing(const char *what, const char *field, struct error *err)
{
	(void)error_set(err, ERROR_DATA, "%s has no %s", what, field);
	return error_hint(err, "the topic must be written by tailrace-capture");
}

static int too_many(const char *what, const struct avro_reader *in, struct error *err)
{
	return error_set(err, ERROR_DATA, "%s has %zu bytes too many", what, avro_left(in));
}

static bool text_is(const struct scalar *scalar, const char *text)
{
	return scalar->kind == SCALAR_TEXT && scalar->len == strlen(text) && memcmp(scalar->text, text, scalar->len) == 0;
}

/* ts_us where it is there, else ts_ms. */
static int read_us(const struct scalar *ts_us, const struct scalar *ts_ms, const char *what, int64_t *ret_us,
	struct error *err)
{
	if (ts_us->kind == SCALAR_NUMBER) {
		*ret_us = ts_us->number;
		return 0;
	}
	if (ts_ms->kind != SCALAR_NUMBER)
		return missing(what, "ts_ms", err);
	if (__builtin_mul_overflow(ts_ms->number, 1000, ret_us))
		return error_set(err, ERROR_DATA, "%s has a ts_ms out of range", what);
	return 0;
}

/* ---- transactions ---- */

static int read_collection(const struct plan *plan, struct avro_reader *in, struct arena *arena,
	struct mark_count *ret_count, struct error *err)
{
	const struct record_plan *record = &plan->collection;
	struct scalar fields[COLLECTION_FIELD_COUNT] = { { 0 } };

	for (size_t i = 0; i < record->type->count; i++) {
		int target = record->targets[i];

		if (target < 0 ? !avro_type_skip(in, record->type->members[i]) :
				 !avro_type_scalar(in, record->type->members[i], &fields[target]))
			return malformed("transaction mark", "data_collections", err);
	}
	if (fields[COLLECTION_NAME].kind != SCALAR_TEXT || fields[COLLECTION_EVENT_COUNT].kind != SCALAR_NUMBER)
		return malformed("transaction mark", "data_collections", err);
	ret_count->collection = arena_strndup(arena, fields[COLLECTION_NAME].text, fields[COLLECTION_NAME].len);
	ret_count->events = decoder_unsigned(&fields[COLLECTION_EVENT_COUNT]);
	return ret_count->collection == NULL ? arena_error(arena, err) : 0;
}

static int read_collections(const struct plan *plan, struct avro_reader *in, struct arena *arena, struct mark *mark,
	struct error *err)
{
	struct mark_count *counts = NULL;
	size_t count = 0, size = 0, more;
	int64_t branch = 0;

	if (plan->collections_null >= 0) {
		if (!avro_get_long(in, &branch) || branch < 0 || branch > 1)
			return malformed("transaction mark", "data_collections", err);
		if (branch == plan->collections_null)
			return 0;
	}
	for (;;) {
		if (!avro_get_block(in, &more))
			return malformed("transaction mark", "data_collections", err);
		if (more == 0)
			break;
		if (more > size - count) {
			struct mark_count *grown;

			size = count + more > 2 * count ? count + more : 2 * count;
			grown = arena_alloc(arena, size * sizeof *grown);
			if (grown == NULL)
				return arena_error(arena, err);
			if (count > 0)
				memcpy(grown, counts, count * sizeof *grown);
			counts = grown;
		}
		for (; more > 0; more--)
			if (read_collection(plan, in, arena, &counts[count++], err) < 0)
				return -1;
	}
	mark->counts = counts;
	mark->count = count;
	return 0;
}

static int read_mark(const struct scalar *fields, struct arena *arena, struct mark *mark, struct error *err)
{
	const struct scalar *id = &fields[TRANSACTION_ID];

	mark->end = text_is(&fields[TRANSACTION_STATUS], "END");
	if (!mark->end && !text_is(&fields[TRANSACTION_STATUS], "BEGIN"))
		return error_set(err, ERROR_DATA, "transaction mark is neither BEGIN nor END");
	if (id->kind != SCALAR_TEXT)
		return missing("transaction mark", "id", err);
	if (!decoder_commit(id->text, id->len, &mark->commit))
		return error_set(err, ERROR_DATA, "transaction id \"%.*s\" names no commit position",
			(int)(id->len > 200 ? 200 : id->len), id->text);
	mark->id = arena_strndup(arena, id->text, id->len);
	mark->previous_id = arena_strndup(arena, fields[TRANSACTION_PREVIOUS].text, fields[TRANSACTION_PREVIOUS].len);
	mark->log = arena_strndup(arena, fields[TRANSACTION_LOG].text, fields[TRANSACTION_LOG].len);
	if (mark->id == NULL || mark->previous_id == NULL || mark->log == NULL)
		return arena_error(arena, err);
	mark->events = decoder_unsigned(&fields[TRANSACTION_EVENT_COUNT]);
	mark->epoch = decoder_unsigned(&fields[TRANSACTION_EPOCH]);
	if (mark->end) {
		if (fields[TRANSACTION_EVENT_COUNT].kind != SCALAR_NUMBER)
			return missing("END of a transaction", "event_count", err);
		if (fields[TRANSACTION_PREVIOUS].kind != SCALAR_TEXT)
			return missing("END of a transaction", "previous", err);
		if (fields[TRANSACTION_LOG].kind != SCALAR_TEXT)
			return missing("END of a transaction", "log", err);
	}
	return read_us(&fields[TRANSACTION_TS_US], &fields[TRANSACTION_TS_MS], "transaction mark", &mark->source_us, err);
}

int decoder_mark(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	struct mark *ret_mark, struct error *err)
{
	struct avro_reader in = { value, (const unsigned char *)value + value_len };
	struct scalar fields[TRANSACTION_FIELD_COUNT] = { { 0 } };
	struct mark mark = { 0 };
	const struct avro_type *type;
	struct plan *plan;

	if (decoder_plan(decoder, &in, PLAN_TRANSACTION, "transaction mark", &plan, err) < 0)
		return -1;
	type = plan->record.type;
	for (size_t i = 0; i < type->count; i++) {
		int target = plan->record.targets[i];

		if (target == TRANSACTION_DATA_COLLECTIONS) {
			if (read_collections(plan, &in, arena, &mark, err) < 0)
				return -1;
		} else if (target < 0 ? !avro_type_skip(&in, type->members[i]) :
					!avro_type_scalar(&in, type->members[i], &fields[target])) {
			return malformed("transaction mark", type->names[i], err);
		}
	}
	if (in.at != in.end)
		return too_many("transaction mark", &in, err);
	if (read_mark(fields, arena, &mark, err) < 0)
		return -1;
	*ret_mark = mark;
	return 0;
}

/* ---- heartbeats, positions ---- */

static int read_fields(const struct plan *plan, struct avro_reader *in, const char *what, struct scalar *fields,
	struct error *err)
{
	const struct avro_type *type = plan->record.type;

	for (size_t i = 0; i < type->count; i++) {
		int target = plan->record.targets[i];

		if (target < 0 ? !avro_type_skip(in, type->members[i]) : !avro_type_scalar(in, type->members[i], &fields[target]))
			return malformed(what, type->names[i], err);
	}
	return in->at == in->end ? 0 : too_many(what, in, err);
}

int decoder_heartbeat(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	int64_t *ret_source_us, uint64_t *ret_lsn, struct error *err)
{
	struct avro_reader in = { value, (const unsigned char *)value + value_len };
	struct scalar fields[HEARTBEAT_FIELD_COUNT] = { { 0 } };
	struct plan *plan;
	int64_t us = 0;

	(void)arena;
	if (decoder_plan(decoder, &in, PLAN_HEARTBEAT, "heartbeat", &plan, err) < 0 ||
		read_fields(plan, &in, "heartbeat", fields, err) < 0 ||
		read_us(&fields[HEARTBEAT_TS_US], &fields[HEARTBEAT_TS_MS], "heartbeat", &us, err) < 0)
		return -1;
	*ret_source_us = us;
	*ret_lsn = decoder_unsigned(&fields[HEARTBEAT_LSN]);
	return 0;
}

/* A text of the position into its array, refusing what would be cut. */
static int copy_text(const struct scalar *scalar, const char *field, char *to, size_t size, struct error *err)
{
	if (scalar->kind != SCALAR_TEXT)
		return missing("position record", field, err);
	if (scalar->len >= size || memchr(scalar->text, '\0', scalar->len) != NULL)
		return error_set(err, ERROR_DATA, "position record has an impossible %s", field);
	memcpy(to, scalar->text, scalar->len);
	to[scalar->len] = '\0';
	return 0;
}

int decoder_position(struct decoder *decoder, const void *value, size_t value_len, struct arena *arena,
	struct codec_position *ret_position, struct error *err)
{
	static const char *const names[] = { "log", "transaction_id", "commit", "confirmed", "epoch", "wall_us" };
	const struct scalar *resume;
	struct avro_reader in = { value, (const unsigned char *)value + value_len };
	struct scalar fields[POSITION_FIELD_COUNT] = { { 0 } };
	struct codec_position pos = { .resume = "" };
	struct plan *plan;

	if (decoder_plan(decoder, &in, PLAN_POSITION, "position record", &plan, err) < 0 ||
		read_fields(plan, &in, "position record", fields, err) < 0 ||
		copy_text(&fields[POSITION_LOG], "log", pos.log, sizeof pos.log, err) < 0 ||
		copy_text(&fields[POSITION_TRANSACTION_ID], "transaction_id", pos.transaction_id, sizeof pos.transaction_id,
			err) < 0)
		return -1;
	for (int i = POSITION_COMMIT; i <= POSITION_WALL_US; i++)
		if (fields[i].kind != SCALAR_NUMBER)
			return missing("position record", names[i], err);
	pos.commit = decoder_unsigned(&fields[POSITION_COMMIT]);
	pos.confirmed = decoder_unsigned(&fields[POSITION_CONFIRMED]);
	pos.epoch = decoder_unsigned(&fields[POSITION_EPOCH]);
	pos.wall_us = fields[POSITION_WALL_US].number;
	resume = &fields[POSITION_RESUME];
	if (resume->kind == SCALAR_TEXT) { /* null, or of an older writer: nothing */
		if (resume->len >= CODEC_RESUME_MAX || memchr(resume->text, '\0', resume->len) != NULL)
			return error_set(err, ERROR_DATA, "position record has an impossible resume");
		pos.resume = arena_strndup(arena, resume->text, resume->len);
		if (pos.resume == NULL)
			return arena_error(arena, err);
	}
	*ret_position = pos;
	return 0;
}
