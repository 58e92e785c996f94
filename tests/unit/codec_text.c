/*
 * codec_text.c: tests of the codec's pure text functions: decimals, instants, intervals, names.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/codec/codec.h"
#include "lib/codec/decimal.h"
#include "lib/codec/interval.h"
#include "lib/codec/iso_time.h"
#include "lib/codec/names.h"

/* text -> bytes (hex) -> text */
static void check_decimal(const char *text, int scale, const char *hex, const char *back)
{
	size_t len = strlen(text), size = decimal_bound(len, scale), out_len = 0, got;
	unsigned char *out = malloc(size);
	char *shown, *digits = calloc(1, 2 * size + 1);

	assert_non_null(out);
	assert_non_null(digits);
	assert_int_equal(decimal_encode(text, len, 0, &scale, out, &out_len), DECIMAL_OK);
	assert_true(out_len <= size);
	for (size_t i = 0; i < out_len; i++)
		(void)snprintf(digits + 2 * i, 3, "%02x", out[i]);
	if (hex != NULL)
		assert_string_equal(digits, hex);
	size = decimal_text_bound(out_len, scale);
	shown = malloc(size + 1);
	assert_non_null(shown);
	got = decimal_decode(out, out_len, scale, shown);
	assert_true(got <= size);
	shown[got] = '\0';
	assert_string_equal(shown, back);
	free(out);
	free(digits);
	free(shown);
}

static void test_decimal_short(void **state)
{
	check_decimal("0", 0, "00", "0");
	check_decimal("-0.00", 2, "00", "0.00");
	check_decimal("0.00", 2, "00", "0.00");
	check_decimal("1", 0, "01", "1");
	check_decimal("-1", 0, "ff", "-1");
	check_decimal("127", 0, "7f", "127");
	check_decimal("128", 0, "0080", "128");
	check_decimal("-128", 0, "80", "-128");
	check_decimal("-129", 0, "ff7f", "-129");
	check_decimal("1.5", 2, "0096", "1.50");
	check_decimal("1", 2, "64", "1.00");
	check_decimal("0.001", 5, "64", "0.00100");
	check_decimal("-0.00001", 5, "ff", "-0.00001");
	check_decimal("-12.340", -1, "cfcc", "-12.340");
	check_decimal("00012.5", -1, "7d", "12.5");
	check_decimal("999999999999999999", 0, "0de0b6b3a763ffff", "999999999999999999");
	check_decimal("-999999999999999999", 0, "f21f494c589c0001", "-999999999999999999");
}

static void test_decimal_wide(void **state)
{
	check_decimal("1000000000000000000", 0, "0de0b6b3a7640000", "1000000000000000000");
	check_decimal("9223372036854775807", 0, "7fffffffffffffff", "9223372036854775807");
	check_decimal("9223372036854775808", 0, "008000000000000000", "9223372036854775808");
	check_decimal("-9223372036854775808", 0, "8000000000000000", "-9223372036854775808");
	check_decimal("-9223372036854775809", 0, "ff7fffffffffffffff", "-9223372036854775809");
	check_decimal("99999999999999999999999999999999999999", 0, "4b3b4ca85a86c47a098a223fffffffff",
		"99999999999999999999999999999999999999");
	check_decimal("-0.99999999999999999999999999999999999999", 38, NULL, "-0.99999999999999999999999999999999999999");
}

static void test_decimal_boundaries(void **state)
{
	/*
	 * Every power of two up to 2^600 and its neighbours: written by long addition, so independent of the code under
	 * test.
	 */
	char digits[400] = "1";

	for (int bit = 0; bit <= 600; bit++) {
		char text[420];
		int carry = 0;

		for (int sign = 0; sign < 2; sign++) {
			(void)snprintf(text, sizeof text, "%s%s", sign ? "-" : "", digits);
			check_decimal(text, 0, NULL, text);
		}
		for (int i = (int)strlen(digits) - 1; i >= 0; i--) {
			int digit = (digits[i] - '0') * 2 + carry;

			digits[i] = (char)('0' + digit % 10);
			carry = digit / 10;
		}
		if (carry) {
			memmove(digits + 1, digits, strlen(digits) + 1);
			digits[0] = '1';
		}
	}
	/* -2^127 is 16 bytes, 2^127 is 17. */
	check_decimal("-170141183460469231731687303715884105728", 0, "80000000000000000000000000000000",
		"-170141183460469231731687303715884105728");
	check_decimal("170141183460469231731687303715884105728", 0, "0080000000000000000000000000000000",
		"170141183460469231731687303715884105728");
}

static void test_decimal_long(void **state)
{
	char text[1202];

	for (size_t len = 1; len < 1200; len += 7)
		for (int point = 0; point < 2; point++) {
			for (size_t i = 0; i < len; i++)
				text[i] = (char)('1' + (i * 7 + len) % 9);
			text[len] = '\0';
			if (point && len > 2)
				text[len / 2] = '.';
			check_decimal(text, -1, NULL, text);
		}
	check_decimal("1"
		      "00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		      "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
		0, NULL,
		"1"
		"00000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
		"0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000");
}

static void test_decimal_longest(void **state)
{
	/* PostgreSQL's longest numeric: 131072 digits before the point, 16383 behind it. */
	size_t before = 131072, behind = 16383, len = before + 1 + behind;
	char *text = malloc(len + 2);

	assert_non_null(text);
	text[0] = '-';
	memset(text + 1, '9', len);
	text[1 + before] = '.';
	text[1 + len] = '\0';
	check_decimal(text, -1, NULL, text);
	free(text);
}

static void test_decimal_refuses(void **state)
{
	static const char *const bad[] = { "", "-", ".", "NaN", "1e5", "1.2.3", "+1", " 1", "0x1", "Infinity", "1-" };
	unsigned char out[64];
	size_t len;
	int scale;

	for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		scale = 2;
		assert_int_equal(decimal_encode(bad[i], strlen(bad[i]), 0, &scale, out, &len), DECIMAL_NOT_PLAIN);
	}
	scale = 2;
	assert_int_equal(decimal_encode("1.234", 5, 0, &scale, out, &len), DECIMAL_TOO_FINE);
	assert_int_equal(decimal_encode("100", 3, 4, &scale, out, &len), DECIMAL_TOO_LONG);
	assert_int_equal(decimal_encode("99.99", 5, 4, &scale, out, &len), DECIMAL_OK);
	assert_int_equal(decimal_text_bound(DECIMAL_BYTES_MAX + 1, 0), 0);
}

static void test_decimal_foreign(void **state)
{
	char out[128];

	/* No bytes, bytes that are not the shortest form, a negative scale. */
	assert_int_equal(decimal_decode((const unsigned char *)"", 0, 2, out), 4);
	assert_memory_equal(out, "0.00", 4);
	assert_int_equal(decimal_decode((const unsigned char *)"\xff\xff\xff\x85", 4, 1, out), 5);
	assert_memory_equal(out, "-12.3", 5);
	assert_int_equal(decimal_decode((const unsigned char *)"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x07", 19, 0, out), 1);
	assert_memory_equal(out, "7", 1);
	assert_int_equal(decimal_decode((const unsigned char *)"\x63", 1, -3, out), 5);
	assert_memory_equal(out, "99000", 5);
}

static void test_instants(void **state)
{
	static const struct {
		int64_t us;
		const char *text;
	} cases[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ -1, "1969-12-31T23:59:59.999999Z" },
		{ 1767225600123456, "2026-01-01T00:00:00.123456Z" },
		{ 951782400000000, "2000-02-29T00:00:00.000000Z" },
		{ -2203891200000000, "1900-03-01T00:00:00.000000Z" },
		{ ISO_TIME_MIN, "0001-01-01T00:00:00.000000Z" },
		{ ISO_TIME_MAX, "9999-12-31T23:59:59.999999Z" },
	};
	char text[ISO_TIME_LEN + 1] = "";
	int64_t us;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		iso_time_put(text, cases[i].us);
		assert_string_equal(text, cases[i].text);
		assert_true(iso_time_parse(text, ISO_TIME_LEN, &us));
		assert_true(us == cases[i].us);
	}
	for (us = ISO_TIME_MIN; us < ISO_TIME_MAX - 86400000000 * 11; us += 86400000000 * 11 + 7654321) {
		int64_t back;

		iso_time_put(text, us);
		assert_true(iso_time_parse(text, ISO_TIME_LEN, &back));
		assert_true(back == us);
	}
}

static void test_instants_foreign(void **state)
{
	static const struct {
		const char *text;
		bool good;
		int64_t us;
	} cases[] = {
		{ "1970-01-01T00:00:01Z", true, 1000000 },
		{ "1970-01-01T02:00:00.5+02:00", true, 500000 },
		{ "1970-01-01T00:00:00.123456000Z", true, 123456 },
		{ "1970-01-01T00:00:00-00:00:01", true, 1000000 },
		{ "1970-01-01T00:00:00.1234567Z", false, 0 },
		{ "1970-01-01 00:00:00Z", false, 0 },
		{ "1970-02-29T00:00:00Z", false, 0 },
		{ "1970-13-01T00:00:00Z", false, 0 },
		{ "0000-01-01T00:00:00Z", false, 0 },
		{ "1970-01-01T24:00:00Z", false, 0 },
		{ "1970-01-01T00:00:00", false, 0 },
		{ "1970-01-01T00:00:00.Z", false, 0 },
		{ "1970-01-01T00:00:00Zx", false, 0 },
		{ "infinity", false, 0 },
		{ "", false, 0 },
	};
	int64_t us;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(iso_time_parse(cases[i].text, strlen(cases[i].text), &us), cases[i].good);
		if (cases[i].good)
			assert_true(us == cases[i].us);
	}
}

static void test_intervals(void **state)
{
	static const struct {
		const char *text;
		int64_t us;
	} cases[] = {
		{ "00:00:00", 0 },
		{ "04:05:06.789", 14706789000 },
		{ "-04:05:06.789", -14706789000 },
		{ "1 day", 86400000000 },
		{ "-3 days +04:00:00", -244800000000 },
		{ "1 mon", 2629800000000 },
		{ "1 year 2 mons 3 days", 12 * 2629800000000 + 2 * 2629800000000 + 3 * 86400000000 },
		{ "P1Y", 0 },
		{ "178000000 years", 0 },
		{ "99999999999999999999 days", 0 },
		{ "1 fortnight", 0 },
		{ "", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_true(interval_approximate_us(cases[i].text, strlen(cases[i].text)) == cases[i].us);
}

static void test_topic_names(void **state)
{
	struct table table = { .schema = "public", .name = "customer" };
	struct error err = ERROR_INIT;
	char long_name[300];
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(codec_topic_name("shop", &table, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "shop.public.customer");
	buf_reset(&out);
	table.schema = "My Schema";
	table.name = "Stra\303\237en-liste.2$";
	assert_int_equal(codec_topic_name("shop.eu", &table, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), "shop.eu.My_Schema.Stra_en-liste.2_");
	buf_reset(&out);
	names_append_namespace(&out, "shop.2eu.a-b..c");
	assert_string_equal(buf_cstr(&out), "shop._2eu.a_b._.c");
	memset(long_name, 'x', sizeof long_name);
	long_name[sizeof long_name - 1] = '\0';
	table.name = long_name;
	assert_int_equal(codec_topic_name("shop", &table, &out, &err), -1);
	assert_int_equal(err.class, ERROR_CONFIG);
	buf_release(&out);
}

static void test_column_names(void **state)
{
	struct column columns[] = { { .name = "a b" }, { .name = "2x" }, { .name = "\303\244" }, { .name = "" }, { .name = "plain" } };
	struct table table = { .schema = "public", .name = "t", .columns = columns, .column_count = 5 };
	struct error err = ERROR_INIT;
	char **fields = NULL;

	assert_int_equal(names_fields(&table, &fields, &err), -1); /* the third and the fourth are both "_" */
	assert_int_equal(err.class, ERROR_CONFIG);
	assert_string_equal(err.text, "columns \"\303\244\" and \"\" of table public.t have the same Avro name _");
	columns[3].name = "_b";
	assert_int_equal(names_fields(&table, &fields, &err), 0);
	assert_string_equal(fields[0], "a_b");
	assert_string_equal(fields[1], "_2x");
	assert_string_equal(fields[2], "_");
	assert_string_equal(fields[3], "_b");
	assert_string_equal(fields[4], "plain");
	free(fields);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_decimal_short),
		cmocka_unit_test(test_decimal_wide),
		cmocka_unit_test(test_decimal_boundaries),
		cmocka_unit_test(test_decimal_long),
		cmocka_unit_test(test_decimal_longest),
		cmocka_unit_test(test_decimal_refuses),
		cmocka_unit_test(test_decimal_foreign),
		cmocka_unit_test(test_instants),
		cmocka_unit_test(test_instants_foreign),
		cmocka_unit_test(test_intervals),
		cmocka_unit_test(test_topic_names),
		cmocka_unit_test(test_column_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
