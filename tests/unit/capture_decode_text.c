/*
 * capture_decode_text.c: PostgreSQL's text forms at their extremes, and text that no output function can have written.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <string.h>

#include "capture/decode_text.h"
#include "capture/decode_types.h"

#define DAY_US (INT64_C(86400) * 1000000)

static struct pg_text forms;
static struct arena arena;

static int setup(void **state)
{
	arena_init(&arena, (size_t)1 << 20);
	return pg_text_init(&forms, NULL);
}

static int teardown(void **state)
{
	arena_release(&arena);
	pg_text_release(&forms);
	return 0;
}

/* The text is put at the end of a piece of memory of its own, so that a sanitizer sees a byte read too far. */
static int decode(const struct column *column, const char *text, struct value *ret)
{
	struct error err = ERROR_INIT;
	char *copy = arena_memdup(&arena, text, strlen(text));
	int result = pg_text_value(&forms, column, copy, strlen(text), &arena, ret, &err);

	if (result < 0) {
		assert_int_equal(err.class, ERROR_DATA);
		/* The content may be personal: it has no place in an error. */
		assert_true(strlen(text) < 4 || strstr(err.text, text) == NULL);
	}
	return result;
}

static void check_int(const struct column *column, const char *text, int64_t wanted)
{
	struct value value;

	if (decode(column, text, &value) < 0)
		fail_msg("refused: %s", text);
	if (value.kind != VALUE_INT || value.i != wanted)
		fail_msg("%s gives kind %d, %lld", text, value.kind, (long long)value.i);
}

static void check_float(const struct column *column, const char *text, double wanted)
{
	struct value value;

	if (decode(column, text, &value) < 0)
		fail_msg("refused: %s", text);
	assert_int_equal(value.kind, VALUE_FLOAT);
	if (isnan(wanted) ? !isnan(value.f) : memcmp(&wanted, &value.f, sizeof wanted) != 0)
		fail_msg("%s gives %.17g", text, value.f);
}

static void check_text(const struct column *column, const char *text, enum value_kind kind)
{
	struct value value;

	if (decode(column, text, &value) < 0)
		fail_msg("refused: %s", text);
	if (value.kind != kind)
		fail_msg("%s gives kind %d", text, value.kind);
	assert_int_equal(value.text.len, strlen(text));
	assert_memory_equal(value.text.ptr, text, strlen(text));
}

static void check_refused(const struct column *column, const char *const *texts)
{
	struct value value;

	for (; *texts != NULL; texts++)
		if (decode(column, *texts, &value) == 0)
			fail_msg("taken: \"%s\" as kind %d", *texts, value.kind);
}

#define CHECK_REFUSED(column, ...) check_refused(column, (const char *const[]){ __VA_ARGS__, NULL })

static void test_integers(void **state)
{
	const struct column i2 = { .type = COLUMN_INT16 }, i4 = { .type = COLUMN_INT32 }, i8 = { .type = COLUMN_INT64 };

	check_int(&i2, "-32768", INT16_MIN);
	check_int(&i2, "32767", INT16_MAX);
	check_int(&i4, "-2147483648", INT32_MIN);
	check_int(&i4, "2147483647", INT32_MAX);
	check_int(&i8, "-9223372036854775808", INT64_MIN);
	check_int(&i8, "9223372036854775807", INT64_MAX);
	check_int(&i8, "4294967295", UINT32_MAX); /* oid */
	check_int(&i8, "0", 0);
	CHECK_REFUSED(&i2, "32768", "-32769", "65536");
	CHECK_REFUSED(&i4, "2147483648", "-2147483649");
	CHECK_REFUSED(&i8, "9223372036854775808", "-9223372036854775809", "18446744073709551617", "99999999999999999999",
		"", "-", "1.0", " 1", "1 ", "1e3", "0x1", "--1", "+1");
}

static void test_floats(void **state)
{
	const struct column f4 = { .type = COLUMN_FLOAT32 }, f8 = { .type = COLUMN_FLOAT64 };

	check_float(&f8, "0", 0.0);
	check_float(&f8, "-0", -0.0);
	check_float(&f8, "0.1", 0.1);
	check_float(&f8, "1e-324", 0.0); /* less than half of the smallest: never written, but read as everyone reads it */
	check_float(&f8, "5e-324", 0x1p-1074);
	check_float(&f8, "2.2250738585072014e-308", DBL_MIN);
	check_float(&f8, "2.225073858507201e-308", 0x0.fffffffffffffp-1022);
	check_float(&f8, "1.7976931348623157e+308", DBL_MAX);
	check_float(&f8, "-1.7976931348623157e+308", -DBL_MAX);
	check_float(&f8, "9.999999999999999e+22", 1e23);
	check_float(&f8, "9007199254740993", 9007199254740992.0); /* 2^53 + 1: to even */
	check_float(&f8, "9007199254740992", 9007199254740992.0);
	check_float(&f8, "0.30000000000000004", 0.1 + 0.2);
	check_float(&f8, "123456789012345678901234567890", 123456789012345678901234567890.0);
	check_float(&f8, "NaN", (double)NAN);
	check_float(&f8, "Infinity", HUGE_VAL);
	check_float(&f8, "-Infinity", -HUGE_VAL);
	check_float(&f4, "0.1", (double)0.1f);
	check_float(&f4, "16777217", 16777216.0);
	check_float(&f4, "16777217.000000001", 16777218.0); /* its nearest double is just between two floats */
	check_float(&f4, "1.17549435e-38", (double)FLT_MIN);
	check_float(&f4, "1e-45", 0x1p-149);
	check_float(&f4, "3.4028235e+38", (double)FLT_MAX);
	check_float(&f4, "-0", -0.0);
	check_float(&f4, "NaN", (double)NAN);
	CHECK_REFUSED(&f8, "", "-", ".", "e5", "1e", "1e+", "1e999", "0x1p3", "nan", "inf", "infinity", "+1", " 1", "1 ",
		"1.2.3", "1,5", "1e123456", "--1");
	CHECK_REFUSED(&f4, "3.5e38", "1e39");
}

/* The decoder reads a point as a point, whatever the program's locale has there. */
static void test_locale(void **state)
{
	const struct column f8 = { .type = COLUMN_FLOAT64 };
	bool comma = setlocale(LC_ALL, "de_DE.UTF-8") != NULL;

	check_float(&f8, "0.30000000000000004", 0.1 + 0.2);
	check_float(&f8, "1.5", 1.5);
	CHECK_REFUSED(&f8, "0,30000000000000004");
	(void)setlocale(LC_ALL, "C");
	if (!comma)
		print_message("# no locale with a decimal comma here: shown for C only\n");
}

static void test_numeric(void **state)
{
	const struct column any = { .type = COLUMN_DECIMAL };
	const struct column money = { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 };
	const struct column small = { .type = COLUMN_DECIMAL, .precision = 3, .scale = 3 };

	check_text(&any, "-12.340", VALUE_TEXT);
	check_text(&any, "0", VALUE_TEXT);
	check_text(&any, "123456789012345678901234567890.123456789012345678901234567890", VALUE_TEXT);
	check_text(&any, "NaN", VALUE_EXACT);
	check_text(&any, "Infinity", VALUE_EXACT);
	check_text(&any, "-Infinity", VALUE_EXACT);
	check_text(&money, "-9999999999.99", VALUE_TEXT);
	check_text(&money, "0.00", VALUE_TEXT);
	check_text(&small, "0.999", VALUE_TEXT);
	/* Does not fit: carried as it is, not rounded. */
	check_text(&money, "10000000000.00", VALUE_EXACT);
	check_text(&money, "1.234", VALUE_EXACT);
	check_text(&money, "1.2", VALUE_EXACT);
	check_text(&money, "1", VALUE_EXACT);
	check_text(&small, "1.000", VALUE_EXACT);
	CHECK_REFUSED(&any, "", "-", ".", "1.", ".5", "1e5", "+1", "1 ", "1.2.3", "nan", "--1", "-NaN");
}

static void test_bytes(void **state)
{
	const struct column column = { .type = COLUMN_BYTES };
	struct value value;

	assert_int_equal(decode(&column, "\\x", &value), 0);
	assert_int_equal(value.kind, VALUE_BYTES);
	assert_int_equal(value.text.len, 0);
	assert_int_equal(decode(&column, "\\x00fFA09b", &value), 0);
	assert_int_equal(value.text.len, 4);
	assert_memory_equal(value.text.ptr, "\x00\xff\xa0\x9b", 4);
	CHECK_REFUSED(&column, "", "\\", "x00", "\\x0", "\\x0g", "\\000", "abc", "\\X00", "\\x 0");
}

static void test_bool(void **state)
{
	const struct column column = { .type = COLUMN_BOOL };
	struct value value;

	assert_int_equal(decode(&column, "t", &value), 0);
	assert_true(value.kind == VALUE_BOOL && value.b);
	assert_int_equal(decode(&column, "f", &value), 0);
	assert_true(value.kind == VALUE_BOOL && !value.b);
	CHECK_REFUSED(&column, "", "true", "T", "1");
}

static void test_dates(void **state)
{
	const struct column column = { .type = COLUMN_DATE };

	check_int(&column, "1970-01-01", 0);
	check_int(&column, "1969-12-31", -1);
	check_int(&column, "2000-02-29", 11016);
	check_int(&column, "2000-03-01", 11017);
	check_int(&column, "0001-01-01", -719162);
	check_int(&column, "9999-12-31", 2932896);
	check_text(&column, "10000-01-01", VALUE_EXACT);
	check_text(&column, "5874897-12-31", VALUE_EXACT);
	check_text(&column, "4713-01-01 BC", VALUE_EXACT);
	check_text(&column, "0001-02-29 BC", VALUE_EXACT); /* a leap year: the year before 0001 */
	check_text(&column, "infinity", VALUE_EXACT);
	check_text(&column, "-infinity", VALUE_EXACT);
	CHECK_REFUSED(&column, "", "01/02/2024", "2024-1-02", "2024-13-01", "2024-00-01", "2024-02-30", "1900-02-29",
		"2023-02-29", "0000-01-01", "0002-02-29 BC", "2024-01-00", "2024-01-02 AD", "2024-01-02T", "-2024-01-02",
		"2024-01-0", "2024-01-02 ", "12345678-01-01", "Infinity", "24-01-02", "2024-0a-01");
}

static void test_times(void **state)
{
	const struct column time = { .type = COLUMN_TIME, .fraction = 6 };

	check_int(&time, "00:00:00", 0);
	check_int(&time, "24:00:00", DAY_US);
	check_int(&time, "23:59:59.999999", DAY_US - 1);
	check_int(&time, "00:00:00.1", 100000);
	check_int(&time, "00:00:00.000001", 1);
	CHECK_REFUSED(&time, "", "24:00:00.000001", "24:00:01", "25:00:00", "12:60:00", "12:00:60", "12:00", "12:00:00.",
		"12:00:00.1234567", "1:00:00", "12:00:00+00", "12:00:00 ", "12-00-00", "aa:00:00");
}

static void test_timestamps(void **state)
{
	const struct column plain = { .type = COLUMN_TIMESTAMP }, zone = { .type = COLUMN_TIMESTAMPTZ };
	const int64_t at = INT64_C(1709210096) * 1000000; /* 2024-02-29 12:34:56 */

	check_int(&plain, "1970-01-01 00:00:00", 0);
	check_int(&plain, "1969-12-31 23:59:59.999999", -1);
	check_int(&plain, "2024-02-29 12:34:56", at);
	check_int(&plain, "2024-02-29 12:34:56.1", at + 100000);
	check_int(&plain, "2024-02-29 12:34:56.12", at + 120000);
	check_int(&plain, "2024-02-29 12:34:56.123", at + 123000);
	check_int(&plain, "2024-02-29 12:34:56.1234", at + 123400);
	check_int(&plain, "2024-02-29 12:34:56.12345", at + 123450);
	check_int(&plain, "2024-02-29 12:34:56.123456", at + 123456);
	check_int(&plain, "0001-01-01 00:00:00", -719162 * DAY_US);
	check_int(&plain, "9999-12-31 23:59:59.999999", 2932897 * DAY_US - 1);
	check_text(&plain, "294276-12-31 23:59:59.999999", VALUE_EXACT);
	check_text(&plain, "4713-11-24 00:00:00 BC", VALUE_EXACT);
	check_text(&plain, "infinity", VALUE_EXACT);
	check_int(&zone, "2024-02-29 12:34:56+00", at);
	check_int(&zone, "2024-02-29 12:34:56.789+00", at + 789000);
	check_text(&zone, "0001-12-31 23:59:59+00 BC", VALUE_EXACT);
	check_text(&zone, "-infinity", VALUE_EXACT);
	CHECK_REFUSED(&plain, "", "2024-02-29", "2024-02-29 ", "2024-02-29T12:34:56", "2024-02-30 12:34:56",
		"2024-02-29 24:00:00", "2024-02-29 12:34:56+00", "2024-02-29 12:34:56.", "2024-02-29 12:34:56.1234567",
		"Thu Feb 29 12:34:56 2024");
	CHECK_REFUSED(&zone, "2024-02-29 12:34:56", "2024-02-29 12:34:56+02", "2024-02-29 12:34:56+00:00",
		"2024-02-29 12:34:56-00", "2024-02-29 12:34:56+0", "2024-02-29 12:34:56 UTC");
}

static struct value decode_array(const struct column *column, const char *text)
{
	struct value value;

	if (decode(column, text, &value) < 0)
		fail_msg("refused: %s", text);
	return value;
}

static void test_arrays(void **state)
{
	const struct column texts = { .type = COLUMN_ARRAY, .element_type = COLUMN_STRING };
	const struct column ints = { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 };
	const struct column bytes = { .type = COLUMN_ARRAY, .element_type = COLUMN_BYTES };
	struct value value = decode_array(&texts, "{a,\"b c\",\"\",NULL,\"NULL\",\"q\\\"u\\\\o\",null}");
	static const char *const wanted[] = { "a", "b c", "", NULL, "NULL", "q\"u\\o", "null" };

	assert_int_equal(value.kind, VALUE_ARRAY);
	assert_int_equal(value.array.count, 7);
	for (size_t i = 0; i < 7; i++) {
		const struct value *item = &value.array.items[i];

		assert_int_equal(item->kind, wanted[i] == NULL ? VALUE_NULL : VALUE_TEXT);
		if (wanted[i] != NULL) {
			assert_int_equal(item->text.len, strlen(wanted[i]));
			assert_memory_equal(item->text.ptr, wanted[i], item->text.len);
		}
	}
	value = decode_array(&ints, "{}");
	assert_true(value.kind == VALUE_ARRAY && value.array.count == 0);
	value = decode_array(&ints, "{-1,2,NULL}");
	assert_true(value.array.count == 3 && value.array.items[0].i == -1 && value.array.items[2].kind == VALUE_NULL);
	value = decode_array(&bytes, "{\"\\\\x00ff\"}");
	assert_int_equal(value.array.count, 1);
	assert_true(value.array.items[0].kind == VALUE_BYTES && value.array.items[0].text.len == 2);
	CHECK_REFUSED(&ints, "", "{", "}", "{1", "1}", "{1,}", "{,1}", "{a}", "{\"1}", "{\"1\\", "{1}}", "{1,2}x}",
		"{2147483648}", "{1\\,2}", "{\"1\"2}");
	CHECK_REFUSED(&texts, "{a\"b}", "{\"a\"b}", "{a\\b}");
}

static void test_exact_arrays(void **state)
{
	const struct column ints = { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 };
	const struct column dates = { .type = COLUMN_ARRAY, .element_type = COLUMN_DATE };
	const struct column money = { .type = COLUMN_ARRAY, .element_type = COLUMN_DECIMAL, .precision = 5, .scale = 2 };

	check_text(&ints, "{{1,2},{3,4}}", VALUE_EXACT);
	check_text(&ints, "[2:4]={1,2,3}", VALUE_EXACT);
	check_text(&dates, "{2024-02-29,infinity}", VALUE_EXACT);
	check_text(&dates, "{\"0001-01-01 BC\"}", VALUE_EXACT);
	check_text(&money, "{1.50,NaN}", VALUE_EXACT);
	check_text(&money, "{1.500}", VALUE_EXACT);
	assert_int_equal(decode_array(&money, "{1.50,NULL}").kind, VALUE_ARRAY);
}

static void test_arena_full(void **state)
{
	const struct column bytes = { .type = COLUMN_BYTES };
	const struct column texts = { .type = COLUMN_ARRAY, .element_type = COLUMN_STRING };
	struct error err = ERROR_INIT;
	struct value value;
	struct arena small;

	arena_init(&small, 8);
	assert_int_equal(pg_text_value(&forms, &bytes, "\\x00", 4, &small, &value, &err), -1);
	assert_int_equal(err.class, ERROR_DATA);
	assert_int_equal(pg_text_value(&forms, &texts, "{a}", 3, &small, &value, &err), -1);
	arena_release(&small);
}

static void check_type(uint32_t oid, int32_t typmod, enum column_type type, const char *name)
{
	struct pg_type ret;

	assert_true(pg_type_builtin(oid, typmod, &ret));
	assert_int_equal(ret.type, type);
	assert_string_equal(ret.name, name);
}

static void test_builtin_types(void **state)
{
	struct pg_type type;

	check_type(23, -1, COLUMN_INT32, "integer");
	check_type(1043, 24, COLUMN_STRING, "character varying(20)");
	check_type(1042, -1, COLUMN_STRING, "bpchar");
	check_type(1115, 3, COLUMN_ARRAY, "timestamp(3) without time zone[]");
	check_type(1186, (0x1c08 << 16) | 3, COLUMN_INTERVAL, "interval day to second(3)");
	assert_true(pg_type_builtin(1184, 3, &type));
	assert_int_equal(type.fraction, 3);
	assert_true(pg_type_builtin(1184, -1, &type));
	assert_int_equal(type.fraction, 6);
	assert_true(pg_type_builtin(1231, (12 << 16 | 2) + 4, &type));
	assert_true(type.type == COLUMN_ARRAY && type.element_type == COLUMN_DECIMAL);
	assert_true(type.precision == 12 && type.scale == 2);
	/* Avro cannot declare these: any digits. */
	assert_true(pg_type_builtin(1700, (2 << 16 | (-3 & 0x7ff)) + 4, &type));
	assert_string_equal(type.name, "numeric(2,-3)");
	assert_true(type.type == COLUMN_DECIMAL && type.precision == 0 && type.scale == 0);
	assert_true(pg_type_builtin(1700, (3 << 16 | 5) + 4, &type));
	assert_string_equal(type.name, "numeric(3,5)");
	assert_int_equal(type.precision, 0);
	assert_false(pg_type_builtin(0, -1, &type));
	assert_false(pg_type_builtin(16384, -1, &type));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_integers),
		cmocka_unit_test(test_floats),
		cmocka_unit_test(test_locale),
		cmocka_unit_test(test_numeric),
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_bool),
		cmocka_unit_test(test_dates),
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_timestamps),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_exact_arrays),
		cmocka_unit_test(test_arena_full),
		cmocka_unit_test(test_builtin_types),
	};

	return cmocka_run_group_tests_name("capture/decode text forms", tests, setup, teardown);
}
