/*
 * capture_decode_binlog.c: binlog events as a file and as a stream: framing, checksums, positions; and whole files recorded from servers
 * (tests/vectors/binlog/events-*.bin: MariaDB 10.11, MySQL 9.7).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/binlog_log.h"

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
	struct log_fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		binlog_reader_reset(f->reader, "log.000007");
		log_put_format(f, cases[i].version, cases[i].types, cases[i].algorithm);
		log_assert_event(f, cases[i].shown);
		/* cut in its fixed fields it is refused; behind them it has fewer types */
		for (size_t len = HEADER; len < f->event.len; len++) {
			binlog_reader_reset(f->reader, "log.000007");
			log_set_int(&f->event, 9, len, 4);
			if (log_read_event(f, f->event.data, len) == 0)
				assert_true(len >= HEADER + 57);
		}
	}
}

/* A server sets the flag in the file that it writes, and sums without it. */
static void test_file_in_use(void **state)
{
	struct log_fixture *f = *state;

	f->checksum = true;
	binlog_reader_reset(f->reader, "log.000007");
	log_put_format(f, "9.7.4", 42, 1);
	log_set_flags(f, 1, true);
	log_assert_event(f, "4-127 FORMAT 9.7.4 checksum created\n");
	binlog_reader_reset(f->reader, "log.000007");
	log_put_format(f, "9.7.4", 42, 1);
	log_set_flags(f, 2, true);
	log_assert_event(f, "binlog log.000007 at 4, FORMAT_DESCRIPTION event (type 15): its checksum is wrong");
}

static void test_checksum(void **state)
{
	struct error err = ERROR_INIT;
	struct log_fixture *f = *state;

	log_open_file(f, false, true);
	log_put_xid(f, 77);
	log_assert_event(f, "127-158 XID 77\n");
	/* each bit counts */
	for (size_t i = 0; i < f->event.len; i++) {
		if (i >= 9 && i < 17)
			continue; /* length and position are looked at before */
		f->event.data[i] ^= 4;
		binlog_reader_reset(f->reader, "log.000007");
		log_open_file(f, false, true);
		log_put_xid(f, 77);
		f->event.data[i] ^= 4;
		assert_int_equal(log_read_event(f, f->event.data, f->event.len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), "binlog log.000007 at 127, "));
		assert_non_null(strstr(buf_cstr(&f->shown), ": its checksum is wrong"));
	}
	log_open_file(f, false, true);
	log_put_xid(f, 77);
	f->event.data[20] ^= 1;
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), -1);
	assert_string_equal(err.text, "binlog log.000007 at 127, XID event (type 16): its checksum is wrong");
	assert_non_null(strstr(err.hint, "mysqlbinlog --verify-binlog-checksum"));
	/* without one nothing is taken off */
	log_open_file(f, false, false);
	log_put_xid(f, 78);
	log_assert_event(f, "127-154 XID 78\n");
}

static void test_order_of_calls(void **state)
{
	struct error err = ERROR_INIT;
	struct log_fixture *f = *state;
	struct binlog_item item;

	binlog_reader_reset(f->reader, "log.000007");
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 0);
	f->checksum = false;
	f->position = 4;
	log_put_xid(f, 1);
	log_assert_event(f, "binlog log.000007 at 4, XID event (type 16): it comes before any format description");
	log_open_file(f, false, false);
	log_put_xid(f, 1);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), -1);
	assert_int_equal(err.class, ERROR_BUG);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 1);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 0);
	log_set_int(&f->event, 9, 5, 4);
	log_assert_event(f, "binlog log.000007 behind 154: an event of 27 bytes says that it has 5 bytes");
	f->event.len = 18;
	log_assert_event(f, "binlog log.000007 behind 154: an event of 18 bytes");
}

/* ---- positions ---- */

static void put_rotate(struct log_fixture *f, const char *file, uint64_t offset)
{
	log_start_event(&f->event, 4);
	log_put_int(&f->event, offset, 8);
	buf_append_str(&f->event, file);
	log_end_event(f);
}

static void set_position(struct log_fixture *f, uint32_t position)
{
	log_set_int(&f->event, 13, position, 4);
	if (f->checksum)
		log_sum_event(&f->event);
}

static void put_artificial_rotate(struct log_fixture *f, const char *file, uint64_t offset)
{
	uint32_t kept = f->position;

	put_rotate(f, file, offset);
	f->position = kept;
	log_set_int(&f->event, 0, 0, 4);
	log_set_int(&f->event, 17, 0x20, 2);
	set_position(f, 0);
}

/* The stream of a reader that begins in the middle: a ROTATE with or without a sum, a format description that is no place, and then the file. */
static void test_stream(void **state)
{
	struct log_fixture *f = *state;

	for (int checksum = 0; checksum < 2; checksum++) {
		binlog_reader_reset(f->reader, "");
		f->checksum = checksum == 1;
		put_artificial_rotate(f, "log.000008", 5000);
		log_assert_event(f, "4-0 artificial ROTATE log.000008 5000\n");
		assert_string_equal(binlog_reader_file(f->reader), "log.000008");
		log_put_format(f, "9.7.4", 42, 1);
		set_position(f, 0);
		log_sum_event(&f->event);
		log_assert_event(f, "5000-0 artificial FORMAT 9.7.4 checksum created\n");
		f->checksum = true;
		f->position = 5000;
		log_put_xid(f, 1);
		log_assert_event(f, "5000-5031 XID 1\n");
		/* the server left something out */
		f->position += 100;
		log_put_xid(f, 2);
		log_assert_event(f, "5131-5162 XID 2\n");
		/* and does not say where it is */
		log_put_xid(f, 3);
		set_position(f, 0);
		log_assert_event(f, "5162-0 XID 3\n");
		log_put_xid(f, 4);
		log_assert_event(f, "5193-5224 XID 4\n");
		put_rotate(f, "log.000009", 4);
		log_assert_event(f, "5224-5265 ROTATE log.000009 4\n");
		put_artificial_rotate(f, "log.000009", 4);
		log_assert_event(f, "4-0 artificial ROTATE log.000009 4\n");
		log_put_format(f, "9.7.4", 42, 0);
		log_assert_event(f, "4-127 FORMAT 9.7.4 created\n");
		f->checksum = false;
		log_put_xid(f, 5);
		log_assert_event(f, "127-154 XID 5\n");
	}
}

/* A file of more than 4 GiB: the header's 32 bits are the lower ones. */
static void test_large_file(void **state)
{
	struct log_fixture *f = *state;

	log_open_file(f, false, true);
	put_artificial_rotate(f, "log.000008", 0xfffffff0);
	log_assert_event(f, "127-0 artificial ROTATE log.000008 4294967280\n");
	f->position = 0xfffffff0;
	log_put_xid(f, 1);
	log_assert_event(f, "4294967280-4294967311 XID 1\n");
	log_put_xid(f, 2);
	log_assert_event(f, "4294967311-4294967342 XID 2\n");
	put_artificial_rotate(f, "log.000008", UINT64_C(0x500000004));
	log_assert_event(f, "4294967342-0 artificial ROTATE log.000008 21474836484\n");
	f->position = 4;
	log_put_xid(f, 3);
	log_assert_event(f, "21474836484-21474836515 XID 3\n");
	/* an event that the server made longer than it is in the file */
	f->position = 10;
	log_put_xid(f, 4);
	log_assert_event(f, "21474836515-21474836521 XID 4\n");
}

static void test_heartbeat(void **state)
{
	struct log_fixture *f = *state;

	log_open_file(f, false, true);
	log_start_event(&f->event, 27);
	buf_append_str(&f->event, "log.000007");
	log_end_event(f);
	set_position(f, 4711);
	log_assert_event(f, "127-0 artificial HEARTBEAT log.000007 4711\n");
	log_start_event(&f->event, 41);
	log_put_int(&f->event, 1, 1);
	log_put_int(&f->event, 10, 1);
	buf_append_str(&f->event, "log.000007");
	log_put_int(&f->event, 3, 1);
	log_put_int(&f->event, 1, 1);
	log_put_int(&f->event, 9, 1);
	log_put_int(&f->event, 2, 1);
	log_put_int(&f->event, 9, 1);
	log_put_int(&f->event, 0xfe, 1);
	log_put_int(&f->event, UINT64_C(1) << 33, 8);
	log_put_int(&f->event, 0, 1);
	log_end_event(f);
	log_assert_event(f, "4711-0 artificial HEARTBEAT log.000007 8589934592\n");
	log_put_xid(f, 1);
	set_position(f, 100);
	log_assert_event(f, "8589934661-8589934692 XID 1\n");
	log_start_event(&f->event, 41);
	log_put_int(&f->event, 0, 1);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 8589934692, HEARTBEAT_V2 event (type 41): no file name of 0 bytes");
	log_open_file(f, false, true);
	log_start_event(&f->event, 41);
	log_put_int(&f->event, 1, 1);
	log_put_int(&f->event, 30, 1);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 127, HEARTBEAT_V2 event (type 41): cut off");
}

static void test_file_names(void **state)
{
	struct log_fixture *f = *state;

	log_open_file(f, false, true);
	put_rotate(f, "", 4);
	log_assert_event(f, "binlog log.000007 at 127, ROTATE event (type 4): no file name of 0 bytes");
	log_open_file(f, false, true);
	put_rotate(f, "a\nb", 4);
	log_assert_event(f, "binlog log.000007 at 127, ROTATE event (type 4): no file name of 3 bytes");
}

/* ---- what servers wrote ---- */

static char *read_vector(const char *name, size_t *ret_len)
{
	const char *top = getenv("TOP_SRCDIR");
	char path[4096];
	char *bytes = malloc(LOG_SHOWN_MAX);
	FILE *file;

	(void)snprintf(path, sizeof path, "%s/tests/vectors/binlog/%s", top != NULL ? top : ".", name);
	file = fopen(path, "rb");
	if (bytes == NULL || file == NULL)
		fail_msg("cannot read %s", path);
	*ret_len = fread(bytes, 1, LOG_SHOWN_MAX - 1, file);
	bytes[*ret_len] = '\0';
	(void)fclose(file);
	return bytes;
}

static void check_vector(struct log_fixture *f, const char *name)
{
	char file[128], *bytes, *expected;
	size_t len, expected_len, event_len;
	struct error err = ERROR_INIT;
	struct buf all;

	(void)snprintf(file, sizeof file, "%s.bin", name);
	bytes = read_vector(file, &len);
	(void)snprintf(file, sizeof file, "%s.txt", name);
	expected = read_vector(file, &expected_len);
	buf_init(&all, LOG_SHOWN_MAX);
	binlog_reader_reset(f->reader, name);
	for (size_t at = 4; at < len; at += event_len) {
		assert_int_equal(binlog_event_length(bytes + at, len - at, &event_len, &err), 0);
		assert_true(event_len > 0 && event_len <= len - at);
		assert_int_equal(log_read_event(f, bytes + at, event_len), 0);
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
	buf_init(&text, LOG_SHOWN_MAX);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, log_setup, log_teardown)
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
		TEST(test_vector_mariadb),
		TEST(test_vector_mysql),
		TEST(test_vector_mysql_set),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
