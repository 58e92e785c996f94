/*
 * capture_decode_rows.c: rows of binlogs. Recorded ones of real servers, every type with its extremes (tests/vectors/binlog_rows/), compared
 * with what SELECT gave; and what tables and images do at their edges.
 *
 * record.py, which made the files and describes them, shares nothing with the decoder.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_rows.h"
#include "lib/base/buf.h"

#define ARENA_MAX ((size_t)16 << 20)
#define COLUMNS_MAX 400

/* The catalogue that the decoder may ask; its texts are the lines', cut up in place. */
static struct {
	struct binlog_catalogue_column columns[COLUMNS_MAX];
	size_t count, asked;
	bool fail;
} known;

static struct binlog_tables *tables;
static struct binlog_rows *rows;
static struct arena arena;

static int answer(void *context, const char *schema, const char *name, const unsigned char *types, size_t column_count,
	bool known_names, const struct binlog_catalogue_column **ret_columns, size_t *ret_count, struct error *err)
{
	known.asked++;
	if (known.fail)
		return error_set(err, ERROR_GAP, "%s.%s: not to be had", schema, name);
	*ret_columns = known.columns;
	*ret_count = known.count;
	return 0;
}

static void open_tables(bool mariadb, bool with_catalogue)
{
	static const struct binlog_catalogue catalogue = { NULL, answer };

	memset(&known, 0, sizeof known);
	tables = binlog_tables_new(with_catalogue ? &catalogue : NULL);
	rows = binlog_rows_new(tables);
	arena_init(&arena, ARENA_MAX);
	binlog_tables_server(tables, &(struct binlog_format){ .mariadb = mariadb });
}

static void close_tables(void)
{
	arena_release(&arena);
	binlog_rows_free(rows);
	binlog_tables_free(tables);
}

static unsigned nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
}

/* Bytes in a piece of memory of their own, so that a sanitizer sees one read too far; NULL for "-". free() it. */
static unsigned char *from_hex(const char *hex, size_t *ret_len)
{
	size_t len = strlen(hex) / 2;
	unsigned char *bytes = malloc(len > 0 ? len : 1);

	assert_non_null(bytes);
	*ret_len = 0;
	if (strcmp(hex, "-") == 0) {
		free(bytes);
		return NULL;
	}
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	*ret_len = len;
	return bytes;
}

/* ---- recorded rows ---- */

struct replay {
	const char *file;
	size_t line, changes;
	uint64_t table_id;
	struct binlog_rows_event event;
	unsigned char *before, *after, *bytes; /* the event's */
	struct change change;
};

static void put_hex(struct buf *out, char letter, const struct value *value)
{
	buf_printf(out, "%c:", letter);
	for (size_t i = 0; i < value->text.len; i++)
		buf_printf(out, "%02X", (unsigned char)value->text.ptr[i]);
}

static void put_value(struct buf *out, const struct value *value)
{
	switch (value->kind) {
	case VALUE_NULL:
		buf_append_str(out, "N:");
		break;
	case VALUE_UNCHANGED:
		buf_append_str(out, "U:");
		break;
	case VALUE_INT:
		buf_printf(out, "i:%" PRId64, value->i);
		break;
	case VALUE_UINT:
		buf_printf(out, "u:%" PRIu64, value->u);
		break;
	case VALUE_FLOAT:
		buf_printf(out, "f:%a", value->f);
		break;
	default:
		put_hex(out, value->kind == VALUE_TEXT ? 't' : value->kind == VALUE_BYTES ? 'y' : 'e', value);
		break;
	}
}

static void check_value(const struct replay *replay, const struct column *column, const char *wanted,
	const struct value *value)
{
	struct buf shown;
	bool same;

	buf_init(&shown, ARENA_MAX);
	put_value(&shown, value);
	same = strcmp(buf_cstr(&shown), wanted) == 0;
	if (!same && value->kind == VALUE_FLOAT && wanted[0] == 'f')
		same = strtod(wanted + 2, NULL) == value->f;
	if (!same)
		fail_msg("%s:%zu: %s: decoded %s, wanted %s", replay->file, replay->line, column->name, buf_cstr(&shown),
			wanted);
	buf_release(&shown);
}

static void check_values(const struct replay *replay, char *wanted, const struct value *values)
{
	const struct table *table = replay->change.table;

	for (size_t i = 0; i < table->column_count; i++) {
		char *word = strsep(&wanted, " ");

		assert_non_null(word);
		check_value(replay, &table->columns[i], word, &values[i]);
	}
	assert_null(wanted);
}

static void free_event(struct replay *replay)
{
	free(replay->before);
	free(replay->after);
	free(replay->bytes);
	replay->before = replay->after = replay->bytes = NULL;
}

/* The event's next change. An update has two lines: it is decoded at the first. */
static void next_change(struct replay *replay)
{
	struct error err = ERROR_INIT;

	if (binlog_rows_next(rows, &arena, &replay->change, &err) != 1)
		fail_msg("%s:%zu: no row: %s", replay->file, replay->line, err.text);
	replay->changes++;
}

static void take_map(struct replay *replay, const char *hex)
{
	struct error err = ERROR_INIT;
	const struct table *table;
	size_t len;
	unsigned char *bytes = from_hex(hex, &len);

	if (binlog_tables_map(tables, bytes, len, &table, &err) < 0)
		fail_msg("%s:%zu: %s", replay->file, replay->line, err.text);
	replay->table_id = 0;
	for (size_t i = 6; i > 0; i--)
		replay->table_id = replay->table_id << 8 | bytes[i - 1];
	free(bytes);
}

static void take_rows(struct replay *replay, char *words)
{
	char letter = *strsep(&words, " ");
	struct error err = ERROR_INIT;
	size_t len;

	free_event(replay);
	memset(&replay->event, 0, sizeof replay->event);
	replay->event.op = letter == 'p' ? CHANGE_UPDATE : (enum change_op)letter;
	replay->event.partial = letter == 'p';
	replay->event.table_id = replay->table_id;
	replay->event.column_count = (size_t)strtoul(strsep(&words, " "), NULL, 10);
	replay->event.before_columns = replay->before = from_hex(strsep(&words, " "), &len);
	replay->event.after_columns = replay->after = from_hex(strsep(&words, " "), &len);
	replay->event.rows = replay->bytes = from_hex(words, &replay->event.rows_len);
	arena_reset(&arena);
	if (binlog_rows_open(rows, &replay->event, &err) < 0)
		fail_msg("%s:%zu: %s", replay->file, replay->line, err.text);
	next_change(replay);
}

static void take_column(char *words)
{
	struct binlog_catalogue_column *col = &known.columns[known.count++];

	assert_true(known.count <= COLUMNS_MAX);
	words = strdup(words);
	assert_non_null(words);
	col->name = strsep(&words, "\t");
	col->data_type = strsep(&words, "\t");
	col->column_type = strsep(&words, "\t");
	col->charset = strsep(&words, "\t");
	col->is_json = *strsep(&words, "\t") == '1';
	col->key = *strsep(&words, "\t") == '1';
	col->default_text = *words == '=' ? words + 1 : NULL;
	col->default_computed = *words == '!';
}

static void forget_columns(void)
{
	for (size_t i = 0; i < known.count; i++)
		free((void *)(uintptr_t)known.columns[i].name);
	known.count = 0;
}

/* The client program's escapes. */
static void unescape(char *text)
{
	char *to = text;

	for (; *text != '\0'; text++) {
		if (*text == '\\' && text[1] != '\0')
			*to++ = *++text == 'n' ? '\n' : *text == 't' ? '\t' : *text;
		else
			*to++ = *text;
	}
	*to = '\0';
}

static void take_line(struct replay *replay, char *line)
{
	char *rest = line + strcspn(line, " \t");

	if (*rest != '\0')
		*rest++ = '\0';
	if (strcmp(line, "server") == 0) {
		binlog_tables_server(tables, &(struct binlog_format){ .mariadb = strncmp(rest, "mariadb", 7) == 0 });
	} else if (strcmp(line, "catalogue") == 0) {
		forget_columns();
		binlog_tables_forget(tables, NULL, NULL);
	} else if (strcmp(line, "column") == 0) {
		unescape(rest);
		take_column(rest);
	} else if (strcmp(line, "map") == 0) {
		take_map(replay, rest);
	} else if (strcmp(line, "rows") == 0) {
		take_rows(replay, rest);
	} else if (strcmp(line, "before") == 0) {
		assert_int_equal(replay->change.before_is_key, rest[0] == '1');
		check_values(replay, rest + 2, replay->change.before);
	} else {
		assert_string_equal(line, "after");
		check_values(replay, rest, replay->change.after);
	}
}

static void replay_file(const char *file, size_t changes)
{
	const char *top = getenv("TOP_SRCDIR");
	struct replay replay = { .file = file };
	struct error err = ERROR_INIT;
	char path[4096], *line = NULL;
	size_t size = 0;
	ssize_t len;
	FILE *in;

	(void)snprintf(path, sizeof path, "%s/tests/vectors/binlog_rows/%s", top != NULL ? top : ".", file);
	in = fopen(path, "r");
	if (in == NULL)
		fail_msg("%s is missing", path);
	open_tables(false, true);
	while ((len = getline(&line, &size, in)) > 0) {
		replay.line++;
		line[len - 1] = '\0';
		take_line(&replay, line);
	}
	assert_int_equal(binlog_rows_next(rows, &arena, &replay.change, &err), 0);
	assert_int_equal(replay.changes, changes);
	free(line);
	(void)fclose(in);
	forget_columns();
	free_event(&replay);
	close_tables();
}

static void test_mariadb(void **state)
{
	replay_file("mariadb.txt", 28);
}

static void test_mysql(void **state)
{
	replay_file("mysql.txt", 22);
}

/* ---- a small table ---- */

/*
 * d.t (id INT UNSIGNED, name VARCHAR(20) latin1, j JSON or BLOB), key id, as MySQL writes it with FULL metadata.
 * The table id is 5.
 */
#define MAP_HEAD "0500000000000100" "016400" "017400" "03"
#define MAP_TYPES "030ffc" "03" "1400" "04" "06"
#define MAP_NAMES "040a" "026964" "046e616d65" "0162" "080100"
#define MAP_FULL MAP_HEAD MAP_TYPES "010180" "02033f0008" MAP_NAMES
#define MAP_MINIMAL MAP_HEAD MAP_TYPES "010180" "02033f0008"

static const struct table *map(const char *hex, struct error *err)
{
	const struct table *table = NULL;
	size_t len;
	unsigned char *bytes = from_hex(hex, &len);

	*err = (struct error)ERROR_INIT;
	if (binlog_tables_map(tables, bytes, len, &table, err) < 0)
		assert_int_not_equal(err->class, ERROR_NONE);
	free(bytes);
	return table;
}

/* Opens rows of table 5; bytes stay until the next call. 0 or -1. */
static int open_rows(enum change_op op, const char *before, const char *after, const char *hex, struct error *err)
{
	static unsigned char *held[3];
	struct binlog_rows_event event = { .op = op, .table_id = 5, .column_count = 3 };
	size_t len;

	for (size_t i = 0; i < 3; i++)
		free(held[i]);
	event.before_columns = held[0] = from_hex(before, &len);
	event.after_columns = held[1] = from_hex(after, &len);
	event.rows = held[2] = from_hex(hex, &event.rows_len);
	*err = (struct error)ERROR_INIT;
	return binlog_rows_open(rows, &event, err);
}

static void release_rows(void)
{
	struct error err;

	(void)open_rows(CHANGE_INSERT, "-", "-", "-", &err);
}

static void test_shape_is_the_log_s(void **state)
{
	struct error err;
	const struct table *table;

	open_tables(false, false);
	table = map(MAP_FULL, &err);
	assert_non_null(table);
	assert_string_equal(table->schema, "d");
	assert_string_equal(table->name, "t");
	assert_int_equal(table->column_count, 3);
	assert_string_equal(table->columns[0].name, "id");
	assert_int_equal(table->columns[0].type, COLUMN_INT64);
	assert_string_equal(table->columns[0].source_type, "int unsigned");
	assert_true(table->columns[0].key);
	assert_int_equal(table->columns[1].type, COLUMN_STRING);
	assert_string_equal(table->columns[1].source_type, "varchar(20)");
	assert_int_equal(table->columns[2].type, COLUMN_BYTES);
	assert_string_equal(table->columns[2].source_type, "longblob");
	assert_int_equal(table->identity, IDENTITY_KEY);
	assert_int_equal(table->key_count, 1);
	assert_int_equal(table->slot, 0);
	assert_int_equal(table->version, 1);
	assert_ptr_equal(binlog_tables_find(tables, "d", "t"), table);
	assert_null(binlog_tables_find(tables, "d", "u"));
	close_tables();
}

static void test_same_look_same_table(void **state)
{
	/* another table id, then other names, then the old ones */
	static const char again[] = "0600000000000100" "016400" "017400" "03" MAP_TYPES "010180" "02033f0008" MAP_NAMES;
	static const char renamed[] = MAP_HEAD MAP_TYPES "010180" "02033f0008" "040a" "026964" "046e616d66" "0162" "080100";
	static const char other_charset[] = MAP_HEAD MAP_TYPES "010180" "02033f0021" MAP_NAMES;
	struct error err;
	const struct table *first, *second;

	open_tables(false, true);
	first = map(MAP_FULL, &err);
	assert_int_equal(known.asked, 1);
	assert_ptr_equal(map(again, &err), first);
	assert_int_equal(known.asked, 1);
	binlog_tables_new_file(tables);
	assert_ptr_equal(map(MAP_FULL, &err), first);
	assert_int_equal(known.asked, 1);
	binlog_tables_forget(tables, "d", "t");
	assert_ptr_equal(map(MAP_FULL, &err), first);
	assert_int_equal(known.asked, 2);
	/* how bytes become text is not part of the shape */
	second = map(other_charset, &err);
	assert_non_null(second);
	assert_string_equal(second->columns[1].source_type, "varchar(6)");
	assert_int_equal(second->version, 2);
	second = map(renamed, &err);
	assert_int_equal(second->version, 3);
	assert_int_equal(second->slot, 2);
	second = map(MAP_FULL, &err);
	assert_int_equal(second->version, 4);
	assert_ptr_not_equal(second, first);
	assert_string_equal(first->columns[1].name, "name");
	close_tables();
}

static void test_minimal_metadata(void **state)
{
	static const struct binlog_catalogue_column columns[] = {
		{ .name = "id", .data_type = "int", .column_type = "int unsigned", .charset = "", .key = true },
		{ .name = "name", .data_type = "varchar", .column_type = "varchar(20)", .charset = "latin1" },
		{ .name = "b", .data_type = "longblob", .column_type = "longblob", .charset = "" },
	};
	const struct table *table;
	struct error err;

	open_tables(false, false);
	table = map(MAP_MINIMAL, &err);
	assert_string_equal(table->columns[1].name, "@2");
	assert_int_equal(table->identity, IDENTITY_FULL);
	close_tables();

	open_tables(false, true);
	memcpy(known.columns, columns, sizeof columns);
	known.count = 3;
	table = map(MAP_MINIMAL, &err);
	assert_string_equal(table->columns[1].name, "name");
	assert_int_equal(table->identity, IDENTITY_KEY);
	known.count = 2;
	binlog_tables_forget(tables, NULL, NULL);
	assert_null(map(MAP_MINIMAL, &err));
	assert_int_equal(err.class, ERROR_GAP);
	assert_string_equal(err.text, "d.t: the log has 3 columns, the catalogue 2");
	assert_string_equal(err.hint, "set binlog_row_metadata=FULL, so that the log itself describes its tables");
	known.fail = true;
	assert_null(map(MAP_MINIMAL, &err));
	assert_string_equal(err.text, "d.t: not to be had");
	close_tables();
}

static void test_images(void **state)
{
	struct change change;
	struct error err;

	open_tables(false, false);
	assert_non_null(map(MAP_FULL, &err));
	/* NOBLOB: the unused bits of the bitmaps are set; id 1, name a -> b, the blob is in neither image */
	assert_int_equal(open_rows(CHANGE_UPDATE, "fb", "fb", "00" "01000000" "0161" "00" "01000000" "0162", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_true(change.before_is_key);
	assert_int_equal(change.before[0].i, 1);
	assert_int_equal(change.before[1].kind, VALUE_NULL);
	assert_int_equal(change.after[1].kind, VALUE_TEXT);
	assert_memory_equal(change.after[1].text.ptr, "b", 1);
	assert_int_equal(change.after[2].kind, VALUE_UNCHANGED);
	assert_int_equal(change.row, 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 0);

	/* before whole, after only what changed: the rest is as before */
	assert_int_equal(open_rows(CHANGE_UPDATE, "07", "02", "04" "01000000" "0161" "00" "0162", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_false(change.before_is_key);
	assert_int_equal(change.after[0].i, 1);
	assert_int_equal(change.after[2].kind, VALUE_NULL);

	/* two rows, MINIMAL */
	assert_int_equal(open_rows(CHANGE_DELETE, "01", "-", "00" "01000000" "00" "ffffffff", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_int_equal(change.before[0].i, UINT32_MAX);
	assert_int_equal(change.row, 1);
	assert_null(change.after);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 0);
	release_rows();
	close_tables();
}

static void check_refused(int result, const struct error *err, enum error_class class, const char *text)
{
	assert_int_equal(result, -1);
	assert_int_equal(err->class, class);
	assert_string_equal(err->text, text);
}

static void test_images_that_do_not_do(void **state)
{
	struct change change;
	struct error err;

	open_tables(false, false);
	check_refused(open_rows(CHANGE_DELETE, "01", "-", "0001000000", &err), &err, ERROR_DATA,
		"rows of table id 5, which no table map described");
	assert_non_null(map(MAP_FULL, &err));
	check_refused(open_rows(CHANGE_DELETE, "02", "-", "000161", &err), &err, ERROR_GAP,
		"d.t: the old row's image has 1 of 3 columns and no key");
	assert_string_equal(err.hint, "set binlog_row_image=FULL on the source");
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "01", "0001000000", &err), 0);
	check_refused(binlog_rows_next(rows, &arena, &change, &err), &err, ERROR_GAP,
		"d.t.name: row 0 of the event: not in the image of an insert, and its default is no constant that is known here");
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "07", "0001000000" "0561", &err), 0);
	check_refused(binlog_rows_next(rows, &arena, &change, &err), &err, ERROR_DATA,
		"d.t.name: row 0 of the event: the row image ends inside of the value");
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 0);
	binlog_tables_new_file(tables);
	assert_int_equal(open_rows(CHANGE_DELETE, "01", "-", "0001000000", &err), -1);
	release_rows();
	close_tables();
}

static void test_bytes_that_are_no_text(void **state)
{
	struct change change;
	struct error err;

	open_tables(false, false);
	assert_non_null(map(MAP_HEAD MAP_TYPES "010180" "02033f0033" MAP_NAMES, &err));
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "07", "04" "01000000" "026198", &err), 0);
	check_refused(binlog_rows_next(rows, &arena, &change, &err), &err, ERROR_DATA,
		"d.t.name: row 0 of the event: byte 1 of 2 is no text in charset cp1251");
	assert_string_equal(err.hint, "leave the table out with table_exclude_list; before it is taken in again, repair its rows: the server shows ? where "
		"such bytes are");
	release_rows();
	close_tables();
}

/* ---- generated columns ---- */

/* d.t with `name` generated, on a server of that version; catalogue: what is said of it. */
static void open_generated(bool mariadb, uint32_t version)
{
	static const struct binlog_catalogue_column columns[] = {
		{ .name = "id", .data_type = "int", .column_type = "int unsigned", .charset = "", .key = true },
		{ .name = "name", .data_type = "varchar", .column_type = "varchar(20)", .charset = "latin1", .generated = true },
		{ .name = "b", .data_type = "longblob", .column_type = "longblob", .charset = "" },
	};

	open_tables(mariadb, true);
	binlog_tables_server(tables, &(struct binlog_format){ .mariadb = mariadb, .version = version });
	memcpy(known.columns, columns, sizeof columns);
	known.count = 3;
}

static void test_generated_columns_are_left_out(void **state)
{
	const struct table *table;
	struct change change;
	struct error err;

	open_generated(true, 0x0b0500);
	table = map(MAP_FULL, &err);
	assert_int_equal(table->column_count, 2);
	assert_string_equal(table->columns[1].name, "b");
	assert_int_equal(table->key_count, 1);
	assert_string_equal(binlog_tables_left_out(tables), "name");
	assert_null(binlog_tables_left_out(tables));

	/* The insert has all three; the generated one is no text in any charset, and nobody looks at it. */
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "07", "00" "01000000" "0181" "02000000" "7879", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_int_equal(change.after[0].i, 1);
	assert_int_equal(change.after[1].text.len, 2);
	assert_memory_equal(change.after[1].text.ptr, "xy", 2);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 0);

	/* What the server calls a FULL image of an update: whole, as far as the table goes. */
	assert_int_equal(open_rows(CHANGE_UPDATE, "05", "05", "02" "01000000" "00" "02000000" "01000000" "7a", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_false(change.before_is_key);
	assert_int_equal(change.before[0].i, 1);
	assert_int_equal(change.before[1].kind, VALUE_NULL);
	assert_int_equal(change.after[0].i, 2);
	assert_memory_equal(change.after[1].text.ptr, "z", 1);

	/* NULL in the generated column is passed over like a value; MINIMAL leaves the others out as ever. */
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "07", "06" "01000000", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_int_equal(change.after[1].kind, VALUE_NULL);
	assert_int_equal(open_rows(CHANGE_UPDATE, "01", "04", "00" "01000000" "00" "0100000071", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_true(change.before_is_key);
	assert_int_equal(change.after[0].i, 1);
	assert_memory_equal(change.after[1].text.ptr, "q", 1);
	check_refused(open_rows(CHANGE_DELETE, "04", "-", "01", &err), &err, ERROR_GAP,
		"d.t: the old row's image has 1 of 2 columns and no key");
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "07", "00" "01000000" "0561", &err), 0);
	check_refused(binlog_rows_next(rows, &arena, &change, &err), &err, ERROR_DATA,
		"d.t: row 0 of the event: one of its generated columns (name): the row image ends inside of the value");
	release_rows();
	close_tables();
}

static void test_what_is_left_out_is_told_once(void **state)
{
	const struct table *first, *second;
	struct error err;

	open_generated(true, 0x0b0809);
	first = map(MAP_FULL, &err);
	binlog_tables_forget(tables, NULL, NULL);
	second = map(MAP_FULL, &err);
	assert_ptr_equal(first, second);
	assert_null(binlog_tables_left_out(tables));
	/* One more is generated: that is another table and told anew. */
	known.columns[2].generated = true;
	binlog_tables_forget(tables, NULL, NULL);
	assert_int_equal(map(MAP_FULL, &err)->column_count, 1);
	assert_string_equal(binlog_tables_left_out(tables), "name, b");
	/* The key is what the log says it is. */
	known.columns[0].generated = true;
	binlog_tables_forget(tables, NULL, NULL);
	assert_int_equal(map(MAP_FULL, &err)->column_count, 1);
	/* A table that the catalogue does not know any more is taken as the log has it. */
	known.count = 0;
	binlog_tables_forget(tables, NULL, NULL);
	assert_int_equal(map(MAP_FULL, &err)->column_count, 3);
	assert_null(binlog_tables_left_out(tables));
	close_tables();
}

/* `name` is BINARY(16) or UUID, `b` LONGTEXT or JSON: only the catalogue of the row's time knows. */
static void test_types_of_another_time(void **state)
{
	static const char alike[] = MAP_HEAD "03fefc" "03" "fe10" "04" "06" "010180" "02033f012e" MAP_NAMES;
	const struct table *table;
	struct change change;
	struct error err;

	open_generated(true, 0x0a0b00);
	known.columns[1] = (struct binlog_catalogue_column){ .name = "name", .data_type = "uuid", .column_type = "uuid", .charset = "" };
	known.columns[2].default_text = NULL;
	table = map(alike, &err);
	assert_int_equal(table->columns[1].type, COLUMN_UUID);
	assert_null(binlog_tables_untold(tables));
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "01", "00" "01000000", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_int_equal(change.after[1].kind, VALUE_NULL);
	for (int i = 0; i < 3; i++)
		known.columns[i].uncertain = true;
	binlog_tables_forget(tables, NULL, NULL);
	assert_ptr_equal(map(alike, &err), table);
	assert_string_equal(binlog_tables_untold(tables), "name, b");
	assert_null(binlog_tables_untold(tables));
	assert_int_equal(open_rows(CHANGE_INSERT, "-", "01", "00" "01000000", &err), 0);
	check_refused(binlog_rows_next(rows, &arena, &change, &err), &err, ERROR_GAP,
		"d.t.name: row 0 of the event: not in the image of an insert, and its default is no constant that is known here");
	/* gone: bytes and text, and it is told already of which columns */
	known.count = 0;
	binlog_tables_forget(tables, NULL, NULL);
	assert_int_equal(map(alike, &err)->columns[1].type, COLUMN_BYTES);
	assert_null(binlog_tables_untold(tables));
	release_rows();
	close_tables();
	open_generated(false, 0x080400);
	known.count = 0;
	assert_non_null(map(alike, &err));
	assert_null(binlog_tables_untold(tables));
	close_tables();
}

static void test_a_table_of_generated_columns_alone(void **state)
{
	struct error err;

	open_generated(true, 0x0b0809);
	known.columns[0].key = false;
	known.columns[0].generated = known.columns[2].generated = true;
	assert_null(map(MAP_MINIMAL, &err));
	assert_int_equal(err.class, ERROR_GAP);
	assert_string_equal(err.text, "d.t: all its columns are generated, and the images of updates have none of those");
	close_tables();
}

/* MariaDB to 11.4: there in FULL images; in the others a VIRTUAL one may be missing though it changed. */
static void test_generated_columns_of_older_servers(void **state)
{
	struct change change;
	struct error err;

	open_generated(true, 0x0b0405);
	assert_int_equal(map(MAP_FULL, &err)->column_count, 3);
	assert_null(binlog_tables_left_out(tables));
	assert_int_equal(open_rows(CHANGE_UPDATE, "07", "07", "04" "01000000" "0161" "04" "01000000" "0162", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_memory_equal(change.after[1].text.ptr, "b", 1);
	check_refused(open_rows(CHANGE_UPDATE, "01", "04", "00" "01000000" "00" "0100000071", &err), &err, ERROR_GAP,
		"d.t.name: a generated column that is not in the image of an update, so that nobody knows whether it changed");
	assert_string_equal(err.hint, "set binlog_row_image=FULL on the source: other images lack VIRTUAL columns");
	/* what it was before says nothing either */
	check_refused(open_rows(CHANGE_UPDATE, "07", "04", "04" "01000000" "0161" "00" "0100000071", &err), &err, ERROR_GAP,
		"d.t.name: a generated column that is not in the image of an update, so that nobody knows whether it changed");
	assert_int_equal(open_rows(CHANGE_DELETE, "01", "-", "00" "01000000", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	release_rows();
	close_tables();

	/* MySQL's images have those that changed. */
	open_generated(false, 0x090704);
	assert_int_equal(map(MAP_FULL, &err)->column_count, 3);
	assert_int_equal(open_rows(CHANGE_UPDATE, "01", "04", "00" "01000000" "00" "0100000071", &err), 0);
	assert_int_equal(binlog_rows_next(rows, &arena, &change, &err), 1);
	assert_int_equal(change.after[1].kind, VALUE_UNCHANGED);
	release_rows();
	close_tables();
}

static void test_maps_that_are_none(void **state)
{
	static const struct {
		const char *hex, *text;
	} cases[] = {
		{ "05000000", "table map of an unnamed table: cut off in a name" },
		{ "0500000000000100" "016400" "0174", "table map of d: cut off in a name" },
		{ MAP_HEAD "030f", "table map of d.t: cut off in its 3 columns" },
		{ MAP_HEAD "030fcc" "03" "1400" "04" "06", "table map of d.t: column 3 has type 204, which is not known" },
		{ MAP_HEAD "030ff6" "04" "1400" "4200" "06", "table map of d.t: column 3 of type 246 has metadata 66, 0" },
		{ MAP_HEAD "030ffc" "02" "1400" "06", "table map of d.t: metadata ends in column 3" },
		{ MAP_HEAD MAP_TYPES "0105", "table map of d.t: cut off in optional metadata 1" },
		{ MAP_HEAD MAP_TYPES "0402" "0269", "table map of d.t: cut off in the name of column 1" },
		{ MAP_HEAD MAP_TYPES "080103", "table map of d.t: a key column 4 that it does not have" },
		{ MAP_HEAD MAP_TYPES "02033f0508", "table map of d.t: a charset for a column that it does not have" },
		{ MAP_HEAD MAP_TYPES "0204fce71f00", "table map of d.t: optional metadata 2 is shorter than its columns need" },
		{ MAP_HEAD MAP_TYPES "0203fce77f", "d.t: @2: collation 32743 is not known here" },
	};
	struct error err;

	open_tables(false, false);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_null(map(cases[i].hex, &err));
		assert_string_equal(err.text, cases[i].text);
	}
	assert_null(binlog_tables_find(tables, "d", "t"));
	close_tables();
}

static void test_old_times_need_the_catalogue(void **state)
{
	struct error err;

	open_tables(true, true);
	assert_null(map("0500000000000100" "016400" "017400" "01" "0b" "00" "01" "04020174", &err));
	assert_int_equal(err.class, ERROR_GAP);
	assert_string_equal(err.text,
		"d.t: t: the fraction of its old time type is not in the log, and the catalogue has no such column now");
	close_tables();
	/* MySQL's never had one */
	open_tables(false, false);
	assert_non_null(map("0500000000000100" "016400" "017400" "01" "0b" "00" "01" "04020174", &err));
	close_tables();
}

static void test_name_of_a_map(void **state)
{
	const char *schema, *name;
	struct error err = ERROR_INIT;
	size_t len;
	unsigned char *bytes = from_hex(MAP_FULL, &len);
	uint64_t id;

	arena_init(&arena, ARENA_MAX);
	assert_int_equal(binlog_map_name(bytes, len, &arena, &id, &schema, &name, &err), 0);
	assert_int_equal(id, 5);
	assert_string_equal(schema, "d");
	assert_string_equal(name, "t");
	free(bytes);
	arena_release(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mariadb),
		cmocka_unit_test(test_mysql),
		cmocka_unit_test(test_shape_is_the_log_s),
		cmocka_unit_test(test_same_look_same_table),
		cmocka_unit_test(test_minimal_metadata),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_images_that_do_not_do),
		cmocka_unit_test(test_bytes_that_are_no_text),
		cmocka_unit_test(test_generated_columns_are_left_out),
		cmocka_unit_test(test_what_is_left_out_is_told_once),
		cmocka_unit_test(test_types_of_another_time),
		cmocka_unit_test(test_a_table_of_generated_columns_alone),
		cmocka_unit_test(test_generated_columns_of_older_servers),
		cmocka_unit_test(test_maps_that_are_none),
		cmocka_unit_test(test_old_times_need_the_catalogue),
		cmocka_unit_test(test_name_of_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
