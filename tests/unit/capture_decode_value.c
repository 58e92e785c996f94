/*
 * capture_decode_value.c: single values of row images: extremes as MariaDB 10.11 and MySQL 9.7 log them, bytes that no server writes, and defaults as
 * the catalogues print them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture/decode_binlog_value.h"

#define ARENA_MAX ((size_t)4 << 20)

static struct arena arena;

static int setup(void **state)
{
	arena_init(&arena, ARENA_MAX);
	return 0;
}

static int teardown(void **state)
{
	arena_release(&arena);
	return 0;
}

static unsigned nibble(char c)
{
	return (unsigned)(c <= '9' ? c - '0' : c - 'a' + 10);
}

/* The bytes are at the end of a piece of memory of their own, so that a sanitizer sees one read too far. */
static int decode(const struct binlog_field *field, const char *hex, struct value *ret, struct error *err)
{
	size_t len = strlen(hex) / 2;
	unsigned char *bytes = malloc(len > 0 ? len : 1);
	const unsigned char *at = bytes;
	int result;

	assert_non_null(bytes);
	for (size_t i = 0; i < len; i++)
		bytes[i] = (unsigned char)(nibble(hex[2 * i]) << 4 | nibble(hex[2 * i + 1]));
	result = binlog_value_read(field, &at, bytes + len, &arena, ret, err);
	if (result == 0) {
		assert_ptr_equal(at, bytes + len);
		/* out of the bytes, which go now */
		if (ret->kind == VALUE_TEXT || ret->kind == VALUE_BYTES || ret->kind == VALUE_EXACT)
			ret->text.ptr = arena_memdup(&arena, ret->text.ptr, ret->text.len);
	}
	free(bytes);
	return result;
}

static void check_int(const struct binlog_field *field, const char *hex, int64_t wanted)
{
	struct error err = ERROR_INIT;
	struct value value;

	if (decode(field, hex, &value, &err) < 0)
		fail_msg("%s: %s", hex, err.text);
	if (value.kind != VALUE_INT || value.i != wanted)
		fail_msg("%s: kind %d, %" PRId64, hex, value.kind, value.i);
}

static void check_text(const struct binlog_field *field, const char *hex, enum value_kind kind, const char *wanted)
{
	struct error err = ERROR_INIT;
	struct value value;

	if (decode(field, hex, &value, &err) < 0)
		fail_msg("%s: %s", hex, err.text);
	if (value.kind != kind || value.text.len != strlen(wanted) || memcmp(value.text.ptr, wanted, value.text.len) != 0)
		fail_msg("%s: kind %d, %.*s", hex, value.kind, (int)value.text.len, value.text.ptr);
}

static void check_refused(const struct binlog_field *field, const char *hex, const char *text)
{
	struct error err = ERROR_INIT;
	struct value value;

	if (decode(field, hex, &value, &err) == 0)
		fail_msg("taken: %s", hex);
	assert_int_equal(err.class, ERROR_DATA);
	assert_string_equal(err.text, text);
}

static void test_integers(void **state)
{
	const struct binlog_field i1 = { .form = FORM_INT, .size = 1 },
		u1 = { .form = FORM_INT, .size = 1, .is_unsigned = true }, i3 = { .form = FORM_INT, .size = 3 },
		u3 = { .form = FORM_INT, .size = 3, .is_unsigned = true }, i8 = { .form = FORM_INT, .size = 8 },
		u8 = { .form = FORM_INT, .size = 8, .is_unsigned = true };
	struct value value;

	check_int(&i1, "80", -128);
	check_int(&u1, "80", 128);
	check_int(&i3, "000080", -8388608);
	check_int(&i3, "ffff7f", 8388607);
	check_int(&u3, "ffffff", 16777215);
	check_int(&i8, "0000000000000080", INT64_MIN);
	assert_int_equal(decode(&u8, "ffffffffffffffff", &value, NULL), 0);
	assert_int_equal(value.kind, VALUE_UINT);
	assert_true(value.u == UINT64_MAX);
	check_refused(&i3, "ffff", "the row image ends inside of the value");
}

static void test_decimals(void **state)
{
	struct binlog_field d = { .form = FORM_DECIMAL, .precision = 65, .scale = 30,
		.size = (uint8_t)binlog_decimal_size(65, 30) };

	assert_int_equal(d.size, 30);
	check_text(&d, "800000000000000000000000000000000000000000000000000000000000", VALUE_TEXT,
		"0.000000000000000000000000000000");
	check_text(&d, "7fffffffffffffffffffffffffffcfc6d788aab4ffffffffffffffffffff", VALUE_TEXT,
		"-12345.678909259000000000000000000000");
	d = (struct binlog_field){ .form = FORM_DECIMAL, .precision = 12, .scale = 2,
		.size = (uint8_t)binlog_decimal_size(12, 2) };
	check_text(&d, "800000000100", VALUE_TEXT, "1.00");
	check_text(&d, "7ffffffffffa", VALUE_TEXT, "-0.05");
	check_text(&d, "7fffffffffff", VALUE_TEXT, "0.00"); /* a minus without a number */
	check_text(&d, "893b9ac9ff63", VALUE_TEXT, "9999999999.99");
	check_refused(&d, "8a3b9ac9ff63", "no packed decimal");
	check_refused(&d, "800000000164", "no packed decimal");
	check_refused(&d, "803b9aca0000", "no packed decimal");
	d = (struct binlog_field){ .form = FORM_DECIMAL, .precision = 5, .scale = 5,
		.size = (uint8_t)binlog_decimal_size(5, 5) };
	check_text(&d, "800001", VALUE_TEXT, "0.00001");
	check_text(&d, "7e7960", VALUE_TEXT, "-0.99999");
	d = (struct binlog_field){ .form = FORM_DECIMAL, .precision = 10, .scale = 0,
		.size = (uint8_t)binlog_decimal_size(10, 0) };
	check_text(&d, "8000000000", VALUE_TEXT, "0");
	check_text(&d, "76c4653600", VALUE_TEXT, "-9999999999");
}

static void test_times(void **state)
{
	const struct binlog_field t0 = { .form = FORM_TIME, .size = 3 },
		t1 = { .form = FORM_TIME, .size = 4, .fraction = 1 }, t3 = { .form = FORM_TIME, .size = 5, .fraction = 3 },
		t6 = { .form = FORM_TIME, .size = 6, .fraction = 6 };

	check_int(&t0, "800000", 0);
	check_int(&t0, "4b9105", -INT64_C(3020399000000));
	check_int(&t1, "7fffffce", -500000);
	check_int(&t3, "7f3747e12e", -INT64_C(45296789000));
	check_int(&t6, "7fffffffffff", -1);
	check_int(&t6, "b46efb0f423f", INT64_C(3020399999999));
	check_refused(&t0, "b46f00", "no time");
	check_refused(&t0, "80003c", "no time");
}

static void test_dates(void **state)
{
	const struct binlog_field date = { .form = FORM_DATE, .size = 3 }, d0 = { .form = FORM_DATETIME, .size = 5 },
		d6 = { .form = FORM_DATETIME, .size = 8, .fraction = 6 }, s0 = { .form = FORM_TIMESTAMP, .size = 4 },
		s3 = { .form = FORM_TIMESTAMP, .size = 6, .fraction = 3 };

	check_int(&date, "9f630f", -1);
	check_text(&date, "000000", VALUE_EXACT, "0000-00-00");
	check_text(&date, "5fd40f", VALUE_EXACT, "2026-02-31");
	check_text(&date, "a60000", VALUE_EXACT, "0000-05-06");
	check_refused(&date, "bfd50f", "no date or time");
	check_text(&d0, "8000000000", VALUE_EXACT, "0000-00-00 00:00:00");
	check_text(&d6, "8000000000000000", VALUE_EXACT, "0000-00-00 00:00:00.000000");
	check_int(&d6, "fef3ff7efb0f423f", INT64_C(253402300799999999));
	check_refused(&d0, "0000000000", "no date and time: negative");
	check_refused(&d6, "fef3ff7efb0f4240", "no date or time");
	check_text(&s0, "00000000", VALUE_EXACT, "0000-00-00 00:00:00");
	check_text(&s3, "000000000000", VALUE_EXACT, "0000-00-00 00:00:00.000");
	check_int(&s3, "7fffffff2706", INT64_C(2147483647999000));
	check_int(&s0, "ffffffff", INT64_C(4294967295000000)); /* MariaDB from 11.5 on */
}

/* MariaDB with mysql56_temporal_format=OFF: the row of '-838:59:59', '-01:02:03.456', '9999-12-31 23:59:59', '2026-02-03 04:05:06.78' ... */
static void test_old_times(void **state)
{
	const struct binlog_field t0 = { .form = FORM_OLD_TIME, .size = 3 },
		t3 = { .form = FORM_OLD_TIME, .size = 5, .fraction = 3 },
		t6 = { .form = FORM_OLD_TIME, .size = 6, .fraction = 6 }, d0 = { .form = FORM_OLD_DATETIME, .size = 8 },
		s0 = { .form = FORM_OLD_TIMESTAMP, .size = 4 }, s2 = { .form = FORM_OLD_TIMESTAMP, .size = 5, .fraction = 2 },
		s6 = { .form = FORM_OLD_TIMESTAMP, .size = 7, .fraction = 6 };

	check_int(&t0, "590a80", -INT64_C(3020399000000));
	check_int(&t3, "00b3ced4c0", -INT64_C(3723456000));
	check_int(&t6, "057e7bbcf7ff", INT64_C(3020399999999));
	check_int(&d0, "7787d105f15a0000", INT64_C(253402300799000000));
	check_text(&d0, "0000000000000000", VALUE_EXACT, "0000-00-00 00:00:00");
	check_int(&s0, "f2738169", INT64_C(1770091506000000));
	check_int(&s2, "698173f24e", INT64_C(1770091506780000));
	check_int(&s6, "7fffffff0f423f", INT64_C(2147483647999999));
	check_refused(&t6, "0afcf7799000", "no time");
	check_refused(&d0, "ffffffffffffffff", "no date and time");
	assert_int_equal(binlog_time_size(FORM_OLD_DATETIME, 1), 6);
	assert_int_equal(binlog_time_size(FORM_OLD_DATETIME, 6), 8);
}

static void test_labels(void **state)
{
	static const struct binlog_label labels[] = { { "a", 1 }, { "b,c", 3 }, { "", 0 } };
	const struct binlog_field one = { .form = FORM_ENUM, .size = 1, .labels = labels, .label_count = 3 },
		two = { .form = FORM_ENUM, .size = 2, .labels = labels, .label_count = 3 },
		set = { .form = FORM_SET, .size = 1, .labels = labels, .label_count = 2 };

	check_text(&one, "02", VALUE_TEXT, "b,c");
	check_text(&two, "0300", VALUE_TEXT, "");
	check_text(&one, "00", VALUE_EXACT, "");
	check_refused(&two, "0400", "label 4 of an enum that has 3");
	check_text(&set, "00", VALUE_TEXT, "");
	check_text(&set, "02", VALUE_TEXT, "b,c");
	check_text(&set, "03", VALUE_TEXT, "a,b,c");
	check_refused(&set, "04", "a member that the set's 2 labels do not have");
}

static void test_others(void **state)
{
	const struct binlog_field bit = { .form = FORM_BIT, .size = 2, .precision = 10 },
		year = { .form = FORM_YEAR, .size = 1 }, binary = { .form = FORM_BYTES, .prefix = 1, .pad = 4 },
		uuid = { .form = FORM_UUID, .prefix = 1 }, inet4 = { .form = FORM_INET4, .prefix = 1 },
		inet6 = { .form = FORM_INET6, .prefix = 1 };
	struct value value;

	assert_int_equal(decode(&bit, "02aa", &value, NULL), 0);
	assert_int_equal(value.kind, VALUE_UINT);
	assert_int_equal(value.u, 682);
	check_refused(&bit, "04aa", "more than 10 bits");
	check_int(&year, "00", 0);
	check_int(&year, "ff", 2155);
	assert_int_equal(decode(&binary, "020102", &value, NULL), 0);
	assert_int_equal(value.text.len, 4);
	assert_memory_equal(value.text.ptr, "\1\2\0\0", 4);
	check_refused(&binary, "0301", "the row image ends inside of the value");
	check_text(&uuid, "10f81d4fae7dec11d0a76500a0c91e6bf6", VALUE_TEXT, "f81d4fae-7dec-11d0-a765-00a0c91e6bf6");
	check_text(&uuid, "00", VALUE_TEXT, "00000000-0000-0000-0000-000000000000");
	check_refused(&uuid, "1100000000000000000000000000000000ff", "17 bytes, but the type has 16");
	check_text(&inet4, "010a", VALUE_TEXT, "10.0.0.0");
	check_text(&inet6, "00", VALUE_TEXT, "::");
	check_text(&inet6, "1000000000000000000000000000000001", VALUE_TEXT, "::1");
	check_text(&inet6, "1000000000000000000000ffff01020304", VALUE_TEXT, "::ffff:1.2.3.4");
	check_text(&inet6, "1000000000000000000000000001020304", VALUE_TEXT, "::1.2.3.4");
	check_text(&inet6, "0e0001000200030004000500060007", VALUE_TEXT, "1:2:3:4:5:6:7::");
	check_text(&inet6, "0420010db8", VALUE_TEXT, "2001:db8::");
}

static void test_compressed(void **state)
{
	const struct binlog_field text = { .form = FORM_TEXT, .prefix = 1, .compressed = true,
		.charset = charset_by_name("latin1") };

	check_text(&text, "00", VALUE_TEXT, "");
	check_text(&text, "03006162", VALUE_TEXT, "ab");
	check_text(&text, "03" "00" "61fc", VALUE_TEXT, "a\u00fc");
	/* sixteen a, deflated, and nothing else */
	check_text(&text, "07" "89" "10" "4b4c440500", VALUE_TEXT, "aaaaaaaaaaaaaaaa");
}

static void test_compressed_malformed(void **state)
{
	const struct binlog_field blob = { .form = FORM_BYTES, .prefix = 1, .compressed = true };

	check_refused(&blob, "0141", "compressed value: unknown header 0x41");
	check_refused(&blob, "0181", "compressed value: unknown header 0x81");
	check_refused(&blob, "0687" "0000000000", "compressed value: unknown header 0x87");
	check_refused(&blob, "0684" "ffffffff" "00", "compressed value: 6 bytes cannot become 4294967295");
	check_refused(&blob, "0381" "05" "00", "compressed value: not what its header says");
}

static void check_default(const struct binlog_field *field, bool mariadb, const char *text, enum value_kind kind,
	int64_t wanted)
{
	struct value value;

	if (!binlog_value_default(field, text, mariadb, &arena, &value))
		fail_msg("not taken: %s", text);
	assert_int_equal(value.kind, kind);
	if (kind != VALUE_NULL)
		assert_true(value.i == wanted);
}

static void check_default_text(const struct binlog_field *field, bool mariadb, const char *text, const char *wanted)
{
	struct value value;

	if (!binlog_value_default(field, text, mariadb, &arena, &value))
		fail_msg("not taken: %s", text);
	if (value.text.len != strlen(wanted) || memcmp(value.text.ptr, wanted, value.text.len) != 0)
		fail_msg("%s: %.*s", text, (int)value.text.len, value.text.ptr);
}

static void check_no_default(const struct binlog_field *field, bool mariadb, const char *text)
{
	struct value value;

	if (binlog_value_default(field, text, mariadb, &arena, &value))
		fail_msg("taken: %s", text);
}

static void test_defaults(void **state)
{
	static const struct binlog_label labels[] = { { "x", 1 }, { "it's", 4 } };
	const struct binlog_field i1 = { .form = FORM_INT, .size = 1 },
		u8 = { .form = FORM_INT, .size = 8, .is_unsigned = true },
		text = { .form = FORM_TEXT, .charset = charset_by_name("utf8mb4") }, bytes = { .form = FORM_BYTES, .pad = 4 },
		decimal = { .form = FORM_DECIMAL, .precision = 10, .scale = 3 }, date = { .form = FORM_DATE },
		stamp = { .form = FORM_DATETIME, .fraction = 6 }, time = { .form = FORM_TIME, .fraction = 2 },
		bit = { .form = FORM_BIT, .precision = 5 }, label = { .form = FORM_ENUM, .labels = labels, .label_count = 2 },
		single = { .form = FORM_FLOAT, .size = 4 };
	struct value value;

	check_default(&i1, true, "-128", VALUE_INT, -128);
	check_no_default(&i1, true, "128");
	check_no_default(&i1, true, "(1 + 1)");
	check_default(&u8, false, "18446744073709551615", VALUE_UINT, -1);
	check_no_default(&u8, false, "-1");
	check_default(&i1, true, "NULL", VALUE_NULL, 0);
	check_default_text(&text, true, "'a''b\\\\c\\nd'", "a'b\\c\nd");
	check_default_text(&text, false, "a'b\\c", "a'b\\c");
	check_default_text(&text, true, "'NULL'", "NULL");
	check_no_default(&text, true, "concat('a','b')");
	check_no_default(&text, true, "'what?'");
	assert_true(binlog_value_default(&bytes, "'ab\\0'", true, &arena, &value));
	assert_int_equal(value.kind, VALUE_BYTES);
	assert_int_equal(value.text.len, 4);
	assert_memory_equal(value.text.ptr, "ab\0\0", 4);
	check_no_default(&bytes, false, "0x6162");
	check_default_text(&decimal, false, "1.500", "1.500");
	check_default_text(&decimal, false, "-7", "-7.000");
	check_no_default(&decimal, false, "1.2345");
	check_default(&date, true, "'2026-01-02'", VALUE_INT, 20455);
	check_default(&stamp, false, "2026-01-02 03:04:05.678901", VALUE_INT, INT64_C(1767323045678901));
	check_no_default(&stamp, true, "current_timestamp()");
	check_default_text(&stamp, false, "0000-00-00 00:00:00", "0000-00-00 00:00:00.000000");
	check_default(&time, true, "'-01:02:03.40'", VALUE_INT, -INT64_C(3723400000));
	check_default(&bit, false, "b'101'", VALUE_UINT, 5);
	check_default_text(&label, true, "'it''s'", "it's");
	check_no_default(&label, false, "y");
	check_no_default(&single, false, "123456"); /* the last digit may be rounded */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_integers, setup, teardown),
		cmocka_unit_test_setup_teardown(test_decimals, setup, teardown),
		cmocka_unit_test_setup_teardown(test_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_dates, setup, teardown),
		cmocka_unit_test_setup_teardown(test_old_times, setup, teardown),
		cmocka_unit_test_setup_teardown(test_labels, setup, teardown),
		cmocka_unit_test_setup_teardown(test_others, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compressed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_compressed_malformed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_defaults, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
