/*
 * capture_decode_binlog_events.c: the bodies of binlog events, built byte by byte, whole, cut and broken. Rows and what is compressed:
 * capture_decode_binlog_packed.c.
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

#define A "3e11fa47-71ca-11e1-9e33-c80aa9429562"

static const unsigned char uuid_a[16] = {
	0x3e, 0x11, 0xfa, 0x47, 0x71, 0xca, 0x11, 0xe1, 0x9e, 0x33, 0xc8, 0x0a, 0xa9, 0x42, 0x95, 0x62
};

/* ---- QUERY ---- */

struct variable {
	const char *bytes;
	size_t len;
};

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
	struct log_fixture *f = *state;

	for (size_t i = 0; i < sizeof of_both / sizeof of_both[0]; i++) {
		log_open_file(f, i % 2 == 0, false);
		log_put_query(f, 2, of_both[i].bytes, of_both[i].len, "shop", "x");
		(void)log_read_event(f, f->event.data, f->event.len);
		if (strstr(buf_cstr(&f->shown), "QUERY shop ansi no_backslash 255 [x]\n") == NULL)
			fail_msg("variable %zu: %s", i, buf_cstr(&f->shown));
		/* cut: no reason to fail */
		for (size_t len = 0; len < of_both[i].len; len++) {
			log_open_file(f, i % 2 == 0, false);
			log_put_query(f, 2, of_both[i].bytes, len, "shop", "x");
			assert_int_equal(log_read_event(f, f->event.data, f->event.len), 0);
		}
	}
	for (size_t i = 0; i < sizeof of_mariadb / sizeof of_mariadb[0]; i++) {
		log_open_file(f, true, false);
		log_put_query(f, 2, of_mariadb[i].bytes, of_mariadb[i].len, "shop", "x");
		(void)log_read_event(f, f->event.data, f->event.len);
		if (strstr(buf_cstr(&f->shown), "QUERY shop ansi no_backslash 255 [x]\n") == NULL)
			fail_msg("variable %zu: %s", i, buf_cstr(&f->shown));
	}
	log_open_file(f, false, false);
	log_put_query(f, 2, "\170" COUNTED, sizeof COUNTED, "shop", "x");
	log_assert_event(f, "127-182 QUERY shop 0 [x]\n");
#undef VARIABLE
#undef COUNTED
}

static void test_query(void **state)
{
	struct log_fixture *f = *state;

	log_open_file(f, false, true);
	log_put_query(f, 2, "", 0, "", "");
	log_assert_event(f, "127-164 QUERY  0 []\n");
	log_put_query(f, 18, "", 0, "shop", "LOAD DATA");
	log_assert_event(f, "164-227 QUERY shop 0 [LOAD DATA]\n");
	log_put_query(f, 2, "", 0, "a\nb", "x");
	f->event.data[f->event.len - 4 - 1 - 1] = 'c'; /* the NUL behind the schema */
	log_sum_event(&f->event);
	log_assert_event(f, "binlog log.000007 at 227, QUERY event (type 2): its schema does not end where it says");
	log_open_file(f, false, false);
	log_put_query(f, 2, "", 0, "shop", "x");
	for (size_t len = HEADER; len < f->event.len - 1; len++) {
		log_open_file(f, false, false);
		log_put_query(f, 2, "", 0, "shop", "x");
		log_set_int(&f->event, 9, len, 4);
		assert_int_equal(log_read_event(f, f->event.data, len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), "QUERY event (type 2): cut off"));
	}
}

/* ---- GTID ---- */

static void put_gtid(struct log_fixture *f, unsigned type, uint64_t sequence, uint64_t commit_us, uint64_t original_us)
{
	log_start_event(&f->event, type);
	log_put_int(&f->event, 1, 1);
	buf_append(&f->event, uuid_a, 16);
	log_put_int(&f->event, sequence, 8);
	log_put_int(&f->event, 2, 1);
	log_put_int(&f->event, 1, 8);
	log_put_int(&f->event, 2, 8);
	log_put_int(&f->event, original_us != 0 ? commit_us | UINT64_C(1) << 55 : commit_us, 7);
	if (original_us != 0)
		log_put_int(&f->event, original_us, 7);
	log_put_int(&f->event, 100, 1);
	log_put_int(&f->event, 90704, 4);
	log_end_event(f);
}

static void test_gtid(void **state)
{
	struct error err = ERROR_INIT;
	struct log_fixture *f = *state;
	struct binlog_item item;

	log_open_file(f, false, true);
	put_gtid(f, 33, 77, UINT64_C(1700000000123456), 0);
	log_assert_event(f, "127-204 GTID " A ":77\n");
	put_gtid(f, 33, 78, UINT64_C(1700000000123456), 5);
	log_assert_event(f, "204-288 GTID " A ":78 original 5\n");
	put_gtid(f, 34, 0, UINT64_C(1700000000123456), 0);
	log_assert_event(f, "288-365 GTID anonymous\n");
	put_gtid(f, 33, 79, UINT64_C(1700000000123456), 6);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 1);
	assert_int_equal(item.gtid.commit_us, INT64_C(1700000000123456));
	assert_int_equal(item.timestamp, TIME);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 0);
	put_gtid(f, 33, 0, 1, 0);
	log_assert_event(f, "binlog log.000007 at 449, GTID event (type 33): number 0 is out of range");
	/* as of 5.6, without times */
	log_open_file(f, false, false);
	put_gtid(f, 33, 77, 1, 0);
	f->event.len = HEADER + 25;
	log_set_int(&f->event, 9, f->event.len, 4);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), 1);
	assert_int_equal(item.gtid.commit_us, TIME * INT64_C(1000000));
	assert_int_equal(item.gtid.original_us, TIME * INT64_C(1000000));
	log_open_file(f, false, false);
	put_gtid(f, 33, 77, 1, 0);
	log_set_int(&f->event, 9, HEADER + 24, 4);
	assert_int_equal(log_read_event(f, f->event.data, HEADER + 24), -1);
	/* an original time that is cut off */
	log_open_file(f, false, false);
	put_gtid(f, 33, 77, 1, 2);
	log_set_int(&f->event, 9, HEADER + 25 + 17 + 8, 4);
	assert_int_equal(log_read_event(f, f->event.data, HEADER + 25 + 17 + 8), -1);
	assert_non_null(strstr(buf_cstr(&f->shown), ", GTID event (type 33): cut off"));
}

static void put_varlen(struct buf *out, uint64_t n)
{
	size_t more = 0;

	while (more < 8 && n >> (7 * (more + 1)) != 0)
		more++;
	if (more == 8) {
		buf_append_byte(out, (char)0xff);
		log_put_int(out, n, 8);
		return;
	}
	log_put_int(out, n << (more + 1) | ((UINT64_C(1) << more) - 1), more + 1);
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
	struct log_fixture *f = *state;
	struct buf *out = &f->inner;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		log_open_file(f, false, true);
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
		log_start_event(&f->event, 42);
		put_varlen(&f->event, 1);
		put_varlen(&f->event, out->len + 2);
		buf_append(&f->event, out->data, out->len);
		log_end_event(f);
		(void)log_read_event(f, f->event.data, f->event.len);
		assert_non_null(strstr(buf_cstr(&f->shown), cases[i].shown));
	}
	/* cut anywhere it is refused */
	for (size_t len = HEADER; len < f->event.len - 4; len++) {
		log_open_file(f, false, false);
		log_start_event(&f->event, 42);
		put_varlen(&f->event, 1);
		put_varlen(&f->event, out->len + 2);
		buf_append(&f->event, out->data, out->len);
		log_set_int(&f->event, 9, len, 4);
		assert_int_equal(log_read_event(f, f->event.data, len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), "GTID_TAGGED event (type 42): cut off"));
		log_put_int(&f->event, 0, 4);
	}
	log_open_file(f, false, false);
	log_start_event(&f->event, 42);
	put_varlen(&f->event, 2);
	put_varlen(&f->event, 3);
	put_varlen(&f->event, 0);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 127, GTID_TAGGED event (type 42): form 2 is not known");
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
	struct log_fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		log_open_file(f, true, true);
		log_start_event(&f->event, 162);
		log_put_int(&f->event, 77, 8);
		log_put_int(&f->event, 3, 4);
		log_put_int(&f->event, cases[i].flags, 1);
		buf_append(&f->event, cases[i].more, cases[i].more_len);
		log_end_event(f);
		(void)log_read_event(f, f->event.data, f->event.len);
		if (strncmp(cases[i].shown, "binlog", 6) == 0)
			assert_non_null(strstr(buf_cstr(&f->shown), strchr(cases[i].shown, ',')));
		else
			assert_string_equal(strchr(buf_cstr(&f->shown), ' '), strchr(cases[i].shown, ' '));
	}
}

/* ---- other kinds ---- */

static void test_xa_prepare(void **state)
{
	struct log_fixture *f = *state;

	log_open_file(f, false, true);
	for (unsigned one_phase = 0; one_phase < 2; one_phase++) {
		log_start_event(&f->event, 38);
		log_put_int(&f->event, one_phase, 1);
		log_put_int(&f->event, 7, 4);
		log_put_int(&f->event, 2, 4);
		log_put_int(&f->event, 1, 4);
		buf_append_str(&f->event, "g1b");
		log_end_event(f);
		log_assert_event(f, one_phase ? "166-205 XA_PREPARE X'6731',X'62',7 one phase\n" :
			"127-166 XA_PREPARE X'6731',X'62',7\n");
	}
	log_start_event(&f->event, 38);
	log_put_int(&f->event, 0, 1);
	log_put_int(&f->event, 7, 4);
	log_put_int(&f->event, UINT32_MAX, 4);
	log_put_int(&f->event, 1, 4);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 205, XA_PREPARE event (type 38): xa id of 4294967295 and 1 bytes");
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
	struct log_fixture *f = *state;
	struct binlog_item item;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		log_open_file(f, true, true);
		log_put_bytes(f, cases[i].type, cases[i].bytes, cases[i].len);
		assert_int_equal(log_read_event(f, f->event.data, f->event.len), 0);
		assert_string_equal(strchr(buf_cstr(&f->shown), ' ') + 1, cases[i].shown);
	}
	/* not known: only if the server says that it may be left out */
	log_open_file(f, true, true);
	log_put_bytes(f, 43, "x", 1);
	log_set_flags(f, 0x80, false);
	assert_int_equal(log_read_event(f, f->event.data, f->event.len), 0);
	log_open_file(f, true, true);
	log_put_bytes(f, 43, "x", 1);
	log_assert_event(f, "binlog log.000007 at 256: event type 43 of 11.4.2-MariaDB-log is not known");
	log_open_file(f, true, true);
	log_put_bytes(f, 1, "x", 1);
	assert_int_equal(binlog_reader_feed(f->reader, f->event.data, f->event.len, &err), 0);
	assert_int_equal(binlog_reader_next(f->reader, &item, &err), -1);
	assert_string_equal(err.hint, "the server is newer or older than this program knows");
	log_open_file(f, true, true);
	log_put_bytes(f, 16, "1234567", 7);
	log_assert_event(f, "binlog log.000007 at 256, XID event (type 16): cut off");
	log_open_file(f, true, true);
	log_put_bytes(f, 26, "\1\0\5lost", 7);
	log_assert_event(f, "binlog log.000007 at 256, INCIDENT event (type 26): cut off");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, log_setup, log_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_query_variables),
		TEST(test_query),
		TEST(test_gtid),
		TEST(test_tagged_gtid),
		TEST(test_mariadb_gtid),
		TEST(test_xa_prepare),
		TEST(test_other_kinds),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
