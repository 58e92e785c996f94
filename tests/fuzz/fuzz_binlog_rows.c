/*
 * fuzz_binlog_rows.c: table maps and row images of a binlog through one set of tables. Nothing may be read beyond a map's or an image's end,
 * nothing may leak, and what is decoded must be whole (every value of a row is looked at).
 *
 * Input: a byte of settings (1: MariaDB, 2: with a catalogue, 4: a server of today), then pieces behind their length (two bytes, big-endian; one that says more than
 * is left is what is left). A piece begins with a letter:
 *   'm' a table map as it stands in the event
 *   'c', 'u', 'p', 'd'  rows of that operation ('p': a partial update) of the last table mapped: the bitmaps that the operation has, then the rows
 * The catalogue answers from the question alone, so that a run depends on the input alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_rows.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/look.h"

#define ARENA_MAX ((size_t)4 << 20)
#define WITH_MARIADB 1
#define WITH_CATALOGUE 2
#define WITH_NEW 4
#define TABLE_ID_BYTES 6

static char names[BINLOG_COLUMNS_MAX][8];
static struct binlog_catalogue_column answers[BINLOG_COLUMNS_MAX];

static int answer(void *context, const char *schema, const char *name, const unsigned char *types, size_t column_count,
	bool known_names, const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	static const struct binlog_catalogue_column examples[] = {
		{ .data_type = "uuid", .column_type = "uuid", .charset = "" },
		{ .data_type = "inet6", .column_type = "inet6", .charset = "", .default_text = "'::1'" },
		{ .data_type = "inet4", .column_type = "inet4", .charset = "" },
		{ .data_type = "enum", .column_type = "enum('a','it''s')", .charset = "utf8mb4", .default_text = "'it''s'" },
		{ .data_type = "set", .column_type = "set('a','b','c')", .charset = "latin1" },
		{ .data_type = "int", .column_type = "int(10) unsigned", .charset = "", .default_text = "-5" },
		{ .data_type = "time", .column_type = "time(3)", .charset = "", .default_text = "'-01:02:03.4'" },
		{ .data_type = "datetime", .column_type = "datetime(6)", .charset = "", .default_text = "2026-01-02 03:04:05" },
		{ .data_type = "timestamp", .column_type = "timestamp", .charset = "", .default_computed = true },
		{ .data_type = "vector", .column_type = "vector(3)", .charset = "" },
		{ .data_type = "longtext", .column_type = "longtext", .charset = "utf8mb4", .is_json = true },
		{ .data_type = "varchar", .column_type = "varchar(20)", .charset = "sjis", .default_text = "'a\\'b'" },
		{ .data_type = "char", .column_type = "char(20)", .charset = "gb18030", .key = true },
		{ .data_type = "text", .column_type = "text", .charset = "utf16" },
	};

	if (name[0] == '!')
		return error_set(err, ERROR_GAP, "no answer");
	for (size_t i = 0; i < column_count; i++) {
		answers[i] = examples[(types[i] + i + (unsigned char)name[0]) % (sizeof examples / sizeof examples[0])];
		(void)snprintf(names[i], sizeof names[i], "c%zu", i);
		answers[i].name = names[i];
		answers[i].generated = (types[i] + i) % 5 == 0;
	}
	*ret_columns = answers;
	*ret_count = known_names && name[0] == '?' ? 0 : column_count;
	return 0;
}

static uint64_t look_at_row(const struct table *table, const struct value *row)
{
	uint64_t sum = strlen(table->name);

	for (size_t i = 0; row != NULL && i < table->column_count; i++)
		sum += fuzz_look_at(&row[i]);
	return sum;
}

static void check_error(int result, const struct error *err)
{
	if (result < 0 && (err->class == ERROR_NONE || err->class == ERROR_BUG))
		abort();
}

/* Columns of a map that was understood: the table may have fewer. */
static size_t logged_columns(const uint8_t *bytes)
{
	const uint8_t *at = bytes + TABLE_ID_BYTES + 2;

	at += at[0] + 2;
	at += at[0] + 2;
	return at[0] < 0xfb ? at[0] : at[1] | (size_t)at[2] << 8 | (size_t)(at[0] > 0xfc ? at[3] : 0) << 16;
}

static uint64_t map(struct binlog_tables *tables, const uint8_t *bytes, size_t len, uint64_t *ret_id,
	const struct table **ret_table, size_t *ret_count)
{
	struct error err = ERROR_INIT;
	const struct table *table;
	int result = binlog_tables_map(tables, bytes, len, &table, &err);

	check_error(result, &err);
	if (result < 0)
		return 0;
	*ret_table = table;
	*ret_count = logged_columns(bytes);
	if (table->column_count > *ret_count)
		abort();
	*ret_id = 0;
	for (size_t i = TABLE_ID_BYTES; i > 0; i--)
		*ret_id = *ret_id << 8 | bytes[i - 1];
	if (binlog_tables_find(tables, table->schema, table->name) != table)
		abort();
	return table->version;
}

static uint64_t read_rows(struct binlog_rows *rows, uint8_t letter, size_t count, uint64_t id,
	const uint8_t *at, size_t len, struct arena *arena)
{
	struct binlog_rows_event event = { .op = letter == 'p' ? CHANGE_UPDATE : (enum change_op)letter,
		.partial = letter == 'p', .table_id = id, .column_count = count };
	size_t bits = (count + 7) / 8;
	struct error err = ERROR_INIT;
	uint64_t sum = 0;
	struct change change;
	int result;

	if (event.op != CHANGE_INSERT && len >= bits) {
		event.before_columns = at;
		at += bits;
		len -= bits;
	}
	if (event.op != CHANGE_DELETE && len >= bits) {
		event.after_columns = at;
		at += bits;
		len -= bits;
	}
	if ((event.op != CHANGE_INSERT && event.before_columns == NULL) ||
		(event.op != CHANGE_DELETE && event.after_columns == NULL))
		return 0;
	event.rows = at;
	event.rows_len = len;
	result = binlog_rows_open(rows, &event, &err);
	check_error(result, &err);
	if (result < 0)
		return 0;
	while ((result = binlog_rows_next(rows, arena, &change, &err)) == 1) {
		sum += look_at_row(change.table, change.before) + look_at_row(change.table, change.after);
		arena_reset(arena);
	}
	check_error(result, &err);
	return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct binlog_catalogue catalogue = { NULL, answer };
	struct binlog_tables *tables;
	struct binlog_rows *rows;
	const struct table *table = NULL;
	struct binlog_format format = { .checksum = false };
	uint64_t sum = 0, id = 0;
	size_t count = 0;
	struct arena arena;

	if (size == 0)
		return 0;
	tables = binlog_tables_new((data[0] & WITH_CATALOGUE) != 0 ? &catalogue : NULL);
	rows = tables != NULL ? binlog_rows_new(tables) : NULL;
	if (rows == NULL)
		abort();
	format.mariadb = (data[0] & WITH_MARIADB) != 0;
	format.version = (data[0] & WITH_NEW) != 0 ? 0x0b0800 : 0x0a0600;
	binlog_tables_server(tables, &format);
	data++;
	size--;
	arena_init(&arena, ARENA_MAX);
	while (size >= 3) {
		size_t len = (size_t)data[0] << 8 | data[1];
		uint8_t letter, *copy;

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (len == 0)
			continue;
		/* A piece of memory of its own, so that a byte beyond it is seen. */
		letter = data[0];
		copy = malloc(len - 1 > 0 ? len - 1 : 1);
		if (copy == NULL)
			abort();
		memcpy(copy, data + 1, len - 1);
		if (letter == 'm')
			sum += map(tables, copy, len - 1, &id, &table, &count);
		else if (table != NULL && (letter == 'c' || letter == 'u' || letter == 'p' || letter == 'd'))
			sum += read_rows(rows, letter, count, id, copy, len - 1, &arena);
		arena_reset(&arena);
		free(copy);
		data += len;
		size -= len;
	}
	arena_release(&arena);
	binlog_rows_free(rows);
	binlog_tables_free(tables);
	/* Uses the sum, so that no compiler leaves the looking out. */
	return sum == UINT64_MAX ? -1 : 0;
}
