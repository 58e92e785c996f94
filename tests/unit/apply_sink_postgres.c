/*
 * Values and shapes of the PostgreSQL target without a server: text and binary forms, which type holds which, SQL text,
 * classes of errors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <math.h>

#include "apply/sink_postgres_connect.h"
#include "apply/sink_postgres_param.h"
#include "apply/sink_postgres_queue.h"
#include "apply/sink_postgres_shape.h"
#include "apply/sink_text.h"
#include "tests/unit/values.h"

#define DAY INT64_C(86400)

static void expect(enum column_type type, enum column_type element, const struct value *val, const char *text)
{
	struct column column = { .name = "v", .type = type, .element_type = element };
	struct error err = ERROR_INIT;
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(sink_text(&column, val, &out, &err), 0);
	assert_string_equal(buf_cstr(&out), text);
	buf_release(&out);
}

static void numbers_are_written_as_postgresql_reads_them(void **state)
{
	static const struct {
		struct value val;
		enum column_type type;
		const char *text;
	} cases[] = {
		{ INT(0), COLUMN_INT32, "0" },
		{ INT(-42), COLUMN_INT16, "-42" },
		{ INT(INT64_MIN), COLUMN_INT64, "-9223372036854775808" },
		{ INT(INT64_MAX), COLUMN_INT64, "9223372036854775807" },
		{ { .kind = VALUE_UINT, .u = UINT64_MAX }, COLUMN_UINT64, "18446744073709551615" },
		{ { .kind = VALUE_BOOL, .b = true }, COLUMN_BOOL, "t" },
		{ { .kind = VALUE_BOOL, .b = false }, COLUMN_BOOL, "f" },
		{ FLOAT(0.1), COLUMN_FLOAT64, "0.1" },
		{ FLOAT(1e300), COLUMN_FLOAT64, "1e+300" },
		{ FLOAT(0.1 + 0.2), COLUMN_FLOAT64, "0.30000000000000004" },
		{ FLOAT(5e-324), COLUMN_FLOAT64, "4.94065645841247e-324" },
		{ FLOAT(-0.0), COLUMN_FLOAT64, "-0" },
		{ FLOAT((double)0.1f), COLUMN_FLOAT32, "0.1" },
		{ FLOAT((double)3.4028235e38f), COLUMN_FLOAT32, "3.4028235e+38" },
		{ FLOAT((double)16777216.0f), COLUMN_FLOAT32, "16777216" },
		{ FLOAT(INFINITY), COLUMN_FLOAT64, "Infinity" },
		{ FLOAT(-INFINITY), COLUMN_FLOAT32, "-Infinity" },
		{ FLOAT(NAN), COLUMN_FLOAT64, "NaN" },
		{ TEXT("-12.340"), COLUMN_DECIMAL, "-12.340" },
		{ INT(0), COLUMN_YEAR, "0000" },
		{ INT(2155), COLUMN_YEAR, "2155" },
		{ { .kind = VALUE_UINT, .u = UINT64_MAX }, COLUMN_BITS, "18446744073709551615" },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		expect(cases[i].type, COLUMN_BOOL, &cases[i].val, cases[i].text);
}

static void dates_and_times_reach_over_the_eras(void **state)
{
	static const struct {
		int64_t number;
		enum column_type type;
		const char *text;
	} cases[] = {
		{ 0, COLUMN_DATE, "1970-01-01" },
		{ -1, COLUMN_DATE, "1969-12-31" },
		{ 11016, COLUMN_DATE, "2000-02-29" },
		{ -719162, COLUMN_DATE, "0001-01-01" },
		{ -719163, COLUMN_DATE, "0001-12-31 BC" },
		{ -2440588, COLUMN_DATE, "4714-11-24 BC" },
		{ 2145042905, COLUMN_DATE, "5874897-12-31" },
		{ 0, COLUMN_TIME, "00:00:00" },
		{ DAY * US, COLUMN_TIME, "24:00:00" },
		{ 1, COLUMN_TIME, "00:00:00.000001" },
		{ 29701500000, COLUMN_TIME, "08:15:01.5" },
		{ -1, COLUMN_TIMESTAMP, "1969-12-31 23:59:59.999999" },
		{ 0, COLUMN_TIMESTAMPTZ, "1970-01-01 00:00:00+00" },
		{ -719163 * DAY * US + 1, COLUMN_TIMESTAMPTZ, "0001-12-31 00:00:00.000001+00 BC" },
		{ 253402300800 * US, COLUMN_TIMESTAMP, "10000-01-01 00:00:00" },
		{ 0, COLUMN_DURATION, "00:00:00" },
		{ -1, COLUMN_DURATION, "-00:00:00.000001" },
		{ (838 * 3600 + 59 * 60 + 59) * US + 999990, COLUMN_DURATION, "838:59:59.99999" },
		{ (838 * 3600 + 59 * 60 + 59) * -US, COLUMN_DURATION, "-838:59:59" },
	};
	struct column column = { .name = "at", .type = COLUMN_TIME };
	struct value late = INT(DAY * US + 1);
	struct error err = ERROR_INIT;
	struct buf out;

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct value val = INT(cases[i].number);

		expect(cases[i].type, COLUMN_BOOL, &val, cases[i].text);
	}
	buf_init(&out, 100);
	assert_int_equal(sink_text(&column, &late, &out, &err), -1);
	assert_string_equal(err.text, "column at: 86400000001 us is no time of day");
	buf_release(&out);
}

static void bytes_and_arrays_are_escaped(void **state)
{
	static const struct value texts[] = { TEXT(""), TEXT("NULL"), { .kind = VALUE_NULL }, TEXT("a \"b\" \\ {c,d}"),
		TEXT("\xc3\xa4\n") };
	static const struct value dates[] = { INT(0), { .kind = VALUE_EXACT, .text = { "infinity", 8 } } };
	static const struct value bytes[] = { BYTES("\0\xff") };
	struct value val = BYTES("\0\x7f\xff");

	expect(COLUMN_BYTES, COLUMN_BOOL, &val, "\\x007fff");
	val = (struct value){ .kind = VALUE_ARRAY, .array = { texts, 5 } };
	expect(COLUMN_ARRAY, COLUMN_STRING, &val, "{\"\",\"NULL\",NULL,\"a \\\"b\\\" \\\\ {c,d}\",\"\xc3\xa4\n\"}");
	val = (struct value){ .kind = VALUE_ARRAY, .array = { dates, 2 } };
	expect(COLUMN_ARRAY, COLUMN_DATE, &val, "{\"1970-01-01\",\"infinity\"}");
	val = (struct value){ .kind = VALUE_ARRAY, .array = { bytes, 1 } };
	expect(COLUMN_ARRAY, COLUMN_BYTES, &val, "{\"\\\\x00ff\"}");
	val = (struct value){ .kind = VALUE_ARRAY, .array = { NULL, 0 } };
	expect(COLUMN_ARRAY, COLUMN_INT32, &val, "{}");
}

static void what_postgresql_cannot_hold_is_refused(void **state)
{
	static const struct value inner[] = { { .kind = VALUE_ARRAY }, TEXT("a\0b") };
	struct column column = { .name = "v", .type = COLUMN_ARRAY, .element_type = COLUMN_STRING };
	struct value nested = { .kind = VALUE_ARRAY, .array = { inner, 1 } },
		     zero = { .kind = VALUE_ARRAY, .array = { inner + 1, 1 } };
	struct value unchanged = { .kind = VALUE_UNCHANGED }, large = TEXT("0123456789");
	struct error err = ERROR_INIT;
	struct pg_param param;
	struct buf out;

	buf_init(&out, 4096);
	assert_int_equal(sink_text(&column, &nested, &out, &err), -1);
	assert_int_equal(err.class, ERROR_DATA);
	assert_int_equal(sink_text(&column, &zero, &out, &err), -1);
	assert_string_equal(err.text, "column v: a text with a zero byte, which PostgreSQL cannot hold");
	column.type = COLUMN_STRING;
	assert_int_equal(sink_text(&column, &inner[1], &out, &err), -1);
	assert_int_equal(pg_param(&column, FORM_STRING, &unchanged, &out, &param, &err), -1);
	assert_int_equal(err.class, ERROR_BUG);
	out.max = 8;
	buf_release(&out);
	assert_int_equal(pg_param(&column, FORM_STRING, &large, &out, &param, &err), -1);
	assert_int_equal(err.class, ERROR_DATA);
	buf_release(&out);
}

/* MySQL's values that go into this form of target but for some; the others are refused by name, with what to do. */
static void values_that_only_mysql_has_are_checked_one_by_one(void **state)
{
	static const struct {
		struct value val;
		enum column_type type;
		enum pg_form form;
		const char *text; /* of the error; NULL: taken */
	} cases[] = {
		{ INT(1), COLUMN_INT16, FORM_BOOL, NULL },
		{ INT(2), COLUMN_INT16, FORM_BOOL, "column v: 2 is no boolean" },
		{ INT(-1), COLUMN_INT16, FORM_BOOL, "column v: -1 is no boolean" },
		{ INT(-1), COLUMN_INT16, FORM_INT2, NULL },
		{ INT(86400 * US), COLUMN_DURATION, FORM_TIME, NULL },
		{ INT(86400 * US + 1), COLUMN_DURATION, FORM_TIME, "column v: 86400000001 us is no time of day" },
		{ INT(-1), COLUMN_DURATION, FORM_TIME, "column v: -1 us is no time of day" },
		{ INT(-1), COLUMN_DURATION, FORM_TEXT, NULL },
		{ EXACT("0000-00-00"), COLUMN_DATE, FORM_DATE, "column v: \"0000-00-00\" is no date for PostgreSQL" },
		{ EXACT("2026-02-31"), COLUMN_DATE, FORM_DATE, "column v: \"2026-02-31\" is no date for PostgreSQL" },
		{ EXACT("2026-11-00"), COLUMN_DATE, FORM_DATE, "column v: \"2026-11-00\" is no date for PostgreSQL" },
		{ EXACT("2100-02-29"), COLUMN_DATE, FORM_DATE, "column v: \"2100-02-29\" is no date for PostgreSQL" },
		{ EXACT("0000-00-00 00:00:00.000000"), COLUMN_TIMESTAMP, FORM_TIMESTAMP,
			"column v: \"0000-00-00 00:00:00.000000\" is no date for PostgreSQL" },
		{ EXACT("0000-00-00 00:00:00"), COLUMN_TIMESTAMPTZ, FORM_STRING, NULL },
		{ EXACT("0000-00-00"), COLUMN_DATE, FORM_STRING, NULL },
		{ EXACT("infinity"), COLUMN_DATE, FORM_DATE, NULL },
		{ EXACT("-infinity"), COLUMN_TIMESTAMP, FORM_TIMESTAMP, NULL },
		{ EXACT("294276-12-31 23:59:59.999999"), COLUMN_TIMESTAMP, FORM_TIMESTAMP, NULL },
		{ EXACT("0005-02-29 00:00:00+00 BC"), COLUMN_TIMESTAMPTZ, FORM_TIMESTAMP, NULL },
		{ TEXT("a\0b"), COLUMN_STRING, FORM_STRING,
			"column v: a text with a zero byte, which PostgreSQL cannot hold" },
		{ TEXT("a\0b"), COLUMN_SET, FORM_MEMBERS,
			"column v: a text with a zero byte, which PostgreSQL cannot hold" },
		{ BYTES("\0\0\0\0\1\1\0\0"), COLUMN_GEOMETRY, FORM_EWKB, "column v: a geometry of 8 bytes" },
	};
	struct error err = ERROR_INIT;
	struct pg_param param;
	struct buf out;

	buf_init(&out, 4096);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct column column = { .name = "v", .type = cases[i].type };
		int result = pg_param(&column, cases[i].form, &cases[i].val, &out, &param, &err);

		assert_int_equal(result, cases[i].text == NULL ? 0 : -1);
		if (result == 0)
			continue;
		assert_string_equal(err.text, cases[i].text);
		assert_int_equal(err.class, ERROR_DATA);
		assert_true(err.hint[0] != '\0' || cases[i].type == COLUMN_GEOMETRY);
	}
	buf_release(&out);
}

static void binary_forms_are_used_when_the_value_fits(void **state)
{
	static const struct {
		enum pg_form form;
		enum column_type type;
		struct value val;
		int format, len;
		const char *bytes;
	} cases[] = {
		{ FORM_INT2, COLUMN_INT16, INT(-2), 1, 2, "\xff\xfe" },
		{ FORM_INT2, COLUMN_INT32, INT(40000), 0, 5, "40000" },
		{ FORM_INT4, COLUMN_INT32, INT(258), 1, 4, "\0\0\1\2" },
		{ FORM_INT4, COLUMN_INT64, INT(INT64_C(1) << 40), 0, 13, "1099511627776" },
		{ FORM_INT8, COLUMN_INT16, INT(-1), 1, 8, "\xff\xff\xff\xff\xff\xff\xff\xff" },
		{ FORM_BOOL, COLUMN_BOOL, { .kind = VALUE_BOOL, .b = true }, 1, 1, "\1" },
		{ FORM_DATE, COLUMN_DATE, INT(10957), 1, 4, "\0\0\0\0" },
		{ FORM_DATE, COLUMN_DATE, { .kind = VALUE_EXACT, .text = { "infinity", 8 } }, 0, 8, "infinity" },
		{ FORM_TIMESTAMP, COLUMN_TIMESTAMPTZ, INT(10957 * DAY * US + 1), 1, 8, "\0\0\0\0\0\0\0\1" },
		{ FORM_FLOAT8, COLUMN_FLOAT32, FLOAT(1.0), 1, 8, "\x3f\xf0\0\0\0\0\0\0" },
		{ FORM_FLOAT4, COLUMN_FLOAT32, FLOAT(1.0), 1, 4, "\x3f\x80\0\0" },
		{ FORM_UUID, COLUMN_UUID, TEXT("00112233-4455-6677-8899-AABBccddeeff"), 1, 16,
			"\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff" },
		{ FORM_UUID, COLUMN_UUID, TEXT("00112233445566778899aabbccddeeff"), 0, 32,
			"00112233445566778899aabbccddeeff" },
		{ FORM_STRING, COLUMN_STRING, TEXT("ab"), 1, 2, "ab" },
		{ FORM_BYTEA, COLUMN_BYTES, BYTES("\0a"), 1, 2, "\0a" },
		{ FORM_TEXT, COLUMN_DECIMAL, TEXT("1.50"), 0, 4, "1.50" },
		{ FORM_INT4, COLUMN_INT32, { .kind = VALUE_NULL }, 0, -1, "" },
		{ FORM_BOOL, COLUMN_INT16, INT(1), 1, 1, "\1" },
		{ FORM_BOOL, COLUMN_BITS, { .kind = VALUE_UINT, .u = 0 }, 1, 1, "\0" },
		{ FORM_INT8, COLUMN_BITS, { .kind = VALUE_UINT, .u = 5 }, 1, 8, "\0\0\0\0\0\0\0\5" },
		{ FORM_BITS, COLUMN_BITS, { .kind = VALUE_UINT, .u = 5 }, 0, 4, "0101" },
		{ FORM_INT2, COLUMN_YEAR, INT(2026), 1, 2, "\x07\xea" },
		{ FORM_TIME, COLUMN_DURATION, INT(1), 1, 8, "\0\0\0\0\0\0\0\1" },
		{ FORM_TEXT, COLUMN_DURATION, INT(-US), 0, 9, "-00:00:01" },
		{ FORM_MEMBERS, COLUMN_SET, TEXT("a,b \"c\""), 0, 15, "{\"a\",\"b \\\"c\\\"\"}" },
		{ FORM_MEMBERS, COLUMN_SET, TEXT(""), 0, 2, "{}" },
		{ FORM_STRING, COLUMN_SET, TEXT("a,b"), 1, 3, "a,b" },
		{ FORM_BYTEA, COLUMN_GEOMETRY, BYTES("\xe6\x10\0\0\1\1"), 1, 6, "\xe6\x10\0\0\1\1" },
		{ FORM_EWKB, COLUMN_GEOMETRY, BYTES("\0\0\0\0\1\1\0\0\0\xaa"), 0, 12, "0101000000aa" },
		{ FORM_EWKB, COLUMN_GEOMETRY, BYTES("\xe6\x10\0\0\1\1\0\0\0\xaa"), 0, 20, "0101000020e6100000aa" },
		{ FORM_EWKB, COLUMN_GEOMETRY, BYTES("\xe6\x10\0\0\0\0\0\0\1\xaa"), 0, 20, "0020000001000010e6aa" },
		{ FORM_BYTEA, COLUMN_VECTOR, BYTES("\0\0\x80\x3f"), 1, 4, "\0\0\x80\x3f" },
		{ FORM_FLOAT4_ARRAY, COLUMN_VECTOR, BYTES("\0\0\x80\x3f"), 1, 28,
			"\0\0\0\1\0\0\0\0\0\0\x02\xbc\0\0\0\1\0\0\0\1\0\0\0\4\x3f\x80\0\0" },
		{ FORM_FLOAT8_ARRAY, COLUMN_VECTOR, BYTES(""), 1, 12, "\0\0\0\0\0\0\0\0\0\0\x02\xbd" },
	};
	struct error err = ERROR_INIT;
	struct buf out;

	buf_init(&out, 4096);
	buf_append_byte(&out, '#');
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct column column = { .name = "v", .type = cases[i].type, .precision = 4 };
		struct pg_param param;

		assert_int_equal(pg_param(&column, cases[i].form, &cases[i].val, &out, &param, &err), 0);
		assert_int_equal(param.format, cases[i].format);
		assert_int_equal(param.len, cases[i].len);
		if (param.len < 0)
			continue;
		assert_memory_equal(out.data + param.offset, cases[i].bytes, (size_t)param.len);
		assert_int_equal(out.data[param.offset + (size_t)param.len], '\0');
	}
	buf_release(&out);
}

static void a_target_type_holds_the_sources_or_is_refused(void **state)
{
#define NUMERIC(p, s) ((((p) << 16) | ((s)&0x7ff)) + 4)
	static const struct {
		struct column source;
		struct shape_type target;
		bool holds;
		enum pg_form form;
	} cases[] = {
		{ { .type = COLUMN_INT16 }, { "int4", "integer", "", 'b', -1, false }, true, FORM_INT4 },
		{ { .type = COLUMN_INT32 }, { "int2", "smallint", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_INT64 }, { "numeric", "numeric", "", 'b', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_INT64 }, { "numeric", "numeric(20,2)", "", 'b', NUMERIC(20, 2), false }, false, FORM_TEXT },
		{ { .type = COLUMN_INT64, .source_type = "oid" }, { "oid", "oid", "", 'b', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_INT64, .source_type = "bigint" }, { "oid", "oid", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_UINT64 }, { "int8", "bigint", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_UINT64 }, { "numeric", "numeric(20,0)", "", 'b', NUMERIC(20, 0), false }, true, FORM_TEXT },
		{ { .type = COLUMN_FLOAT32 }, { "float8", "double precision", "", 'b', -1, false }, true, FORM_FLOAT8 },
		{ { .type = COLUMN_FLOAT64 }, { "float4", "real", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 },
			{ "numeric", "numeric(14,4)", "", 'b', NUMERIC(14, 4), false }, true, FORM_TEXT },
		{ { .type = COLUMN_DECIMAL, .precision = 12, .scale = 2 },
			{ "numeric", "numeric(13,4)", "", 'b', NUMERIC(13, 4), false }, false, FORM_TEXT },
		{ { .type = COLUMN_DECIMAL }, { "numeric", "numeric(12,2)", "", 'b', NUMERIC(12, 2), false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_DECIMAL }, { "numeric", "numeric", "", 'b', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_DECIMAL, .precision = 3, .scale = 2 },
			{ "numeric", "numeric(2,-1)", "", 'b', NUMERIC(2, -1), false }, false, FORM_TEXT },
		{ { .type = COLUMN_DECIMAL, .source_type = "numeric(4,-2)" },
			{ "numeric", "numeric(4,-2)", "", 'b', NUMERIC(4, -2), false }, true, FORM_TEXT },
		{ { .type = COLUMN_DECIMAL, .source_type = "numeric(2,5)" },
			{ "numeric", "numeric(2,4)", "", 'b', NUMERIC(2, 4), false }, false, FORM_TEXT },
		{ { .type = COLUMN_ARRAY, .element_type = COLUMN_DECIMAL, .source_type = "numeric(2,5)[]" },
			{ "_numeric", "numeric(2,5)[]", "numeric", 'b', NUMERIC(2, 5), false }, true, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "text" }, { "varchar", "character varying(20)", "", 'b', 24, false },
			false, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "text" }, { "varchar", "character varying", "", 'b', -1, false },
			true, FORM_STRING },
		{ { .type = COLUMN_STRING, .source_type = "character varying(20)" },
			{ "varchar", "character varying(20)", "", 'b', 24, false }, true, FORM_STRING },
		{ { .type = COLUMN_STRING, .source_type = "character varying(21)" },
			{ "varchar", "character varying(20)", "", 'b', 24, false }, false, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "text" }, { "bpchar", "character(20)", "", 'b', 24, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "character(20)" }, { "bpchar", "character(20)", "", 'b', 24, false },
			true, FORM_STRING },
		{ { .type = COLUMN_STRING, .source_type = "inet" }, { "inet", "inet", "", 'b', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "inet" }, { "cidr", "cidr", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "inet" }, { "text", "text", "", 'b', -1, false }, true,
			FORM_STRING },
		{ { .type = COLUMN_STRING, .source_type = "crm.\"My type\"" },
			{ "My type", "other.\"My type\"", "", 'c', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "bit(5)" }, { "bit", "bit(6)", "", 'b', 6, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "text" }, { "int4", "integer", "", 'b', -1, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_ENUM, .source_type = "mood" }, { "feeling", "feeling", "", 'e', -1, false }, true,
			FORM_TEXT },
		{ { .type = COLUMN_ENUM, .source_type = "mood" }, { "text", "text", "", 'b', -1, false }, true, FORM_STRING },
		{ { .type = COLUMN_JSON, .source_type = "json" }, { "jsonb", "jsonb", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_JSON, .source_type = "jsonb" }, { "json", "json", "", 'b', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, { "timestamp", "timestamp", "", 'b', -1, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_TIMESTAMPTZ, .fraction = 6 }, { "timestamptz", "timestamptz(3)", "", 'b', 3, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_TIMESTAMPTZ, .fraction = 3 }, { "timestamptz", "timestamptz(3)", "", 'b', 3, false }, true,
			FORM_TIMESTAMP },
		{ { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, { "_int8", "bigint[]", "int8", 'b', -1, false },
			true, FORM_TEXT },
		{ { .type = COLUMN_ARRAY, .element_type = COLUMN_INT32 }, { "int8", "bigint", "", 'b', -1, false }, false,
			FORM_TEXT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum pg_form form;

		if (shape_type_holds(&cases[i].source, &cases[i].target, &form) != cases[i].holds)
			fail_msg("case %zu: %s into %s", i,
				cases[i].source.source_type != NULL ? cases[i].source.source_type :
								      column_type_name(cases[i].source.type),
				cases[i].target.declared);
		if (cases[i].holds)
			assert_int_equal(form, cases[i].form);
	}
}

static void a_target_type_holds_mysqls_or_is_refused(void **state)
{
#define INTERVAL(fields, digits) ((fields) << 16 | (digits))
	static const char *const labels[] = { "b\xc3\xa4r", "fox", "hare" };
	static const struct {
		struct column source;
		struct shape_type target;
		bool holds;
		enum pg_form form;
	} cases[] = {
		{ { .type = COLUMN_BITS, .precision = 5 }, { "bit", "bit(5)", "", 'b', 5, false }, true, FORM_BITS },
		{ { .type = COLUMN_BITS, .precision = 5 }, { "bit", "bit(6)", "", 'b', 6, false }, false, FORM_TEXT },
		{ { .type = COLUMN_BITS, .precision = 5 }, { "varbit", "bit varying(4)", "", 'b', 4, false }, false, FORM_TEXT },
		{ { .type = COLUMN_BITS, .precision = 5 }, { "varbit", "bit varying", "", 'b', -1, false }, true, FORM_BITS },
		{ { .type = COLUMN_BITS, .precision = 63 }, { "int8", "bigint", "", 'b', -1, false }, true, FORM_INT8 },
		{ { .type = COLUMN_BITS, .precision = 64 }, { "int8", "bigint", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_BITS, .precision = 16 }, { "int2", "smallint", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_BITS, .precision = 64 }, { "numeric", "numeric(20,0)", "", 'b', NUMERIC(20, 0), false }, true,
			FORM_TEXT },
		{ { .type = COLUMN_BITS, .precision = 64 }, { "numeric", "numeric(19,0)", "", 'b', NUMERIC(19, 0), false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_BITS, .precision = 1 }, { "bool", "boolean", "", 'b', -1, false }, true, FORM_BOOL },
		{ { .type = COLUMN_BITS, .precision = 2 }, { "bool", "boolean", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_YEAR }, { "int2", "smallint", "", 'b', -1, false }, true, FORM_INT2 },
		{ { .type = COLUMN_YEAR }, { "text", "text", "", 'b', -1, false }, true, FORM_STRING },
		{ { .type = COLUMN_YEAR }, { "date", "date", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_SET, .labels = labels, .label_count = 3 }, { "text", "text", "", 'b', -1, false }, true,
			FORM_STRING },
		{ { .type = COLUMN_SET, .labels = labels, .label_count = 3 },
			{ "varchar", "character varying(12)", "", 'b', 16, false }, true, FORM_STRING },
		{ { .type = COLUMN_SET, .labels = labels, .label_count = 3 },
			{ "varchar", "character varying(11)", "", 'b', 15, false }, false, FORM_TEXT },
		{ { .type = COLUMN_ENUM, .labels = labels, .label_count = 3 },
			{ "varchar", "character varying(4)", "", 'b', 8, false }, true, FORM_STRING },
		{ { .type = COLUMN_ENUM, .labels = labels, .label_count = 3 },
			{ "varchar", "character varying(3)", "", 'b', 7, false }, false, FORM_TEXT },
		{ { .type = COLUMN_SET }, { "_text", "text[]", "text", 'b', -1, false }, true, FORM_MEMBERS },
		{ { .type = COLUMN_SET }, { "_animal", "animal[]", "animal", 'e', -1, false }, true, FORM_MEMBERS },
		{ { .type = COLUMN_SET }, { "_int4", "integer[]", "int4", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_SET }, { "animal", "animal", "", 'e', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_DURATION, .fraction = 6 }, { "interval", "interval", "", 'b', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_DURATION, .fraction = 3 },
			{ "interval", "interval(3)", "", 'b', INTERVAL(0x7fff, 3), false }, true, FORM_TEXT },
		{ { .type = COLUMN_DURATION, .fraction = 6 },
			{ "interval", "interval(3)", "", 'b', INTERVAL(0x7fff, 3), false }, false, FORM_TEXT },
		{ { .type = COLUMN_DURATION }, { "interval", "interval day", "", 'b', INTERVAL(8, 0xffff), false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_DURATION, .fraction = 6 }, { "time", "time", "", 'b', -1, false }, true, FORM_TIME },
		{ { .type = COLUMN_DURATION, .fraction = 6 }, { "time", "time(3)", "", 'b', 3, false }, false, FORM_TEXT },
		{ { .type = COLUMN_DURATION }, { "timetz", "timetz", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_GEOMETRY }, { "bytea", "bytea", "", 'b', -1, false }, true, FORM_BYTEA },
		{ { .type = COLUMN_GEOMETRY }, { "geometry", "public.geometry(Point,4326)", "", 'b', 1107460, false }, true,
			FORM_EWKB },
		{ { .type = COLUMN_GEOMETRY }, { "point", "point", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_VECTOR }, { "_float4", "real[]", "float4", 'b', -1, false }, true, FORM_FLOAT4_ARRAY },
		{ { .type = COLUMN_VECTOR }, { "_float8", "double precision[]", "float8", 'b', -1, false }, true,
			FORM_FLOAT8_ARRAY },
		{ { .type = COLUMN_VECTOR }, { "bytea", "bytea", "", 'b', -1, false }, true, FORM_BYTEA },
		{ { .type = COLUMN_VECTOR }, { "_int4", "integer[]", "int4", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_INT16, .source_type = "tinyint(1)" }, { "bool", "boolean", "", 'b', -1, false }, true,
			FORM_BOOL },
		{ { .type = COLUMN_INT16, .source_type = "smallint" }, { "bool", "boolean", "", 'b', -1, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_DATE }, { "text", "text", "", 'b', -1, false }, true, FORM_STRING },
		{ { .type = COLUMN_TIMESTAMP, .fraction = 6 }, { "text", "text", "", 'b', -1, false }, true, FORM_STRING },
		{ { .type = COLUMN_TIMESTAMP }, { "timestamptz", "timestamptz", "", 'b', -1, false }, false, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "varchar(20)" }, { "varchar", "character varying(20)", "", 'b', 24, false },
			true, FORM_STRING },
		{ { .type = COLUMN_STRING, .source_type = "varchar(21)" }, { "varchar", "character varying(20)", "", 'b', 24, false },
			false, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "char(20)" }, { "bpchar", "character(20)", "", 'b', 24, false }, true,
			FORM_STRING },
		{ { .type = COLUMN_STRING, .source_type = "varchar(20)" }, { "bpchar", "character(20)", "", 'b', 24, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "\"char\"" }, { "bpchar", "character(20)", "", 'b', 24, false }, false,
			FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "mediumtext" }, { "varchar", "character varying(9999)", "", 'b', 10003, false },
			false, FORM_TEXT },
		{ { .type = COLUMN_STRING, .source_type = "tinytext" }, { "varchar", "character varying(255)", "", 'b', 259, false },
			true, FORM_STRING },
		{ { .type = COLUMN_STRING, .source_type = "inet6" }, { "inet", "inet", "", 'b', -1, false }, true, FORM_TEXT },
		{ { .type = COLUMN_JSON, .source_type = "json" }, { "jsonb", "jsonb", "", 'b', -1, true }, true, FORM_TEXT },
		{ { .type = COLUMN_BYTES, .source_type = "binary(16)" }, { "uuid", "uuid", "", 'b', -1, false }, false, FORM_TEXT },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		enum pg_form form;

		if (shape_type_holds(&cases[i].source, &cases[i].target, &form) != cases[i].holds)
			fail_msg("case %zu: %s into %s", i,
				cases[i].source.source_type != NULL ? cases[i].source.source_type :
								      column_type_name(cases[i].source.type),
				cases[i].target.declared);
		if (cases[i].holds)
			assert_int_equal(form, cases[i].form);
	}
}

static void names_are_quoted_and_operators_qualified(void **state)
{
	static char name[] = "\"a\"\"b\"", other[] = "\"c\"", equals[] = "pg_catalog.=", quoted[] = "\"s\".\"t\"";
	struct sink_table_column names[] = { { .quoted = name, .key = true }, { .quoted = other } };
	struct shape_column columns[] = { { .type = 23, .equals = equals }, { .type = 25 } };
	size_t key[] = { 0 };
	struct shape shape = {
		.table = { .quoted = quoted, .columns = names, .column_count = 2, .key = key, .key_count = 1 },
		.columns = columns, .overriding = true
	};
	struct sink_set set = { { 2 } };
	Oid types[8];
	struct buf sql;

	buf_init(&sql, 4096);
	pg_identifier(&sql, "a\"b");
	assert_string_equal(buf_cstr(&sql), name);
	buf_reset(&sql);
	shape_insert(&shape, 2, &sql, types);
	assert_string_equal(buf_cstr(&sql),
		"INSERT INTO \"s\".\"t\" (\"a\"\"b\",\"c\") OVERRIDING SYSTEM VALUE VALUES ($1,$2),($3,$4)");
	assert_int_equal(types[2], 23);
	assert_int_equal(types[3], 25);
	buf_reset(&sql);
	shape_update(&shape, &set, &sql, types);
	assert_string_equal(
		buf_cstr(&sql), "UPDATE \"s\".\"t\" SET \"c\"=$1 WHERE \"a\"\"b\" OPERATOR(pg_catalog.=) $2");
	assert_int_equal(types[0], 25);
	assert_int_equal(types[1], 23);
	buf_reset(&sql);
	shape.table.key_count = 0;
	shape_delete(&shape, &sql, types);
	assert_string_equal(buf_cstr(&sql),
		"DELETE FROM \"s\".\"t\" WHERE (tableoid, ctid) = (SELECT tableoid, ctid FROM \"s\".\"t\" WHERE "
		"\"a\"\"b\"::text IS NOT DISTINCT FROM $1::text AND \"c\"::text IS NOT DISTINCT FROM $2::text LIMIT 1)");
	buf_release(&sql);
}

static void errors_are_classed_by_sqlstate(void **state)
{
	static const struct {
		const char *sqlstate;
		enum error_class class;
	} cases[] = { { NULL, ERROR_RETRY }, { "", ERROR_RETRY }, { "40001", ERROR_RETRY }, { "40P01", ERROR_RETRY },
		{ "55P03", ERROR_RETRY }, { "57014", ERROR_RETRY }, { "57P01", ERROR_RETRY }, { "57P03", ERROR_RETRY },
		{ "08006", ERROR_RETRY }, { "53100", ERROR_RETRY }, { "53300", ERROR_RETRY }, { "25006", ERROR_RETRY },
		{ "58030", ERROR_RETRY }, { "42501", ERROR_CONFIG }, { "42P01", ERROR_CONFIG },
		{ "42703", ERROR_CONFIG }, { "28P01", ERROR_CONFIG }, { "3D000", ERROR_CONFIG },
		{ "23505", ERROR_DATA }, { "22P02", ERROR_DATA }, { "40002", ERROR_DATA }, { "P0001", ERROR_DATA } };
	char sqlstate[6];

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_int_equal(queue_class(cases[i].sqlstate), cases[i].class);
	assert_string_equal(
		connect_sqlstate(
			"connection to server failed: FATAL:  28P01: password authentication failed\nLOCATION:  x",
			sqlstate),
		"password authentication failed\nLOCATION:  x");
	assert_string_equal(sqlstate, "28P01");
	assert_string_equal(connect_sqlstate("connection refused", sqlstate), "connection refused");
	assert_string_equal(sqlstate, "");
}

/* A stand-by takes over when the server has noticed that the other agent's host is gone, not hours later. */
static void the_session_watches_its_peer(void **state)
{
	const struct sink_options options = { .lock_timeout_us = 0 };
	char sql[CONNECT_SESSION_MAX];

	(void)connect_session(&options, sql);
	assert_true(strlen(sql) < sizeof sql - 1);
	assert_non_null(strstr(sql, "set_config('tcp_keepalives_idle','10',false)"));
	assert_non_null(strstr(sql, "set_config('tcp_keepalives_interval','5',false)"));
	assert_non_null(strstr(sql, "set_config('tcp_keepalives_count','4',false)"));
	assert_non_null(strstr(sql, "set_config('tcp_user_timeout','30000',false)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_written_as_postgresql_reads_them),
		cmocka_unit_test(dates_and_times_reach_over_the_eras),
		cmocka_unit_test(bytes_and_arrays_are_escaped),
		cmocka_unit_test(what_postgresql_cannot_hold_is_refused),
		cmocka_unit_test(binary_forms_are_used_when_the_value_fits),
		cmocka_unit_test(values_that_only_mysql_has_are_checked_one_by_one),
		cmocka_unit_test(a_target_type_holds_the_sources_or_is_refused),
		cmocka_unit_test(a_target_type_holds_mysqls_or_is_refused),
		cmocka_unit_test(names_are_quoted_and_operators_qualified),
		cmocka_unit_test(errors_are_classed_by_sqlstate),
		cmocka_unit_test(the_session_watches_its_peer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
