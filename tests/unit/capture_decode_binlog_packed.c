/*
 * capture_decode_binlog_packed.c: rows events, MariaDB's compressed events and MySQL's transaction payloads, whole, cut and broken.
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

#include "tests/unit/binlog_log.h"

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

static void put_rows_head(struct log_fixture *f, unsigned type, uint64_t table, unsigned flags)
{
	bool v2 = (type >= 30 && type <= 32) || type == 39 || type >= 169;

	log_start_event(&f->event, type);
	log_put_int(&f->event, table, 6);
	log_put_int(&f->event, flags, 2);
	if (v2) {
		log_put_int(&f->event, 5, 2);
		buf_append(&f->event, "\1\2\3", 3);
	}
	log_put_int(&f->event, 3, 1);
	log_put_int(&f->event, 0xfd, 1);
	if (type == 24 || type == 31 || type == 39 || type == 167 || type == 170)
		log_put_int(&f->event, 0x06, 1);
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
	struct log_fixture *f = *state;
	char text[512];

	log_open_file(f, true, true);
	log_put_query(f, 165, "", 0, "shop", "");
	f->event.len -= 4;
	f->position = 246;
	put_packed(&f->event, "DROP TABLE t", 12, 12);
	log_end_event(f);
	(void)log_read_event(f, f->event.data, f->event.len);
	assert_non_null(strstr(buf_cstr(&f->shown), " QUERY shop 0 [DROP TABLE t]\n"));
	for (size_t says = 11; says < 14; says += 2) {
		log_open_file(f, true, false);
		log_put_query(f, 165, "", 0, "shop", "");
		put_packed(&f->event, "DROP TABLE t", 12, says);
		log_set_int(&f->event, 9, f->event.len, 4);
		assert_int_equal(log_read_event(f, f->event.data, f->event.len), -1);
		(void)snprintf(text, sizeof text, "it cannot be uncompressed to %zu bytes", says);
		assert_non_null(strstr(buf_cstr(&f->shown), text));
	}
	for (size_t i = 0; i < sizeof broken / sizeof broken[0]; i++) {
		log_open_file(f, true, false);
		log_put_query(f, 165, "", 0, "shop", "");
		buf_append(&f->event, broken[i].bytes, broken[i].len);
		log_set_int(&f->event, 9, f->event.len, 4);
		assert_int_equal(log_read_event(f, f->event.data, f->event.len), -1);
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
	struct log_fixture *f = *state;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		size_t head;

		log_open_file(f, cases[i].mariadb, true);
		put_rows_head(f, cases[i].type, 258, 1);
		head = f->event.len;
		if (cases[i].type >= 166)
			put_packed(&f->event, "test", 4, 4);
		else
			buf_append_str(&f->event, "test");
		log_end_event(f);
		assert_int_equal(log_read_event(f, f->event.data, f->event.len), 0);
		assert_string_equal(strchr(buf_cstr(&f->shown), ' ') + 1, cases[i].shown);
		for (size_t len = HEADER; len < head; len++) {
			log_open_file(f, cases[i].mariadb, false);
			put_rows_head(f, cases[i].type, 258, 1);
			log_set_int(&f->event, 9, len, 4);
			assert_int_equal(log_read_event(f, f->event.data, len), -1);
			assert_non_null(strstr(buf_cstr(&f->shown), ": cut off"));
		}
	}
}

static void test_broken_rows(void **state)
{
	struct log_fixture *f = *state;

	log_open_file(f, false, false);
	put_rows_head(f, 30, 0xffffff, 1);
	log_end_event(f);
	log_assert_event(f, "127-161 OTHER 30\n");
	put_rows_head(f, 30, 1, 0);
	log_end_event(f);
	log_assert_event(f, "161-195 ROWS c table 1, 3 columns, after fd, 0 bytes 00000000\n");
	put_rows_head(f, 30, 1, 0);
	f->event.data[HEADER + 13] = 0;
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 195, WRITE_ROWS event (type 30): rows of 0 columns");
	log_open_file(f, false, false);
	put_rows_head(f, 30, 1, 0);
	log_set_int(&f->event, HEADER + 8, 1, 2);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 127, WRITE_ROWS event (type 30): cut off");
	log_open_file(f, false, false);
	put_rows_head(f, 30, 1, 0);
	f->event.len = HEADER + 13;
	buf_append(&f->event, "\374\1\20", 3);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 127, WRITE_ROWS event (type 30): rows of 4097 columns");
	log_open_file(f, false, false);
	log_start_event(&f->event, 20);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 127, unnamed event (type 20): rows in the form of servers before MySQL 5.1");
	/* a type whose post-header the server does not have */
	log_open_file(f, false, false);
	put_rows_head(f, 166, 1, 0);
	log_end_event(f);
	log_assert_event(f, "binlog log.000007 at 127, WRITE_ROWS_COMPRESSED_V1 event (type 166): post-header of 0 bytes is not known");
}

/* ---- TRANSACTION_PAYLOAD ---- */

static void put_inner(struct log_fixture *f, unsigned type, const char *bytes, size_t len)
{
	log_put_int(&f->inner, TIME, 4);
	log_put_int(&f->inner, type, 1);
	log_put_int(&f->inner, SERVER, 4);
	log_put_int(&f->inner, HEADER + len, 4);
	log_put_int(&f->inner, 0, 4);
	log_put_int(&f->inner, 0, 2);
	buf_append(&f->inner, bytes, len);
}

static void put_lenenc8(struct buf *out, uint64_t n)
{
	log_put_int(out, 0xfe, 1);
	log_put_int(out, n, 8);
}

/* What stands in f->inner; says: the size when unpacked (0: not told); cut: bytes that are missing at the end. */
static void put_payload(struct log_fixture *f, bool zstd, uint64_t says, size_t cut)
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
	log_start_event(&f->event, 40);
	log_put_int(&f->event, 2, 1);
	log_put_int(&f->event, zstd ? 1 : 3, 1);
	log_put_int(&f->event, zstd ? 0 : 0xfc, 1);
	if (!zstd)
		log_put_int(&f->event, 255, 2);
	if (says > 0) {
		log_put_int(&f->event, 3, 1);
		log_put_int(&f->event, 9, 1);
		put_lenenc8(&f->event, says);
	}
	log_put_int(&f->event, 9, 1); /* a field of a newer server */
	log_put_int(&f->event, 2, 1);
	log_put_int(&f->event, 0, 2);
	log_put_int(&f->event, 1, 1);
	log_put_int(&f->event, 9, 1);
	put_lenenc8(&f->event, size);
	log_put_int(&f->event, 0, 1);
	buf_append(&f->event, packed, size);
	log_end_event(f);
	free(packed);
}

static void test_payload(void **state)
{
	struct log_fixture *f = *state;
	char shown[128], expected[256];

	for (int zstd = 0; zstd < 2; zstd++) {
		log_open_file(f, false, true);
		buf_reset(&f->inner);
		put_inner(f, 160, "BEGIN", 5);
		put_inner(f, 16, "\1\0\0\0\0\0\0\0", 8);
		put_payload(f, zstd == 1, zstd == 1 ? f->inner.len : 0, 0);
		(void)snprintf(shown, sizeof shown, "127-%" PRIu32, f->position);
		(void)snprintf(expected, sizeof expected, "%s ANNOTATE [BEGIN]\n%s XID 1\n", shown, shown);
		log_assert_event(f, expected);
		/* and the file goes on */
		log_put_xid(f, 9);
		assert_int_equal(log_read_event(f, f->event.data, f->event.len), 0);
		/* an empty one */
		buf_reset(&f->inner);
		put_payload(f, zstd == 1, 0, 0);
		log_assert_event(f, "");
	}
}

/* Inner events larger than a piece, and many small ones over several pieces. */
static void test_large_payload(void **state)
{
	static const size_t sizes[] = { 1, 70000, 3, 3000000, 65536 - HEADER, 5 };
	struct error err = ERROR_INIT;
	struct log_fixture *f = *state;
	struct binlog_item item;
	size_t count = 0;
	char *bytes = malloc(3000000 + 20000);

	assert_non_null(bytes);
	for (size_t i = 0; i < 3000000 + 20000; i++)
		bytes[i] = (char)(i * i >> 7);
	log_open_file(f, false, true);
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
	struct log_fixture *f = *state;

	for (size_t i = 0; i < sizeof misplaced / sizeof misplaced[0]; i++) {
		log_open_file(f, false, true);
		buf_reset(&f->inner);
		put_inner(f, misplaced[i].type, "x", 1);
		put_payload(f, true, 0, 0);
		assert_int_equal(log_read_event(f, f->event.data, f->event.len), -1);
		assert_non_null(strstr(buf_cstr(&f->shown), misplaced[i].error));
	}
	buf_reset(&f->inner);
	put_inner(f, 160, "BEGIN", 5);
	put_inner(f, 160, "END", 3);
	for (int zstd = 0; zstd < 2; zstd++) {
		for (size_t cut = 1; cut < 20; cut++) {
			log_open_file(f, false, true);
			put_payload(f, zstd == 1, 0, cut);
			assert_int_equal(log_read_event(f, f->event.data, f->event.len), -1);
			assert_non_null(strstr(buf_cstr(&f->shown), "TRANSACTION_PAYLOAD event (type 40): its "));
			assert_non_null(strstr(buf_cstr(&f->shown), " is cut off"));
		}
	}
	log_open_file(f, false, true);
	put_payload(f, true, 7, 0);
	assert_int_equal(log_read_event(f, f->event.data, f->event.len), -1);
	log_open_file(f, false, true);
	put_payload(f, true, f->inner.len + 1, 0);
	assert_int_equal(log_read_event(f, f->event.data, f->event.len), -1);
	assert_non_null(strstr(buf_cstr(&f->shown), "(type 40): 46 bytes when uncompressed instead of 47"));
	log_set_int(&f->inner, 9, HEADER - 1, 4);
	log_open_file(f, false, true);
	put_payload(f, true, 0, 0);
	log_assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): an inner event says that it has 18 bytes");
	log_open_file(f, false, true);
	log_put_bytes(f, 40, "\2\1\1\1\1\1\0x", 8);
	log_assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): compression algorithm 1 is not known");
	log_open_file(f, false, true);
	log_put_bytes(f, 40, "\2\1\0\1\1\2\0x", 8);
	log_assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): its fields are cut off or malformed");
	log_open_file(f, false, true);
	log_put_bytes(f, 40, "\2\1\0\1\1\4\0abcd", 11);
	log_assert_event(f, "binlog log.000007 at 127, TRANSACTION_PAYLOAD event (type 40): it cannot be uncompressed: Unknown frame descriptor");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, log_setup, log_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_compressed_query),
		TEST(test_rows),
		TEST(test_broken_rows),
		TEST(test_payload),
		TEST(test_large_payload),
		TEST(test_broken_payload),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
