/*
 * decode_binlog_rows.c: the rows of one rows event -> changes.
 *
 * A row of the event is one image (insert: after; delete: before) or two (update: before, after). An image:
 *   a bit for each column that it has (by the event's bitmap), lowest first: NULL; the values of the others (decode_binlog_value.c).
 * In MySQL's PARTIAL_UPDATE_ROWS the after image begins with a packed number of options; if the lowest bit is set, a bit for each JSON column
 * of the table follows, present or not: its value is a list of changes to that of the before image.
 *
 * binlog_row_image decides which columns an image has: FULL all; NOBLOB leaves out BLOB and TEXT columns that are not part of the key and did
 * not change; MINIMAL has the key before and what the statement set after. What becomes of the others, and of generated columns:
 * decode_binlog_rows.h. Indexes of columns are those of the log (shape->columns) until a value is stored at its place in the table.
 */
#include "capture/decode_binlog_rows.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_cursor.h"
#include "capture/decode_binlog_shape.h"
#include "capture/decode_json.h"

#define DUMMY_TABLE_ID UINT64_C(0xffffff) /* MySQL: an event without table and rows, that only ends a statement */
#define OPTION_PARTIAL_JSON 1
#define HINT_IMAGE "set binlog_row_image=FULL on the source"

/* Which columns the images of one side have. */
struct side {
	const unsigned char *columns; /* the event's bitmap; NULL: there is no such image */
	size_t logged;                /* columns present */
	size_t count;                 /* of these, columns of the table */
};

struct binlog_rows {
	struct binlog_tables *tables;
	const struct binlog_shape *shape;
	enum change_op op;
	bool partial;
	bool before_is_key;
	bool empty_insert; /* one row, of no bytes */
	struct side before, after;
	const unsigned char *start, *at, *end;
	uint32_t row;
	/* PARTIAL_UPDATE_ROWS: the JSON values of the before image, by column */
	struct binlog_bytes *json;
	size_t json_room;
};

struct binlog_rows *binlog_rows_new(struct binlog_tables *tables)
{
	struct binlog_rows *rows = calloc(1, sizeof *rows);

	if (rows != NULL)
		rows->tables = tables;
	return rows;
}

void binlog_rows_free(struct binlog_rows *rows)
{
	if (rows == NULL)
		return;
	free(rows->json);
	free(rows);
}

static bool bit_at(const unsigned char *bits, size_t i)
{
	return (bits[i / 8] >> i % 8 & 1) != 0;
}

/* ---- errors ---- */

static int row_malformed(const struct binlog_rows *rows, const char *what, struct error *err)
{
	const struct table *table = rows->shape->table;

	return error_set(err, ERROR_DATA, "%s.%s: row %" PRIu32 " of the event, byte %td of %td: %s", table->schema,
		table->name, rows->row, rows->at - rows->start, rows->end - rows->start, what);
}

/* place: in the table; BINLOG_LEFT_OUT: one that it does not have. */
static int column_error(const struct binlog_rows *rows, size_t place, struct error *err)
{
	const struct table *table = rows->shape->table;

	if (place == BINLOG_LEFT_OUT)
		return error_prefix(err, "%s.%s: row %" PRIu32 " of the event: one of its generated columns (%s)", table->schema,
			table->name, rows->row, rows->shape->left_out);
	return error_prefix(err, "%s.%s.%s: row %" PRIu32 " of the event", table->schema, table->name,
		table->columns[place].name, rows->row);
}

/* ---- opening ---- */

static void set_side(struct side *side, const unsigned char *columns, const struct binlog_shape *shape)
{
	side->columns = columns;
	side->logged = 0;
	side->count = 0;
	for (size_t i = 0; columns != NULL && i < shape->column_count; i++) {
		if (!bit_at(columns, i))
			continue;
		side->logged++;
		side->count += shape->columns[i].place != BINLOG_LEFT_OUT;
	}
}

/* The before image must tell which row it was: by all columns or by those of the key. */
static int check_before(struct binlog_rows *rows, struct error *err)
{
	const struct binlog_shape *shape = rows->shape;
	const struct table *table = shape->table;
	bool whole = table->key_count > 0;

	rows->before_is_key = false;
	if (rows->before.columns == NULL || rows->before.count == table->column_count)
		return 0;
	for (size_t i = 0; i < shape->column_count; i++)
		whole = whole && (bit_at(rows->before.columns, i) || shape->columns[i].place == BINLOG_LEFT_OUT ||
			!table->columns[shape->columns[i].place].key);
	if (!whole) {
		(void)error_set(err, ERROR_GAP, "%s.%s: the old row's image has %zu of %zu columns and no key", table->schema,
			table->name, rows->before.count, table->column_count);
		return error_hint(err, HINT_IMAGE);
	}
	rows->before_is_key = true;
	return 0;
}

/* The after image of an update must have the generated columns that the server leaves out whether they changed or not. */
static int check_after(const struct binlog_rows *rows, struct error *err)
{
	const struct binlog_shape *shape = rows->shape;
	const struct table *table = shape->table;

	if (rows->op != CHANGE_UPDATE || rows->after.count == table->column_count)
		return 0;
	for (size_t i = 0; i < shape->column_count; i++)
		if (shape->columns[i].may_differ && !bit_at(rows->after.columns, i)) {
			(void)error_set(err, ERROR_GAP, "%s.%s.%s: a generated column that is not in the image of an update, so that nobody knows "
				"whether it changed", table->schema, table->name, table->columns[shape->columns[i].place].name);
			return error_hint(err, HINT_IMAGE ": other images lack VIRTUAL columns");
		}
	return 0;
}

static int reserve_json(struct binlog_rows *rows, struct error *err)
{
	size_t count = rows->shape->column_count;
	struct binlog_bytes *json;

	if (!rows->partial || count <= rows->json_room)
		return 0;
	json = realloc(rows->json, count * sizeof *json);
	if (json == NULL)
		return error_set(err, ERROR_RETRY, "out of memory for a row of %zu columns", count);
	rows->json = json;
	rows->json_room = count;
	return 0;
}

static int open_shape(struct binlog_rows *rows, const struct binlog_rows_event *event, struct error *err)
{
	const struct binlog_shape *shape = rows->shape;
	const struct table *table = shape->table;

	if (event->column_count != shape->column_count)
		return error_set(err, ERROR_DATA, "%s.%s: the rows have %zu columns, the table map %zu", table->schema,
			table->name, event->column_count, shape->column_count);
	if ((event->partial && event->op != CHANGE_UPDATE) ||
		(event->op != CHANGE_INSERT && event->before_columns == NULL) ||
		(event->op != CHANGE_DELETE && event->after_columns == NULL))
		return error_set(err, ERROR_BUG, "%s.%s: rows without the columns of an image", table->schema, table->name);
	set_side(&rows->before, event->op != CHANGE_INSERT ? event->before_columns : NULL, shape);
	set_side(&rows->after, event->op != CHANGE_DELETE ? event->after_columns : NULL, shape);
	/* A MINIMAL insert in which every column has its default. MySQL refuses to log two such rows in one event (its error 1534), so this is one. */
	rows->empty_insert = event->rows_len == 0 && event->op == CHANGE_INSERT && rows->after.logged == 0 &&
		table->column_count > 0;
	if (event->rows_len > 0 && (check_before(rows, err) < 0 || check_after(rows, err) < 0))
		return -1;
	return reserve_json(rows, err);
}

int binlog_rows_open(struct binlog_rows *rows, const struct binlog_rows_event *event, struct error *err)
{
	rows->op = event->op;
	rows->partial = event->partial;
	rows->start = rows->at = event->rows;
	rows->end = event->rows_len > 0 ? event->rows + event->rows_len : event->rows;
	rows->row = 0;
	rows->empty_insert = false;
	if (event->table_id == DUMMY_TABLE_ID && event->rows_len == 0)
		return 0;
	rows->shape = binlog_tables_shape(rows->tables, event->table_id);
	if (rows->shape == NULL) {
		rows->end = rows->at;
		return error_set(err, ERROR_DATA, "rows of table id %" PRIu64 ", which no table map described",
			event->table_id);
	}
	if (open_shape(rows, event, err) < 0) {
		rows->end = rows->at;
		return -1;
	}
	return 0;
}

/* ---- images ---- */

/* The options before an after image. *ret_partial: the bit for each JSON column, or NULL. */
static int take_options(struct binlog_rows *rows, const unsigned char **ret_partial, struct error *err)
{
	struct cursor in = cursor_over(rows->at, (size_t)(rows->end - rows->at));
	uint64_t options = cursor_lenenc(&in);

	*ret_partial = (options & OPTION_PARTIAL_JSON) != 0 ? cursor_bytes(&in, (rows->shape->json_count + 7) / 8) : NULL;
	if (in.failed)
		return row_malformed(rows, "cut off in the options of a partial update", err);
	if ((options & ~(uint64_t)OPTION_PARTIAL_JSON) != 0)
		return row_malformed(rows, "options of a partial update that are not known", err);
	rows->at = in.at;
	return 0;
}

/* A JSON value that is a list of changes to the one before. */
static int take_partial_json(struct binlog_rows *rows, size_t i, struct arena *arena, struct value *ret,
	struct error *err)
{
	const struct binlog_bytes *before = &rows->json[i];
	const unsigned char *changes;
	size_t len;

	if (binlog_value_bytes(&rows->shape->columns[i].field, &rows->at, rows->end, &changes, &len, err) < 0)
		return -1;
	if (before->ptr == NULL) {
		(void)error_set(err, ERROR_GAP, "the log has only what changed in the value, and not the value before");
		return error_hint(err, "set binlog_row_image=FULL or binlog_row_value_options='' on the source");
	}
	return json_partial_text(before->ptr, before->len, changes, len, arena, ret, err);
}

/* One value of an image. Of a before image that JSON changes refer to, the bytes are kept. */
static int take_value(struct binlog_rows *rows, size_t i, bool keep, struct arena *arena, struct value *ret,
	struct error *err)
{
	const struct binlog_field *field = &rows->shape->columns[i].field;
	const unsigned char *from = rows->at;

	if (keep && field->form == FORM_JSON) {
		if (binlog_value_bytes(field, &from, rows->end, &rows->json[i].ptr, &rows->json[i].len, err) < 0)
			return -1;
	}
	return binlog_value_read(field, &rows->at, rows->end, arena, ret, err);
}

/* Fills values; a column that the image lacks is VALUE_UNCHANGED. partial: see take_options(). */
static int take_image(struct binlog_rows *rows, const struct side *side, bool keep, const unsigned char *partial,
	struct arena *arena, struct value *values, struct error *err)
{
	const struct binlog_shape_column *columns = rows->shape->columns;
	size_t count = rows->shape->column_count, null_bytes = (side->logged + 7) / 8, n = 0, json = 0;
	const unsigned char *nulls = rows->at;
	struct value passed_over;

	if ((size_t)(rows->end - rows->at) < null_bytes)
		return row_malformed(rows, "cut off in its NULL bits", err);
	rows->at += null_bytes;
	for (size_t i = 0; i < count; i++) {
		struct value *value = columns[i].place != BINLOG_LEFT_OUT ? &values[columns[i].place] : &passed_over;
		bool changes = partial != NULL && columns[i].field.form == FORM_JSON && bit_at(partial, json++);
		int result;

		if (!bit_at(side->columns, i)) {
			value->kind = VALUE_UNCHANGED;
			continue;
		}
		if (bit_at(nulls, n++)) {
			value->kind = VALUE_NULL;
			continue;
		}
		result = changes ? take_partial_json(rows, i, arena, value, err) : take_value(rows, i, keep, arena, value, err);
		if (result < 0)
			return column_error(rows, columns[i].place, err);
	}
	return 0;
}

/* What an insert's image lacks got the column's default. */
static int fill_defaults(const struct binlog_rows *rows, struct value *after, struct error *err)
{
	const struct table *table = rows->shape->table;

	if (rows->after.count == table->column_count)
		return 0;
	for (size_t i = 0; i < table->column_count; i++) {
		const struct binlog_default *def = &rows->shape->defaults[i];

		if (after[i].kind != VALUE_UNCHANGED)
			continue;
		if (!def->known) {
			(void)error_set(err, ERROR_GAP,
				"not in the image of an insert, and its default is no constant that is known here");
			(void)error_hint(err, HINT_IMAGE);
			return column_error(rows, i, err);
		}
		after[i] = def->value;
	}
	return 0;
}

/* What an update's after image lacks is as it was. */
static void fill_unchanged(const struct binlog_rows *rows, const struct value *before, struct value *after)
{
	size_t count = rows->shape->table->column_count;

	if (rows->after.count == count)
		return;
	for (size_t i = 0; i < count; i++)
		if (after[i].kind == VALUE_UNCHANGED)
			after[i] = before[i];
}

static void keep_key(const struct binlog_rows *rows, struct value *before)
{
	const struct table *table = rows->shape->table;

	for (size_t i = 0; i < table->column_count; i++)
		if (!table->columns[i].key)
			before[i].kind = VALUE_NULL;
}

static int take_before(struct binlog_rows *rows, struct arena *arena, struct value *before, struct error *err)
{
	if (rows->partial)
		memset(rows->json, 0, rows->shape->column_count * sizeof *rows->json);
	return take_image(rows, &rows->before, rows->partial, NULL, arena, before, err);
}

static int take_after(struct binlog_rows *rows, struct arena *arena, const struct value *before, struct value *after,
	struct error *err)
{
	const unsigned char *partial = NULL;

	if (rows->partial && take_options(rows, &partial, err) < 0)
		return -1;
	if (take_image(rows, &rows->after, false, partial, arena, after, err) < 0)
		return -1;
	if (before == NULL)
		return fill_defaults(rows, after, err);
	fill_unchanged(rows, before, after);
	return 0;
}

int binlog_rows_next(struct binlog_rows *rows, struct arena *arena, struct change *ret_change, struct error *err)
{
	const unsigned char *from = rows->at;
	struct value *before = NULL, *after = NULL;
	size_t size;

	if (rows->at == rows->end && !rows->empty_insert)
		return 0;
	size = rows->shape->table->column_count * sizeof *before;
	if ((rows->before.columns != NULL && (before = arena_alloc(arena, size)) == NULL) ||
		(rows->after.columns != NULL && (after = arena_alloc(arena, size)) == NULL))
		return arena_error(arena, err);
	if ((before != NULL && take_before(rows, arena, before, err) < 0) ||
		(after != NULL && take_after(rows, arena, before, after, err) < 0)) {
		rows->end = rows->at; /* what follows cannot be told apart */
		rows->empty_insert = false;
		return -1;
	}
	if (rows->at == from && !rows->empty_insert) {
		rows->end = rows->at;
		return row_malformed(rows, "a row without bytes", err);
	}
	rows->empty_insert = false;
	if (rows->before_is_key)
		keep_key(rows, before);
	memset(ret_change, 0, sizeof *ret_change);
	ret_change->op = rows->op;
	ret_change->table = rows->shape->table;
	ret_change->before = before;
	ret_change->after = after;
	ret_change->before_is_key = rows->before_is_key;
	ret_change->row = rows->row++;
	return 1;
}
