/*
 * binlog_log.c: builds binlog events for the decoder's tests and shows what it makes of them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "tests/unit/binlog_log.h"

/* ---- an encoder ---- */

void log_put_int(struct buf *out, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buf_append_byte(out, (char)(n >> (8 * i)));
}

void log_put_string(struct buf *out, const char *text)
{
	buf_append(out, text, strlen(text) + 1);
}

void log_start_event(struct buf *out, unsigned type)
{
	buf_reset(out);
	log_put_int(out, TIME, 4);
	log_put_int(out, type, 1);
	log_put_int(out, SERVER, 4);
	log_put_int(out, 0, 4); /* length, position: log_end_event() */
	log_put_int(out, 0, 4);
	log_put_int(out, 0, 2);
}

void log_set_int(struct buf *out, size_t at, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out->data[at + i] = (char)(n >> (8 * i));
}

void log_sum_event(struct buf *out)
{
	log_set_int(out, out->len - 4, crc32(0, (const Bytef *)out->data, (uInt)(out->len - 4)), 4);
}

void log_set_flags(struct log_fixture *f, unsigned flags, bool keep_sum)
{
	log_set_int(&f->event, 17, flags, 2);
	if (!keep_sum && f->checksum)
		log_sum_event(&f->event);
}

/* Length, position and checksum. */
void log_end_event(struct log_fixture *f)
{
	if (f->checksum)
		log_put_int(&f->event, 0, 4);
	f->position += (uint32_t)f->event.len;
	log_set_int(&f->event, 9, f->event.len, 4);
	log_set_int(&f->event, 13, f->position, 4);
	if (f->checksum)
		log_sum_event(&f->event);
}

/* ---- reading ---- */

static void show_item(const struct binlog_item *item, struct buf *out)
{
	char text[TRANSACTION_GTID_MAX];

	buf_printf(out, "%" PRIu64 "-%" PRIu64 "%s ", item->start, item->end, item->artificial ? " artificial" : "");
	switch (item->kind) {
	case BINLOG_FORMAT:
		buf_printf(out, "FORMAT %s%s%s%s", item->format.server_version, item->format.mariadb ? " mariadb" : "",
			item->format.checksum ? " checksum" : "", item->format.created ? " created" : "");
		break;
	case BINLOG_ROTATE:
	case BINLOG_HEARTBEAT:
		buf_printf(out, "%s %s %" PRIu64, item->kind == BINLOG_ROTATE ? "ROTATE" : "HEARTBEAT", item->rotate.file,
			item->rotate.offset);
		break;
	case BINLOG_GTID:
		buf_printf(out, "GTID %s", item->gtid.anonymous ? "anonymous" :
			gtid_format(&item->gtid.gtid, text, sizeof text));
		if (item->gtid.original_us != item->gtid.commit_us)
			buf_printf(out, " original %" PRId64, item->gtid.original_us);
		buf_printf(out, "%s%s%s%s", item->gtid.standalone ? " standalone" : "", item->gtid.ddl ? " ddl" : "",
			item->gtid.xa_prepare ? " prepare" : "", item->gtid.xa_complete ? " complete" : "");
		buf_printf(out, "%s%s", item->gtid.xa[0] != '\0' ? " " : "", item->gtid.xa);
		if (item->gtid.thread != 0)
			buf_printf(out, " thread %" PRIu64, item->gtid.thread);
		break;
	case BINLOG_QUERY:
		buf_printf(out, "QUERY %s%s%s %" PRIu32 " [%.*s]", item->query.schema,
			item->query.sql_mode_ansi_quotes ? " ansi" : "",
			item->query.sql_mode_no_backslash_escapes ? " no_backslash" : "", item->query.collation,
			(int)item->query.len, item->query.text);
		break;
	case BINLOG_XID:
		buf_printf(out, "XID %" PRIu64, item->xid);
		break;
	case BINLOG_XA_PREPARE:
		buf_printf(out, "XA_PREPARE %s%s", item->xa.id, item->xa.one_phase ? " one phase" : "");
		break;
	case BINLOG_TABLE_MAP:
	case BINLOG_GTID_LIST:
	case BINLOG_PREVIOUS_GTIDS:
		buf_printf(out, "%s %zu bytes", item->kind == BINLOG_TABLE_MAP ? "TABLE_MAP" :
			item->kind == BINLOG_GTID_LIST ? "GTID_LIST" : "PREVIOUS_GTIDS", item->bytes.len);
		break;
	case BINLOG_ROWS:
		buf_printf(out, "ROWS %c%s table %" PRIu64 ", %zu columns", item->rows.op,
			item->rows.partial ? " partial" : "", item->rows.table_id, item->rows.column_count);
		if (item->rows.before_columns != NULL)
			buf_printf(out, ", before %02x", item->rows.before_columns[0]);
		if (item->rows.after_columns != NULL)
			buf_printf(out, ", after %02x", item->rows.after_columns[0]);
		buf_printf(out, ", %zu bytes %08lx%s", item->rows.rows_len,
			crc32(0, item->rows.rows, (uInt)item->rows.rows_len), item->rows.statement_end ? " end" : "");
		break;
	case BINLOG_ANNOTATE:
	case BINLOG_INCIDENT:
		buf_printf(out, "%s [%.*s]", item->kind == BINLOG_ANNOTATE ? "ANNOTATE" : "INCIDENT", (int)item->text.len,
			item->text.text);
		break;
	case BINLOG_STOP:
		buf_append_str(out, "STOP");
		break;
	case BINLOG_OTHER:
		buf_printf(out, "OTHER %u", item->type);
		break;
	}
	buf_append_byte(out, '\n');
}

/* Feeds these bytes in memory of their own and shows every item, or the error. 0 or -1. */
int log_read_event(struct log_fixture *f, const void *bytes, size_t len)
{
	struct error err = ERROR_INIT;
	struct binlog_item item;
	void *copy = malloc(len > 0 ? len : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	buf_reset(&f->shown);
	result = binlog_reader_feed(f->reader, copy, len, &err);
	while (result == 0 && (result = binlog_reader_next(f->reader, &item, &err)) == 1) {
		assert_int_equal(item.server_id != 0, true);
		show_item(&item, &f->shown);
		result = 0;
	}
	if (result < 0) {
		assert_int_equal(err.class, ERROR_DATA);
		buf_append_str(&f->shown, err.text);
	} else {
		assert_int_equal(result, 0);
	}
	free(copy);
	return result;
}

void log_assert_event(struct log_fixture *f, const char *shown)
{
	(void)log_read_event(f, f->event.data, f->event.len);
	assert_string_equal(buf_cstr(&f->shown), shown);
}

/* ---- a file ---- */

void log_put_format(struct log_fixture *f, const char *version, size_t types, unsigned algorithm)
{
	log_start_event(&f->event, 15);
	log_put_int(&f->event, 4, 2);
	buf_append(&f->event, version, strlen(version));
	for (size_t i = strlen(version); i < 50; i++)
		buf_append_byte(&f->event, '\0');
	log_put_int(&f->event, TIME, 4);
	log_put_int(&f->event, HEADER, 1);
	for (size_t type = 1; type <= types; type++) {
		bool rows_v1 = (type >= 23 && type <= 25) || (type >= 166 && type <= 168);
		bool rows_v2 = (type >= 30 && type <= 32) || type == 39 || (type >= 169 && type <= 171);

		log_put_int(&f->event, type == 2 || type == 165 ? 13 : type == 18 ? 26 : type == 19 || rows_v1 ? 8 :
			rows_v2 ? 10 : 0, 1);
	}
	log_put_int(&f->event, algorithm, 1);
	log_put_int(&f->event, 0, 4);
	f->position = 4 + (uint32_t)f->event.len;
	log_set_int(&f->event, 9, f->event.len, 4);
	log_set_int(&f->event, 13, f->position, 4);
	log_sum_event(&f->event);
}

void log_open_file(struct log_fixture *f, bool mariadb, bool checksum)
{
	binlog_reader_reset(f->reader, "log.000007");
	f->checksum = checksum;
	log_put_format(f, mariadb ? "11.4.2-MariaDB-log" : "9.7.4", mariadb ? 171 : 42, checksum);
	assert_int_equal(log_read_event(f, f->event.data, f->event.len), 0);
}

int log_setup(void **state)
{
	struct log_fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->reader = binlog_reader_new();
	assert_non_null(f->reader);
	buf_init(&f->event, LOG_EVENT_MAX);
	buf_init(&f->inner, LOG_EVENT_MAX);
	buf_init(&f->shown, LOG_SHOWN_MAX);
	*state = f;
	return 0;
}

int log_teardown(void **state)
{
	struct log_fixture *f = *state;

	binlog_reader_free(f->reader);
	binlog_reader_free(NULL);
	buf_release(&f->event);
	buf_release(&f->inner);
	buf_release(&f->shown);
	free(f);
	return 0;
}

/* ---- common events ---- */

void log_put_xid(struct log_fixture *f, uint64_t xid)
{
	log_start_event(&f->event, 16);
	log_put_int(&f->event, xid, 8);
	log_end_event(f);
}

void log_put_query(struct log_fixture *f, unsigned type, const char *variables, size_t variables_len,
	const char *schema, const char *text)
{
	log_start_event(&f->event, type);
	log_put_int(&f->event, 9, 4);
	log_put_int(&f->event, 0, 4);
	log_put_int(&f->event, strlen(schema), 1);
	log_put_int(&f->event, 0, 2);
	log_put_int(&f->event, variables_len, 2);
	for (int i = 0; type == 18 && i < 13; i++)
		log_put_int(&f->event, 0, 1);
	buf_append(&f->event, variables, variables_len);
	log_put_string(&f->event, schema);
	buf_append_str(&f->event, text);
	log_end_event(f);
}

void log_put_bytes(struct log_fixture *f, unsigned type, const char *bytes, size_t len)
{
	log_start_event(&f->event, type);
	buf_append(&f->event, bytes, len);
	log_end_event(f);
}
