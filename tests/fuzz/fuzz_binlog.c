/*
 * fuzz_binlog.c: a binlog file through one reader. Nothing may be read beyond an event's end, nothing may leak, and what comes out must be whole: every byte that an
 * item points to is looked at, sets are parsed, statements are read.
 *
 * Input: a file. One that begins with the magic number gets its lengths and checksums made right before each event is fed, so that changed bytes
 * get past them; any other is read as it stands.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "capture/decode_binlog.h"
#include "capture/decode_statement.h"
#include "tests/fuzz/fuzz.h"

#define ARENA_MAX ((size_t)1 << 20)
#define SET_TEXT_MAX ((size_t)4 << 20)
#define HEADER 19

static const uint8_t magic[] = { 0xfe, 'b', 'i', 'n' };

static uint64_t look_at(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum = sum * 31 + at[i];
	return sum;
}

static uint64_t look_at_text(const char *text)
{
	return look_at(text, strlen(text));
}

static uint64_t look_at_set(const struct binlog_item *item)
{
	bool mysql = item->kind == BINLOG_PREVIOUS_GTIDS;
	struct gtid_set *set = gtid_set_new(mysql ? GTID_MYSQL : GTID_MARIADB);
	struct error err = ERROR_INIT;
	uint64_t sum = 0;
	struct buf out;
	int result;

	if (set == NULL)
		abort();
	buf_init(&out, SET_TEXT_MAX);
	result = mysql ? gtid_set_parse_binary(set, item->bytes.bytes, item->bytes.len, &err) :
		gtid_set_parse_list(set, item->bytes.bytes, item->bytes.len, &err);
	if (result == 0) {
		gtid_set_format(set, &out);
		sum = look_at_text(buf_cstr(&out));
	}
	buf_release(&out);
	gtid_set_free(set);
	return sum;
}

static uint64_t look_at_query(const struct binlog_query *query)
{
	struct statement statement;
	struct arena arena;
	uint64_t sum = look_at_text(query->schema) + look_at(query->text, query->len);

	arena_init(&arena, ARENA_MAX);
	statement_read(query, &arena, &statement);
	for (size_t i = 0; i < statement.table_count; i++)
		sum += look_at_text(statement.tables[i].schema) + look_at_text(statement.tables[i].name);
	sum += look_at_text(statement.xa);
	arena_release(&arena);
	return sum;
}

static uint64_t look_at_rows(const struct binlog_rows_event *rows)
{
	uint64_t sum = look_at(rows->rows, rows->rows_len);

	if (rows->before_columns != NULL)
		sum += look_at(rows->before_columns, (rows->column_count + 7) / 8);
	if (rows->after_columns != NULL)
		sum += look_at(rows->after_columns, (rows->column_count + 7) / 8);
	return sum;
}

static uint64_t look_at_item(const struct binlog_item *item)
{
	char text[TRANSACTION_GTID_MAX];

	switch (item->kind) {
	case BINLOG_FORMAT:
		return look_at_text(item->format.server_version);
	case BINLOG_ROTATE:
	case BINLOG_HEARTBEAT:
		return look_at_text(item->rotate.file);
	case BINLOG_GTID:
		return look_at_text(gtid_format(&item->gtid.gtid, text, sizeof text)) + look_at_text(item->gtid.xa);
	case BINLOG_QUERY:
		return look_at_query(&item->query);
	case BINLOG_XA_PREPARE:
		return look_at_text(item->xa.id);
	case BINLOG_TABLE_MAP:
		return look_at(item->bytes.bytes, item->bytes.len);
	case BINLOG_ROWS:
		return look_at_rows(&item->rows);
	case BINLOG_GTID_LIST:
	case BINLOG_PREVIOUS_GTIDS:
		return look_at_set(item);
	case BINLOG_ANNOTATE:
	case BINLOG_INCIDENT:
		return look_at(item->text.text, item->text.len);
	default:
		return item->xid;
	}
}

static void put_uint32(uint8_t *at, uint32_t n)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(n >> (8 * i));
}

static void check_error(const struct error *err)
{
	if (err->class == ERROR_NONE || err->class == ERROR_BUG || err->text[0] == '\0')
		abort();
}

/* One event in a piece of memory of its own. False if the reader wants no more. */
static bool read_event(struct binlog_reader *reader, const uint8_t *data, size_t len, bool mend,
	bool *io_checksum, uint64_t *io_sum)
{
	struct error err = ERROR_INIT;
	struct binlog_item item;
	uint8_t *copy = malloc(len);
	int result;

	if (copy == NULL)
		abort();
	memcpy(copy, data, len);
	if (mend) {
		put_uint32(copy + 9, (uint32_t)len);
		if (len >= HEADER + 4 && (*io_checksum || copy[4] == 15)) {
			copy[17] &= 0xfe;
			put_uint32(copy + len - 4, (uint32_t)crc32(0, copy, (uInt)(len - 4)));
		}
	}
	result = binlog_reader_feed(reader, copy, len, &err);
	while (result == 0 && (result = binlog_reader_next(reader, &item, &err)) == 1) {
		*io_sum += look_at_item(&item) + look_at_text(binlog_reader_file(reader));
		if (item.kind == BINLOG_FORMAT)
			*io_checksum = item.format.checksum;
		result = 0;
	}
	if (result < 0)
		check_error(&err);
	free(copy);
	return result == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct binlog_reader *reader = binlog_reader_new();
	bool mend = size >= sizeof magic && memcmp(data, magic, sizeof magic) == 0, checksum = false;
	struct error err = ERROR_INIT;
	size_t at = mend ? sizeof magic : 0, len;
	uint64_t sum = 0;

	if (reader == NULL)
		abort();
	binlog_reader_reset(reader, "log.000001");
	while (size - at >= HEADER) {
		if (binlog_event_length(data + at, size - at, &len, &err) < 0) {
			check_error(&err);
			break;
		}
		if (len > size - at)
			len = size - at;
		/* What is wrong in one event does not keep the rest from being read. */
		if (!read_event(reader, data + at, len, mend, &checksum, &sum) && !mend)
			break;
		at += len;
	}
	binlog_reader_free(reader);
	/* Uses the sum, so that no compiler leaves the looking out. */
	return sum == UINT64_MAX ? -1 : 0;
}
