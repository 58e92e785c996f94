/*
 * capture_decode_binlog.c: binlog events, built byte by byte and recorded from servers (tests/vectors/binlog/events-*.bin: MariaDB 10.11, MySQL 9.7), whole,
 * cut and damaged.
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
#include <zstd.h>

#include "capture/decode_binlog.h"
#include "lib/base/buf.h"

#define EVENT_MAX_TEST ((size_t)8 << 20)
#define FILE_BYTES_MAX ((size_t)1 << 20)
#define SERVER 11
#define TIME 1700000000
#define HEADER 19
#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"

static const unsigned char uuid_a[16] = {
	0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62
};

/* ---- an encoder ---- */

struct fixture {
	struct binlog_reader *reader;
	struct buf event, inner, shown;
	bool checksum;
	uint32_t position; /* behind the last event */
};

static void put_int(struct buf *out, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		buf_append_byte(out, (char)(n >> (8 * i)));
}

static void put_string(struct buf *out, const char *text)
{
	buf_append(out, text, strlen(text) + 1);
}

static void start_event(struct buf *out, unsigned type)
{
	buf_reset(out);
	put_int(out, TIME, 4);
	put_int(out, type, 1);
	put_int(out, SERVER, 4);
	put_int(out, 0, 4); /* length, position: end_event() */
	put_int(out, 0, 4);
	put_int(out, 0, 2);
}

static void set_int(struct buf *out, size_t at, uint64_t n, size_t size)
{
	for (size_t i = 0; i < size; i++)
		out->data[at + i] = (char)(n >> (8 * i));
}

static void sum_event(struct buf *out)
{
	set_int(out, out->len - 4, crc32(0, (const Bytef *)out->data, (uInt)(out->len - 4)), 4);
}

static void set_flags(struct fixture *f, unsigned flags, bool keep_sum)
{
	set_int(&f->event, 17, flags, 2);
	if (!keep_sum && f->checksum)
		sum_event(&f->event);
}

/* Length, position and checksum. */
static void end_event(struct fixture *f)
{
	if (f->checksum)
		put_int(&f->event, 0, 4);
	f->position += (uint32_t)f->event.len;
	set_int(&f->event, 9, f->event.len, 4);
	set_int(&f->event, 13, f->position, 4);
	if (f->checksum)
		sum_event(&f->event);
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
		buf_printf(out, "%s %s %" PRIu64, item->kind == BINLOG_ROTATE ? "ROTATE" : "HEARTBEAT", item->rotate.file, item->rotate.offset);
		break;
	case BINLOG_GTID:
		buf_printf(out, "GTID %s", item->gtid.anonymous ? "anonymous" : gtid_format(&item->gtid.gtid, text, sizeof text));
		if (item->gtid.original_us != item->gtid.commit_us)
			buf_printf(out, " original %" PRId64, item->gtid.original_us);
		buf_printf(out, "%s%s%s%s", item->gtid.standalone ? " standalone" : "", item->gtid.ddl ? " ddl" : "",
			item->gtid.xa_prepare ? " prepare" : "", item->gtid.xa_complete ? " complete" : "");
		buf_printf(out, "%s%s", item->gtid.xa[0] != '\0' ? " " : "", item->gtid.xa);
		if (item->gtid.thread != 0)
			buf_printf(out, " thread %" PRIu64, item->gtid.thread);
		break;
	case BINLOG_QUERY:
		buf_printf(out, "QUERY %s%s%s %" PRIu32 " [%.*s]", item->query.schema, item->query.sql_mode_ansi_quotes ? " ansi" : "",
			item->query.sql_mode_no_backslash_escapes ? " no_backslash" : "", item->query.collation, (int)item->query.len,
			item->query.text);
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
		buf_printf(out, "ROWS %c%s table %" PRIu64 ", %zu columns", item->rows.op, item->rows.partial ? " partial" : "", item->rows.table_id,
			item->rows.column_count);
		if (item->rows.before_columns != NULL)
			buf_printf(out, ", before %02x", item->rows.before_columns[0]);
		if (item->rows.after_columns != NULL)
			buf_printf(out, ", after %02x", item->rows.after_columns[0]);
		buf_printf(out, ", %zu bytes %08lx%s", item->rows.rows_len, crc32(0, item->rows.rows, (uInt)item->rows.rows_len),
			item->rows.statement_end ? " end" : "");
		break;
	case BINLOG_ANNOTATE:
	case BINLOG_INCIDENT:
		buf_printf(out, "%s [%.*s]", item->kind == BINLOG_ANNOTATE ? "ANNOTATE" : "INCIDENT", (int)item->text.len, item->text.text);
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
static int read_event(struct fixture *f, const void *bytes, size_t len)
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

static void assert_event(struct fixture *f, const char *shown)
{
	(void)read_event(f, f->event.data, f->event.len);
	assert_string_equal(buf_cstr(&f->shown), shown);
}

/* ---- a file ---- */

static void put_format(struct fixture *f, const char *version, size_t types, unsigned algorithm)
{
	start_event(&f->event, 15);
	put_int(&f->event, 4, 2);
	buf_append(&f->event, version, strlen(version));
	for (size_t i = strlen(version); i < 50; i++)
		buf_append_byte(&f->event, '\0');
	put_int(&f->event, TIME, 4);
	put_int(&f->event, HEADER, 1);
	for (size_t type = 1; type <= types; type++) {
		bool rows_v1 = (type >= 23 && type <= 25) || (type >= 166 && type <= 168);
		bool rows_v2 = (type >= 30 && type <= 32) || type == 39 || (type >= 169 && type <= 171);

		put_int(&f->event, type == 2 || type == 165 ? 13 : type == 18 ? 26 : type == 19 || rows_v1 ? 8 : rows_v2 ? 10 : 0, 1);
	}
	put_int(&f->event, algorithm, 1);
	put_int(&f->event, 0, 4);
	f->position = 4 + (uint32_t)f->event.len;
	set_int(&f->event, 9, f->event.len, 4);
	set_int(&f->event, 13, f->position, 4);
	sum_event(&f->event);
}

static void open_file(struct fixture *f, bool mariadb, bool checksum)
{
	binlog_reader_reset(f->reader, "log.000007");
	f->checksum = checksum;
	put_format(f, mariadb ? "11.4.2-MariaDB-log" : "9.7.4", mariadb ? 171 : 42, checksum);
	assert_int_equal(read_event(f, f->event.data, f->event.len), 0);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof *f);

	assert_non_null(f);
	f->reader = binlog_reader_new();
	assert_non_null(f->reader);
	buf_init(&f->event, EVENT_MAX_TEST);
	buf_init(&f->inner, EVENT_MAX_TEST);
	buf_init(&f->shown, FILE_BYTES_MAX);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	binlog_reader_free(f->reader);
	binlog_reader_free(NULL);
	buf_release(&f->event);
	buf_release(&f->inner);
	buf_release(&f->shown);
	free(f);
	return 0;
}

/* ---- framing ---- */

static void test_length(void **state)
{
	unsigned char header[HEADER] = { 0 };
	struct error err = ERROR_INIT;
	size_t len = 7;

	assert_int_equal(binlog_event_length(header, HEADER - 1, &len, &err), 0);
	assert_int_equal(len, 0);
	header[4] = 2;
	header[9] = HEADER - 1;
	assert_int_equal(binlog_event_length(header, HEADER, &len, &err), -1);
	assert_string_equal(err.text, "no binlog event: type 2, 18 bytes long");
	header[9] = 1;
	header[12] = 0x40;
	assert_int_equal(binlog_event_length(header, HEADER, &len, &err), -1);
	header[9] = 0;
	assert_int_equal(binlog_event_length(header, HEADER, &len, &err), 0);
	assert_int_equal(len, BINLOG_EVENT_MAX);
}

static void test_format(void **state)
{
	static const struct {
		const char *version;
		size_t types;
		unsigned algorithm;
		const char *shown;
	} cases[] = {
		{ "9.7.4", 42, 1, "4-127 FORMAT 9.7.4 checksum created\n" },
		{ "9.7.4", 42, 0, "4-127 FORMAT 9.7.4 created\n" },
		{ "10.11.19-MariaDB-log", 171, 1, "4-256 FORMAT 10.11.19-MariaDB-log mariadb checksum created\n" },
		{ "10.11.19-named-otherwise", 171, 0, "4-256 FORMAT 10.11.19-named-otherwise mariadb created\n" },
		{ "5.6.1", 35, 1, "4-120 FORMAT 5.6.1 checksum created\n" },
		{ "5.5.62", 27, 1, "4-112 FORMAT 5.5.62 created\n" },
		{ "9.7.4", 42, 2, "binlog log.000007 at 4, FORMAT_DESCRIPTION event (type 15): checksum algorithm 2 is not known" },
		{ "9.7.4", 256, 1, "binlog log.000007 at 4, FORMAT_DESCRIPTION event (type 15): more than 255 types of events" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		binlog_reader_reset(f->reader, "log.000007");
		put_format(f, cases[i].version, cases[i].types, cases[i].algorithm);
		assert_event(f, cases[i].shown);
		/* cut in its fixed fields it is refused; behind them it has fewer types */
		for (size_t len = HEADER; len < f->event.len; len++) {
			binlog_reader_reset(f->reader, "log.000007");
			set_int(&f->event, 9, len, 4);
			if (read_event(f, f->event.data, len) == 0)
				assert_true(len >= HEADER + 57);
		}
	}
}

/* A server sets the flag in the file that it writes, and sums without it. */
static void test_file_in_use(void **state)
{
	struct fixture *f = *state;

	f->checksum = true;
	binlog_reader_reset(f->reader, "log.000007");
	put_format(f, "9.7.4", 42, 1);
	set_flags(f, 1, true);
	assert_event(f, "4-127 FORMAT 9.7.4 checksum created\n");
	binlog_reader_reset(f->reader, "log.000007");
	put_format(f, "9.7.4", 42, 1);
	set_flags(f, 2, true);
	assert_event(f, "binlog log.000007 at 4, FORMAT_DESCRIPTION event (type 15): its checksum is wrong");
}

static void put_xid(struct fixture *f, uint64_t xid)
{
	start_event(&f->event, 16);
	put_int(&f->event, xid, 8);
	end_event(f);
}

static void test_checksum(void **state)
{
	struct error err = ERROR_INIT;
	struct fixture *f = *state;

	open_file(f, false, true);
	put_xid(f, 77);
	assert_event(f, "127-158 XID 77\n");
	/* each bit counts */
	for (size_t i = 0; i < f->event.len; i++) {
		if (i >= 9 && i < 17)
			continue; /* length and position are looked at before */
		f->event.data[i] ^= 4;
		binlog_reader_reset(f->reader, "log.000007");
		open_file(f, false, true);
		put_xid(f, 77);
		f->event.data[i] ^= 4;
		assert_int_equal(read_event(f, f->event.data, f->event.len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), "binlog log.000007 at 127, "));
		assert_non_null(strstr(buf_cstr(&f->shown), ": its checksum is wrong"));
	}
	open_file(f, false, true);
	put_xid(f, 77);
	f->event.data[20] ^= 1;
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), -1);
	assert_string_equal(err.text, "binlog log.000007 at 127, XID event (type 16): its checksum is wrong");
	assert_non_null(strstr(err.hint, "mysqlbinlog --verify-binlog-checksum"));
	/* without one nothing is taken off */
	open_file(f, false, false);
	put_xid(f, 78);
	assert_event(f, "127-154 XID 78\n");
}

static void test_order_of_calls(void **state)
{
	struct error err = ERROR_INIT;
	struct fixture *f = *state;
	struct binlog_item item;

	binlog_reader_reset(f->reader, "log.000007");
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 0);
	f->checksum = false;
	f->position = 4;
	put_xid(f, 1);
	assert_event(f, "binlog log.000007 at 4, XID event (type 16): it comes before any format description");
	open_file(f, false, false);
	put_xid(f, 1);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), -1);
	assert_int_equal(err.class, ERROR_BUG);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 1);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 0);
	set_int(&f->event, 9, 5, 4);
	assert_event(f, "binlog log.000007 behind 154: an event of 27 bytes says that it has 5");
	f->event.len = 18;
	assert_event(f, "binlog log.000007 behind 154: an event of 18 bytes");
}

/* ---- positions ---- */

static void put_rotate(struct fixture *f, const char *file, uint64_t offset)
{
	start_event(&f->event, 4);
	put_int(&f->event, offset, 8);
	buf_append_str(&f->event, file);
	end_event(f);
}

static void set_position(struct fixture *f, uint32_t position)
{
	set_int(&f->event, 13, position, 4);
	if (f->checksum)
		sum_event(&f->event);
}

static void put_artificial_rotate(struct fixture *f, const char *file, uint64_t offset)
{
	uint32_t kept = f->position;

	put_rotate(f, file, offset);
	f->position = kept;
	set_int(&f->event, 0, 0, 4);
	set_int(&f->event, 17, 0x20, 2);
	set_position(f, 0);
}

/* The stream of a reader that begins in the middle: a ROTATE with or without a sum, a format description that is no place, and then the file. */
static void test_stream(void **state)
{
	struct fixture *f = *state;

	for (int checksum = 0; checksum < 2; checksum++) {
		binlog_reader_reset(f->reader, "");
		f->checksum = checksum == 1;
		put_artificial_rotate(f, "log.000008", 5000);
		assert_event(f, "4-0 artificial ROTATE log.000008 5000\n");
		assert_string_equal(binlog_reader_file(f->reader), "log.000008");
		put_format(f, "9.7.4", 42, 1);
		set_position(f, 0);
		sum_event(&f->event);
		assert_event(f, "5000-0 artificial FORMAT 9.7.4 checksum created\n");
		f->checksum = true;
		f->position = 5000;
		put_xid(f, 1);
		assert_event(f, "5000-5031 XID 1\n");
		/* the server left something out */
		f->position += 100;
		put_xid(f, 2);
		assert_event(f, "5131-5162 XID 2\n");
		/* and does not say where it is */
		put_xid(f, 3);
		set_position(f, 0);
		assert_event(f, "5162-0 XID 3\n");
		put_xid(f, 4);
		assert_event(f, "5193-5224 XID 4\n");
		put_rotate(f, "log.000009", 4);
		assert_event(f, "5224-5265 ROTATE log.000009 4\n");
		put_artificial_rotate(f, "log.000009", 4);
		assert_event(f, "4-0 artificial ROTATE log.000009 4\n");
		put_format(f, "9.7.4", 42, 0);
		assert_event(f, "4-127 FORMAT 9.7.4 created\n");
		f->checksum = false;
		put_xid(f, 5);
		assert_event(f, "127-154 XID 5\n");
	}
}

/* A file of more than 4 GiB: the header's 32 bits are the lower ones. */
static void test_large_file(void **state)
{
	struct fixture *f = *state;

	open_file(f, false, true);
	put_artificial_rotate(f, "log.000008", 0xfffffff0);
	assert_event(f, "127-0 artificial ROTATE log.000008 4294967280\n");
	f->position = 0xfffffff0;
	put_xid(f, 1);
	assert_event(f, "4294967280-4294967311 XID 1\n");
	put_xid(f, 2);
	assert_event(f, "4294967311-4294967342 XID 2\n");
	put_artificial_rotate(f, "log.000008", UINT64_C(0x500000004));
	assert_event(f, "4294967342-0 artificial ROTATE log.000008 21474836484\n");
	f->position = 4;
	put_xid(f, 3);
	assert_event(f, "21474836484-21474836515 XID 3\n");
	/* an event that the server made longer than it is in the file */
	f->position = 10;
	put_xid(f, 4);
	assert_event(f, "21474836515-21474836521 XID 4\n");
}

static void test_heartbeat(void **state)
{
	struct fixture *f = *state;

	open_file(f, false, true);
	start_event(&f->event, 27);
	buf_append_str(&f->event, "log.000007");
	end_event(f);
	set_position(f, 4711);
	assert_event(f, "127-0 artificial HEARTBEAT log.000007 4711\n");
	start_event(&f->event, 41);
	put_int(&f->event, 1, 1);
	put_int(&f->event, 10, 1);
	buf_append_str(&f->event, "log.000007");
	put_int(&f->event, 3, 1);
	put_int(&f->event, 1, 1);
	put_int(&f->event, 9, 1);
	put_int(&f->event, 2, 1);
	put_int(&f->event, 9, 1);
	put_int(&f->event, 0xfe, 1);
	put_int(&f->event, UINT64_C(1) << 33, 8);
	put_int(&f->event, 0, 1);
	end_event(f);
	assert_event(f, "4711-0 artificial HEARTBEAT log.000007 8589934592\n");
	put_xid(f, 1);
	set_position(f, 100);
	assert_event(f, "8589934661-8589934692 XID 1\n");
	start_event(&f->event, 41);
	put_int(&f->event, 0, 1);
	end_event(f);
	assert_event(f, "binlog log.000007 at 8589934692, HEARTBEAT_V2 event (type 41): no file name of 0 bytes");
	open_file(f, false, true);
	start_event(&f->event, 41);
	put_int(&f->event, 1, 1);
	put_int(&f->event, 30, 1);
	end_event(f);
	assert_event(f, "binlog log.000007 at 127, HEARTBEAT_V2 event (type 41): cut off");
}

static void test_file_names(void **state)
{
	struct fixture *f = *state;

	open_file(f, false, true);
	put_rotate(f, "", 4);
	assert_event(f, "binlog log.000007 at 127, ROTATE event (type 4): no file name of 0 bytes");
	open_file(f, false, true);
	put_rotate(f, "a\nb", 4);
	assert_event(f, "binlog log.000007 at 127, ROTATE event (type 4): no file name of 3 bytes");
}

/* ---- QUERY ---- */

struct variable {
	const char *bytes;
	size_t len;
};

static void put_query(struct fixture *f, unsigned type, const char *variables, size_t variables_len, const char *schema, const char *text)
{
	start_event(&f->event, type);
	put_int(&f->event, 9, 4);
	put_int(&f->event, 0, 4);
	put_int(&f->event, strlen(schema), 1);
	put_int(&f->event, 0, 2);
	put_int(&f->event, variables_len, 2);
	for (int i = 0; type == 18 && i < 13; i++)
		put_int(&f->event, 0, 1);
	buf_append(&f->event, variables, variables_len);
	put_string(&f->event, schema);
	buf_append_str(&f->event, text);
	end_event(f);
}

/* Each variable stands in front of those that count, so that a wrong size shows. */
static void test_query_variables(void **state)
{
#define COUNTED "\1\4\0\20\0\0\0\0\0\4\377\0\10\0\10\0"
#define VARIABLE(bytes) { bytes COUNTED, sizeof(bytes COUNTED) - 1 }
	static const struct variable of_both[] = {
		VARIABLE(""), VARIABLE("\0\1\2\3\4"), VARIABLE("\2\3std\0"), VARIABLE("\3\1\0\1\0"), VARIABLE("\5\6SYSTEM"), VARIABLE("\6\3std"),
		VARIABLE("\7\1\2"), VARIABLE("\10\1\2"), VARIABLE("\11\1\2\3\4\5\6\7\10"), VARIABLE("\12\1\2\3\4"), VARIABLE("\13\3abc\2de"),
		VARIABLE("\13\0\0"), VARIABLE("\14\2ab\0c\0"), VARIABLE("\14\376"), VARIABLE("\15\1\2\3"), VARIABLE("\20\1"),
		VARIABLE("\21\1\2\3\4\5\6\7\10"), VARIABLE("\22\1\2"), VARIABLE("\23\1"), VARIABLE("\24\1"), VARIABLE("\25\1"),
	};
	static const struct variable of_mariadb[] = {
		VARIABLE("\200\1\2\3"), VARIABLE("\201\1\2\3\4\5\6\7\10"), VARIABLE("\202\2"), VARIABLE("\202\4\1\2\3\4\5\6\7\10"),
		VARIABLE("\203\2\1\2\3\4\5\6\7\10"), VARIABLE("\203\0"),
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof of_both / sizeof of_both[0]; i++) {
		open_file(f, i % 2 == 0, false);
		put_query(f, 2, of_both[i].bytes, of_both[i].len, "shop", "x");
		(void)read_event(f, f->event.data, f->event.len);
		if (strstr(buf_cstr(&f->shown), "QUERY shop ansi no_backslash 255 [x]\n") == NULL)
			fail_msg("variable %zu: %s", i, buf_cstr(&f->shown));
		/* cut: no reason to fail */
		for (size_t len = 0; len < of_both[i].len; len++) {
			open_file(f, i % 2 == 0, false);
			put_query(f, 2, of_both[i].bytes, len, "shop", "x");
			assert_int_equal(read_event(f, f->event.data, f->event.len), 0);
		}
	}
	for (size_t i = 0; i < sizeof of_mariadb / sizeof of_mariadb[0]; i++) {
		open_file(f, true, false);
		put_query(f, 2, of_mariadb[i].bytes, of_mariadb[i].len, "shop", "x");
		(void)read_event(f, f->event.data, f->event.len);
		if (strstr(buf_cstr(&f->shown), "QUERY shop ansi no_backslash 255 [x]\n") == NULL)
			fail_msg("variable %zu: %s", i, buf_cstr(&f->shown));
	}
	open_file(f, false, false);
	put_query(f, 2, "\170" COUNTED, sizeof COUNTED, "shop", "x");
	assert_event(f, "127-182 QUERY shop 0 [x]\n");
#undef VARIABLE
#undef COUNTED
}

static void test_query(void **state)
{
	struct fixture *f = *state;

	open_file(f, false, true);
	put_query(f, 2, "", 0, "", "");
	assert_event(f, "127-164 QUERY  0 []\n");
	put_query(f, 18, "", 0, "shop", "LOAD DATA");
	assert_event(f, "164-227 QUERY shop 0 [LOAD DATA]\n");
	put_query(f, 2, "", 0, "a\nb", "x");
	f->event.data[f->event.len - 4 - 1 - 1] = 'c'; /* the NUL behind the schema */
	sum_event(&f->event);
	assert_event(f, "binlog log.000007 at 227, QUERY event (type 2): its schema does not end where it says");
	open_file(f, false, false);
	put_query(f, 2, "", 0, "shop", "x");
	for (size_t len = HEADER; len < f->event.len - 1; len++) {
		open_file(f, false, false);
		put_query(f, 2, "", 0, "shop", "x");
		set_int(&f->event, 9, len, 4);
		assert_int_equal(read_event(f, f->event.data, len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), "QUERY event (type 2): cut off"));
	}
}

/* ---- compression of MariaDB ---- */

static void put_packed(struct buf *out, const char *bytes, size_t len, size_t says)
{
	uLongf size = compressBound(len);
	Bytef *packed = malloc(size);

	assert_non_null(packed);
	assert_int_equal(compress(packed, &size, (const Bytef *)bytes, len), Z_OK);
	buf_append_byte(out, (char)0x82);
	buf_append_byte(out, (char)(says >> 8));
	buf_append_byte(out, (char)says);
	buf_append(out, packed, size);
	free(packed);
}

static void put_rows_head(struct fixture *f, unsigned type, uint64_t table, unsigned flags)
{
	bool v2 = (type >= 30 && type <= 32) || type == 39 || type >= 169;

	start_event(&f->event, type);
	put_int(&f->event, table, 6);
	put_int(&f->event, flags, 2);
	if (v2) {
		put_int(&f->event, 5, 2);
		buf_append(&f->event, "\1\2\3", 3);
	}
	put_int(&f->event, 3, 1);
	put_int(&f->event, 0xfd, 1);
	if (type == 24 || type == 31 || type == 39 || type == 167 || type == 170)
		put_int(&f->event, 0x06, 1);
}

static void test_compressed_query(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		const char *error;
	} broken[] = {
		{ "", 0, "its compression has no header" },
		{ "\2\0\1", 3, "its compression has no header" },
		{ "\200", 1, "its compression has no header" },
		{ "\205\0\0\0\0\1", 6, "its compression has no header" },
		{ "\202\1", 2, "its compression has no header" },
		{ "\221\1x", 3, "compression algorithm 1 is not known" },
		{ "\204\177\377\377\377xxxx", 9, "2147483647 bytes cannot be in 4 compressed ones" },
		{ "\202\17\240xxxx", 7, "it cannot be uncompressed to 4000 bytes" },
		{ "\201\0", 2, "it cannot be uncompressed to 0 bytes" },
	};
	struct fixture *f = *state;
	char text[512];

	open_file(f, true, true);
	put_query(f, 165, "", 0, "shop", "");
	f->event.len -= 4;
	f->position = 246;
	put_packed(&f->event, "DROP TABLE t", 12, 12);
	end_event(f);
	(void)read_event(f, f->event.data, f->event.len);
	assert_non_null(strstr(buf_cstr(&f->shown), " QUERY shop 0 [DROP TABLE t]\n"));
	for (size_t says = 11; says < 14; says += 2) {
		open_file(f, true, false);
		put_query(f, 165, "", 0, "shop", "");
		put_packed(&f->event, "DROP TABLE t", 12, says);
		set_int(&f->event, 9, f->event.len, 4);
		assert_int_equal(read_event(f, f->event.data, f->event.len), -1);
		(void)snprintf(text, sizeof text, "it cannot be uncompressed to %zu bytes", says);
		assert_non_null(strstr(buf_cstr(&f->shown), text));
	}
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		open_file(f, true, false);
		put_query(f, 165, "", 0, "shop", "");
		buf_append(&f->event, broken[i].bytes, broken[i].len);
		set_int(&f->event, 9, f->event.len, 4);
		assert_int_equal(read_event(f, f->event.data, f->event.len), -1);
		(void)snprintf(text, sizeof text, "QUERY_COMPRESSED event (type 165): %s", broken[i].error);
		assert_non_null(strstr(buf_cstr(&f->shown), text));
	}
}

/* ---- rows ---- */

static void test_rows(void **state)
{
	static const struct {
		unsigned type;
		bool mariadb;
		const char *shown;
	} cases[] = {
		{ 23, true, "ROWS c table 258, 3 columns, after fd, 4 bytes d87f7e0c end\n" },
		{ 24, true, "ROWS u table 258, 3 columns, before fd, after 06, 4 bytes d87f7e0c end\n" },
		{ 25, true, "ROWS d table 258, 3 columns, before fd, 4 bytes d87f7e0c end\n" },
		{ 30, false, "ROWS c table 258, 3 columns, after fd, 4 bytes d87f7e0c end\n" },
		{ 31, false, "ROWS u table 258, 3 columns, before fd, after 06, 4 bytes d87f7e0c end\n" },
		{ 32, false, "ROWS d table 258, 3 columns, before fd, 4 bytes d87f7e0c end\n" },
		{ 39, false, "ROWS u partial table 258, 3 columns, before fd, after 06, 4 bytes d87f7e0c end\n" },
		{ 166, true, "ROWS c table 258, 3 columns, after fd, 4 bytes d87f7e0c end\n" },
		{ 167, true, "ROWS u table 258, 3 columns, before fd, after 06, 4 bytes d87f7e0c end\n" },
		{ 168, true, "ROWS d table 258, 3 columns, before fd, 4 bytes d87f7e0c end\n" },
		{ 169, true, "ROWS c table 258, 3 columns, after fd, 4 bytes d87f7e0c end\n" },
		{ 170, true, "ROWS u table 258, 3 columns, before fd, after 06, 4 bytes d87f7e0c end\n" },
		{ 171, true, "ROWS d table 258, 3 columns, before fd, 4 bytes d87f7e0c end\n" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t head;

		open_file(f, cases[i].mariadb, true);
		put_rows_head(f, cases[i].type, 258, 1);
		head = f->event.len;
		if (cases[i].type >= 166)
			put_packed(&f->event, "test", 4, 4);
		else
			buf_append_str(&f->event, "test");
		end_event(f);
		assert_int_equal(read_event(f, f->event.data, f->event.len), 0);
		assert_string_equal(strchr(buf_cstr(&f->shown), ' ') + 1, cases[i].shown);
		for (size_t len = HEADER; len < head; len++) {
			open_file(f, cases[i].mariadb, false);
			put_rows_head(f, cases[i].type, 258, 1);
			set_int(&f->event, 9, len, 4);
			assert_int_equal(read_event(f, f->event.data, len), -1);
			assert_non_null(strstr(buf_cstr(&f->shown), ": cut off"));
		}
	}
}

static void test_broken_rows(void **state)
{
	struct fixture *f = *state;

	open_file(f, false, false);
	put_rows_head(f, 30, 0xffffff, 1);
	end_event(f);
	assert_event(f, "127-161 OTHER 30\n");
	put_rows_head(f, 30, 1, 0);
	end_event(f);
	assert_event(f, "161-195 ROWS c table 1, 3 columns, after fd, 0 bytes 00000000\n");
	put_rows_head(f, 30, 1, 0);
	f->event.data[HEADER + 13] = 0;
	end_event(f);
	assert_event(f, "binlog log.000007 at 195, WRITE_ROWS event (type 30): rows of 0 columns");
	open_file(f, false, false);
	put_rows_head(f, 30, 1, 0);
	set_int(&f->event, HEADER + 8, 1, 2);
	end_event(f);
	assert_event(f, "binlog log.000007 at 127, WRITE_ROWS event (type 30): cut off");
	open_file(f, false, false);
	put_rows_head(f, 30, 1, 0);
	f->event.len = HEADER + 13;
	buf_append(&f->event, "\374\1\20", 3);
	end_event(f);
	assert_event(f, "binlog log.000007 at 127, WRITE_ROWS event (type 30): rows of 4097 columns");
	open_file(f, false, false);
	start_event(&f->event, 20);
	end_event(f);
	assert_event(f, "binlog log.000007 at 127, unnamed event (type 20): rows in the form of servers before MySQL 5.1");
	/* a type whose post-header the server does not have */
	open_file(f, false, false);
	put_rows_head(f, 166, 1, 0);
	end_event(f);
	assert_event(f, "binlog log.000007 at 127, WRITE_ROWS_COMPRESSED_V1 event (type 166): post-header of 0 bytes is not known");
}

/* ---- GTID ---- */

static void put_gtid(struct fixture *f, unsigned type, uint64_t sequence, uint64_t commit_us, uint64_t original_us)
{
	start_event(&f->event, type);
	put_int(&f->event, 1, 1);
	buf_append(&f->event, uuid_a, 16);
	put_int(&f->event, sequence, 8);
	put_int(&f->event, 2, 1);
	put_int(&f->event, 1, 8);
	put_int(&f->event, 2, 8);
	put_int(&f->event, original_us != 0 ? commit_us | UINT64_C(1) << 55 : commit_us, 7);
	if (original_us != 0)
		put_int(&f->event, original_us, 7);
	put_int(&f->event, 100, 1);
	put_int(&f->event, 90704, 4);
	end_event(f);
}

static void test_gtid(void **state)
{
	struct error err = ERROR_INIT;
	struct fixture *f = *state;
	struct binlog_item item;

	open_file(f, false, true);
	put_gtid(f, 33, 77, UINT64_C(1700000000123456), 0);
	assert_event(f, "127-204 GTID " A ":77\n");
	put_gtid(f, 33, 78, UINT64_C(1700000000123456), 5);
	assert_event(f, "204-288 GTID " A ":78 original 5\n");
	put_gtid(f, 34, 0, UINT64_C(1700000000123456), 0);
	assert_event(f, "288-365 GTID anonymous\n");
	put_gtid(f, 33, 79, UINT64_C(1700000000123456), 6);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 1);
	assert_int_equal(item.gtid.commit_us, INT64_C(1700000000123456));
	assert_int_equal(item.timestamp, TIME);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 0);
	put_gtid(f, 33, 0, 1, 0);
	assert_event(f, "binlog log.000007 at 449, GTID event (type 33): number 0 is out of range");
	/* as of 5.6, without times */
	open_file(f, false, false);
	put_gtid(f, 33, 77, 1, 0);
	f->event.len = HEADER + 25;
	set_int(&f->event, 9, f->event.len, 4);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 1);
	assert_int_equal(item.gtid.commit_us, TIME * INT64_C(1000000));
	assert_int_equal(item.gtid.original_us, TIME * INT64_C(1000000));
	open_file(f, false, false);
	put_gtid(f, 33, 77, 1, 0);
	set_int(&f->event, 9, HEADER + 24, 4);
	assert_int_equal(read_event(f, f->event.data, HEADER + 24), -1);
	/* an original time that is cut off */
	open_file(f, false, false);
	put_gtid(f, 33, 77, 1, 2);
	set_int(&f->event, 9, HEADER + 25 + 17 + 8, 4);
	assert_int_equal(read_event(f, f->event.data, HEADER + 25 + 17 + 8), -1);
	assert_non_null(strstr(buf_cstr(&f->shown), ", GTID event (type 33): cut off"));
}

static void put_varlen(struct buf *out, uint64_t n)
{
	size_t more = 0;

	while (more < 8 && n >> (7 * (more + 1)) != 0)
		more++;
	if (more == 8) {
		buf_append_byte(out, (char)0xff);
		put_int(out, n, 8);
		return;
	}
	put_int(out, n << (more + 1) | ((UINT64_C(1) << more) - 1), more + 1);
}

static void test_tagged_gtid(void **state)
{
	static const struct {
		uint64_t number, needed; /* of a field at the end */
		const char *shown;
	} cases[] = {
		{ 11, 9, "GTID " A ":nightly:300 original 1600000000123456\n" },
		{ 12, 9, "GTID " A ":nightly:300 original 1600000000123456\n" },
		{ 12, 12, "its field 12 is not known and must be" },
	};
	struct fixture *f = *state;
	struct buf *out = &f->inner;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		open_file(f, false, true);
		buf_reset(out);
		put_varlen(out, cases[i].needed);
		put_varlen(out, 0);
		put_varlen(out, 1);
		put_varlen(out, 1);
		for (size_t k = 0; k < sizeof uuid_a; k++)
			put_varlen(out, uuid_a[k]);
		put_varlen(out, 2);
		put_varlen(out, 300 << 1);
		put_varlen(out, 3);
		put_varlen(out, 7);
		buf_append_str(out, "nightly");
		put_varlen(out, 6);
		put_varlen(out, UINT64_C(1700000000123456));
		put_varlen(out, 7);
		put_varlen(out, UINT64_C(1600000000123456));
		put_varlen(out, 8);
		put_varlen(out, UINT64_MAX);
		put_varlen(out, cases[i].number);
		put_varlen(out, 5);
		start_event(&f->event, 42);
		put_varlen(&f->event, 1);
		put_varlen(&f->event, out->len + 2);
		buf_append(&f->event, out->data, out->len);
		end_event(f);
		(void)read_event(f, f->event.data, f->event.len);
		assert_non_null(strstr(buf_cstr(&f->shown), cases[i].shown));
	}
	/* cut anywhere it is refused */
	for (size_t len = HEADER; len < f->event.len - 4; len++) {
		open_file(f, false, false);
		start_event(&f->event, 42);
		put_varlen(&f->event, 1);
		put_varlen(&f->event, out->len + 2);
		buf_append(&f->event, out->data, out->len);
		set_int(&f->event, 9, len, 4);
		assert_int_equal(read_event(f, f->event.data, len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), "GTID_TAGGED event (type 42): cut off"));
		put_int(&f->event, 0, 4);
	}
	open_file(f, false, false);
	start_event(&f->event, 42);
	put_varlen(&f->event, 2);
	put_varlen(&f->event, 3);
	put_varlen(&f->event, 0);
	end_event(f);
	assert_event(f, "binlog log.000007 at 127, GTID_TAGGED event (type 42): form 2 is not known");
}

static void test_mariadb_gtid(void **state)
{
	static const struct {
		unsigned flags;
		const char *more; /* behind the flags */
		size_t more_len;
		const char *shown;
	} cases[] = {
		{ 0, "\0\0\0\0\0\0", 6, "127-169 GTID 3-11-77\n" },
		{ 1 | 32, "\0\0\0\0\0\0", 6, "127-169 GTID 3-11-77 standalone ddl\n" },
		{ 2 | 4, "\1\2\3\4\5\6\7\10", 8, "127-171 GTID 3-11-77\n" },
		{ 64, "\7\0\0\0\2\2g1b1", 10, "127-173 GTID 3-11-77 prepare X'6731',X'6231',7\n" },
		{ 1 | 128, "\377\377\377\377\1\0g", 7, "127-170 GTID 3-11-77 standalone complete X'67',X'',4294967295\n" },
		{ 2 | 64, "\1\2\3\4\5\6\7\10\1\0\0\0\1\0g", 15, "127-178 GTID 3-11-77 prepare X'67',X'',1\n" },
		{ 0, "\20\5\0\0\0\0", 6, "127-169 GTID 3-11-77 thread 5\n" },
		{ 0, "\25\2\1\2\3\4\5\6\7\10\5\1\0\0", 14, "127-177 GTID 3-11-77 thread 261\n" },
		{ 0, "\20\5\0\0", 4, "binlog log.000007 at 127, GTID event (type 162): cut off" },
		{ 2, "\1\2\3\4\5\6\7", 7, "binlog log.000007 at 127, GTID event (type 162): cut off" },
		{ 64, "\7\0\0\0\2\2g1b", 9, "binlog log.000007 at 127, GTID event (type 162): cut off" },
		{ 64, "\7\0\0\0\101\0", 6, "binlog log.000007 at 127, GTID event (type 162): xa id of 65 and 0 bytes" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		open_file(f, true, true);
		start_event(&f->event, 162);
		put_int(&f->event, 77, 8);
		put_int(&f->event, 3, 4);
		put_int(&f->event, cases[i].flags, 1);
		buf_append(&f->event, cases[i].more, cases[i].more_len);
		end_event(f);
		(void)read_event(f, f->event.data, f->event.len);
		if (strncmp(cases[i].shown, "binlog", 6) == 0)
			assert_non_null(strstr(buf_cstr(&f->shown), strchr(cases[i].shown, ',')));
		else
			assert_string_equal(strchr(buf_cstr(&f->shown), ' '), strchr(cases[i].shown, ' '));
	}
}

/* ---- other kinds ---- */

static void test_xa_prepare(void **state)
{
	struct fixture *f = *state;

	open_file(f, false, true);
	for (unsigned one_phase = 0; one_phase < 2; one_phase++) {
		start_event(&f->event, 38);
		put_int(&f->event, one_phase, 1);
		put_int(&f->event, 7, 4);
		put_int(&f->event, 2, 4);
		put_int(&f->event, 1, 4);
		buf_append_str(&f->event, "g1b");
		end_event(f);
		assert_event(f, one_phase ? "166-205 XA_PREPARE X'6731',X'62',7 one phase\n" : "127-166 XA_PREPARE X'6731',X'62',7\n");
	}
	start_event(&f->event, 38);
	put_int(&f->event, 0, 1);
	put_int(&f->event, 7, 4);
	put_int(&f->event, UINT32_MAX, 4);
	put_int(&f->event, 1, 4);
	end_event(f);
	assert_event(f, "binlog log.000007 at 205, XA_PREPARE event (type 38): xa id of 4294967295 and 1 bytes");
}

static void put_bytes(struct fixture *f, unsigned type, const char *bytes, size_t len)
{
	start_event(&f->event, type);
	buf_append(&f->event, bytes, len);
	end_event(f);
}

static void test_other_kinds(void **state)
{
	static const struct {
		unsigned type;
		const char *bytes;
		size_t len;
		const char *shown;
	} cases[] = {
		{ 3, "", 0, "STOP\n" },
		{ 26, "\1\0\4lost", 7, "INCIDENT [lost]\n" },
		{ 26, "\1\0", 2, "INCIDENT []\n" },
		{ 29, "\6SELECT", 7, "ANNOTATE [SELECT]\n" },
		{ 160, "SELECT", 6, "ANNOTATE [SELECT]\n" },
		{ 160, "", 0, "ANNOTATE []\n" },
		{ 19, "\1\0\0\0\0\0\1\0", 8, "TABLE_MAP 8 bytes\n" },
		{ 35, "\0\0\0\0\0\0\0", 8, "PREVIOUS_GTIDS 8 bytes\n" },
		{ 163, "\0\0\0", 4, "GTID_LIST 4 bytes\n" },
		{ 5, "\2\1\0\0\0\0\0\0", 9, "OTHER 5\n" }, { 9, "x", 1, "OTHER 9\n" }, { 11, "x", 1, "OTHER 11\n" },
		{ 13, "x", 1, "OTHER 13\n" }, { 14, "x", 1, "OTHER 14\n" }, { 17, "x", 1, "OTHER 17\n" }, { 28, "x", 1, "OTHER 28\n" },
		{ 36, "x", 1, "OTHER 36\n" }, { 37, "x", 1, "OTHER 37\n" }, { 161, "x", 1, "OTHER 161\n" }, { 164, "x", 1, "OTHER 164\n" },
	};
	struct error err = ERROR_INIT;
	struct fixture *f = *state;
	struct binlog_item item;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		open_file(f, true, true);
		put_bytes(f, cases[i].type, cases[i].bytes, cases[i].len);
		assert_int_equal(read_event(f, f->event.data, f->event.len), 0);
		assert_string_equal(strchr(buf_cstr(&f->shown), ' ') + 1, cases[i].shown);
	}
	/* not known: only if the server says that it may be left out */
	open_file(f, true, true);
	put_bytes(f, 43, "x", 1);
	set_flags(f, 0x80, false);
	assert_int_equal(read_event(f, f->event.data, f->event.len), 0);
	open_file(f, true, true);
	put_bytes(f, 43, "x", 1);
	assert_event(f, "binlog log.000007 at 256: event type 43 of 11.4.2-MariaDB-log is not known");
	open_file(f, true, true);
	put_bytes(f, 1, "x", 1);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), -1);
	assert_string_equal(err.hint, "the server is newer or older than this program knows");
	open_file(f, true, true);
	put_bytes(f, 16, "1234567", 7);
	assert_event(f, "binlog log.000007 at 256, XID event (type 16): cut off");
	open_file(f, true, true);
	put_bytes(f, 26, "\1\0\5lost", 7);
	assert_event(f, "binlog log.000007 at 256, INCIDENT event (type 26): cut off");
}

/* ---- TRANSACTION_PAYLOAD ---- */

static void put_inner(struct fixture *f, unsigned type, const char *bytes, size_t len)
{
	put_int(&f->inner, TIME, 4);
	put_int(&f->inner, type, 1);
	put_int(&f->inner, SERVER, 4);
	put_int(&f->inner, HEADER + len, 4);
	put_int(&f->inner, 0, 4);
	put_int(&f->inner, 0, 2);
	buf_append(&f->inner, bytes, len);
}

static void put_lenenc8(struct buf *out, uint64_t n)
{
	put_int(out, 0xfe, 1);
	put_int(out, n, 8);
}

/* What stands in f->inner; says: the size when unpacked (0: not told); cut: bytes that are missing at the end. */
static void put_payload(struct fixture *f, bool zstd, uint64_t says, size_t cut)
{
	size_t size = ZSTD_compressBound(f->inner.len);
	char *packed = malloc(size);

	assert_non_null(packed);
	if (zstd) {
		size = ZSTD_compress(packed, size, f->inner.data, f->inner.len, 3);
		assert_false(ZSTD_isError(size));
	} else {
		memcpy(packed, f->inner.data, f->inner.len);
		size = f->inner.len;
	}
	size -= cut;
	start_event(&f->event, 40);
	put_int(&f->event, 2, 1);
	put_int(&f->event, zstd ? 1 : 3, 1);
	put_int(&f->event, zstd ? 0 : 0xfc, 1);
	if (!zstd)
		put_int(&f->event, 255, 2);
	if (says > 0) {
		put_int(&f->event, 3, 1);
		put_int(&f->event, 9, 1);
		put_lenenc8(&f->event, says);
	}
	put_int(&f->event, 9, 1); /* a field of a newer server */
	put_int(&f->event, 2, 1);
	put_int(&f->event, 0, 2);
	put_int(&f->event, 1, 1);
	put_int(&f->event, 9, 1);
	put_lenenc8(&f->event, size);
	put_int(&f->event, 0, 1);
	buf_append(&f->event, packed, size);
	end_event(f);
	free(packed);
}

static void test_payload(void **state)
{
	struct fixture *f = *state;
	char shown[128], expected[256];

	for (int zstd = 0; zstd < 2; zstd++) {
		open_file(f, false, true);
		buf_reset(&f->inner);
		put_inner(f, 160, "BEGIN", 5);
		put_inner(f, 16, "\1\0\0\0\0\0\0\0", 8);
		put_payload(f, zstd == 1, zstd == 1 ? f->inner.len : 0, 0);
		(void)snprintf(shown, sizeof shown, "127-%" PRIu32, f->position);
		(void)snprintf(expected, sizeof expected, "%s ANNOTATE [BEGIN]\n%s XID 1\n", shown, shown);
		assert_event(f, expected);
		/* and the file goes on */
		put_xid(f, 9);
		assert_int_equal(read_event(f, f->event.data, f->event.len), 0);
		/* an empty one */
		buf_reset(&f->inner);
		put_payload(f, zstd == 1, 0, 0);
		assert_event(f, "");
	}
}

/* Inner events larger than a piece, and many small ones over several pieces. */
static void test_large_payload(void **state)
{
	static const size_t sizes[] = { 1, 70000, 3, 3000000, 65536 - HEADER, 5 };
	struct error err = ERROR_INIT;
	struct fixture *f = *state;
	struct binlog_item item;
	size_t count = 0;
	char *bytes = malloc(3000000 + 20000);

	assert_non_null(bytes);
	for (size_t i = 0; i < 3000000 + 20000; i++)
		bytes[i] = (char)(i * i >> 7);
	open_file(f, false, true);
	buf_reset(&f->inner);
	for (size_t i = 0; i < 6; i++)
		put_inner(f, 160, bytes + i, sizes[i]);
	for (size_t i = 0; i < 20000; i++)
		put_inner(f, 160, bytes + i, i % 20);
	put_payload(f, true, f->inner.len, 0);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	while (binlog_reader_next(f->reader, &item, &err) == 1) {
		size_t len = count < 6 ? sizes[count] : (count - 6) % 20;

		assert_int_equal(item.kind, BINLOG_ANNOTATE);
		assert_int_equal(item.text.len, len);
		if (len > 0)
			assert_memory_equal(item.text.text, bytes + (count < 6 ? count : count - 6), len);
		count++;
	}
	assert_int_equal(err.class, ERROR_NONE);
	assert_int_equal(count, 20006);
	free(bytes);
}

static void test_broken_payload(void **state)
{
	static const struct {
		unsigned type;
		const char *error;
	} misplaced[] = {
		{ 15, "FORMAT_DESCRIPTION event (type 15): inside of a transaction payload" },
		{ 4, "ROTATE event (type 4): inside of a transaction payload" },
		{ 40, "TRANSACTION_PAYLOAD event (type 40): inside of a transaction payload" },
		{ 16, "XID event (type 16): cut off" },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof misplaced / sizeof misplaced[0]; i++) {
		open_file(f, false, true);
		buf_reset(&f->inner);
		put_inner(f, misplaced[i].type, "x", 1);
		put_payload(f, true, 0, 0);
		assert_int_equal(read_event(f, f->event.data, f->event.len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), misplaced[i].error));
	}
	buf_reset(&f->inner);
	put_inner(f, 160, "BEGIN", 5);
	put_inner(f, 160, "END", 3);
	for (int zstd = 0; zstd < 2; zstd++) {
		for (size_t cut = 1; cut < 20; cut++) {
			open_file(f, false, true);
			put_payload(f, zstd == 1, 0, cut);
			assert_int_equal(read_event(f, f->event.data, f->event.len), -1);
			assert_non_null(strstr(buf_cstr(&f->shown), "TRANSACTION_PAYLOAD event (type 40): its "));
			assert_non_null(strstr(buf_cstr(&f->shown), " is cut off"));
		}
	}
	open_file(f, false, true);
	put_payload(f, true, 7, 0);
	assert_int_equal(read_event(f, f->event.data, f->event.len), -1);
	open_file(f, false, true);
	put_payload(f, true, f->inner.len + 1, 0);
	assert_int_equal(read_event(f, f->event.data, f->event.len), -1);
	assert_non_null(strstr(buf_cstr(&f->shown), "(type 40): 46 bytes when uncompressed instead of 47"));
	set_int(&f->inner, 9, HEADER - 1, 4);
	open_file(f, false, true);
	put_payload(f, true, 0, 0);
	assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): an inner event says that it has 18 bytes");
	open_file(f, false, true);
	put_bytes(f, 40, "\2\1\1\1\1\1\0x", 8);
	assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): compression algorithm 1 is not known");
	open_file(f, false, true);
	put_bytes(f, 40, "\2\1\0\1\1\2\0x", 8);
	assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): its fields are cut off or malformed");
	open_file(f, false, true);
	put_bytes(f, 40, "\2\1\0\1\1\4\0abcd", 11);
	assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): it cannot be uncompressed: Unknown frame descriptor");
}

/* ---- what servers wrote ---- */

static char *read_vector(const char *name, size_t *ret_len)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[4096];
	char *bytes = malloc(FILE_BYTES_MAX);
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/tests/vectors/binlog/%s", top != NULL ? top : ".", name);
	file = fopen(path, "rb");
	if (bytes == NULL || file == NULL)
		fail_msg("cannot read %s", path);
	*ret_len = fread(bytes, 1, FILE_BYTES_MAX - 1, file);
	bytes[*ret_len] = '\0';
	(void)fclose(file);
	return bytes;
}

static void check_vector(struct fixture *f, const char *name)
{
	char file[128], *bytes, *expected;
	size_t len, expected_len, event_len;
	struct error err = ERROR_INIT;
	struct buf all;

	(void)snprintf(file, sizeof file, "%s.bin", name);
	bytes = read_vector(file, &len);
	(void)snprintf(file, sizeof file, "%s.txt", name);
	expected = read_vector(file, &expected_len);
	buf_init(&all, FILE_BYTES_MAX);
	binlog_reader_reset(f->reader, name);
	for (size_t at = 4; at < len; at += event_len) {
		assert_int_equal(binlog_event_length(bytes + at, len - at, &event_len, &err), 0);
		assert_true(event_len > 0 && event_len <= len - at);
		assert_int_equal(read_event(f, bytes + at, event_len), 0);
		buf_append(&all, f->shown.data, f->shown.len);
	}
	if (getenv("SHOW_VECTORS") != NULL)
		(void)fputs(buf_cstr(&all), stderr);
	assert_string_equal(buf_cstr(&all), expected);
	buf_release(&all);
	free(bytes);
	free(expected);
}

static void test_vector_mariadb(void **state)
{
	check_vector(*state, "events-mariadb");
}

static void test_vector_mysql(void **state)
{
	check_vector(*state, "events-mysql");
}

static void test_vector_mysql_set(void **state)
{
	struct gtid_set *set = gtid_set_new(GTID_MYSQL);
	struct error err = ERROR_INIT;
	struct buf text;
	size_t len;
	char *bytes = read_vector("events-mysql-set.bin", &len);

	/* the second event, without header and checksum */
	buf_init(&text, FILE_BYTES_MAX);
	assert_int_equal(bytes[127 + 4], 35);
	assert_int_equal(gtid_set_parse_binary(set, bytes + 127 + HEADER, len - 40 - 127 - HEADER - 4, &err), 0);
	gtid_set_format(set, &text);
	assert_string_equal(buf_cstr(&text), "aaaaaaaa-bbbb-cccc-dddd-eeeeeeee0001:1-3:5-8:nightly:1-2");
	buf_release(&text);
	gtid_set_free(set);
	free(bytes);
	check_vector(*state, "events-mysql-set");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_length),
		TEST(test_format),
		TEST(test_file_in_use),
		TEST(test_checksum),
		TEST(test_order_of_calls),
		TEST(test_stream),
		TEST(test_large_file),
		TEST(test_heartbeat),
		TEST(test_file_names),
		TEST(test_query_variables),
		TEST(test_query),
		TEST(test_compressed_query),
		TEST(test_rows),
		TEST(test_broken_rows),
		TEST(test_gtid),
		TEST(test_tagged_gtid),
		TEST(test_mariadb_gtid),
		TEST(test_xa_prepare),
		TEST(test_other_kinds),
		TEST(test_payload),
		TEST(test_large_payload),
		TEST(test_broken_payload),
		TEST(test_vector_mariadb),
		TEST(test_vector_mysql),
		TEST(test_vector_mysql_set),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
