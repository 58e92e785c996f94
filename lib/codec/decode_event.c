/*
 * decode_event.c: the bytes of an event -> a change.
 *
 * 1. The fields of the Envelope in the writer's order: rows go into arrays of the arena, `unchanged` and `exact`
 * are only marked.
 * 2. source names the table, hence the shape.
 * 3. `unchanged` and `exact` are laid over the rows: a column named there is null in its row.
 * 4. The parts are checked against the operation, and a delete's key columns are filled from the message key.
 */
#include <string.h>

#include "lib/codec/decoder.h"

#define BEFORE_PREFIX "before:"
#define BEFORE_PREFIX_LEN (sizeof BEFORE_PREFIX - 1)

/* What the fields of one event gave. */
struct reading {
	const struct plan *plan;
	struct arena *arena;
	struct value *before, *after; /* NULL: no such row */
	struct scalar source[SOURCE_FIELD_COUNT];
	struct scalar block[BLOCK_FIELD_COUNT];
	struct scalar op;
	const unsigned char *unchanged, *exact; /* behind the union's branch; NULL: none */
	const unsigned char *end;
	struct error *err;
};

static int malformed(struct reading *reading, const char *what)
{
	return error_set(reading->err, ERROR_DATA, "%s is malformed or ends too early", what);
}

/* ---- 1: fields ---- */

static int read_values(struct avro_reader *in, const struct row_plan *row, struct arena *arena, struct value *values,
	struct error *err)
{
	const char *reason;

	for (size_t i = 0; i < row->count; i++)
		if (!decode_value(in, &row->readers[i], arena, &values[i], &reason)) {
			if (reason == decode_no_memory)
				(void)arena_error(arena, err);
			else
				(void)error_set(err, ERROR_DATA, "it %s", reason);
			return error_prefix(err, "column \"%.200s\"", row->columns[i].name);
		}
	return 0;
}

static int read_row(struct reading *reading, struct avro_reader *in, int null_branch, struct value **ret_row)
{
	const struct row_plan *row = &reading->plan->event.row;
	struct value *values;
	int64_t branch = 0;

	if (null_branch >= 0) {
		if (!avro_get_long(in, &branch) || branch < 0 || branch > 1)
			return malformed(reading, "a row");
		if (branch == null_branch) {
			*ret_row = NULL;
			return 0;
		}
	}
	values = arena_alloc(reading->arena, row->count * sizeof *values);
	if (values == NULL)
		return arena_error(reading->arena, reading->err);
	if (read_values(in, row, reading->arena, values, reading->err) < 0)
		return -1;
	*ret_row = values;
	return 0;
}

static int read_record(struct reading *reading, struct avro_reader *in, const struct record_plan *plan,
	struct scalar *fields)
{
	const struct avro_type *type = plan->type;

	for (size_t i = 0; i < type->count; i++) {
		int target = plan->targets[i];

		if (target < 0 ? !avro_type_skip(in, type->members[i]) : !avro_type_scalar(in, type->members[i], &fields[target]))
			return malformed(reading, type->names[i]);
	}
	return 0;
}

static int read_block(struct reading *reading, struct avro_reader *in)
{
	int64_t branch = 0;

	if (reading->plan->event.block_null >= 0) {
		if (!avro_get_long(in, &branch) || branch < 0 || branch > 1)
			return malformed(reading, "transaction");
		if (branch == reading->plan->event.block_null)
			return 0;
	}
	return read_record(reading, in, &reading->plan->event.block, reading->block);
}

/* Remembers where a union's second branch stands, and goes on behind it. */
static int mark_union(struct reading *reading, struct avro_reader *in, const struct avro_type *type,
	const unsigned char **ret_at)
{
	struct avro_reader peek = *in;
	int64_t branch = 0;

	if (!avro_get_long(&peek, &branch) || !avro_type_skip(in, type))
		return malformed(reading, "unchanged or exact");
	*ret_at = branch == 1 ? peek.at : NULL;
	return 0;
}

static int read_field(struct reading *reading, struct avro_reader *in, int target, const struct avro_type *type)
{
	const struct envelope_plan *event = &reading->plan->event;

	switch (target) {
	case ENVELOPE_BEFORE:
		return read_row(reading, in, event->before_null, &reading->before);
	case ENVELOPE_AFTER:
		return read_row(reading, in, event->after_null, &reading->after);
	case ENVELOPE_SOURCE:
		return read_record(reading, in, &event->source, reading->source);
	case ENVELOPE_TRANSACTION:
		return read_block(reading, in);
	case ENVELOPE_OP:
		return avro_type_scalar(in, type, &reading->op) ? 0 : malformed(reading, "op");
	case ENVELOPE_UNCHANGED:
		return mark_union(reading, in, type, &reading->unchanged);
	case ENVELOPE_EXACT:
		return mark_union(reading, in, type, &reading->exact);
	default:
		return avro_type_skip(in, type) ? 0 : malformed(reading, "a field of the event");
	}
}

/* ---- 3: unchanged, exact ---- */

/*
 * The value that "column" or "before:column" names; NULL and err. *io_hint: the names come in the order of the
 * columns.
 */
static struct value *named_value(struct reading *reading, const char *name, size_t len, size_t *io_hint,
	size_t *ret_column)
{
	const struct row_plan *row = &reading->plan->event.row;
	bool before = len > BEFORE_PREFIX_LEN && memcmp(name, BEFORE_PREFIX, BEFORE_PREFIX_LEN) == 0;
	struct value *values = before ? reading->before : reading->after;
	size_t skip = before ? BEFORE_PREFIX_LEN : 0, at = *io_hint;

	for (size_t i = 0; i < row->count && values != NULL; i++, at++) {
		if (at >= row->count)
			at = 0;
		if (row->field_lens[at] == len - skip && memcmp(row->fields[at], name + skip, len - skip) == 0) {
			*io_hint = at + 1;
			*ret_column = at;
			return &values[at];
		}
	}
	(void)error_set(reading->err, ERROR_DATA, "unchanged or exact names \"%.*s\", which the event does not have",
		(int)(len > 200 ? 200 : len), name);
	return NULL;
}

static int contradiction(struct reading *reading, size_t column)
{
	return error_set(reading->err, ERROR_DATA, "column \"%.200s\" has a value and is named in unchanged or exact",
		reading->plan->event.row.columns[column].name);
}

/* Both were skipped over before, so their blocks are sound. */
static int apply_unchanged(struct reading *reading)
{
	struct avro_reader in = { reading->unchanged, reading->end };
	size_t count, len, column, hint = 0;
	const char *name;

	while (avro_get_block(&in, &count) && count > 0)
		for (; count > 0; count--) {
			struct value *val;

			if (!avro_get_bytes(&in, &name, &len))
				return malformed(reading, "unchanged");
			val = named_value(reading, name, len, &hint, &column);
			if (val == NULL)
				return -1;
			if (val->kind != VALUE_NULL)
				return contradiction(reading, column);
			val->kind = VALUE_UNCHANGED;
		}
	return 0;
}

static int apply_exact(struct reading *reading)
{
	const struct row_plan *row = &reading->plan->event.row;
	struct avro_reader in = { reading->exact, reading->end };
	size_t count, len, text_len, column, hint = 0;
	const char *name, *text;

	while (avro_get_block(&in, &count) && count > 0)
		for (; count > 0; count--) {
			struct value *val;

			if (!avro_get_bytes(&in, &name, &len) || !avro_get_bytes(&in, &text, &text_len))
				return malformed(reading, "exact");
			val = named_value(reading, name, len, &hint, &column);
			if (val == NULL)
				return -1;
			if (val->kind == VALUE_NULL)
				val->kind = VALUE_EXACT;
			else if (val->kind == VALUE_INT && row->readers[column].op == READ_DURATION)
				val->kind = VALUE_TEXT;
			else
				return contradiction(reading, column);
			val->text.ptr = text;
			val->text.len = text_len;
		}
	return 0;
}

/* Durations of a foreign writer, who has no `exact`: the number is all there is. */
static int name_durations(struct reading *reading, struct value *values)
{
	const struct row_plan *row = &reading->plan->event.row;

	for (size_t i = 0; values != NULL && i < row->count; i++) {
		char *text;

		if (row->readers[i].op != READ_DURATION || values[i].kind != VALUE_INT)
			continue;
		text = arena_printf(reading->arena, "%lld microseconds", (long long)values[i].i);
		if (text == NULL)
			return arena_error(reading->arena, reading->err);
		values[i].kind = VALUE_TEXT;
		values[i].text.ptr = text;
		values[i].text.len = strlen(text);
	}
	return 0;
}

static bool is_text(const char *text, size_t len, const char *wanted)
{
	return strlen(wanted) == len && memcmp(text, wanted, len) == 0;
}

/* In a truncate the map says what the contract has no field for. */
static int read_truncate(struct reading *reading, struct change *chg)
{
	struct avro_reader in = { reading->exact, reading->end };
	size_t count, len, text_len;
	const char *name, *text;

	while (avro_get_block(&in, &count) && count > 0)
		for (; count > 0; count--) {
			if (!avro_get_bytes(&in, &name, &len) || !avro_get_bytes(&in, &text, &text_len))
				return malformed(reading, "exact");
			if (!is_text(name, len, "truncate"))
				continue;
			chg->truncate_restart_identity = is_text(text, text_len, "restart identity") ||
				is_text(text, text_len, "restart identity cascade");
			chg->truncate_cascade = is_text(text, text_len, "cascade") || is_text(text, text_len, "restart identity cascade");
		}
	return 0;
}

static int apply_extras(struct reading *reading, struct change *chg)
{
	if (chg->op == CHANGE_TRUNCATE)
		return reading->exact == NULL ? 0 : read_truncate(reading, chg);
	if (reading->unchanged != NULL && apply_unchanged(reading) < 0)
		return -1;
	if (reading->exact != NULL && apply_exact(reading) < 0)
		return -1;
	if (reading->plan->event.row.has_duration &&
		(name_durations(reading, reading->before) < 0 || name_durations(reading, reading->after) < 0))
		return -1;
	return 0;
}

/* ---- keys ---- */

/* Where each field of the key goes in the table. */
static int map_key(struct plan *plan, const struct table *table, struct error *err)
{
	for (size_t i = 0; i < plan->key.count; i++) {
		const char *name = plan->key.columns[i].name;
		long column = table_column_index(table, name, strlen(name));

		if (column < 0) {
			plan->key_table = NULL;
			return error_set(err, ERROR_DATA, "message key has column \"%.200s\", which table %s.%s does not have", name,
				table->schema, table->name);
		}
		plan->key_columns[i] = (size_t)column;
	}
	plan->key_table = table;
	return 0;
}

int decoder_key(struct decoder *decoder, const struct table *table, const void *key, size_t key_len,
	struct arena *arena, struct value *ret_row, struct error *err)
{
	struct avro_reader in = { key, (const unsigned char *)key + key_len };
	struct value *values;
	struct plan *plan;

	if (decoder_plan(decoder, &in, PLAN_KEY, "message key", &plan, err) < 0)
		return -1;
	if (plan->key_table != table && map_key(plan, table, err) < 0)
		return -1;
	values = arena_alloc(arena, plan->key.count * sizeof *values);
	if (values == NULL)
		return arena_error(arena, err);
	if (read_values(&in, &plan->key, arena, values, err) < 0)
		return error_prefix(err, "message key of table %s.%s", table->schema, table->name);
	if (in.at != in.end)
		return error_set(err, ERROR_DATA, "message key of table %s.%s has %zu bytes too many", table->schema, table->name,
			avro_left(&in));
	memset(ret_row, 0, table->column_count * sizeof *ret_row); /* VALUE_NULL */
	for (size_t i = 0; i < plan->key.count; i++)
		ret_row[plan->key_columns[i]] = values[i];
	return 0;
}

static bool key_complete(const struct table *table, const struct value *row)
{
	for (size_t i = 0; i < table->key_count; i++)
		if (row[table->key[i]].kind == VALUE_NULL)
			return false;
	return true;
}

/* The key columns of a delete's old row from the message key, where the row does not have them. */
static int fill_before(struct decoder *decoder, struct reading *reading, const struct table *table, const void *key,
	size_t key_len)
{
	struct value *from_key;

	if (reading->before != NULL && key_complete(table, reading->before))
		return 0;
	from_key = arena_alloc(reading->arena, table->column_count * sizeof *from_key);
	if (from_key == NULL)
		return arena_error(reading->arena, reading->err);
	if (decoder_key(decoder, table, key, key_len, reading->arena, from_key, reading->err) < 0)
		return -1;
	if (reading->before == NULL) {
		reading->before = from_key;
		return 0;
	}
	for (size_t i = 0; i < table->key_count; i++)
		if (reading->before[table->key[i]].kind == VALUE_NULL)
			reading->before[table->key[i]] = from_key[table->key[i]];
	return 0;
}

/* ---- 2 and 4: the event ---- */

static int find_table(struct decoder *decoder, struct plan *plan, struct reading *reading, const void *key,
	size_t key_len, const struct table **ret_table)
{
	const struct scalar *schema = &reading->source[SOURCE_SCHEMA], *name = &reading->source[SOURCE_TABLE];
	const unsigned char *bytes = key;
	int32_t key_id = 0;

	if (schema->kind != SCALAR_TEXT)
		schema = &reading->source[SOURCE_DB]; /* MySQL, MariaDB */
	if (schema->kind != SCALAR_TEXT || name->kind != SCALAR_TEXT)
		return error_set(reading->err, ERROR_DATA, "its source names no table");
	if (!plan->event.ours && key_len >= AVRO_WIRE_HEADER && bytes[0] == 0)
		key_id = (int32_t)((uint32_t)bytes[1] << 24 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 8 | bytes[4]);
	return decoder_table(decoder, plan, schema->text, schema->len, name->text, name->len, key_id, ret_table, reading->err);
}

static int read_transaction(struct reading *reading, struct event *event)
{
	const struct scalar *id = &reading->block[BLOCK_ID];

	event->change.index = decoder_unsigned(&reading->block[BLOCK_TOTAL_ORDER]);
	event->change.table_index = decoder_unsigned(&reading->block[BLOCK_DATA_COLLECTION_ORDER]);
	if (id->kind != SCALAR_TEXT) {
		event->transaction_id = "";
		return 0;
	}
	if (!decoder_commit(id->text, id->len, &event->commit))
		return error_set(reading->err, ERROR_DATA, "transaction id \"%.*s\" names no commit position",
			(int)(id->len > 200 ? 200 : id->len), id->text);
	event->transaction_id = arena_strndup(reading->arena, id->text, id->len);
	return event->transaction_id == NULL ? arena_error(reading->arena, reading->err) : 0;
}

static int check_rows(const struct reading *reading, const struct change *chg)
{
	bool before = reading->before != NULL, after = reading->after != NULL;

	switch (chg->op) {
	case CHANGE_INSERT:
	case CHANGE_READ:
	case CHANGE_UPDATE:
		if (!after)
			return error_set(reading->err, ERROR_DATA, "an event with op %c has no row after it", (char)chg->op);
		return 0;
	case CHANGE_DELETE:
		if (!before)
			return error_set(reading->err, ERROR_DATA, "a delete has neither an old row nor a key");
		return 0;
	default:
		return 0;
	}
}

/* Where the change stands in its log: an LSN, or a binlog's file, offset and row. */
static int read_place(const struct reading *reading, struct change *chg)
{
	const struct scalar *file = &reading->source[SOURCE_FILE], *row = &reading->source[SOURCE_ROW];

	chg->lsn = decoder_unsigned(&reading->source[SOURCE_LSN]);
	if (file->kind != SCALAR_TEXT || file->len == 0)
		return 0;
	chg->lsn = decoder_unsigned(&reading->source[SOURCE_POS]);
	chg->row = row->kind == SCALAR_NUMBER ? (uint32_t)row->number : 0;
	chg->file = arena_strndup(reading->arena, file->text, file->len);
	return chg->file == NULL ? arena_error(reading->arena, reading->err) : 0;
}

/* The name of the table once it is known, for messages. */
static int prefix_event(const struct reading *reading, const struct table *table)
{
	if (table != NULL)
		return error_prefix(reading->err, "event of table %s.%s", table->schema, table->name);
	return error_prefix(reading->err, "event of schema %d (\"%.200s\")", (int)reading->plan->id, reading->plan->name);
}

static int read_event(struct decoder *decoder, struct plan *plan, struct reading *reading, struct avro_reader *in,
	const void *key, size_t key_len, struct event *event)
{
	const struct avro_type *type = plan->event.envelope.type;
	struct change *chg = &event->change;
	const struct scalar *ts_us = &reading->source[SOURCE_TS_US], *ts_ms = &reading->source[SOURCE_TS_MS];

	for (size_t i = 0; i < type->count; i++)
		if (read_field(reading, in, plan->event.envelope.targets[i], type->members[i]) < 0)
			return -1;
	if (in->at != in->end)
		return error_set(reading->err, ERROR_DATA, "%zu bytes too many", avro_left(in));
	if (find_table(decoder, plan, reading, key, key_len, &chg->table) < 0)
		return -1;
	if (reading->op.kind != SCALAR_TEXT || reading->op.len != 1 || memchr("curdt", reading->op.text[0], 5) == NULL)
		return error_set(reading->err, ERROR_DATA, "its op is none of c, u, r, d and t");
	chg->op = (enum change_op)reading->op.text[0];
	if (apply_extras(reading, chg) < 0 || read_transaction(reading, event) < 0)
		return -1;
	if (chg->op == CHANGE_DELETE && key_len > 0 && fill_before(decoder, reading, chg->table, key, key_len) < 0)
		return -1;
	if (check_rows(reading, chg) < 0)
		return -1;
	if (chg->op != CHANGE_TRUNCATE) {
		chg->before = chg->op == CHANGE_INSERT || chg->op == CHANGE_READ ? NULL : reading->before;
		chg->after = chg->op == CHANGE_DELETE ? NULL : reading->after;
	}
	chg->before_is_key = chg->before != NULL && plan->event.identity == IDENTITY_KEY && chg->table->key_count > 0;
	if (read_place(reading, chg) < 0)
		return -1;
	if (ts_us->kind == SCALAR_NUMBER)
		event->source_us = ts_us->number;
	else if (ts_ms->kind == SCALAR_NUMBER && __builtin_mul_overflow(ts_ms->number, 1000, &event->source_us))
		return error_set(reading->err, ERROR_DATA, "its source.ts_ms is out of range");
	return 0;
}

int decoder_event(struct decoder *decoder, const void *key, size_t key_len, const void *value, size_t value_len,
	struct arena *arena, struct event *ret_event, struct error *err)
{
	struct avro_reader in = { value, (const unsigned char *)value + value_len };
	struct reading reading = { .arena = arena, .end = in.end, .err = err };
	struct event event = { 0 };
	struct plan *plan;

	if (value_len == 0)
		return error_set(err, ERROR_DATA, "event is empty (a tombstone)");
	if (decoder_plan(decoder, &in, PLAN_EVENT, "event", &plan, err) < 0)
		return -1;
	reading.plan = plan;
	if (read_event(decoder, plan, &reading, &in, key, key == NULL ? 0 : key_len, &event) < 0)
		return prefix_event(&reading, event.change.table);
	*ret_event = event;
	return 0;
}
