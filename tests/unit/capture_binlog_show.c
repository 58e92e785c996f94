/*
 * capture_binlog_show.c: see the header.
 *
 * Dates go through gmtime_r(), on purpose another way than the decoder's. Each event is given in a piece of memory of its own, so that a sanitizer sees
 * a byte read too far.
 */
#include "tests/unit/capture_binlog_show.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "capture/decode_binlog.h"
#include "capture/decode_statement.h"
#include "lib/base/buf.h"

#define FILE_MAX ((size_t)1 << 24)
#define LINE_MAX_BYTES ((size_t)1 << 24)
#define NAMES_MAX 200
#define MAGIC_LEN 4

/* What was last said of a table of that name. */
struct said {
	char *title, *shape;
	const struct table *table;
};

struct reading {
	const struct binlog_show *show;
	struct binlog_reader *reader;
	struct binlog_tables *tables;
	struct binlog_rows *rows;
	struct arena arena;
	struct buf line;
	struct said said[NAMES_MAX];
	size_t said_count;
	uint64_t next; /* where the next event stands in the file */
};

/* ---- forms ---- */

static void show_escaped_set(struct buf *out, const char *text, size_t len, const char *set)
{
	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c < 0x20 || strchr(set, c) != NULL)
			buf_printf(out, "%%%02X", c);
		else
			buf_append_byte(out, (char)c);
	}
}

static void show_word(struct buf *out, const char *text, size_t len)
{
	show_escaped_set(out, text, len, " %,()=|");
}

static void show_text(struct buf *out, const char *text, size_t len)
{
	show_escaped_set(out, text, len, "%");
}

void binlog_show_unescape(char *text)
{
	char *to = text;

	for (char *at = text; *at != '\0'; at++) {
		if (*at == '%') {
			char digits[3] = { at[1], at[2], '\0' };

			*to++ = (char)strtoul(digits, NULL, 16);
			at += 2;
		} else {
			*to++ = *at;
		}
	}
	*to = '\0';
}

static void show_title(struct buf *out, const struct table *table)
{
	show_word(out, table->schema, strlen(table->schema));
	buf_append_byte(out, '.');
	show_word(out, table->name, strlen(table->name));
}

static void show_fraction(struct buf *out, int64_t us, int digits)
{
	char text[16];

	(void)snprintf(text, sizeof text, "%06" PRId64, us);
	if (digits > 0)
		buf_printf(out, ".%.*s", digits, text);
}

static void show_moment(struct buf *out, int64_t us, int fraction, bool with_time)
{
	int64_t rest = (us % 1000000 + 1000000) % 1000000;
	time_t seconds = (time_t)((us - rest) / 1000000);
	struct tm tm;

	(void)gmtime_r(&seconds, &tm);
	buf_printf(out, "t:%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday);
	if (with_time) {
		buf_printf(out, "%%20%02d:%02d:%02d", tm.tm_hour, tm.tm_min, tm.tm_sec);
		show_fraction(out, rest, fraction);
	}
}

static void show_duration(struct buf *out, int64_t us, int fraction)
{
	int64_t size = us < 0 ? -us : us, seconds = size / 1000000;

	buf_printf(out, "t:%s%02d:%02d:%02d", us < 0 ? "-" : "", (int)(seconds / 3600), (int)(seconds / 60 % 60), (int)(seconds % 60));
	show_fraction(out, size % 1000000, fraction);
}

static void show_integer(struct buf *out, const struct column *column, int64_t i)
{
	switch (column->type) {
	case COLUMN_DATE:
		show_moment(out, i * 86400 * 1000000, 0, false);
		break;
	case COLUMN_TIMESTAMP:
	case COLUMN_TIMESTAMPTZ:
		show_moment(out, i, column->fraction, true);
		break;
	case COLUMN_DURATION:
		show_duration(out, i, column->fraction);
		break;
	default:
		buf_printf(out, "i:%" PRId64, i);
	}
}

static void show_value(struct buf *out, const struct column *column, const struct value *value)
{
	uint64_t bits;

	switch (value->kind) {
	case VALUE_NULL:
		buf_append_str(out, "null");
		break;
	case VALUE_UNCHANGED:
		buf_append_str(out, "unchanged");
		break;
	case VALUE_INT:
		show_integer(out, column, value->i);
		break;
	case VALUE_UINT:
		buf_printf(out, "u:%" PRIu64, value->u);
		break;
	case VALUE_FLOAT:
		memcpy(&bits, &value->f, sizeof bits);
		buf_printf(out, "f:%016" PRIx64, bits);
		break;
	case VALUE_TEXT:
	case VALUE_EXACT:
		buf_append_str(out, value->kind == VALUE_TEXT ? "s:" : "e:");
		show_word(out, value->text.ptr, value->text.len);
		break;
	case VALUE_BYTES:
		buf_append_str(out, "x:");
		for (size_t i = 0; i < value->text.len; i++)
			buf_printf(out, "%02x", (unsigned char)value->text.ptr[i]);
		break;
	default:
		buf_printf(out, "kind %d", (int)value->kind);
	}
}

static void show_image(struct buf *out, const char *word, const struct table *table, const struct value *row, bool only_key)
{
	bool first = true;

	buf_printf(out, " %s(", word);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		if (only_key && !column->key)
			continue;
		buf_append_str(out, first ? "" : ",");
		first = false;
		show_word(out, column->name, strlen(column->name));
		buf_append_byte(out, '=');
		show_value(out, column, &row[i]);
	}
	buf_append_byte(out, ')');
}

static void show_change(struct buf *out, const struct change *change)
{
	buf_append_str(out, change->op == CHANGE_INSERT ? "insert " : change->op == CHANGE_UPDATE ? "update " : "delete ");
	show_title(out, change->table);
	if (change->before != NULL)
		show_image(out, change->before_is_key ? "key" : "old", change->table, change->before, change->before_is_key);
	if (change->after != NULL)
		show_image(out, "new", change->table, change->after, false);
}

static void show_shape(struct buf *out, const struct table *table)
{
	buf_append_str(out, "table ");
	show_title(out, table);
	for (size_t i = 0; i < table->column_count; i++) {
		const struct column *column = &table->columns[i];

		buf_append_byte(out, i > 0 ? ',' : ' ');
		show_word(out, column->name, strlen(column->name));
		buf_printf(out, "=%s", column_type_name(column->type));
		if (column->type == COLUMN_DECIMAL)
			buf_printf(out, ":%d:%d", column->precision, column->scale);
		if (column->type == COLUMN_BITS)
			buf_printf(out, ":%d", column->precision);
		if (column->type == COLUMN_TIMESTAMP || column->type == COLUMN_TIMESTAMPTZ || column->type == COLUMN_DURATION)
			buf_printf(out, ":%d", column->fraction);
		buf_append_str(out, column->key ? ":key" : "");
		for (size_t j = 0; j < column->label_count; j++) {
			buf_append_byte(out, j > 0 ? '|' : ':');
			show_word(out, column->labels[j], strlen(column->labels[j]));
		}
	}
}

static void show_gtid(struct buf *out, const struct binlog_gtid_event *event)
{
	char text[TRANSACTION_GTID_MAX];

	if (event->anonymous) {
		buf_append_str(out, "gtid anonymous");
		return;
	}
	buf_printf(out, "gtid %s", gtid_format(&event->gtid, text, sizeof text));
	if (event->gtid.flavour == GTID_MARIADB && !event->standalone)
		buf_append_str(out, " begin");
	if (event->xa_prepare)
		buf_printf(out, " xa=%s", event->xa);
}

static int show_set(struct buf *out, const struct binlog_item *item, struct error *err)
{
	bool list = item->kind == BINLOG_GTID_LIST;
	struct gtid_set *set = gtid_set_new(list ? GTID_MARIADB : GTID_MYSQL);
	int result;

	if (set == NULL)
		return error_set(err, ERROR_BUG, "no memory");
	result = list ? gtid_set_parse_list(set, item->bytes.bytes, item->bytes.len, err) :
		gtid_set_parse_binary(set, item->bytes.bytes, item->bytes.len, err);
	if (result == 0) {
		buf_append_str(out, list ? "gtid_list " : "previous_gtids ");
		gtid_set_format(set, out);
	}
	gtid_set_free(set);
	return result;
}

/* ---- items ---- */

static void give(struct reading *reading, const char *without_use)
{
	reading->show->line(reading->show->context, buf_cstr(&reading->line), without_use);
	buf_reset(&reading->line);
}

static void take_query(struct reading *reading, const struct binlog_item *item)
{
	struct statement statement;
	struct buf without;

	buf_init(&without, LINE_MAX_BYTES);
	buf_printf(&without, "%" PRIu64 " query ", item->end);
	show_text(&without, item->query.text, item->query.len);
	buf_printf(&reading->line, "%" PRIu64 " query use=", item->end);
	show_word(&reading->line, item->query.schema, strlen(item->query.schema));
	buf_append_byte(&reading->line, ' ');
	show_text(&reading->line, item->query.text, item->query.len);
	give(reading, buf_cstr(&without));
	buf_release(&without);
	statement_read(&item->query, &reading->arena, &statement);
	if (statement.kind >= STATEMENT_CREATE_TABLE && statement.kind <= STATEMENT_DATABASE)
		for (size_t i = 0; i < statement.table_count; i++)
			binlog_tables_forget(reading->tables, statement.tables[i].schema, statement.tables[i].name);
}

static int take_map(struct reading *reading, const struct binlog_item *item, struct error *err)
{
	const struct table *table;
	struct said *said;
	struct buf title;

	if (binlog_tables_map(reading->tables, item->bytes.bytes, item->bytes.len, &table, err) < 0)
		return -1;
	buf_init(&title, LINE_MAX_BYTES);
	show_title(&title, table);
	for (said = reading->said; said < reading->said + reading->said_count; said++)
		if (strcmp(said->title, buf_cstr(&title)) == 0)
			break;
	if (said == reading->said + reading->said_count) {
		if (reading->said_count == NAMES_MAX)
			return error_set(err, ERROR_BUG, "more than %d tables", NAMES_MAX);
		reading->said_count++;
		said->title = buf_take(&title);
		said->shape = strdup("");
	}
	buf_release(&title);
	show_shape(&reading->line, table);
	if (strcmp(said->shape, buf_cstr(&reading->line)) != 0) {
		if (said->table == table)
			return error_set(err, ERROR_BUG, "%s: a shape that has changed", said->title);
		free(said->shape);
		said->shape = strdup(buf_cstr(&reading->line));
		give(reading, NULL);
	}
	said->table = table;
	buf_reset(&reading->line);
	return 0;
}

static int take_rows(struct reading *reading, const struct binlog_item *item, struct error *err)
{
	struct change change = { .op = CHANGE_INSERT };
	int more;

	if (binlog_rows_open(reading->rows, &item->rows, err) < 0)
		return -1;
	for (uint32_t row = 0;; row++) {
		arena_reset(&reading->arena);
		more = binlog_rows_next(reading->rows, &reading->arena, &change, err);
		if (more <= 0)
			return more;
		if (change.row != row || change.op != item->rows.op)
			return error_set(err, ERROR_BUG, "row %u says that it is row %u", (unsigned)row, (unsigned)change.row);
		show_change(&reading->line, &change);
		give(reading, NULL);
	}
}

static int take_item(struct reading *reading, const struct binlog_item *item, struct error *err)
{
	struct buf *line = &reading->line;

	arena_reset(&reading->arena);
	buf_printf(line, "%" PRIu64 " ", item->end);
	switch (item->kind) {
	case BINLOG_FORMAT:
		binlog_tables_server(reading->tables, &item->format);
		binlog_tables_new_file(reading->tables);
		buf_printf(line, "format %s", item->format.server_version);
		break;
	case BINLOG_GTID:
		show_gtid(line, &item->gtid);
		break;
	case BINLOG_XID:
		buf_printf(line, "xid %" PRIu64, item->xid);
		break;
	case BINLOG_XA_PREPARE:
		buf_printf(line, "xa %s%s", item->xa.one_phase ? "one_phase " : "", item->xa.id);
		break;
	case BINLOG_ROTATE:
		buf_printf(line, "rotate %s %" PRIu64, item->rotate.file, item->rotate.offset);
		break;
	case BINLOG_ANNOTATE:
		buf_append_str(line, "annotate ");
		show_text(line, item->text.text, item->text.len);
		break;
	case BINLOG_GTID_LIST:
	case BINLOG_PREVIOUS_GTIDS:
		if (show_set(line, item, err) < 0)
			return -1;
		break;
	case BINLOG_STOP:
		buf_append_str(line, "stop");
		break;
	default:
		buf_reset(line);
		if (item->kind == BINLOG_QUERY)
			take_query(reading, item);
		return item->kind == BINLOG_TABLE_MAP ? take_map(reading, item, err) : item->kind == BINLOG_ROWS ? take_rows(reading, item, err) : 0;
	}
	give(reading, NULL);
	return 0;
}

/* ---- files ---- */

static int take_event(struct reading *reading, const unsigned char *bytes, size_t len, struct error *err)
{
	unsigned char *copy = malloc(len);
	struct binlog_item item;
	int more;

	if (copy == NULL)
		return error_set(err, ERROR_BUG, "no memory");
	memcpy(copy, bytes, len);
	more = binlog_reader_feed(reading->reader, copy, len, err);
	while (more == 0 && (more = binlog_reader_next(reading->reader, &item, err)) > 0) {
		if (item.start != reading->next)
			more = error_set(err, ERROR_BUG, "an item at %" PRIu64 " says that it is at %" PRIu64, reading->next, item.start);
		else
			more = take_item(reading, &item, err);
		if (more < 0)
			break;
	}
	free(copy);
	return more;
}

static int read_events(struct reading *reading, const unsigned char *bytes, size_t len, struct error *err)
{
	for (size_t at = MAGIC_LEN; at < len;) {
		size_t event_len;

		if (binlog_event_length(bytes + at, len - at, &event_len, err) < 0)
			return -1;
		if (event_len == 0 || event_len > len - at)
			return error_set(err, ERROR_BUG, "the file ends in an event at %zu", at);
		reading->next = at;
		if (take_event(reading, bytes + at, event_len, err) < 0)
			return -1;
		at += event_len;
	}
	return 0;
}

int binlog_show_file(const char *path, const struct binlog_catalogue *catalogue, const struct binlog_show *show, struct error *err)
{
	unsigned char *bytes = malloc(FILE_MAX);
	FILE *file = fopen(path, "rb");
	struct reading reading = { .show = show };
	size_t len = 0;
	int result = -1;

	arena_init(&reading.arena, FILE_MAX);
	buf_init(&reading.line, LINE_MAX_BYTES);
	if (bytes != NULL && file != NULL)
		len = fread(bytes, 1, FILE_MAX, file);
	reading.reader = binlog_reader_new();
	reading.tables = binlog_tables_new(catalogue);
	reading.rows = reading.tables != NULL ? binlog_rows_new(reading.tables) : NULL;
	if (len < MAGIC_LEN || memcmp(bytes, "\xfe" "bin", MAGIC_LEN) != 0)
		(void)error_set(err, ERROR_DATA, "%s is no binlog file", path);
	else if (reading.reader != NULL && reading.rows != NULL) {
		binlog_reader_reset(reading.reader, path);
		result = read_events(&reading, bytes, len, err);
	}
	binlog_rows_free(reading.rows);
	binlog_tables_free(reading.tables);
	binlog_reader_free(reading.reader);
	for (size_t i = 0; i < reading.said_count; i++) {
		free(reading.said[i].title);
		free(reading.said[i].shape);
	}
	buf_release(&reading.line);
	arena_release(&reading.arena);
	if (file != NULL)
		(void)fclose(file);
	free(bytes);
	return result;
}
